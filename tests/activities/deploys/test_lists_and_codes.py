"""Lists of revisions are read to their end, and every code of a platform has an outcome. What is not said is no proof."""

import pytest

from activities.action import NotYet
from activities.deploys import cloud_run, kubernetes
from activities.deploys.cloud_run import CloudRun
from activities.deploys.kubernetes import Kubernetes
from activities.deploys.orders import ToRevision
from activities.organisation.catalogue import Deployed
from practice.faces.cloud_run.changes import CloudRunRecords
from practice.world.world import World
from tests.activities.conftest import MakeCall, MakeClient, inject

EU = "eu-west"
API = Deployed(name="api", platform="cloud_run", regions=(EU,), project="acme")
ORCHESTRATOR = Deployed(name="orchestrator", platform="kubernetes", regions=(EU,))


@pytest.fixture
def run(door: MakeClient) -> CloudRun:
    return CloudRun(door("/run"), door("/iam"), patience=0.5)


@pytest.fixture
def clusters(door: MakeClient) -> Kubernetes:
    return Kubernetes(lambda region: door(f"/k8s/{region}"))


def asked(world: World, route: str) -> int:
    return sum(one["route"] == route for one in world.requests)


async def test_revisions_of_cloud_run_are_listed_to_the_last_page(
    world: World, run: CloudRun, call: MakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud_run, "PAGE", 3)
    found = await run.survey(call(), API)
    assert [one.id for one in found.revisions] == [f"api-{number:05d}" for number in range(41, 33, -1)]
    assert asked(world, "run.revisions.list") == 3


async def test_replica_sets_and_nodes_are_listed_to_the_last_page(
    world: World, clusters: Kubernetes, call: MakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubernetes, "PAGE", 2)
    found = await clusters.survey(call(), ORCHESTRATOR)
    assert [one.id for one in found.revisions] == [f"orchestrator-{number:05d}" for number in range(41, 33, -1)]
    assert (asked(world, "kubernetes.replicasets.list"), asked(world, "kubernetes.nodes.list")) == (4, 2)


async def test_a_list_whose_rest_was_dropped_is_read_again_and_not_taken_as_it_is(
    world: World, clusters: Kubernetes, call: MakeCall
) -> None:
    inject(world, "kubernetes.replicasets.list", "fail", times=1, status=410)
    with pytest.raises(NotYet, match="went on changing"):
        await clusters.survey(call(), ORCHESTRATOR)
    assert len((await clusters.survey(call(), ORCHESTRATOR)).revisions) == 8


@pytest.mark.parametrize("code", [4, 10, 13, 14])
async def test_an_operation_of_which_only_the_answer_was_lost_is_looked_at_again(
    world: World, run: CloudRun, call: MakeCall, code: int
) -> None:
    """google.rpc.Code: it says that the operation's outcome is not known, not that the change was refused."""
    before = await run.survey(call(), API)
    world.state.part(CloudRunRecords)[f"api@{EU}"] = {"lost": {"code": code, "message": "asked by dana@example.com"}}
    order = ToRevision(service=API, split={EU: {"api-00040": 1.0}}, purpose="roll back", before=before.splits(), versions=before.versions())
    with pytest.raises(NotYet, match="does not say what became of it") as unknown:
        await run.shift(call(), order, EU)
    assert "dana@" not in str(unknown.value)
    serving = (await run.regions(call(), API))[EU]
    assert serving.heads_for({"api-00040": 1.0})


async def test_permissions_are_told_by_name_whatever_else_is_told(
    world: World, run: CloudRun, clusters: Kubernetes, call: MakeCall
) -> None:
    assert await run.may_change(call(), API, EU) and await clusters.may_change(call(), ORCHESTRATOR, EU)
    inject(world, "run.services.patch", "fail", status=403)
    assert not await run.may_change(call(), API, EU)
    inject(world, "kubernetes.deployments.scale.patch", "fail", status=403)
    assert not await clusters.may_change(call(), ORCHESTRATOR, EU), "scaling is a permission of its own"


def test_a_service_that_names_no_generation_has_settled_nothing() -> None:
    target = {"type": cloud_run.BY_REVISION, "revision": "api-00040", "percent": 100}
    said = {"etag": "1", "traffic": [target], "trafficStatuses": [target], "terminalCondition": {"state": cloud_run.SUCCEEDED}}
    assert cloud_run._serving(said).settling == {"api-00040": 1.0}
    assert not cloud_run._serving({**said, "generation": "2", "observedGeneration": "2"}).settling
