"""The write gate: closed means that writes are refused in every region; it opens in steps, and only while nothing more breaks."""

from datetime import timedelta
from typing import Any

import pytest

from activities.action import Limits, NotYet, Refused, Risk, Role, action_of
from activities.organisation.numbers import MitigationSettings
from activities.write_gate.write_gate import READ_ONLY, GateOf, ReadOnly, Reopen, WriteGate, WriteSafety
from practice.services.fleet import ServiceFault
from practice.world.world import World
from tests.activities.conftest import MISHAPS, MakeCall, by_hand, effects, inject, pass_time, tried

PUT = "platform.write_gate.put"
REGIONS = ("eu-west", "us-east")
BRISK = MitigationSettings(return_pause=timedelta(minutes=1))
mishaps = pytest.mark.parametrize(("mode", "settings"), MISHAPS, ids=[mode for mode, _ in MISHAPS])
ways = pytest.mark.parametrize("way", ["close", "reopen"])


def admitted(world: World) -> float:
    return world.state.fleet.services["api"].gate.admitted


def fault(world: World, kind: str, **more: Any) -> None:
    world.state.fleet.faults.append(ServiceFault("api", kind, since=world.clock.now(), **more))


async def close_order(write_gate: WriteGate, call: MakeCall) -> ReadOnly:
    order = ReadOnly(service="api", regions=REGIONS, why="rows do not fit together", mitigation=BRISK)
    return order.given(await write_gate.read(GateOf(service="api"), call()))


# ---- whether writes are safe ----


async def test_writes_that_fit_together_are_safe(write_gate: WriteGate, call: MakeCall) -> None:
    gate = await write_gate.read(GateOf(service="api"), call())
    assert (gate.admitted, gate.schema_version, gate.safety, gate.why_unsafe()) == (1.0, 5, WriteSafety.SAFE, ())


async def test_integrity_errors_make_them_unsafe_by_two_counts(world: World, write_gate: WriteGate, call: MakeCall) -> None:
    fault(world, "integrity", rate=0.5)
    pass_time(world, 60)
    gate = await write_gate.read(GateOf(service="api"), call())
    assert gate.safety is WriteSafety.UNSAFE
    assert ["database counts" in why or "metrics count" in why for why in gate.why_unsafe()] == [True, True]


async def test_a_migration_half_done_makes_them_unsafe(world: World, write_gate: WriteGate, call: MakeCall) -> None:
    world.state.fleet.services["api"].migrating = True
    gate = await write_gate.read(GateOf(service="api"), call())
    assert gate.safety is WriteSafety.UNSAFE and "migration" in gate.why_unsafe()[0]


@pytest.mark.parametrize("dark", ["platform.schema.get", "prometheus.query"])
async def test_what_nobody_can_say_is_unknown_and_not_safe(world: World, write_gate: WriteGate, call: MakeCall, dark: str) -> None:
    inject(world, dark, "fail")
    gate, broke = await tried(WriteGate.read, write_gate, GateOf(service="api"), call())  # type: ignore[arg-type]
    assert len(broke) == 2
    assert gate.safety is WriteSafety.UNKNOWN  # type: ignore[attr-defined]


# ---- closing ----


async def test_read_only_is_met_in_every_region_and_counted(world: World, write_gate: WriteGate, call: MakeCall) -> None:
    order = await close_order(write_gate, call)
    effect, waited = await tried(WriteGate.close, write_gate, order, call(key="close"))
    assert [type(one) for one in waited] == [NotYet] * len(waited)
    assert "writes were refused as read_only in eu-west, us-east; 0 writes counted since" in effect.proven_by
    assert (effect.before, effect.after) == ({"admitted": 1.0}, {"admitted": 0.0})
    assert [e["key"] for e in effects(world, PUT)] == ["close"]


async def test_it_is_proven_in_the_middle_of_an_outage(world: World, write_gate: WriteGate, call: MakeCall) -> None:
    fault(world, "region", rate=0.97)
    effect, _ = await tried(WriteGate.close, write_gate, await close_order(write_gate, call), call())
    assert effect.proven_by and admitted(world) == 0


