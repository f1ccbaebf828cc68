"""A curve is ill when something of it is surely too far from usual, well when everything is near, and neither where nobody can say."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import pytest

from activities.action import Call
from activities.metrics.curves import CurveGate, CurveOf, Curves
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import CurveNumbers
from activities.values import Curve
from practice.world.world import World
from tests.activities.conftest import MakeCall, MakeClient, pass_time

CALM, MIN_5 = CurveNumbers(spend_floor_usd_per_h=3), timedelta(minutes=5)
OF = dict(service="kiosk", tenant="amber", agent="researcher", model="large", key="k1")
Grow = Callable[[str, Mapping[str, str], float], None]


@pytest.fixture
def curves(door: MakeClient) -> Curves:
    return Curves(Prometheus(door("/prom")))


@pytest.fixture
def grow(world: World) -> Grow:
    """Let a counter grow by so much in a second, from now on."""
    rates: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}

    def moved(_: float) -> None:
        for (name, labels), rate in rates.items():
            world.metrics.counter(name, dict(labels)).value += 15 * rate

    def set_rate(name: str, labels: Mapping[str, str], rate: float) -> None:
        rates[name, tuple(labels.items())] = rate

    world.on_moved.append(moved)
    return set_rate


@pytest.fixture
def gauge(world: World) -> Grow:
    def set_value(name: str, labels: Mapping[str, str], value: float) -> None:
        world.metrics.gauge(name, labels).value = value

    return set_value


def reading(curve: Curve) -> CurveOf:
    """Of a service that only the test counts for: what the practice platform counts of `chat` is its own."""
    return CurveOf(curve=curve, service="kiosk", numbers=CALM)


async def test_spend_of_one_agent_above_its_own_usual_is_ill(world: World, curves: Curves, grow: Grow, gauge: Grow, call: MakeCall) -> None:
    for agent, rate in (("researcher", 0.01), ("writer", 0.001)):
        grow("llm_spend_usd_total", {**OF, "agent": agent}, rate)
        gauge("llm_spend_usd_per_hour_usual", dict(service="kiosk", tenant="amber", agent=agent), 4.0)
    for meter in ("llm_tokens_total", "provider_meter_tokens_total"):
        grow(meter, dict(service="kiosk", key="k1"), 100)
    pass_time(world, 240)
    seen = await curves.read(reading(Curve.SPEND), call())
    (worst,) = seen.ill
    assert worst.labels == {"agent": "researcher", "tenant": "amber"} and worst.off == pytest.approx(9, rel=0.02)
    assert worst.says == "agent researcher, tenant amber spends 9.0 times what is usual (36 USD/h)"
    assert seen.shown == pytest.approx(39.6, rel=0.02) and seen.usual == 8 and not seen.well and not seen.missing


async def test_what_the_provider_counts_beyond_our_meter_is_ill(
    world: World, curves: Curves, grow: Grow, gauge: Grow, call: MakeCall
) -> None:
    """Nothing of ours spends too much: the key is used elsewhere."""
    grow("llm_spend_usd_total", OF, 0.001)
    gauge("llm_spend_usd_per_hour_usual", dict(service="kiosk", tenant="amber", agent="researcher"), 4.0)
    grow("llm_tokens_total", OF, 100)
    grow("provider_meter_tokens_total", dict(service="kiosk", provider="aurora", key="k1"), 150)
    pass_time(world, 240)
    (worst,) = (await curves.read(reading(Curve.SPEND), call())).ill
    assert worst.says == "the provider counts 1.5 times the tokens that we count of key k1"


async def test_a_meter_that_stopped_is_missing_and_not_well(world: World, curves: Curves, grow: Grow, gauge: Grow, call: MakeCall) -> None:
    grow("llm_spend_usd_total", OF, 0.001)
    gauge("llm_spend_usd_per_hour_usual", dict(service="kiosk", tenant="amber", agent="researcher"), 4.0)
    pass_time(world, 240)
    seen = await curves.read(reading(Curve.SPEND), call())
    assert not seen.ill and not seen.well and seen.missing == ("provider's meter",)
    assert "no fresh data: provider's meter" in seen.in_words


async def test_yesterdays_green_eval_says_nothing(world: World, curves: Curves, grow: Grow, gauge: Grow, call: MakeCall) -> None:
    of = dict(service="kiosk", suite="core")
    gauge("eval_pass_ratio", {**of, "model_version": "7"}, 0.97)
    gauge("eval_pass_ratio_baseline", of, 0.97)
    gauge("eval_cases", of, 400)
    gauge("eval_last_run_timestamp_seconds", of, world.clock.now() - 86_400)
    gauge("answers_good_ratio_usual", dict(service="kiosk"), 0.95)
    grow("answers_judged_total", dict(service="kiosk", verdict="good"), 0.95)
    grow("answers_judged_total", dict(service="kiosk", verdict="bad"), 0.05)
    pass_time(world, 300)
    seen = await curves.read(reading(Curve.QUALITY), call())
    assert not seen.ill and seen.missing == ("evals",) and not seen.well


async def test_a_worse_share_is_ill_only_beyond_chance(world: World, curves: Curves, grow: Grow, gauge: Grow, call: MakeCall) -> None:
    gauge("cag_correct_ratio_usual", dict(service="kiosk", domain="pricing"), 0.95)
    grow("rag_citation_total", dict(service="kiosk", domain="pricing", trust="ok"), 1)
    grow("cag_hits_total", dict(service="kiosk", domain="pricing", judged="right"), 0.12)
    grow("cag_hits_total", dict(service="kiosk", domain="pricing", judged="wrong"), 0.022)
    pass_time(world, 300)
    few = await curves.read(reading(Curve.GROUNDING), call())
    assert not few.ill and not few.well and few.off, "13 points below usual, of some forty judged: nobody can say"
    grow("cag_hits_total", dict(service="kiosk", domain="pricing", judged="right"), 1.2)
    grow("cag_hits_total", dict(service="kiosk", domain="pricing", judged="wrong"), 0.4)
    pass_time(world, 600)
    many = await curves.read(reading(Curve.GROUNDING), call())
    assert [one.labels for one in many.ill] == [{"domain": "pricing"}]


async def test_nothing_injected_is_well_while_somebody_looks(world: World, curves: Curves, grow: Grow, call: MakeCall) -> None:
    unwatched = await curves.read(reading(Curve.INJECTION), call())
    assert not unwatched.well and unwatched.missing == ("injected effects",)
    grow("guardrail_checks_total", dict(service="kiosk"), 1)
    pass_time(world, 120)
    assert (await curves.read(reading(Curve.INJECTION), call())).well
    grow("injected_effects_total", dict(service="kiosk", tenant="amber", kind="outbound"), 1 / 15)
    pass_time(world, 120)
    assert (await curves.read(reading(Curve.INJECTION), call())).ill


async def test_a_window_holds_only_without_violation_and_gap(world: World, curves: Curves, grow: Grow, call: MakeCall) -> None:
    grow("guardrail_checks_total", dict(service="kiosk"), 1)
    pass_time(world, 600)

    def gate(made: Call, start: datetime) -> CurveGate:
        return CurveGate(curve=Curve.INJECTION, service="kiosk", start=start, end=made.at, numbers=CALM)

    made = call()
    assert (await curves.stable(gate(made, made.at - MIN_5), made)).stable
    grow("injected_effects_total", dict(service="kiosk", tenant="amber", kind="memory"), 1 / 15)
    pass_time(world, 60)
    grow("injected_effects_total", dict(service="kiosk", tenant="amber", kind="memory"), 0)
    pass_time(world, 600)
    made = call()
    broken = await curves.stable(gate(made, made.at - 2 * MIN_5), made)
    assert not broken.stable and broken.violated_at is not None and "kind memory" in broken.why
    world.state.blind = True
    pass_time(world, 300)
    made = call()
    blind = await curves.stable(gate(made, made.at - MIN_5), made)
    assert not blind.stable and blind.blind_at is not None
