"""The rows of our own control plane's settings, and of its clusters of databases."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from activities.capacity.autoscaler import AutoscalerOf, Autoscalers, Bounds
from activities.databases.client import DatabasePlane
from activities.databases.settings import (
    Access,
    Accesses,
    AccessOf,
    Endpoint,
    EndpointOf,
    Endpoints,
    Fence,
    Fences,
    Ha,
    HaOf,
    HaPauses,
    NodeOf,
)
from activities.edge.gateway import Gateway, GatewayOf, Gateways
from activities.edge.probe import EdgeProbe
from activities.edge.regions import Regions, RegionsOf, Weights
from activities.feeds.feeds import Feeding, FeedOf, Feeds
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings
from activities.platform.control_plane import ControlPlane
from activities.write_gate.write_gate import WriteGateOf, WriteGates, Writes
from tests.activities.kit.rows.practised import LandingClock, Practised
from tests.activities.kit.stage import Stage

PLACES = ("eu-west", "us-east")
QUICK = MitigationSettings(return_pause=timedelta(seconds=40), limit_pause=timedelta(seconds=20), limit_steps=2, regions_return=(0.5, 1.0))


def plane(played: Stage) -> ControlPlane:
    return ControlPlane(played.client("/platform"))


def metrics(played: Stage) -> Prometheus:
    return Prometheus(played.client("/prom"))


def probe(played: Stage) -> EdgeProbe:
    return EdgeProbe(played.client("/edge", X_Nothing=""))


def gateways(played: Stage, clock: LandingClock) -> Gateways:
    return Gateways(plane(played), metrics(played), clock)


def regions(played: Stage, clock: LandingClock) -> Regions:
    return Regions(plane(played), probe(played), metrics(played), clock)


def autoscalers(played: Stage, clock: LandingClock) -> Autoscalers:
    return Autoscalers(plane(played), metrics(played))


def write_gates(played: Stage, clock: LandingClock) -> WriteGates:
    return WriteGates(plane(played), probe(played), metrics(played), clock)


def feeds(played: Stage, clock: LandingClock) -> Feeds:
    return Feeds(plane(played), metrics(played))


def bounds(eu: int, us: int) -> Bounds:
    return Bounds(least={"eu-west": eu, "us-east": us}, most={"eu-west": 20, "us-east": 20})


PLATFORM = {
    "edge gateway": Practised(
        gateways, GatewayOf(service="api"), Gateway(rate_limit_rps=4.0), Gateway(rate_limit_rps=1.0), "platform.gateway.put", numbers=QUICK
    ),
    "regions": Practised(
        regions, RegionsOf(service="api", region="us-east"), Weights(weights={"eu-west": 1.0, "us-east": 0.0}),
        Weights(weights={"eu-west": 0.3, "us-east": 0.7}), "platform.regions.put", numbers=QUICK,
    ),
    "autoscaler": Practised(autoscalers, AutoscalerOf(service="api"), bounds(6, 6), bounds(5, 7), "platform.autoscaler.put", halves=True),
    "write gate": Practised(
        write_gates, WriteGateOf(service="api", regions=PLACES), Writes(admitted=0.0), Writes(admitted=0.3), "platform.write_gate.put",
        numbers=QUICK,
    ),
    "feeds": Practised(
        feeds, FeedOf(feed="routing-rules"), Feeding(running=False, pinned=4711), Feeding(running=False, pinned=4709), "platform.feeds.put",
        numbers=QUICK,
    ),
}  # fmt: skip


def cluster_plane(played: Stage) -> DatabasePlane:
    return DatabasePlane(played.client("/databases"))


def of(kind: Any) -> Callable[[Stage, LandingClock], Any]:
    """A setting of the cluster, by its class."""
    return lambda played, clock: kind(cluster_plane(played))


DATABASES = {
    "fence": Practised(of(Fences), NodeOf(cluster="main", node="db-2"), Fence(fenced=True), None, "databases.fence.put"),
    "access to databases": Practised(of(Accesses), AccessOf(cluster="main"), Access(writes=False), None, "databases.access.put"),
    "failover manager": Practised(of(HaPauses), HaOf(cluster="main"), Ha(paused=True), None, "databases.ha.put"),
    "pooler": Practised(
        of(Endpoints), EndpointOf(cluster="main"), Endpoint(writes_to="db-1", reads_from=("db-3",)),
        Endpoint(writes_to="db-1", reads_from=("db-2",)), "databases.endpoint.put",
    ),
}  # fmt: skip
