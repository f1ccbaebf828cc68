"""What the metrics say; and that what they do not say is never taken for health."""

import math
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.action import Call
from activities.kit.http import HttpClient
from activities.metrics.prometheus import Prometheus
from activities.metrics.telemetry import EstimateQuality, Gate, ProviderGate, Surface, Telemetry, beyond_chance
from activities.organisation.numbers import Stability
from activities.values import Symptom
from practice.http.server import serve
from practice.services.fleet import ServiceFault
from practice.world.world import World
from tests.activities.conftest import INCIDENT, MakeCall, MakeClient, break_provider, pass_time

CHAT = Surface(service="chat")
HOUR = timedelta(hours=1)


def gate(call: Call, length: timedelta = HOUR) -> Gate:
    return Gate(service="chat", start=call.at - length, end=call.at)


async def test_a_healthy_service_is_seen_healthy(world: World, telemetry: Telemetry, call: MakeCall) -> None:
    world.clock.show(world.clock.now() + 480)
    world.advance()
    health = await telemetry.impact(CHAT, call())
    assert not health.blind and health.error_ratio is not None and health.error_ratio < 0.005
    assert health.p99_seconds is not None and 1 < health.p99_seconds < 5
    assert 3000 < health.requests < 4200


async def test_an_outage_shows_who_is_hit(world: World, telemetry: Telemetry, call: MakeCall) -> None:
    break_provider(world, "aurora", "overload", 0.6)
    pass_time(world, 300)
    health, radius = await telemetry.impact(CHAT, call()), await telemetry.blast_radius(CHAT, call())
    assert health.error_ratio is not None and health.error_ratio > 0.2
    assert radius.tenant_ratio == 1 and set(radius.regions) == {"eu-west", "us-east"} and radius.services == ("chat",)
    assert radius.quality is EstimateQuality.HIGH


async def test_no_data_is_blind_not_healthy(world: World, telemetry: Telemetry, call: MakeCall) -> None:
    world.state.blind = True
    pass_time(world, 150)
    health = await telemetry.impact(CHAT, call())
    assert health.blind and health.error_ratio is None
    assert (await telemetry.blast_radius(CHAT, call())).quality is EstimateQuality.LOW
    nobody = await telemetry.impact(Surface(service="nobody"), call())
    assert nobody.blind


async def test_an_hour_without_trouble_is_stable(telemetry: Telemetry, call: MakeCall) -> None:
    made = call(later=3600)
    verdict = await telemetry.stability(gate(made), made)
    assert verdict.stable, verdict.why
    assert verdict.watched == HOUR


async def test_what_was_before_the_gate_does_not_fail_it(world: World, telemetry: Telemetry, call: MakeCall) -> None:
    break_provider(world, "aurora", "overload", 0.9, lasts=300)
    pass_time(world, 330)
    made = call(later=1800)
    assert (await telemetry.stability(gate(made, timedelta(minutes=30)), made)).stable


async def test_trouble_in_the_middle_is_a_violation_at_its_time(world: World, telemetry: Telemetry, call: MakeCall) -> None:
    break_provider(world, "aurora", "overload", 0.5, after=1200, lasts=120)
    began = world.clock.now() + 1200
    made = call(later=3600)
    verdict = await telemetry.stability(gate(made), made)
    assert not verdict.stable and verdict.violated_at is not None
    short = gate(made).model_copy(update={"end": datetime.fromtimestamp(began + 400, UTC)})
    seen = (await telemetry.stability(short, made)).violated_at
    assert seen is not None and began < seen.timestamp() <= began + 420 + 15


async def test_a_gap_in_the_data_is_not_stable(world: World, telemetry: Telemetry, call: MakeCall) -> None:
    pass_time(world, 600)
    world.state.blind = True
    pass_time(world, 200)
    world.state.blind = False
    back = world.clock.now()
    made = call(later=600)
    verdict = await telemetry.stability(gate(made, timedelta(minutes=20)), made)
    assert not verdict.stable and verdict.blind_at is not None
    assert abs(verdict.blind_at.timestamp() - back) <= 30
    assert verdict.violated_at is None


