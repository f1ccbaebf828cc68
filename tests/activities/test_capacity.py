"""Capacity: instances count when they are ready, and never where they would only push the trouble further."""

from typing import Any

import pytest

from activities.action import Call, Limits, NotYet, Refused, Risk, action_of
from activities.capacity.capacity import SCALED, Autoscaler, Capacity, CapacityOf, ScaleBack, ScaleUp
from practice.services.fleet import ServiceFault
from practice.world.world import World
from tests.activities.conftest import MISHAPS, MakeCall, by_hand, effects, inject, pass_time, tried

PUT = "platform.autoscaler.put"
mishaps = pytest.mark.parametrize(("mode", "settings"), MISHAPS, ids=[mode for mode, _ in MISHAPS])


def least(world: World) -> dict[str, int]:
    return {region: place.least for region, place in world.state.fleet.services["api"].places.items()}


async def seen(autoscaler: Autoscaler, call: Call) -> Capacity:
    return await autoscaler.read(CapacityOf(service="api"), call)


async def order_for(autoscaler: Autoscaler, call: Call, factor: float = 1.5) -> ScaleUp:
    now = await seen(autoscaler, call)
    return now.scaled(factor).given(now)


async def test_headroom_is_said_by_region(world: World, autoscaler: Autoscaler, call: MakeCall) -> None:
    now = await seen(autoscaler, call())
    assert now.capacity_rps == {"eu-west": 8.0, "us-east": 8.0} and now.used_rps == {"eu-west": 3.0, "us-east": 3.0}
    assert now.utilisation() == 0.375
    assert now.share("eu-west") == 0.5
    assert now.headroom_without("us-east") == pytest.approx(8 / 6)
    world.state.fleet.faults.append(ServiceFault("api", "load", factor=4.0, since=world.clock.now()))
    assert (await seen(autoscaler, call())).utilisation() == 1.5


async def test_more_instances_count_when_they_are_ready(world: World, autoscaler: Autoscaler, call: MakeCall) -> None:
    order = await order_for(autoscaler, call())
    assert order.least == {"eu-west": 6, "us-east": 6}
    effect, waited = await tried(Autoscaler.scale_up, autoscaler, order, call(key="up"))
    assert waited and all(isinstance(one, NotYet) and "not all are ready yet" in str(one) for one in waited)
    assert "eu-west 6, us-east 6 are ready; p99" in effect.proven_by
    assert (effect.before, effect.after) == ({"eu-west": 4, "us-east": 4}, {"eu-west": 6, "us-east": 6})
    back, _ = await tried(Autoscaler.scale_back, autoscaler, order.undo(), call(key="back"))
    assert not back.adopted and least(world) == {"eu-west": 4, "us-east": 4}
    assert [e["key"] for e in effects(world, PUT)] == ["up", "back"]


async def test_an_overload_ends_when_there_is_room(world: World, autoscaler: Autoscaler, call: MakeCall) -> None:
    world.state.fleet.faults.append(ServiceFault("api", "load", factor=4.0, since=world.clock.now()))
    pass_time(world, 60)
    assert (await seen(autoscaler, call())).utilisation() > 1
    effect, _ = await tried(Autoscaler.scale_up, autoscaler, await order_for(autoscaler, call(), 2.0), call())
    assert effect.after == {"eu-west": 8, "us-east": 8}
    assert (await seen(autoscaler, call())).utilisation() < 0.8


@mishaps
@pytest.mark.parametrize("way", ["up", "back"])
async def test_whatever_happens_to_a_write_it_is_done_once(
    world: World, autoscaler: Autoscaler, call: MakeCall, way: str, mode: str, settings: dict[str, Any]
) -> None:
    verb, order = await _lever(autoscaler, call, way)
    before = len(effects(world, PUT))
    inject(world, PUT, mode, **settings)
    effect, broke = await tried(verb, autoscaler, order, call(key="the key"), tries=12)
    assert effect.proven_by and (broke or mode == "latency")
    assert least(world) == order.least
    done = effects(world, PUT)[before:]
    assert len(done) == (2 if mode == "partial" else 1) and {e["key"] for e in done} == {"the key"}
    again, _ = await tried(verb, autoscaler, order, call(key="the key"))
    assert again.adopted and effects(world, PUT)[before:] == done


@pytest.mark.parametrize("way", ["up", "back"])
async def test_a_200_that_changed_nothing_is_never_an_effect(world: World, autoscaler: Autoscaler, call: MakeCall, way: str) -> None:
    verb, order = await _lever(autoscaler, call, way)
    before = len(effects(world, PUT))
    inject(world, PUT, "nothing_changed")
    with pytest.raises(AssertionError, match="accepted, but the autoscaler of api still shows"):
        await tried(verb, autoscaler, order, call(), tries=3)
    assert len(effects(world, PUT)) == before


