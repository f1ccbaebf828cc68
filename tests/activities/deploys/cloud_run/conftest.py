"""Cloud Run: the adapter against the practice platform, and what its tests say."""

from typing import Any

import pytest

from activities.action import Call, Effect
from activities.deploys.cloud_run import CloudRun
from activities.deploys.deploys import Deploys
from activities.deploys.orders import RevisionsOf, Rollout, ToRevision
from activities.edge.probe import EdgeProbe
from activities.metrics.prometheus import Prometheus
from activities.organisation.catalogue import Deployed
from practice.services.fleet import Place
from practice.world.world import World
from tests.activities.conftest import MakeCall, MakeClient, granted

EU, US = "eu-west", "us-east"
API = Deployed(name="api", platform="cloud_run", regions=(EU, US), project="acme", repository="acme/api")
PATCH, GET, OPERATION = "run.services.patch", "run.services.get", "run.operations.get"
MISHAPS: list[tuple[str, dict[str, Any]]] = [
    ("fail", {"times": 2}),
    ("latency", {"times": 1, "seconds": 1.5}),
    ("commit_then_drop", {"times": 1}),
    ("nothing_changed", {"times": 1}),
    ("partial", {"times": 1}),
    ("throttle", {"times": 2}),
    ("hang", {"times": 1}),
]
DONE_UNKNOWN = ("commit_then_drop", "partial")  # the first try did it, and could not know that; a late one is fenced off by its etag


@pytest.fixture
def deploys(door: MakeClient) -> Deploys:
    """The adapter; its client gives up after half a second."""
    cloud_run = CloudRun(door("/run", timeout=0.5), door("/iam"), patience=0.8)
    return Deploys({"cloud_run": cloud_run}, EdgeProbe(door("/edge")), Prometheus(door("/prom")))


@pytest.fixture
async def rollout(deploys: Deploys, call: MakeCall) -> Rollout:
    """As it is when the decision is made."""
    return await deploys.survey(RevisionsOf(service=API), call())


def place(world: World, region: str = EU) -> Place:
    return world.state.fleet.services["api"].places[region]


def back_to(rollout: Rollout, revision: str = "api-00040", **more: Any) -> ToRevision:
    split = {region: {revision: 1.0} for region in API.regions}
    seen = {"before": rollout.splits(), "versions": rollout.versions()}
    return ToRevision.model_validate({"service": API, "split": split, "purpose": "roll back", **seen, **more})


def allowed(order: ToRevision, call: Call) -> Call:
    return granted(Deploys.shift, order, call)


async def shift(deploys: Deploys, order: ToRevision, call: Call) -> Effect:
    return await deploys.shift(order, allowed(order, call))
