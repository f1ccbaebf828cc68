"""Who lets assets speak, `[policy.systems] network` chooses; and who tries whether anything still flows."""

from activities.network.flows import FlowProbe
from activities.network.isolation import NETWORK_POLICY, AssetOf, NetworkControl
from activities.network.own import OwnNetwork
from activities.network.policies import NetworkPolicies
from activities.organisation.organisation import Organisation
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, Unused, secret, setting

CIDR = setting(about="from where assets are examined: it stays let in", needed=True, example="10.250.0.0/28", practice="10.250.0.0/28")


class NetworkSettings(ClientSettings):
    network_url: str = setting(needed=True, example="https://network.example.com", practice="{url}/network")
    network_token: str = secret()


class FlowSettings(ClientSettings):
    flows_url: str = setting(
        about="who tries connections to and from assets", needed=True, example="https://flows.example.com", practice="{url}/flows"
    )
    flows_token: str = secret()


class NetworkPolicySettings(ClientSettings):
    kubernetes_url: str = setting(
        about="the clusters' API; {region} stands for the region",
        needed=True, example="https://{region}.clusters.example.com", practice="{url}/k8s/{region}",
    )  # fmt: skip
    kubernetes_token: str = secret("read again when it is refused; or adc")
    network_forensic_cidr: str = CIDR


def _policies(opening: Opening) -> NetworkPolicies:
    organisation = opening.build.part(Organisation)
    given = opening.settings.network_forensic_cidr
    return NetworkPolicies(lambda region: opening.http("kubernetes", region=region), given, organisation.read_catalogue)


def _asset(look: Look) -> str:
    found = next(iter(look.catalogue.services), None)
    if found is None:
        raise Unused("organisation.toml names no service")
    return found


async def _probe(network: OwnNetwork, look: Look) -> Seen:
    asset = _asset(look)
    return Seen(f"the network of {asset} is {(await network.read(look.call, AssetOf(asset=asset))).value}")


async def _probe_policies(policies: NetworkPolicies, look: Look) -> Seen:
    services = look.on("kubernetes")
    places = sorted({(region, service.namespace) for service in services for region in service.regions})
    held = [await policies.held(look.call, *place) for place in places]
    may = [await policies.may_change(look.call, region) for region, _ in places]
    return Seen(f"{sum(held)} workloads are cut off in {', '.join(region for region, _ in places)}", may_write=all(may))


async def _probe_flows(probe: FlowProbe, look: Look) -> Seen:
    asset = _asset(look)
    flows = await probe.tried(look.call, asset)
    return Seen(f"connections to and from {asset} are tried in {', '.join(flow.place for flow in flows) or 'no place'}")


OWN = ClientInfo("network", OwnNetwork, NetworkSettings, _probe)
POLICIES = ClientInfo(NETWORK_POLICY, NetworkPolicies, NetworkPolicySettings, _probe_policies, _policies)
FLOWS = ClientInfo("flows", FlowProbe, FlowSettings, _probe_flows)
SYSTEM = SystemInfo(Port("network", NetworkControl, (OWN, POLICIES)), FLOWS)
