"""Scaling a Deployment: an absolute count, counted by the controller, and set back to what it was."""

from typing import Any

import pytest

from activities.action import Call, Effect, Limits, NotYet, Refused
from activities.capacity.scaling import SCALED_DEPLOYMENT, Replicas, ReplicasOf, RestoreReplicas, Scale, Scaling
from activities.deploys.kubernetes import Kubernetes
from activities.organisation.catalogue import Deployed
from practice.services.fleet import Place
from practice.world.world import World
from tests.activities.conftest import MakeCall, MakeClient, effects, granted, inject, pass_time, until_done

EU = "eu-west"
ORCHESTRATOR = Deployed(name="orchestrator", platform="kubernetes", regions=(EU, "us-east"))
PATCH = "kubernetes.deployments.scale.patch"
MISHAPS: list[tuple[str, dict[str, Any]]] = [
    ("fail", {"times": 2}),
    ("commit_then_drop", {"times": 1}),
    ("nothing_changed", {"times": 1}),
    ("partial", {"times": 1}),
    ("throttle", {"times": 2}),
    ("hang", {"times": 1}),
]


@pytest.fixture
def scaling(door: MakeClient) -> Scaling:
    """The adapter; its clients give up after half a second."""
    return Scaling(Kubernetes(lambda region: door(f"/k8s/{region}", timeout=0.5)))


def place(world: World, region: str = EU) -> Place:
    return world.state.fleet.services["orchestrator"].places[region]


async def scale(scaling: Scaling, order: Scale, call: Call) -> Effect:
    return await scaling.scale(order, granted(Scaling.scale, order, call))


async def restore(scaling: Scaling, order: RestoreReplicas, call: Call) -> Effect:
    return await scaling.restore(order, granted(Scaling.restore, order, call))


async def test_a_service_is_stopped_in_one_region_and_comes_back_as_it_was(world: World, scaling: Scaling, call: MakeCall) -> None:
    order = Scale(service=ORCHESTRATOR, region=EU, replicas=0, why="agents run wild")
    order = order.given(await scaling.read(order.look(), call()))  # type: ignore[arg-type]
    assert order.prior == Replicas(wanted=4, ready=4)
    effect = await scale(scaling, order, call(key="stop"))
    assert effect.proven_by == "the controller in eu-west counts 0 replicas, of which 0 are ready"
    assert (effect.before, effect.after, effect.adopted) == ({"replicas": 4}, {"replicas": 0}, False)
    pass_time(world, 60)
    assert (place(world).ready_replicas, place(world, "us-east").ready_replicas) == (0, 4)
    assert (await scale(scaling, order, call(key="stop"))).adopted
    back = await restore(scaling, order.undo(), call(key="back"))
    assert (back.after, back.adopted) == ({"replicas": 4}, False)
    pass_time(world, 120)
    assert place(world).ready_replicas == 4
    assert [e["key"] for e in effects(world, PATCH)] == ["stop", "back"]
    assert (SCALED_DEPLOYMENT.impose, SCALED_DEPLOYMENT.lift) == (Scaling.scale, Scaling.restore)


@pytest.mark.parametrize(("mode", "settings"), MISHAPS, ids=[mode for mode, _ in MISHAPS])
async def test_whatever_happens_to_a_scaling_it_is_done_once(
    world: World, scaling: Scaling, call: MakeCall, mode: str, settings: dict[str, Any]
) -> None:
    inject(world, PATCH, mode, **settings)
    order = Scale(service=ORCHESTRATOR, region=EU, replicas=2)
    effect, broke = await until_done(lambda: scale(scaling, order, call()))
    assert broke and effect.adopted == (mode in ("commit_then_drop", "partial"))
    assert place(world).replicas == 2
    assert len(effects(world, PATCH)) == 1


async def test_a_count_that_somebody_else_sets_again_is_no_effect(world: World, scaling: Scaling, call: MakeCall) -> None:
    place(world).most = 6
    order = Scale(service=ORCHESTRATOR, region=EU, replicas=9)
    await scale(scaling, order, call())
    pass_time(world, 30)
    inject(world, PATCH, "nothing_changed")
    with pytest.raises(NotYet, match="6 replicas are wanted now"):
        await scale(scaling, order, call())


async def test_a_deployment_that_changes_all_the_time_is_tried_again_later(world: World, scaling: Scaling, call: MakeCall) -> None:
    inject(world, PATCH, "fail", status=409)
    with pytest.raises(NotYet, match="changed again each time"):
        await scale(scaling, Scale(service=ORCHESTRATOR, region=EU, replicas=1), call())


async def test_only_deployments_that_are_not_our_own_can_be_scaled(world: World, scaling: Scaling, call: MakeCall) -> None:
    api = Deployed(name="api", platform="cloud_run", regions=(EU,))
    with pytest.raises(Refused, match="runs on cloud_run"):
        await scaling.read(ReplicasOf(service=api, region=EU), call())
    with pytest.raises(Refused, match="404"):
        await scaling.read(ReplicasOf(service=ORCHESTRATOR.model_copy(update={"name": "nothing"}), region=EU), call())
    order = Scale(service=ORCHESTRATOR, region=EU, replicas=0)
    with pytest.raises(Refused, match="needs an approval"):
        await scaling.scale(order, call())
    mine = call(limits=Limits(protected=("default/orchestrator",)))
    with pytest.raises(Refused, match="is protected"):
        await scale(scaling, order, mine)
    with pytest.raises(Refused, match="is protected"):
        await restore(scaling, RestoreReplicas(service=ORCHESTRATOR, region=EU, replicas=9), mine)
    assert not effects(world, PATCH)


def test_orders_say_themselves() -> None:
    order = Scale(service=ORCHESTRATOR, region=EU, replicas=0, why="agents run wild")
    assert order.effect() == "stop orchestrator in eu-west: agents run wild"
    assert order.inverse() == "scale it to what it was"
    assert order.by_hand() == ("kubectl --context eu-west -n default scale deployment/orchestrator --replicas=0",)
    given = order.given(Replicas(wanted=4, ready=4))
    assert given.inverse() == "scale it to 4 again"
    assert given.by_hand() == ("kubectl --context eu-west -n default scale deployment/orchestrator --current-replicas=4 --replicas=0",)
    assert given.undo().by_hand() == ("kubectl --context eu-west -n default scale deployment/orchestrator --replicas=4",)
    assert given.digest("scaling.scale") == order.digest("scaling.scale"), "what was before is not what was approved"
    with pytest.raises(ValueError, match="does not carry"):
        order.undo()
