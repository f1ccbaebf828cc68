"""An admission controller changes what we write to a cluster: it is still ours, and what was altered is said."""

from typing import Any

import pytest

from activities.action import Refused
from activities.deploys.deploys import Deploys
from activities.deploys.kubernetes import Kubernetes
from activities.deploys.orders import RevisionsOf, Rollout, ServedBy, Split, ToRevision
from activities.edge.probe import EdgeProbe
from activities.metrics.prometheus import Prometheus
from activities.organisation.catalogue import Deployed
from practice.services.fleet import Service
from practice.world.world import World
from tests.activities.conftest import MakeCall, MakeClient, effects, granted, inject, until_done

EU = "eu-west"
ORCHESTRATOR = Deployed(name="orchestrator", platform="kubernetes", regions=(EU,))
PATCH = "kubernetes.deployments.patch"
PATH = "/apis/apps/v1/namespaces/default/deployments/orchestrator"
SIDE_CAR = {"name": "mesh", "image": f"registry.example.com/mesh@sha256:{'a' * 64}"}
INJECTED = {"spec": {"template": {"metadata": {"annotations": {"mesh.example.com/injected": "true"}}, "spec": {"containers": [SIDE_CAR]}}}}
HOW = "added annotation mesh.example.com/injected, added container mesh"
MEANT, RUNS = "orchestrator-00040", "orchestrator-00042"


@pytest.fixture
def deploys(world: World, door: MakeClient) -> Deploys:
    """The adapter; in the cluster every Deployment that is written gets a side-car and an annotation."""
    world.state.clusters[EU].admission = INJECTED
    kubernetes = Kubernetes(lambda region: door(f"/k8s/{region}", timeout=0.5))
    return Deploys({"kubernetes": kubernetes}, EdgeProbe(door("/edge")), Prometheus(door("/prom")), patience=1.0)


@pytest.fixture
async def rollout(deploys: Deploys, call: MakeCall) -> Rollout:
    return await look(deploys, call)


async def look(deploys: Deploys, call: MakeCall) -> Rollout:
    return await deploys.survey(RevisionsOf(service=ORCHESTRATOR), call())


def back_to(rollout: Rollout, revision: str = MEANT) -> ToRevision:
    wanted: dict[str, Split] = {EU: {revision: 1.0}}
    seen: dict[str, Any] = {"before": rollout.splits(), "versions": rollout.versions()}
    return ToRevision(service=ORCHESTRATOR, split=wanted, purpose="roll back", **seen)


async def shift(deploys: Deploys, order: ToRevision, call: MakeCall, key: str = "back") -> Any:
    made = call(key=key)
    return await deploys.shift(order, granted(Deploys.shift, order, made))


def service(world: World) -> Service:
    return world.state.fleet.services["orchestrator"]


async def test_our_roll_back_is_ours_although_a_controller_added_to_it_and_that_is_said(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    order = back_to(rollout)
    effect = await shift(deploys, order, call)
    assert not effect.adopted and effect.after == {EU: {RUNS: 1.0}}
    assert effect.summary == f"{order.effect()}; others altered it on its way: in {EU} {RUNS} runs in its place ({HOW})"
    assert service(world).revisions[RUNS].digest == service(world).revisions[MEANT].digest
    again = await shift(deploys, order, call)
    assert again.adopted and HOW in again.summary and len(effects(world, PATCH)) == 1
    latest = back_to(await look(deploys, call), "LATEST")
    assert (await shift(deploys, latest, call, key="another")).summary == latest.effect(), "that one altered nothing"


async def test_a_lost_reply_is_adopted_although_it_was_altered(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    inject(world, PATCH, "commit_then_drop", times=1)
    effect, broke = await until_done(lambda: shift(deploys, back_to(rollout), call))
    assert broke and effect.adopted and HOW in effect.summary
    assert len(effects(world, PATCH)) == 1


async def test_customers_are_asked_for_it_by_the_name_under_which_it_runs(deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    await shift(deploys, back_to(rollout), call)
    asked = ServedBy(service=ORCHESTRATOR, revision=MEANT, samples=5)
    assert not (await deploys.served_by(asked, call())).everywhere(0.99, 5)
    assert (await deploys.served_by(asked.model_copy(update={"also": (RUNS,)}), call())).everywhere(0.99, 5)


async def test_what_was_altered_can_be_undone(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    order = back_to(rollout)
    effect = await shift(deploys, order, call)
    with pytest.raises(Refused, match="somebody else has changed"):
        await shift(deploys, order.undo(), call, key="undo")
    undo = order.undo().model_copy(update={"left_as": effect.after})
    undone = await shift(deploys, undo, call, key="undo")
    (runs,) = undone.after[EU]
    assert service(world).revisions[runs].digest == service(world).revisions["orchestrator-00041"].digest
    assert "others altered it" in undone.summary


@pytest.mark.parametrize("what", ["another image", "another incident's words", "another shift"])
async def test_what_is_not_ours_by_image_and_key_stays_somebody_elses(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall, door: MakeClient, what: str
) -> None:
    """A later deploy keeps our change-cause: the image tells it from ours. The same image with other words is a deploy of somebody else."""
    await shift(deploys, back_to(rollout), call)
    image = f"registry.example.com/acme/orchestrator@{service(world).revisions['orchestrator-00038'].digest}"
    patch: dict[str, Any] = {"metadata": {"annotations": {"kubernetes.io/change-cause": "lee: roll back to orchestrator-00040 [by hand]"}}}
    if what == "another image":
        patch = {"spec": {"template": {"spec": {"containers": [{"name": "orchestrator", "image": image}]}}}}
    if what != "another shift":
        merge = {"Content-Type": "application/strategic-merge-patch+json"}
        await door(f"/k8s/{EU}").write(call(), "PATCH", PATH, headers=merge, json=patch)
    written = len(effects(world, PATCH))
    with pytest.raises(Refused, match="somebody else has changed"):
        await shift(deploys, back_to(rollout), call, key="another" if what == "another shift" else "back")
    assert len(effects(world, PATCH)) == written


async def test_a_region_that_is_left_alone_says_nothing(world: World, deploys: Deploys, call: MakeCall) -> None:
    world.state.clusters[EU].admission = {}
    order = back_to(await look(deploys, call))
    effect = await shift(deploys, order, call)
    assert effect.summary == order.effect() and effect.after == {EU: {MEANT: 1.0}}