async def test_a_dead_metrics_store_is_blind_until_now(world: World, telemetry: Telemetry, call: MakeCall) -> None:
    world.state.blind = True
    made = call(later=900)
    verdict = await telemetry.stability(gate(made, timedelta(minutes=15)), made)
    assert (verdict.stable, verdict.blind_at) == (False, made.at)


async def test_slower_than_the_baseline_is_not_stable(telemetry: Telemetry, call: MakeCall) -> None:
    made = call(later=900)
    usual = Gate(service="api", start=made.at - timedelta(minutes=15), end=made.at, proof=(Symptom.LATENCY,))
    assert (await telemetry.stability(usual, made)).stable
    strict = usual.model_copy(update={"stability": Stability(latency_ratio=0.5)})
    assert "p99" in (await telemetry.stability(strict, made)).why
    assert (await telemetry.stability(strict.model_copy(update={"proof": ()}), made)).stable, "only what the card names counts"


async def test_traffic_that_stays_away_and_customers_turned_away_are_not_stable(world: World, telemetry: Telemetry, call: MakeCall) -> None:
    pass_time(world, 1200)
    began = datetime.fromtimestamp(world.clock.now(), UTC)
    asked = Surface(service="api", usual_before=began)
    world.state.fleet.faults.append(ServiceFault(service="api", kind="load", factor=0.2))
    made = call(later=600)
    health = await telemetry.impact(asked, made)
    assert health.usual_requests is not None and health.requests < 0.4 * health.usual_requests
    gated = Gate(service="api", start=made.at - timedelta(minutes=5), end=made.at, proof=(Symptom.LOST_TRAFFIC,), usual_before=began)
    assert "usual are" in (await telemetry.stability(gated, made)).why
    world.state.fleet.faults.clear()
    world.state.fleet.services["api"].gateway.rate_limit_rps = 3.0
    made = call(later=600)
    health = await telemetry.impact(asked, made)
    assert 0.3 < health.turned_away_ratio < 0.7 and health.error_ratio is not None and health.error_ratio < 0.01
    gated = Gate(service="api", start=made.at - timedelta(minutes=5), end=made.at, proof=(Symptom.TURNED_AWAY,))
    assert "turned away" in (await telemetry.stability(gated, made)).why


@pytest.mark.parametrize(("seconds", "holds"), [(60, True), (120, False), (180, False)])
async def test_the_end_of_a_window_must_be_fresh(world: World, telemetry: Telemetry, call: MakeCall, seconds: float, holds: bool) -> None:
    """A store that answers late: its newest sample is older than policy takes for now. So is everything, where our clock is ahead of its."""
    pass_time(world, 600)
    world.state.blind = True
    pass_time(world, seconds)
    made = call()
    verdict = await telemetry.stability(gate(made, timedelta(minutes=10)), made)
    assert verdict.stable is holds, verdict
    assert (await telemetry.impact(CHAT, made)).blind is not holds


async def test_a_gap_is_measured_by_the_samples_own_instants(world: World, telemetry: Telemetry, call: MakeCall) -> None:
    """130 s are more than 120 s, and 115 s are not: nothing is rounded in our favour."""
    for missing, holds in ((105, True), (120, False)):
        pass_time(world, 300)
        world.state.blind = True
        pass_time(world, missing)
        world.state.blind = False
        made = call(later=300)
        verdict = await telemetry.stability(gate(made, timedelta(minutes=10)), made)
        assert verdict.stable is holds, (missing, verdict)


def _saying(row: dict[str, Any], value: str) -> dict[str, Any]:
    """The same row of an answer, with another value."""
    if "value" in row:
        return {**row, "value": [row["value"][0], value]}
    return {**row, "values": [[t, value] for t, _ in row["values"]]}


class Answers(Prometheus):
    """A metrics store that says something of its own about some queries."""

    def __init__(self, door: HttpClient, about: str, value: float | None) -> None:
        super().__init__(door)
        self._about, self._value = about, value

    async def _ask(self, call: Call, path: str, **params: Any) -> dict[str, Any]:
        found = await super()._ask(call, path, **params)
        if self._about in params["query"]:
            said = str(self._value)
            rows = [] if self._value is None else [_saying(row, said) for row in found["result"]]
            found = {**found, "result": rows}
        return found