async def test_an_application_that_still_writes_proves_nothing(world: World, write_gate: WriteGate, call: MakeCall) -> None:
    order = await close_order(write_gate, call)
    world.before["*"] = (world.keep(), world.clock.now())
    inject(world, "edge.items.create", "stale_read")
    with pytest.raises(AssertionError, match="writes were still taken in eu-west"):
        await tried(WriteGate.close, write_gate, order, call(), tries=2)


async def test_with_blind_metrics_the_probes_must_do(world: World, write_gate: WriteGate, call: MakeCall) -> None:
    order = await close_order(write_gate, call)
    world.state.blind = True
    pass_time(world, 400)
    effect, waited = await tried(WriteGate.close, write_gate, order, call())
    assert waited and "the metrics are blind" in effect.proven_by


# ---- opening ----


async def test_writes_come_back_in_steps_each_proven(world: World, write_gate: WriteGate, call: MakeCall) -> None:
    order = await close_order(write_gate, call)
    await tried(WriteGate.close, write_gate, order, call())
    effect, broke = await tried(WriteGate.reopen, write_gate, order.undo(), call(key="open"))
    assert not broke and effect.after == {"admitted": 1.0}
    steps = [e for e in effects(world, PUT) if e["key"].startswith("open")]
    assert [e["after"]["admitted"] for e in steps] == [0.01, 0.1, 1.0]


async def test_the_steps_can_be_taken_one_by_one(world: World, write_gate: WriteGate, call: MakeCall) -> None:
    order = await close_order(write_gate, call)
    await tried(WriteGate.close, write_gate, order, call())
    orders = order.undo_steps((0.5, 1.0))
    assert [one.inverse() for one in orders] == [f"let api take {share} of the writes again" for share in ("0%", "1%", "10%")]
    seen = call()
    for n, one in enumerate(orders):
        effect, _ = await tried(WriteGate.reopen, write_gate, one, call(key=f"step-{n}"))
        assert effect.seen_at is not None and effect.seen_at > seen.at
        assert admitted(world) == (0.01, 0.1, 1.0)[n]


async def test_what_was_closed_before_us_stays_closed(world: World, write_gate: WriteGate, call: MakeCall) -> None:
    await tried(WriteGate.close, write_gate, await close_order(write_gate, call), call(key="theirs"))
    order = await close_order(write_gate, call)
    assert (await tried(WriteGate.close, write_gate, order, call()))[0].adopted
    (left,) = order.undo_steps((1.0,))
    assert left.effect() == "leave api read-only, as it was before"
    effect, _ = await tried(WriteGate.reopen, write_gate, left, call())
    assert effect.adopted and admitted(world) == 0


async def test_nothing_opens_while_the_data_does_not_fit(world: World, write_gate: WriteGate, call: MakeCall) -> None:
    order = await close_order(write_gate, call)
    await tried(WriteGate.close, write_gate, order, call())
    world.state.fleet.services["api"].migrating = True
    with pytest.raises(Refused, match="writes are not safe yet: a migration"):
        await tried(WriteGate.reopen, write_gate, order.undo(), call())
    assert admitted(world) == 0


async def test_errors_that_come_back_take_the_step_back(world: World, write_gate: WriteGate, call: MakeCall) -> None:
    order = await close_order(write_gate, call)
    fault(world, "integrity", rate=1.0)
    await tried(WriteGate.close, write_gate, order, call())
    with pytest.raises(Refused, match="of 3 was taken back"):
        await tried(WriteGate.reopen, write_gate, order.undo(), call())
    assert admitted(world) in (0.0, 0.01)


async def test_nothing_opens_further_on_missing_data(world: World, write_gate: WriteGate, call: MakeCall) -> None:
    order = await close_order(write_gate, call)
    await tried(WriteGate.close, write_gate, order, call())
    world.state.blind = True
    with pytest.raises(AssertionError, match="missing data"):
        await tried(WriteGate.reopen, write_gate, order.undo(), call(), tries=3)
    assert admitted(world) == 0.01


# ---- whatever happens ----


