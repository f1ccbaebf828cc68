"""Capacity: instances count when they are ready, and never where they would only push the trouble further."""

from typing import Any

import pytest

from activities.action import Limits, NotYet, Refused, Risk, action_of
from activities.capacity.autoscaler import SCALED, AutoscalerOf, Autoscalers, Bounds, Capacity
from activities.kit.setting import Change
from tests.activities.kit.rows.platform import autoscalers
from tests.activities.kit.rows.practised import LandingClock
from tests.activities.kit.stage import Stage, stage, tried

PUT = "platform.autoscaler.put"


def begin() -> tuple[Stage, Autoscalers]:
    played = stage()
    return played, autoscalers(played, LandingClock())


async def seen(played: Stage, system: Autoscalers) -> Capacity:
    return await system.read(Autoscalers.look(AutoscalerOf(service="api")), played.call())


async def scaled(played: Stage, system: Autoscalers, factor: float = 1.5) -> Change[AutoscalerOf, Bounds]:
    now = await seen(played, system)
    return now.scaled(factor).given(now)


def other(order: Change[AutoscalerOf, Bounds], **more: Any) -> Change[AutoscalerOf, Bounds]:
    return order.model_copy(update={"wanted": order.wanted.model_copy(update=more)})


async def test_headroom_is_said_by_region() -> None:
    played, system = begin()
    now = await seen(played, system)
    assert now.capacity_rps == {"eu-west": 8.0, "us-east": 8.0} and now.used_rps == {"eu-west": 3.0, "us-east": 3.0}
    assert now.utilisation() == 0.375
    played.fault("load", factor=4.0)
    assert (await seen(played, system)).utilisation() == 1.5


async def test_more_instances_count_when_they_are_ready() -> None:
    played, system = begin()
    order = await scaled(played, system)
    assert order.wanted.least == {"eu-west": 6, "us-east": 6}
    effect, waited = await tried(Autoscalers.change, system, order, played.call(key="up"))
    assert waited and all(isinstance(one, NotYet) and "not all are ready yet" in str(one) for one in waited)
    assert "eu-west 6, us-east 6 are ready; p99" in effect.proven_by
    assert (effect.before["least"], effect.after["least"]) == ({"eu-west": 4, "us-east": 4}, {"eu-west": 6, "us-east": 6})
    back, _ = await tried(Autoscalers.restore, system, order.undo(), played.call(key="back"))
    assert not back.adopted and back.after["least"] == {"eu-west": 4, "us-east": 4}


async def test_an_overload_ends_when_there_is_room() -> None:
    played, system = begin()
    played.fault("load", factor=4.0)
    played.pass_time(60)
    assert (await seen(played, system)).utilisation() > 1
    effect, _ = await tried(Autoscalers.change, system, await scaled(played, system, 2.0), played.call())
    assert effect.after["least"] == {"eu-west": 8, "us-east": 8}
    assert (await seen(played, system)).utilisation() < 0.8


async def test_a_late_zombie_is_refused_though_all_is_as_it_was_before() -> None:
    played, system = begin()
    late = await scaled(played, system)
    await tried(Autoscalers.change, system, late, played.call(key="up"))
    await tried(Autoscalers.restore, system, late.undo(), played.call(key="back"))
    with pytest.raises(Refused, match="a newer change of the autoscaler of api by inc-20261123-chat exists: at least eu-west 4, us-east 4"):
        await tried(Autoscalers.change, system, late, played.call(key="zombie"))


async def test_the_risk_grows_with_what_stands_behind() -> None:
    played, system = begin()
    order, risk = await scaled(played, system), action_of(Autoscalers.change).risk
    assert risk(order, Limits()) is Risk.C1
    facts: tuple[dict[str, Any], ...] = ({"fullest": 0.8}, {"most": {"eu-west": 5, "us-east": 20}}, {"most": {}})
    for beyond in facts:
        wider = other(order, **beyond)
        assert risk(wider, Limits()) is Risk.C2
        assert action_of(Autoscalers.restore).risk(wider.undo(), Limits()) is Risk.C2
        assert wider.digest("x") == order.digest("x"), "the facts by which it was judged may change without asking again"
    assert not SCALED.sticky


async def test_facts_that_have_changed_void_the_decision() -> None:
    played, system = begin()
    order = await scaled(played, system)
    played.world.state.fleet.saturation["database"] = 0.91
    with pytest.raises(Refused, match="the database is 91% full by now"):
        await tried(Autoscalers.change, system, order, played.call())
    assert not played.effects(PUT)


@pytest.mark.parametrize(
    ("least", "why"), [({"eu-west": 30}, "its most must be raised first"), ({"eu-west": 2}, "fewer instances in eu-west")]
)
async def test_neither_beyond_the_bounds_nor_down(least: dict[str, int], why: str) -> None:
    played, system = begin()
    order = other(await scaled(played, system), least=least)
    with pytest.raises(Refused, match=why):
        await tried(Autoscalers.change, system, order, played.call())
    assert not played.effects(PUT)


async def test_only_the_regions_that_were_changed_are_put_back() -> None:
    played, system = begin()
    order = other(await scaled(played, system), least={"eu-west": 6})
    assert order.undo().steps[-1].least == {"eu-west": 4}
