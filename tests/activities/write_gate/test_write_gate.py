"""The write gate: closed means that writes are refused in every region; it opens in steps, and only while nothing more breaks."""

from datetime import timedelta

import pytest

from activities.action import Limits, NotYet, Refused, Risk, Role, action_of
from activities.organisation.numbers import MitigationSettings
from activities.write_gate.write_gate import READ_ONLY, Closing, WriteGate, WriteGateOf, WriteGates, WriteSafety, read_only
from tests.activities.kit.rows.platform import write_gates
from tests.activities.kit.rows.practised import LandingClock
from tests.activities.kit.stage import Stage, stage, tried

PUT = "platform.write_gate.put"
REGIONS = ("eu-west", "us-east")
BRISK = MitigationSettings(return_pause=timedelta(minutes=1))


def begin() -> tuple[Stage, WriteGates]:
    played = stage()
    return played, write_gates(played, LandingClock())


def admitted(played: Stage) -> float:
    return played.world.state.fleet.services["api"].gate.admitted


async def seen(played: Stage, system: WriteGates) -> WriteGate:
    return await system.read(WriteGates.look(WriteGateOf(service="api")), played.call())


async def closing(played: Stage, system: WriteGates) -> Closing:
    return read_only("api", REGIONS, "rows do not fit together", BRISK).given(await seen(played, system))


async def closed() -> tuple[Stage, WriteGates, Closing]:
    played, system = begin()
    order = await closing(played, system)
    await tried(WriteGates.change, system, order, played.call())
    return played, system, order


# ---- whether writes are safe ----


async def test_writes_that_fit_together_are_safe() -> None:
    gate = await seen(*begin())
    assert (gate.value.admitted, gate.schema_version, gate.safety, gate.why_unsafe()) == (1.0, 5, WriteSafety.SAFE, ())


async def test_integrity_errors_make_them_unsafe_by_two_counts() -> None:
    played, system = begin()
    played.fault("integrity", rate=0.5)
    played.pass_time(60)
    gate = await seen(played, system)
    assert gate.safety is WriteSafety.UNSAFE
    assert ["database counts" in why or "metrics count" in why for why in gate.why_unsafe()] == [True, True]


async def test_a_migration_half_done_makes_them_unsafe() -> None:
    played, system = begin()
    played.world.state.fleet.services["api"].migrating = True
    gate = await seen(played, system)
    assert gate.safety is WriteSafety.UNSAFE and "migration" in gate.why_unsafe()[0]


@pytest.mark.parametrize("dark", ["platform.schema.get", "prometheus.query"])
async def test_what_nobody_can_say_is_unknown_and_not_safe(dark: str) -> None:
    played, system = begin()
    played.inject(dark, "fail")
    gate, broke = await tried(WriteGates.read, system, WriteGates.look(WriteGateOf(service="api")), played.call())
    assert len(broke) == 2 and gate.safety is WriteSafety.UNKNOWN


# ---- closing ----


async def test_read_only_is_met_in_every_region_and_counted() -> None:
    played, system = begin()
    effect, waited = await tried(WriteGates.change, system, await closing(played, system), played.call(key="close"))
    assert [type(one) for one in waited] == [NotYet] * len(waited)
    assert "writes were refused as read_only in eu-west, us-east; 0 writes counted since" in effect.proven_by
    assert (effect.before, effect.after) == ({"admitted": 1.0}, {"admitted": 0.0})
    assert [e["key"] for e in played.effects(PUT)] == ["close"]


async def test_it_is_proven_in_the_middle_of_an_outage() -> None:
    played, system = begin()
    played.fault("region", rate=0.97)
    effect, _ = await tried(WriteGates.change, system, await closing(played, system), played.call())
    assert effect.proven_by and admitted(played) == 0


async def test_an_application_that_still_writes_proves_nothing() -> None:
    played, system = begin()
    order = await closing(played, system)
    played.world.before["*"] = (played.world.keep(), played.world.clock.now())
    played.inject("edge.items.create", "stale_read")
    with pytest.raises(AssertionError, match="writes were still taken in eu-west"):
        await tried(WriteGates.change, system, order, played.call(), tries=2)


async def test_with_blind_metrics_the_probes_must_do() -> None:
    played, system = begin()
    order = await closing(played, system)
    played.world.state.blind = True
    played.pass_time(400)
    effect, waited = await tried(WriteGates.change, system, order, played.call())
    assert waited and "the metrics are blind" in effect.proven_by


async def test_it_is_closed_only_where_it_can_be_proven() -> None:
    played, system = begin()
    with pytest.raises(Refused, match="none was named"):
        await tried(WriteGates.change, system, read_only("api", ()), played.call())


# ---- opening ----


async def test_writes_come_back_in_steps_each_proven() -> None:
    played, system, order = await closed()
    effect, broke = await tried(WriteGates.restore, system, order.undo(), played.call(key="open"))
    assert not broke and effect.after == {"admitted": 1.0} and "writes are taken in eu-west, us-east" in effect.proven_by
    steps = [e for e in played.effects(PUT) if e["key"].startswith("open")]
    assert [e["after"]["admitted"] for e in steps] == [0.01, 0.1, 1.0]


async def test_the_steps_can_be_taken_one_by_one() -> None:
    played, system, order = await closed()
    for n, one in enumerate(order.undo_steps((0.5, 1.0))):
        effect, _ = await tried(WriteGates.restore, system, one, played.call(key=f"step-{n}"))
        assert effect.seen_at is not None and admitted(played) == (0.01, 0.1, 1.0)[n]


async def test_what_was_closed_before_us_stays_closed() -> None:
    played, system, _ = await closed()
    order = await closing(played, system)
    assert (await tried(WriteGates.change, system, order, played.call()))[0].adopted
    (left,) = order.undo_steps((1.0,))
    assert left.effect() == "leave api read-only, as it was before, watched for 1 min"
    effect, _ = await tried(WriteGates.restore, system, left, played.call())
    assert effect.adopted and admitted(played) == 0


async def test_nothing_opens_while_the_data_does_not_fit() -> None:
    played, system, order = await closed()
    played.world.state.fleet.services["api"].migrating = True
    with pytest.raises(Refused, match="writes are not safe yet: a migration"):
        await tried(WriteGates.restore, system, order.undo(), played.call())
    assert admitted(played) == 0


async def test_errors_that_come_back_take_the_step_back_although_the_data_is_unsafe_then() -> None:
    played, system, order = await closed()
    played.fault("integrity", rate=1.0)
    with pytest.raises(Refused, match="of 3 was taken back"):
        await tried(WriteGates.restore, system, order.undo(), played.call())
    assert admitted(played) in (0.0, 0.01)


async def test_nothing_opens_further_on_missing_data() -> None:
    played, system, order = await closed()
    played.world.state.blind = True
    with pytest.raises(AssertionError, match="missing data"):
        await tried(WriteGates.restore, system, order.undo(), played.call(), tries=3)
    assert admitted(played) == 0.01


async def test_both_ways_need_the_commander_or_the_database_lead() -> None:
    played, system = begin()
    order = await closing(played, system)
    for verb, of in ((WriteGates.change, order), (WriteGates.restore, order.undo())):
        assert action_of(verb).risk(of, Limits()) is Risk.C2
        assert action_of(verb).asks == (Role.INCIDENT_COMMANDER, Role.DB_LEAD)
    assert READ_ONLY.sticky
    with pytest.raises(Refused, match="needs an approval"):
        await system.change(order, played.call())
    assert order.effect() == "api takes no writes: each is refused with read_only and Retry-After: rows do not fit together"
