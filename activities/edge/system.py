"""Regions, the gateway, and what a customer meets at the edge."""

from activities.edge.probe import EdgeProbe
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, Unused, setting


class EdgeSettings(ClientSettings):
    edge_url: str = setting(
        about="where customers reach our services: <edge_url>/<service>/",
        needed=True, example="https://www.example.com", practice="{url}/edge",
    )  # fmt: skip


async def _probe(edge: EdgeProbe, look: Look) -> Seen:
    service = next(iter(look.catalogue.services), None)
    if service is None:
        raise Unused("organisation.toml names no service")
    return Seen(f"{service} answers a customer with {(await edge.meet(look.call, service, page='healthz')).status}")


SYSTEM = SystemInfo(ClientInfo("edge", EdgeProbe, EdgeSettings, _probe))
