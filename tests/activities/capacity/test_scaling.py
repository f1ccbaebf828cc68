"""Scaling a Deployment: what is special of it; what every setting does stands in the contract table."""

import pytest

from activities.action import Limits, NotYet, Refused
from activities.capacity.scaling import Replicas, ReplicasOf, ReplicasSeen, Scaling, scale
from activities.deploys.kubernetes import Kubernetes
from activities.organisation.catalogue import Deployed
from practice.services.fleet import Place
from practice.world.world import World
from tests.activities.conftest import MakeCall, MakeClient, effects, granted, inject, pass_time, tried

EU = "eu-west"
ORCHESTRATOR = Deployed(name="orchestrator", platform="kubernetes", regions=(EU, "us-east"))
PATCH = "kubernetes.deployments.scale.patch"


@pytest.fixture
def scaling(door: MakeClient) -> Scaling:
    """The adapter; its clients give up after half a second."""
    return Scaling(Kubernetes(lambda region: door(f"/k8s/{region}", timeout=0.5)))


def place(world: World, region: str = EU) -> Place:
    return world.state.fleet.services["orchestrator"].places[region]


async def test_a_service_is_stopped_in_one_region_and_comes_back_as_it_was(world: World, scaling: Scaling, call: MakeCall) -> None:
    order = scale(ORCHESTRATOR, EU, 0, "agents run wild")
    order = order.given(await scaling.read(order.look(), call()))
    effect, _ = await tried(Scaling.change, scaling, order, call(key="stop"))
    assert "the controller in eu-west counts 0 replicas, of which 0 are ready" in effect.proven_by
    assert (effect.before, effect.after) == ({"replicas": 4}, {"replicas": 0})
    pass_time(world, 60)
    assert (place(world).ready_replicas, place(world, "us-east").ready_replicas) == (0, 4)
    await tried(Scaling.restore, scaling, order.undo(), call(key="back"))
    pass_time(world, 120)
    assert place(world).ready_replicas == 4


async def test_a_count_that_an_autoscaler_sets_again_is_a_conflict_for_the_lift(world: World, scaling: Scaling, call: MakeCall) -> None:
    """Until now a lift overwrote whatever it found."""
    place(world).most = 6
    order = scale(ORCHESTRATOR, EU, 9)
    order = order.given(await scaling.read(order.look(), call()))
    await tried(Scaling.change, scaling, order, call())
    pass_time(world, 30)
    with pytest.raises(Refused, match="has changed orchestrator in eu-west since we left it: 6 replicas"):
        await tried(Scaling.restore, scaling, order.undo(), call(key="lift"))
    assert place(world).replicas == 6


async def test_pods_that_are_not_there_yet_are_no_effect(world: World, scaling: Scaling, call: MakeCall) -> None:
    order = scale(ORCHESTRATOR, EU, 9)
    seen = ReplicasSeen(value=Replicas(replicas=9), version="1", there=4, ready=4)
    with pytest.raises(NotYet, match="accepted, but there are 4 replicas"):
        await scaling.prove(call(), order, seen)
    with pytest.raises(NotYet):
        await scaling.prove(call(), order, seen.model_copy(update={"there": 9, "observed": False}))


async def test_only_deployments_that_are_not_our_own_can_be_scaled(world: World, scaling: Scaling, call: MakeCall) -> None:
    api = Deployed(name="api", platform="cloud_run", regions=(EU,))
    with pytest.raises(Refused, match="runs on cloud_run"):
        await scaling.read(Scaling.look(ReplicasOf(service=api, region=EU)), call())
    nothing = ORCHESTRATOR.model_copy(update={"name": "nothing"})
    with pytest.raises(Refused, match="404"):
        await scaling.read(Scaling.look(ReplicasOf(service=nothing, region=EU)), call())
    order = scale(ORCHESTRATOR, EU, 0)
    order = order.given(await scaling.read(order.look(), call()))
    with pytest.raises(Refused, match="needs an approval"):
        await scaling.change(order, call())
    mine = call(limits=Limits(protected=("default/orchestrator",)))
    for verb, one in ((Scaling.change, order), (Scaling.restore, order.undo())):
        with pytest.raises(Refused, match="is protected"):
            await verb(scaling, one, granted(verb, one, mine))  # type: ignore[arg-type]
    inject(world, PATCH, "fail", status=409)
    with pytest.raises(NotYet, match="changed while we wrote"):
        await scaling.change(order, granted(Scaling.change, order, call()))
    assert not effects(world, PATCH)


def test_orders_say_themselves() -> None:
    order = scale(ORCHESTRATOR, EU, 0, "agents run wild")
    assert order.effect() == "stop orchestrator in eu-west: agents run wild"
    assert order.by_hand() == ("kubectl --context eu-west -n default scale deployment/orchestrator --replicas=0",)
    given = order.given(ReplicasSeen(value=Replicas(replicas=4)))
    assert given.inverse() == "set orchestrator in eu-west back to 4 replicas"
    assert given.by_hand() == ("kubectl --context eu-west -n default scale deployment/orchestrator --current-replicas=4 --replicas=0",)
    assert given.undo().by_hand() == ("kubectl --context eu-west -n default scale deployment/orchestrator --replicas=4",)
    assert given.digest("scaling.scale") == order.digest("scaling.scale"), "what was before is not what was approved"
