"""The edge: `[policy.systems] waf` in organisation.toml chooses the product."""

from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, secret, setting
from activities.waf.cloud_armor import CloudArmor
from activities.waf.contract import Waf
from activities.waf.rules import EdgeRules


class WafSettings(ClientSettings):
    waf_url: str = setting(about="the edge by our own contract", needed=True, example="https://edge.example.com/waf", practice="{url}/waf")
    waf_token: str = secret()


class CloudArmorSettings(ClientSettings):
    cloud_armor_url: str = setting(
        about="Compute Engine's API", needed=True, example="https://compute.googleapis.com", practice="{url}/cloudarmor"
    )
    cloud_armor_project: str = setting(about="whose policy it is", needed=True, example="acme")
    cloud_armor_policy: str = setting("edge", "the security policy of the load balancer before sign-in")
    cloud_armor_token: str = secret("of compute.securityAdmin and logging.viewer; or adc")
    cloud_armor_log_url: str = setting(
        about="where the load balancer's log is read",
        needed=True,
        example="https://logging.googleapis.com",
        practice="{url}/cloudarmor-log",
    )


async def _probe(waf: Waf, look: Look) -> Seen:
    rules = await waf.listed(look.call)
    return Seen(f"{len(rules.taken) - len(rules.allowing)} rules deny, {len(rules.allowing)} allow-lists")


async def _probe_cloud_armor(armor: CloudArmor, look: Look) -> Seen:
    rules = await armor.listed(look.call)
    return Seen(f"{len(rules.taken)} rules, {len(rules.allowing)} of them allow-lists")


def _cloud_armor(opening: Opening) -> CloudArmor:
    settings = opening.settings
    return CloudArmor(
        opening.http("cloud_armor"), opening.http("cloud_armor_log", token="cloud_armor_token"),  # noqa: S106 - the name of a setting
        project=settings.cloud_armor_project, policy=settings.cloud_armor_policy,
    )  # fmt: skip


WAF = ClientInfo("waf", Waf, WafSettings, _probe)
CLOUD_ARMOR = ClientInfo("cloud armor", CloudArmor, CloudArmorSettings, _probe_cloud_armor, _cloud_armor)
SYSTEM = SystemInfo(Port("waf", EdgeRules, (WAF, CLOUD_ARMOR)))
