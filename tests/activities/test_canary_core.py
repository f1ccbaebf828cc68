"""When more traffic may come back: the pure core's promises, and the watch that feeds it."""

import dataclasses
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.testing import ActivityEnvironment

from activities.action import Call, Refused
from activities.models.canary_core import CanaryPolicy, Evidence, Tick, Verdict, bounds, ladder, weigh
from activities.models.models import Models
from activities.models.routes import RouteOf, Shift, Watch
from practice.world.world import World
from tests.activities.conftest import MakeCall, break_provider, effects, granted, inject

POLICY = CanaryPolicy()
TICKS = st.builds(
    Tick,
    n=st.integers(0, 400),
    bad=st.integers(0, 400),
    control_n=st.integers(0, 400),
    control_bad=st.integers(0, 400),
    blind=st.booleans(),
)

# ---- the core ----


def run(p: float, seed: int, weight: float = 0.1, per_tick: int = 40) -> Verdict:
    chance, seen = random.Random(seed), Evidence()
    while True:
        tick = Tick(n=per_tick, bad=sum(chance.random() < p for _ in range(per_tick)))
        verdict, seen, _ = weigh(POLICY, 6, weight, seen, tick)
        if verdict is not Verdict.CONTINUE:
            return verdict


def test_a_healthy_target_advances_and_a_bad_one_does_not() -> None:
    healthy, bad = [run(0.002, seed) for seed in range(60)], [run(0.05, 1000 + seed) for seed in range(200)]
    assert healthy.count(Verdict.ADVANCE) >= 59
    assert bad.count(Verdict.ADVANCE) <= 1


@settings(max_examples=60)
@given(st.lists(TICKS, max_size=40), st.sampled_from([0.0, 0.1, 1.0]))
def test_credit_is_capped_and_nothing_advances_early(ticks: list[Tick], weight: float) -> None:
    seen = Evidence()
    promote, _ = bounds(POLICY, 6)
    for tick in ticks:
        verdict, seen, _ = weigh(POLICY, 6, weight, seen, tick)
        assert seen.llr <= promote + 1e-9
        if verdict is Verdict.ADVANCE:
            assert seen.llr >= promote and not tick.blind
            assert seen.dwell >= (POLICY.bake if weight >= 1 else POLICY.min_dwell).total_seconds()
        if verdict is not Verdict.CONTINUE:
            break


@settings(max_examples=40)
@given(st.floats(-20, 20), st.integers(0, 60))
def test_no_data_never_advances_and_ends_in_hold(llr: float, dwell_ticks: int) -> None:
    seen, said = Evidence(llr=llr, dwell=dwell_ticks * 30.0), []
    for _ in range(POLICY.max_blind_ticks + 1):
        verdict, seen, _ = weigh(POLICY, 6, 0.1, seen, Tick(blind=True))
        said.append(verdict)
    assert Verdict.ADVANCE not in said and said[-1] is Verdict.HOLD


@settings(max_examples=40)
@given(TICKS, st.floats(-20, 20))
def test_a_veto_always_aborts(tick: Tick, llr: float) -> None:
    assert weigh(POLICY, 6, 0.1, Evidence(llr=llr), tick.model_copy(update={"veto": "stop"}))[0] is Verdict.ABORT


def test_good_minutes_are_not_banked_against_bad_ones() -> None:
    seen = Evidence()
    for _ in range(9):
        _, seen, _ = weigh(POLICY, 6, 0.1, seen, Tick(n=600))
    verdicts = []
    for _ in range(2):
        verdict, seen, _ = weigh(POLICY, 6, 0.1, seen, Tick(n=30, bad=9))
        verdicts.append(verdict)
    assert Verdict.ABORT in verdicts


def test_when_both_arms_fail_it_is_not_the_canarys_fault() -> None:
    control = {"control_n": 50, "control_bad": 40}
    assert weigh(POLICY, 6, 0.1, Evidence(), Tick(n=20, bad=15, **control))[0] is Verdict.HOLD
    few = Tick(n=5, bad=5)
    assert weigh(POLICY, 6, 0.1, Evidence(), few)[0] is Verdict.ABORT
    assert weigh(POLICY, 6, 0.1, Evidence(), few.model_copy(update=control))[0] is Verdict.HOLD


