"""The LLM gateway: routes, client policies, providers."""

from activities.models.model_gateway import ModelGateway
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting


class ModelGatewaySettings(ClientSettings):
    model_gateway_url: str = setting(needed=True, example="https://models.example.com", practice="{url}/llm")
    model_gateway_token: str = secret()


async def _probe(gateway: ModelGateway, look: Look) -> Seen:
    providers, _ = await gateway.known(look.call)
    return Seen(f"knows {len(providers)} providers")


SYSTEM = SystemInfo(ClientInfo("model gateway", ModelGateway, ModelGatewaySettings, _probe))
