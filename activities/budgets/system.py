"""Where limits are kept is chosen by `[policy.systems] budgets` in organisation.toml: our own policy router, or LiteLLM."""

from activities.budgets.limits import LimitStore
from activities.budgets.litellm import LiteLLM
from activities.budgets.policy_router import PolicyRouter
from activities.budgets.quotas import KeysLook, ProviderKeys
from activities.systems import ClientInfo, ClientSettings, Look, Port, Seen, SystemInfo, secret, setting


class PolicySettings(ClientSettings):
    policy_url: str = setting(about="the policy router", needed=True, example="https://policy.example.com", practice="{url}/policy")
    policy_token: str = secret()


class LiteLLMSettings(ClientSettings):
    litellm_url: str = setting(about="the LiteLLM proxy", needed=True, example="https://litellm.example.com", practice="{url}/litellm")
    litellm_token: str = secret("of a proxy administrator")


async def _probe(router: PolicyRouter, look: Look) -> Seen:
    limit = (await router.read(look.call, "all", "all")).value
    return Seen(f"everything together: {limit}")


async def _probe_litellm(proxy: LiteLLM, look: Look) -> Seen:
    role = await proxy.who(look.call)
    return Seen(f"our token is of a {role}", may_write=None if role == "unknown" else role == "proxy_admin")


async def _probe_keys(keys: ProviderKeys, look: Look) -> Seen:
    return Seen(f"knows {len((await keys.look(look.call, KeysLook()))['keys'])} keys at providers")


ROUTER = ClientInfo("policy router", PolicyRouter, PolicySettings, _probe)
LITELLM = ClientInfo("litellm", LiteLLM, LiteLLMSettings, _probe_litellm)
SYSTEM = SystemInfo(Port("budgets", LimitStore, (ROUTER, LITELLM)), ClientInfo("provider keys", ProviderKeys, PolicySettings, _probe_keys))
