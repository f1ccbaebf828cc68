"""The LLM gateway: routes, client policies, providers."""

from activities.kit.rest import RestClient
from activities.models.client_policy import ClientPolicies
from activities.models.model_gateway import ModelGateway
from activities.systems import Build, ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting


class ModelGatewaySettings(ClientSettings):
    model_gateway_url: str = setting(needed=True, example="https://models.example.com", practice="{url}/llm")
    model_gateway_token: str = secret()


async def _probe(gateway: ModelGateway, look: Look) -> Seen:
    return Seen(f"knows {len(await gateway.providers(look.call))} providers")


GATEWAY = ClientInfo("model gateway", ModelGateway, ModelGatewaySettings, _probe)


def _client_policies(build: Build) -> ClientPolicies:
    return ClientPolicies(RestClient(build.opening(GATEWAY).http("model_gateway")), build.client(GATEWAY))


SYSTEM = SystemInfo(GATEWAY, built={ClientPolicies: _client_policies})