@given(st.floats(0.01, 1000))
def test_the_ladder_climbs_from_probes_to_everything(rps: float) -> None:
    climb = ladder(POLICY, rps)
    assert climb[0] == 0 and climb[-1] == 1 and list(climb) == sorted(set(climb))


# ---- the watch ----


def watching(weight: float, epoch: int = 0, **more: Any) -> Watch:
    """Borealis is the fallback provider; the canary goes back to aurora."""
    given = {"route": "chat", "provider": "aurora", "control": "borealis", "weight": weight, "step": 2, "steps": 5, "epoch": epoch, **more}
    return Watch.model_validate(given)


async def stand_on(world: World, models: Models, call: MakeCall, weight: float, lease: float | None = 90.0) -> int:
    """Put the route on a step of the ladder. Returns its epoch."""
    tenants = tuple(t.name for t in world.state.tenants.values() if t.tier != "sovereign")
    weights = {"aurora": weight, "borealis": round(1 - weight, 6)}
    safe = {"borealis": 1.0} if lease else {}
    order = Shift(route="chat", tenants=tenants, weights=weights, purpose="canary back", lease_seconds=lease, safe_weights=safe)
    order = order.given(await models.route(RouteOf(route="chat"), call()))
    effect = await models.shift(order, granted(Models.shift, order, call(key="step")))
    return int(str(effect.after["epoch"]))


async def test_probes_alone_take_a_healthy_provider_to_the_next_step(world: World, models: Models, call: MakeCall) -> None:
    watched = await models.watch(watching(0), call())
    assert watched.verdict is Verdict.ADVANCE
    assert watched.evidence.n == watched.ticks * 6
    assert timedelta(minutes=5) <= watched.ended_at - call().at + timedelta(seconds=watched.ticks * 30) <= POLICY.max_dwell
    assert not effects(world, "llm")


async def test_a_healthy_canary_advances_on_its_traffic_and_keeps_its_lease(world: World, models: Models, call: MakeCall) -> None:
    epoch = await stand_on(world, models, call, 0.25)
    watched = await models.watch(watching(0.25, epoch), call())
    assert watched.verdict is Verdict.ADVANCE, watched.reason
    assert watched.control_n > watched.evidence.n > 200
    assert watched.cost_ratio == pytest.approx(1 / 1.1, abs=0.03)
    assert len(effects(world, "llm.routes.lease")) == watched.ticks
    assert len({e["key"] for e in effects(world, "llm.routes.lease")}) == watched.ticks
    assert not effects(world, "llm.lease.lapse")


@pytest.mark.parametrize(
    ("weight", "kind", "rate"), [(0, "overload", 0.3), (0.25, "overload", 0.5), (0.25, "slow", 0.9), (0.25, "timeout", 0.3)]
)
async def test_a_bad_canary_aborts(world: World, models: Models, call: MakeCall, weight: float, kind: str, rate: float) -> None:
    epoch = await stand_on(world, models, call, weight) if weight else 0
    break_provider(world, "aurora", kind, rate, after=60)
    watched = await models.watch(watching(weight, epoch), call())
    assert watched.verdict is Verdict.ABORT
    assert watched.ticks <= 12


async def test_fluent_nonsense_aborts(world: World, models: Models, call: MakeCall) -> None:
    epoch = await stand_on(world, models, call, 0.5)
    break_provider(world, "aurora", "wrong_but_200", 0.2)
    watched = await models.watch(watching(0.5, epoch), call())
    assert watched.verdict is Verdict.ABORT
    assert "quality" in watched.reason


async def test_a_dearer_canary_aborts(world: World, models: Models, call: MakeCall) -> None:
    world.state.providers["aurora"].price_ratio = 1.6
    epoch = await stand_on(world, models, call, 0.25)
    watched = await models.watch(watching(0.25, epoch), call())
    assert watched.verdict is Verdict.ABORT and "costs" in watched.reason


@pytest.mark.parametrize("weight", [0, 0.25])
async def test_no_data_holds(world: World, models: Models, call: MakeCall, weight: float) -> None:
    epoch = await stand_on(world, models, call, weight) if weight else 0
    world.state.blind = True
    inject(world, "llm.chat.completions", "commit_then_drop")
    watched = await models.watch(watching(weight, epoch), call())
    assert watched.verdict is Verdict.HOLD
    assert watched.ticks <= POLICY.max_blind_ticks + 3  # metrics count as stale after a minute


