"""The rows of what is held of a cluster of databases."""

from collections.abc import Callable
from typing import Any

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
from tests.activities.kit.rows.practised import LandingClock, Practised
from tests.activities.kit.stage import Stage


def plane(played: Stage) -> DatabasePlane:
    return DatabasePlane(played.client("/databases"))


def of(kind: Any) -> Callable[[Stage, LandingClock], Any]:
    """A setting of the cluster, by its class."""
    return lambda played, clock: kind(plane(played))


DATABASES = {
    "fence": Practised(of(Fences), NodeOf(cluster="main", node="db-2"), Fence(fenced=True), None, "databases.fence.put"),
    "access to databases": Practised(of(Accesses), AccessOf(cluster="main"), Access(writes=False), None, "databases.access.put"),
    "failover manager": Practised(of(HaPauses), HaOf(cluster="main"), Ha(paused=True), None, "databases.ha.put"),
    "pooler": Practised(
        of(Endpoints), EndpointOf(cluster="main"), Endpoint(writes_to="db-1", reads_from=("db-3",)),
        Endpoint(writes_to="db-1", reads_from=("db-2",)), "databases.endpoint.put",
    ),
}  # fmt: skip
