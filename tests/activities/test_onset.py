"""How trouble began, read from the metrics; and what triage makes of the world's faults, read by the adapters that production has."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.action import Call
from activities.capacity.autoscaler import AutoscalerOf, Autoscalers
from activities.edge.health import DependenciesOf, Edge, Vantages
from activities.feeds.feeds import Feeds, FeedsOf
from activities.metrics.onset import OnsetOf, Point, Shape, start_of
from activities.metrics.telemetry import Surface, Telemetry
from activities.platform.change_feed import ChangeFeed, ChangesSince
from activities.write_gate.write_gate import WriteGateOf, WriteGates
from practice.services.deploying import change, deploy
from practice.services.fleet import ServiceFault
from practice.world.world import World
from tests.activities.conftest import MakeCall, pass_time
from workflows.playbooks.production_outage.diagnosis import Cause, Diagnosis, diagnose
from workflows.playbooks.production_outage.findings import TriageFindings

API = OnsetOf(service="api")
REGIONS = ("eu-west", "us-east")


def fault(world: World, kind: str, service: str = "api", **more: Any) -> None:
    world.state.fleet.faults.append(ServiceFault(service, kind, since=world.clock.now(), **more))


def spoil(world: World) -> None:
    feed = world.state.fleet.feeds["routing-rules"]
    feed.bad_from, feed.error_rate = feed.version + 1, 0.6
    feed.make(world.clock.now())


# ---- the shape of a start ----


def heights(*values: float) -> list[Point]:
    return [Point(15.0 * n, value, value >= 0.05) for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "at", "shape"),
    [
        ([0.0, 0.0, 0.0], None, Shape.UNKNOWN),
        ([0.0, 0.0, 0.2, 0.4, 0.4, 0.4, 0.4, 0.4], 30.0, Shape.STEP),
        ([0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55], 15.0, Shape.RAMP),
        ([0.0, 0.06, 0.0, 0.1, 0.0, 0.16, 0.2, 0.26, 0.3, 0.38, 0.4, 0.45, 0.5], 15.0, Shape.RAMP),
        ([0.0, 0.0, 0.4, 0.4], 30.0, Shape.UNKNOWN),
        ([0.4, 0.4, 0.4, 0.0, 0.0, 0.0] * 4, 0.0, Shape.PERIODIC),
        ([0.3, 0.3, 0.3] + [0.0] * 20 + [0.4] * 6, 345.0, Shape.STEP),
        ([0.0, 0.3, 0.3] + [0.0] * 20, None, Shape.UNKNOWN),
        ([0.0] * 20 + [0.3], 300.0, Shape.UNKNOWN),
    ],
)
def test_a_start_has_a_time_and_a_shape(values: list[float], at: float | None, shape: Shape) -> None:
    found = start_of(heights(*values))
    assert (found.at, found.shape) == (at, shape)
    assert start_of(heights(*values)[::-1]) == found, "the order of the samples does not matter"


def test_what_comes_back_says_how_often() -> None:
    assert start_of(heights(*[0.4, 0.4, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0] * 3)).every == 120


# ---- read from the metrics ----


async def test_without_trouble_there_is_no_start(telemetry: Telemetry, call: MakeCall) -> None:
    found = await telemetry.onset(API, call())
    assert found.first_bad is None and not found.blind
    assert found.errors_by_revision["api-00041"] < 0.01 and set(found.errors_by_region) == set(REGIONS)


async def test_a_bad_deploy_begins_at_once_and_stands_out(world: World, telemetry: Telemetry, call: MakeCall) -> None:
    world.state.fleet.services["api"].places["us-east"].split = {"api-00041": 1.0}
    began = world.clock.now()
    deploy(world, "api", actor="ci", what="a bad one", error_rate=0.4)
    pass_time(world, 240)
    found = await telemetry.onset(API, call())
    assert found.first_bad is not None and 0 <= found.first_bad.timestamp() - began <= 45
    assert found.shape is Shape.STEP and not found.slow
    assert found.errors_by_revision["api-00042"] > 0.3 and found.errors_by_revision["api-00041"] < 0.01
    assert found.errors_by_region["eu-west"] > 0.2 and found.errors_by_region["us-east"] < 0.01


async def test_slow_answers_are_trouble_too(world: World, telemetry: Telemetry, call: MakeCall) -> None:
    pass_time(world, 300)
    began = world.clock.now()
    deploy(world, "api", actor="ci", what="a slow one", latency_factor=4.0)
    pass_time(world, 300)
    found = await telemetry.onset(API, call())
    assert found.slow and found.first_bad is not None
    assert -15 <= found.first_bad.timestamp() - began <= 90


async def test_blind_metrics_say_nothing_of_a_start(world: World, telemetry: Telemetry, call: MakeCall) -> None:
    world.state.blind = True
    pass_time(world, 600)
    assert (await telemetry.onset(API, call())).blind


# ---- what triage makes of it ----


@pytest.fixture
def triage(
    world: World, edge: Edge, autoscaler: Autoscalers, write_gate: WriteGates, feeds: Feeds, change_feed: ChangeFeed,
    telemetry: Telemetry, call: MakeCall,
) -> Callable[..., Any]:  # fmt: skip
    """All that triage reads, from the same adapters."""

    async def read(service: str = "api", made: Call | None = None) -> TriageFindings:
        now = made or call()
        return TriageFindings(
            service=service,
            at=now.at,
            onset=await telemetry.onset(OnsetOf(service=service), now),
            health=await edge.health(Vantages(service=service, regions=REGIONS), now),
            radius=await telemetry.blast_radius(Surface(service=service), now),
            changes=await change_feed.since(ChangesSince(), now),
            dependencies=await edge.dependencies(DependenciesOf(service=service), now),
            capacity=await autoscaler.read(Autoscalers.look(AutoscalerOf(service=service)), now),
            gate=await write_gate.read(WriteGates.look(WriteGateOf(service=service)), now),
            feeds=await feeds.of_service(FeedsOf(service=service), now),
        )

    return read


def innocent(world: World) -> None:
    """Somebody deployed both services and changed a flag just before: it was not that."""
    deploy(world, "orchestrator", actor="ci", what="innocent")
    pass_time(world, 30)
    deploy(world, "api", actor="ci", what="innocent")
    change(world, ["api"], "flag", "batch.enabled to 60 %", actor="ravi")
    pass_time(world, 60)


Break = Callable[[World], None]
FAULTS: dict[str, tuple[Break, Cause, str]] = {
    "a bad deploy": (lambda w: void(deploy(w, "api", actor="ci", what="bad", error_rate=0.4)), Cause.CHANGE, "api-00043"),
    "a bad feed": (spoil, Cause.ARTEFACT, "routing-rules"),
    "an ill region": (lambda w: fault(w, "region", region="us-east", rate=0.6), Cause.REGION, "us-east"),
    "too much load": (lambda w: fault(w, "load", factor=6.0), Cause.LOAD, ""),
    "the database": (lambda w: fault(w, "dependency", service="*", dependency="database", rate=0.8), Cause.DEPENDENCY, "database"),
    "the balancer": (
        lambda w: fault(w, "dependency", service="*", dependency="load_balancer", rate=0.9),
        Cause.DEPENDENCY,
        "load_balancer",
    ),
    "spoilt data": (lambda w: fault(w, "integrity", rate=0.9), Cause.DATA, "api"),
}


def briefly(found: Diagnosis) -> str:
    """A diagnosis and its rivals, a line each."""
    return "\n".join([found.in_words(), *(f"{o.cause} {o.which} {o.score}: {'; '.join(o.reasons)}" for o in found.others)])


def void(_: object) -> None:
    """For what returns something that nobody wants."""


@pytest.mark.parametrize("seconds", [120, 600])
@pytest.mark.parametrize(("breaks", "cause", "which"), FAULTS.values(), ids=list(FAULTS))
async def test_the_cause_is_found_though_something_innocent_was_deployed_last(
    world: World, triage: Callable[..., Any], breaks: Break, cause: Cause, which: str, seconds: int
) -> None:
    innocent(world)
    breaks(world)
    pass_time(world, seconds)
    found = diagnose(await triage())
    assert found.cause is cause, briefly(found)
    named = found.change.details["revision"] if found.change and cause is Cause.CHANGE else found.which
    assert named == which, briefly(found)
    assert found.confidence >= 0.4, briefly(found)
    assert found.reasons and found.missing == ()


async def test_a_migration_that_spoils_data_is_named(world: World, triage: Callable[..., Any]) -> None:
    entry = change(world, ["api"], "migration", "sessions split in two", actor="kim", reversible=False)
    fault(world, "integrity", rate=0.9)
    pass_time(world, 240)
    found = diagnose(await triage())
    assert (found.cause, found.which) == (Cause.DATA, entry.id)


async def test_a_bad_deploy_in_one_region_is_no_ill_region(world: World, triage: Callable[..., Any]) -> None:
    world.state.fleet.services["api"].places["us-east"].split = {"api-00041": 1.0}
    deploy(world, "api", actor="ci", what="bad, and so far only in one region", error_rate=0.5)
    pass_time(world, 240)
    found = diagnose(await triage())
    assert found.cause is Cause.CHANGE and found.change is not None and found.change.details["revision"] == "api-00042", found


async def test_a_quiet_service_has_no_cause(world: World, triage: Callable[..., Any]) -> None:
    pass_time(world, 300)
    found = diagnose(await triage())
    assert found.cause is Cause.UNKNOWN, found


async def test_what_the_feed_cannot_see_is_said(world: World, triage: Callable[..., Any]) -> None:
    world.state.fleet.gaps = ["iam"]
    assert "the change feed cannot see iam" in diagnose(await triage()).missing


async def test_at_another_time_the_same_evidence_says_the_same(world: World, triage: Callable[..., Any], call: MakeCall) -> None:
    innocent(world)
    spoil(world)
    pass_time(world, 240)
    made = call()
    assert datetime.fromtimestamp(world.clock.now(), UTC) - made.at < timedelta(seconds=1)
    first, second = diagnose(await triage(made=made)), diagnose(await triage(made=made))
    assert (first.cause, first.which) == (second.cause, second.which)