@pytest.mark.parametrize("way", ["up", "back"])
async def test_a_stale_reading_is_read_again(world: World, autoscaler: Autoscaler, call: MakeCall, way: str) -> None:
    verb, order = await _lever(autoscaler, call, way)
    before = len(effects(world, PUT))
    inject(world, "platform.autoscaler.get", "stale_read", times=1)
    if way == "up":
        effect, _ = await tried(verb, autoscaler, order, call())
        assert effect.proven_by and len(effects(world, PUT)) == before + 1
    else:
        effect, _ = await tried(verb, autoscaler, order, call())
        assert not effect.adopted and least(world) == order.least


async def test_a_late_zombie_is_refused_though_all_is_as_it_was_before(world: World, autoscaler: Autoscaler, call: MakeCall) -> None:
    late = await order_for(autoscaler, call())
    await tried(Autoscaler.scale_up, autoscaler, late, call(key="up"))
    await tried(Autoscaler.scale_back, autoscaler, late.undo(), call(key="back"))
    with pytest.raises(Refused, match="a newer change of the autoscaler of api by inc-20261123-chat exists: at least eu-west 4, us-east 4"):
        await tried(Autoscaler.scale_up, autoscaler, late, call(key="zombie"))


async def test_what_somebody_else_changed_since_is_left_to_people(
    world: World, autoscaler: Autoscaler, call: MakeCall, practice_url: str
) -> None:
    order = await order_for(autoscaler, call())
    await tried(Autoscaler.scale_up, autoscaler, order, call())
    await by_hand(order.model_copy(update={"least": {"eu-west": 9}}), practice_url, USER="lee")
    with pytest.raises(Refused, match="lee has changed the autoscaler of api since we left it"):
        await tried(Autoscaler.scale_back, autoscaler, order.undo(), call())


async def test_the_risk_grows_with_what_stands_behind(autoscaler: Autoscaler, call: MakeCall) -> None:
    order, risk = await order_for(autoscaler, call()), action_of(Autoscaler.scale_up).risk
    assert risk(order, Limits()) is Risk.C1
    facts: tuple[dict[str, Any], ...] = ({"saturation": 0.8}, {"most": {"eu-west": 5, "us-east": 20}}, {"most": {}})
    for beyond in facts:
        wider = order.model_copy(update=beyond)
        assert risk(wider, Limits()) is Risk.C2
        assert action_of(Autoscaler.scale_back).risk(wider.undo(), Limits()) is Risk.C2
    assert not SCALED.sticky


async def test_facts_that_have_changed_void_the_decision(world: World, autoscaler: Autoscaler, call: MakeCall) -> None:
    order = await order_for(autoscaler, call())
    world.state.fleet.saturation["database"] = 0.91
    with pytest.raises(Refused, match="the database is 91% full by now"):
        await tried(Autoscaler.scale_up, autoscaler, order, call())
    assert not effects(world, PUT)


@pytest.mark.parametrize(
    ("least", "why"), [({"eu-west": 30}, "its most must be raised first"), ({"eu-west": 2}, "fewer instances in eu-west")]
)
async def test_neither_beyond_the_bounds_nor_down(
    world: World, autoscaler: Autoscaler, call: MakeCall, least: dict[str, int], why: str
) -> None:
    order = (await order_for(autoscaler, call())).model_copy(update={"least": least})
    with pytest.raises(Refused, match=why):
        await tried(Autoscaler.scale_up, autoscaler, order, call())
    assert not effects(world, PUT)


@pytest.mark.parametrize("way", ["up", "back"])
async def test_by_hand_does_the_same(world: World, autoscaler: Autoscaler, call: MakeCall, practice_url: str, way: str) -> None:
    verb, order = await _lever(autoscaler, call, way)
    await by_hand(order, practice_url, USER="lee")
    effect, _ = await tried(verb, autoscaler, order, call(later=90))
    assert effect.adopted and least(world) == order.least


async def _lever(autoscaler: Autoscaler, call: MakeCall, way: str) -> tuple[Any, ScaleUp | ScaleBack]:
    order = await order_for(autoscaler, call())
    if way == "up":
        return Autoscaler.scale_up, order
    await tried(Autoscaler.scale_up, autoscaler, order, call(key="before"))
    return Autoscaler.scale_back, order.undo()
