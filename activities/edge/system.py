"""Regions, the gateway, and what a customer meets at the edge. What lets endpoints in is chosen by `[policy.systems] endpoints`."""

from activities.edge.endpoints import EndpointGate, EndpointOf
from activities.edge.gates import Gate, GatewayApi
from activities.edge.probe import EdgeProbe
from activities.platform.system import PlatformSettings
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, Unused, secret, setting


class EdgeSettings(ClientSettings):
    edge_url: str = setting(
        about="where customers reach our services: <edge_url>/<service>/",
        needed=True, example="https://www.example.com", practice="{url}/edge",
    )  # fmt: skip


class GatewayApiSettings(ClientSettings):
    gateway_api_url: str = setting(
        about="the Kubernetes API of the cluster that holds the HTTPRoutes of all regions; {region} stands for its region", needed=True,
        example="https://{region}.clusters.example.com", practice="{url}/k8s/{region}",
    )  # fmt: skip
    gateway_api_region: str = setting("eu-west", "the region of that cluster")
    gateway_api_token: str = secret("read again when it is refused; or adc")
    gateway_api_endpoint: str = setting("documents.get", "an endpoint whose route is read for a look from outside")


def _service(look: Look) -> str:
    service = next(iter(look.catalogue.services), None)
    if service is None:
        raise Unused("organisation.toml names no service")
    return service


async def _probe(edge: EdgeProbe, look: Look) -> Seen:
    service = _service(look)
    return Seen(f"{service} answers a customer with {(await edge.meet(look.call, service, page='healthz')).status}")


async def _probe_gate(gate: Gate, look: Look) -> Seen:
    endpoint = EndpointOf(service=_service(look), endpoint=look.settings.gateway_api_endpoint)
    return Seen(f"{endpoint.endpoint} lets through {(await gate.read(look.call, endpoint)).value}")


async def _probe_route(gateway: GatewayApi, look: Look) -> Seen:
    route = await gateway.route(look.call, _service(look), look.settings.gateway_api_endpoint)
    return Seen(f"reads HTTPRoute {route['metadata']['name']}")


def _gateway_api(opening: Opening) -> GatewayApi:
    return GatewayApi(opening.http("gateway_api", region=opening.settings.gateway_api_region))


GATE = ClientInfo("gateway", Gate, PlatformSettings, _probe_gate)
GATEWAY_API = ClientInfo("gateway api", GatewayApi, GatewayApiSettings, _probe_route, _gateway_api)
SYSTEM = SystemInfo(ClientInfo("edge", EdgeProbe, EdgeSettings, _probe), Port("endpoints", EndpointGate, (GATE, GATEWAY_API)))
