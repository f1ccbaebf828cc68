"""The guardrails of our own product."""

from activities.guardrails.guardrails import GuardrailsApi
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting


class GuardrailsSettings(ClientSettings):
    guardrails_url: str = setting(needed=True, example="https://guardrails.example.com", practice="{url}/guardrails")
    guardrails_token: str = secret()


async def _probe(guardrails: GuardrailsApi, look: Look) -> Seen:
    routes = (await guardrails.get(look.call, "/v1/routes"))["routes"]
    return Seen(f"guard {len(routes)} model routes")


SYSTEM = SystemInfo(ClientInfo("guardrails", GuardrailsApi, GuardrailsSettings, _probe))