async def test_a_metrics_store_that_stutters_does_not_abort(world: World, models: Models, call: MakeCall) -> None:
    epoch = await stand_on(world, models, call, 0.25)
    inject(world, "prometheus.query", "fail", times=3)
    watched = await models.watch(watching(0.25, epoch), call())
    assert watched.verdict is Verdict.ADVANCE


async def test_a_newer_route_change_vetoes(world: World, models: Models, call: MakeCall) -> None:
    epoch = await stand_on(world, models, call, 0.25)
    await stand_on(world, models, call, 0.1)
    watched = await models.watch(watching(0.25, epoch), call())
    assert (watched.verdict, watched.lapsed, watched.ticks) == (Verdict.ABORT, False, 1)
    assert "newer route change" in watched.reason
    whole = await models.watch(watching(1.0, epoch), call())
    assert "newer route change" in whole.reason


async def test_a_lapsed_lease_says_so(world: World, models: Models, call: MakeCall) -> None:
    epoch = await stand_on(world, models, call, 0.25)
    watched = await models.watch(watching(0.25, epoch), call(later=120))
    assert watched.verdict is Verdict.ABORT and watched.lapsed


async def test_everything_back_needs_no_lease_but_a_bake(world: World, models: Models, call: MakeCall) -> None:
    epoch = await stand_on(world, models, call, 1.0, lease=None)
    watched = await models.watch(watching(1.0, epoch), call())
    assert watched.verdict is Verdict.ADVANCE
    assert watched.evidence.dwell >= POLICY.bake.total_seconds()


async def test_a_renewal_that_fails_twice_is_tried_again(world: World, models: Models, call: MakeCall) -> None:
    epoch = await stand_on(world, models, call, 0.25)
    inject(world, "llm.routes.lease", "fail", times=1)
    assert (await models.watch(watching(0.25, epoch), call())).verdict is Verdict.ADVANCE


async def test_a_watch_resumes_from_its_heartbeat_with_the_same_evidence(world: World, models: Models, call: MakeCall) -> None:
    order, made = watching(0), call()
    whole, beats = await _watch(models, order, made)
    assert whole.verdict is Verdict.ADVANCE
    assert len(beats) >= whole.ticks * 31  # one a second while waiting, and one a tick
    halfway = next(beat for beat in beats if beat["ticks"] == 10)
    resumed, later = await _watch(models, order, made, resuming=halfway)
    assert (resumed.verdict, resumed.ticks, resumed.ended_at) == (whole.verdict, whole.ticks, whole.ended_at)
    assert resumed.evidence.n == whole.evidence.n
    assert later[0]["ticks"] == 10
    anew, _ = await _watch(models, order, made, resuming={"ticks": "many"})  # what cannot be read is no evidence
    assert anew == whole


async def test_a_resumed_watch_reads_the_windows_that_it_missed(world: World, models: Models, call: MakeCall) -> None:
    epoch = await stand_on(world, models, call, 0.25, lease=100_000.0)
    order, made = watching(0.25, epoch), call()
    whole, beats = await _watch(models, order, made)
    resumed, _ = await _watch(models, order, made, resuming=next(beat for beat in beats if beat["ticks"] == 4))
    assert resumed == whole


async def test_a_key_that_is_refused_is_not_swallowed(world: World, models: Models, call: MakeCall) -> None:
    epoch = await stand_on(world, models, call, 0.25)
    inject(world, "llm.routes.lease", "fail", status=403)
    with pytest.raises(Refused):
        await models.watch(watching(0.25, epoch), call())


async def _watch(models: Models, order: Watch, call: Call, resuming: Any = None) -> tuple[Any, list[Any]]:
    environment, beats = ActivityEnvironment(), list[Any]()
    environment.on_heartbeat = lambda *details: beats.append(details[0])
    if resuming is not None:
        environment.info = dataclasses.replace(environment.info, attempt=2, heartbeat_details=[resuming])
    return await environment.run(models.watch, order, call), beats