@pytest.mark.parametrize("about", ['outcome="error"', "increase", "synthetic_ok", "histogram_quantile"])
async def test_what_is_no_number_is_neither_healthy_nor_ill(world: World, call: MakeCall, door: MakeClient, about: str) -> None:
    made = call(later=900)
    telemetry = Telemetry(Answers(door("/prom"), about, math.nan))
    asked = Gate(service="api", start=made.at - timedelta(minutes=10), end=made.at, proof=tuple(Symptom))
    verdict = await telemetry.stability(asked, made)
    assert not verdict.stable and verdict.violated_at is None and "no numbers" in verdict.why


async def test_an_empty_answer_is_no_health(world: World, call: MakeCall, door: MakeClient) -> None:
    made = call(later=900)
    asked = Gate(service="api", start=made.at - timedelta(minutes=10), end=made.at, proof=tuple(Symptom))
    for about in ("service_requests_total", "service_request_duration_seconds_bucket"):
        verdict = await Telemetry(Answers(door("/prom"), about, None)).stability(asked, made)
        assert not verdict.stable and verdict.blind_at is not None, about
    assert (await Telemetry(Answers(door("/prom"), "increase", math.nan)).impact(CHAT, made)).blind


async def test_a_flapping_provider_is_not_healthy(world: World, telemetry: Telemetry, call: MakeCall) -> None:
    break_provider(world, "borealis", "flapping")
    made = call(later=900)
    for provider, healthy in (("aurora", True), ("borealis", False), ("nobody", False)):
        asked = ProviderGate(provider=provider, start=made.at - timedelta(minutes=15), end=made.at)
        assert (await telemetry.provider_health(asked, made)).stable == healthy


async def test_links_show_the_same_for_ever(telemetry: Telemetry, call: MakeCall) -> None:
    made = call(at=datetime(2026, 11, 23, 10, 5, tzinfo=UTC), pace=60)
    title, url = (await telemetry.links(CHAT, made)).links[0]
    assert title == "Requests by outcome"
    assert url.startswith("http://metrics.example.com/graph?") and "end_input=2026-11-23+10%3A05%3A00" in url and "range_input=5s" in url


COUNTED = [(4, 3600, False), (11, 3600, False), (13, 3600, True), (60, 43200, False), (90, 43200, True)]


@pytest.mark.parametrize(("errors", "n", "above"), COUNTED)
def test_chance_is_not_a_violation_and_twice_the_budget_is(errors: int, n: int, above: bool) -> None:
    assert beyond_chance(errors, n, 1 - Stability().slo_target) == above


@pytest.fixture
async def fast(tmp_path: Path) -> AsyncIterator[tuple[World, Telemetry]]:
    """A world whose clock runs two minutes to the second."""
    world = World(seed=7, pace=120, state=tmp_path)
    async with serve(world) as url, HttpClient(f"{url}/prom", {}) as door:
        yield world, Telemetry(Prometheus(door))


async def test_at_another_pace_instants_are_real_and_durations_are_policy_time(fast: tuple[World, Telemetry]) -> None:
    world, telemetry = fast
    now = datetime.fromtimestamp(time.time(), UTC)
    made = Call(incident_id=INCIDENT, key="k", at=now, pace=120)
    asked = Gate(service="chat", start=now - timedelta(seconds=4.5), end=now)
    verdict = await telemetry.stability(asked, made)
    assert verdict.stable and verdict.watched == timedelta(minutes=9)
    world.state.blind = True
    later = now + timedelta(seconds=2.5)
    while datetime.now(UTC) < later:
        await _breathe()
    dead = await telemetry.stability(asked.model_copy(update={"end": later}), made)
    assert dead.blind_at == later


async def _breathe() -> None:
    import asyncio

    await asyncio.sleep(0.1)


async def test_a_window_that_has_just_begun_again_is_too_short_and_no_wrong_question(telemetry: Telemetry, call: MakeCall) -> None:
    """At a fast pace it is asked about before its first instant: that says nothing, and nobody has to repair anything."""
    made = call(later=600)
    for proof in ((), tuple(Symptom)):
        ends_first = Gate(service="api", start=made.at + timedelta(seconds=1), end=made.at, proof=proof)
        verdict = await telemetry.stability(ends_first, made)
        assert not verdict.stable and verdict.why == "too short a time to say anything"