@mishaps
@ways
async def test_whatever_happens_to_a_write_it_is_done_once(
    world: World, write_gate: WriteGate, call: MakeCall, way: str, mode: str, settings: dict[str, Any]
) -> None:
    verb, order = await _lever(write_gate, call, way)
    before = len(effects(world, PUT))
    inject(world, PUT, mode, **settings)
    effect, _ = await tried(verb, write_gate, order, call(key="the key"), tries=12)
    assert effect.proven_by
    done, wanted = effects(world, PUT)[before:], 3 if way == "reopen" else 1
    assert len(done) == wanted and len({e["key"] for e in done}) == wanted
    again, _ = await tried(verb, write_gate, order, call(key="the key"))
    assert again.adopted and effects(world, PUT)[before:] == done


@ways
async def test_a_200_that_changed_nothing_is_never_an_effect(world: World, write_gate: WriteGate, call: MakeCall, way: str) -> None:
    verb, order = await _lever(write_gate, call, way)
    before = len(effects(world, PUT))
    inject(world, PUT, "nothing_changed")
    with pytest.raises(AssertionError, match="accepted, but the write gate of api still shows"):
        await tried(verb, write_gate, order, call(), tries=3)
    assert len(effects(world, PUT)) == before


@ways
async def test_a_stale_reading_is_read_again(world: World, write_gate: WriteGate, call: MakeCall, way: str) -> None:
    verb, order = await _lever(write_gate, call, way)
    before = len(effects(world, PUT))
    inject(world, "platform.write_gate.get", "stale_read", times=1)
    effect, _ = await tried(verb, write_gate, order, call())
    assert effect.proven_by and len(effects(world, PUT)) == before + (3 if way == "reopen" else 1)


async def test_a_late_zombie_does_not_close_what_was_opened(world: World, write_gate: WriteGate, call: MakeCall) -> None:
    late = await close_order(write_gate, call)
    await tried(WriteGate.close, write_gate, late, call(key="close"))
    await tried(WriteGate.reopen, write_gate, late.undo(), call(key="open"))
    with pytest.raises(Refused, match=r"a newer change of the write gate of api \(epoch 4\) by inc-20261123-chat exists: 100% of writes"):
        await tried(WriteGate.close, write_gate, late, call(key="zombie"))
    assert admitted(world) == 1


async def test_a_share_that_somebody_else_set_is_left_to_people(
    world: World, write_gate: WriteGate, call: MakeCall, practice_url: str
) -> None:
    order = await close_order(write_gate, call)
    await tried(WriteGate.close, write_gate, order, call())
    await by_hand(Reopen(service="api", regions=REGIONS, shares=(0.3,)), practice_url, USER="kim")
    with pytest.raises(Refused, match="kim has changed the write gate of api since we left it: 30% of writes"):
        await tried(WriteGate.reopen, write_gate, order.undo(), call())


async def test_both_ways_need_the_commander_or_the_database_lead(write_gate: WriteGate, call: MakeCall) -> None:
    order = await close_order(write_gate, call)
    for verb, of in ((WriteGate.close, order), (WriteGate.reopen, order.undo())):
        assert action_of(verb).risk(of, Limits()) is Risk.C2
        assert action_of(verb).asks == (Role.INCIDENT_COMMANDER, Role.DB_LEAD)
    assert READ_ONLY.sticky
    with pytest.raises(Refused, match="needs an approval"):
        await write_gate.close(order, call())


@ways
async def test_by_hand_does_the_same(world: World, write_gate: WriteGate, call: MakeCall, practice_url: str, way: str) -> None:
    verb, order = await _lever(write_gate, call, way)
    await by_hand(order, practice_url, USER="lee")
    effect, _ = await tried(verb, write_gate, order, call(later=60))
    assert effect.adopted and admitted(world) == (1 if way == "reopen" else 0)


async def _lever(write_gate: WriteGate, call: MakeCall, way: str) -> tuple[Any, ReadOnly | Reopen]:
    order = await close_order(write_gate, call)
    if way == "close":
        return WriteGate.close, order
    await tried(WriteGate.close, write_gate, order, call(key="before"))
    return WriteGate.reopen, order.undo()
