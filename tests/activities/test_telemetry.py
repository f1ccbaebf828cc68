"""What the metrics say; and that what they do not say is never taken for health."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.action import Call
from activities.kit.http import HttpClient
from activities.metrics.prometheus import Prometheus
from activities.metrics.telemetry import EstimateQuality, Gate, ProviderGate, Surface, Telemetry, beyond_chance
from activities.organisation.numbers import Stability
from practice.http.server import serve
from practice.world.world import World
from tests.activities.conftest import INCIDENT, MakeCall, break_provider, pass_time

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
    slow = gate(made, timedelta(minutes=15)).model_copy(update={"baseline_p99_seconds": 1.0})
    assert "p99" in (await telemetry.stability(slow, made)).why
    usual = slow.model_copy(update={"baseline_p99_seconds": 3.0})
    assert (await telemetry.stability(usual, made)).stable


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
