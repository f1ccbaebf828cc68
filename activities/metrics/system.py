"""The metrics store: Prometheus."""

from activities.action import Refused
from activities.metrics.prometheus import Prometheus
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Seen, SystemInfo, secret, setting


class PrometheusSettings(ClientSettings):
    prometheus_url: str = setting(needed=True, example="http://prometheus:9090", practice="{url}/prom")
    prometheus_token: str = secret("where it wants one", needed=False)


def _prometheus(opening: Opening) -> Prometheus:
    return Prometheus(opening.http("prometheus"), ui=opening.settings.prometheus_url)


async def _probe(prometheus: Prometheus, look: Look) -> Seen:
    found = await prometheus.query(look.call, "count(service_requests_total)", look.call.at)
    if not found:
        raise Refused("answers, but has no service_requests_total: no playbook could see whether anybody is hit")
    return Seen(f"answers, with {found[0].value:g} series of service_requests_total")


SYSTEM = SystemInfo(ClientInfo("prometheus", Prometheus, PrometheusSettings, _probe, _prometheus))
