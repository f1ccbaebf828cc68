"""The LLM gateway: routes, client policies, providers."""

from activities.metrics.system import PROMETHEUS
from activities.models.model_gateway import ModelGateway
from activities.models.models import Models
from activities.product.system import APP
from activities.systems import Build, ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting


class ModelGatewaySettings(ClientSettings):
    model_gateway_url: str = setting(needed=True, example="https://models.example.com", practice="{url}/llm")
    model_gateway_token: str = secret()


async def _probe(gateway: ModelGateway, look: Look) -> Seen:
    return Seen(f"knows {len(await gateway.providers(look.call))} providers")


def _models(build: Build) -> Models:
    return Models(build.client(MODEL_GATEWAY), build.client(APP), build.client(PROMETHEUS), build.clock)


MODEL_GATEWAY = ClientInfo("model gateway", ModelGatewaySettings, lambda opening: ModelGateway(opening.http("model_gateway")), _probe)
SYSTEM = SystemInfo({Models: _models}, (MODEL_GATEWAY, APP, PROMETHEUS))
