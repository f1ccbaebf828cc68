"""A following world behind its real faces, and the adapters that look at it. The world moves with the instants that it is shown."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.action import Call, Effect, Grant, Order, Refused, Risk, Verb, action_of
from activities.capacity.autoscaler import Autoscalers
from activities.edge.health import Edge
from activities.edge.probe import EdgeProbe
from activities.feeds.feeds import Feeds
from activities.flags.flags import Flags
from activities.flags.unleash import Unleash
from activities.kit.http import HttpClient
from activities.metrics.prometheus import Prometheus
from activities.metrics.telemetry import Telemetry
from activities.models.client_policy import ClientPolicies
from activities.models.model_gateway import ModelGateway
from activities.models.models import Models
from activities.models.modes import TenantModes
from activities.platform.change_feed import ChangeFeed
from activities.platform.control_plane import ControlPlane
from activities.product.app_plane import AppPlane
from activities.write_gate.write_gate import WriteGates
from practice.http.in_process import BASE_URL, InProcess
from practice.http.server import serve
from practice.llm.faults import ProviderFault
from practice.world.effects import EffectLog
from practice.world.injected_faults import InjectedFault
from practice.world.stage import young
from practice.world.state import JSON
from practice.world.world import World
from tests.stage import contract

INCIDENT = "inc-20261123-chat"
PATIENCE = 1.2  # seconds that a client waits for a face
BEARER = {"Authorization": "Bearer practice-token"}

MISHAPS: list[tuple[str, dict[str, Any]]] = [
    ("fail", {"times": 2}),
    ("latency", {"times": 1, "seconds": 0.2}),
    ("commit_then_drop", {"times": 1}),
    ("nothing_changed", {"times": 1}),
    ("partial", {"times": 1}),
    ("throttle", {"times": 2}),
    ("hang", {"times": 1}),
]

MakeCall = Callable[..., Call]
MakeClient = Callable[..., HttpClient]


class FollowingClock:
    """Lets no time pass: the world follows the instants of the readings."""

    async def sleep(self, duration: timedelta) -> None: ...


@pytest.fixture(autouse=True)
def requests_keep_the_contract() -> Iterator[None]:
    """Every request to one of our own APIs is what its OpenAPI document says."""
    contract.broken.clear()
    yield
    assert not contract.broken


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world of its own, two minutes old."""
    young_one = young()
    young_one.effects = EffectLog(tmp_path)
    return young_one


@pytest.fixture
async def practice_url(world: World) -> AsyncIterator[str]:
    """For those who need a socket: shells, and clients that we did not write."""
    async with serve(world) as url:
        yield url


@pytest.fixture
def call(world: World) -> MakeCall:
    """A call as a workflow makes it; at the world's present, plus `later` seconds, unless said otherwise."""

    def make(later: float = 0.0, **overrides: object) -> Call:
        at = datetime.fromtimestamp(world.clock.now() + later, UTC)
        return Call.model_validate({"incident_id": INCIDENT, "key": f"{INCIDENT}/verb/target/1", "at": at, **overrides})

    return make


@pytest.fixture
async def door(world: World) -> AsyncIterator[MakeClient]:
    """Clients of the faces, closed afterwards: `door("/llm")`, `door("/unleash", Authorization="practice-token")`."""
    opened: list[HttpClient] = []
    transport = contract.Checked(InProcess(world))

    def make(path: str, timeout: float = 2.0, **headers: str) -> HttpClient:
        opened.append(HttpClient(BASE_URL + path, headers or BEARER, timeout=timeout, transport=transport))
        return opened[-1]

    yield make
    for each in opened:
        await each.close()


@pytest.fixture
def gateway(door: MakeClient) -> ModelGateway:
    """The model gateway's client; it has little patience."""
    return ModelGateway(door("/llm", timeout=PATIENCE))


@pytest.fixture
def models(gateway: ModelGateway, door: MakeClient) -> Models:
    return Models(gateway, Prometheus(door("/prom")), FollowingClock())


@pytest.fixture
def modes(gateway: ModelGateway, door: MakeClient) -> TenantModes:
    return TenantModes(gateway, AppPlane(door("/app")))


@pytest.fixture
def client_policy(gateway: ModelGateway) -> ClientPolicies:
    return ClientPolicies(gateway)


@pytest.fixture
def plane(door: MakeClient) -> ControlPlane:
    """Our own control plane; its client has little patience."""
    return ControlPlane(door("/platform", timeout=PATIENCE))


@pytest.fixture
def probe(door: MakeClient) -> EdgeProbe:
    """What customers meet; without credentials."""
    return EdgeProbe(door("/edge", X_Nothing=""))


@pytest.fixture
def edge(plane: ControlPlane, probe: EdgeProbe) -> Edge:
    return Edge(plane, probe)


@pytest.fixture
def autoscaler(plane: ControlPlane, door: MakeClient) -> Autoscalers:
    return Autoscalers(plane, Prometheus(door("/prom")))


@pytest.fixture
def write_gate(plane: ControlPlane, probe: EdgeProbe, door: MakeClient) -> WriteGates:
    return WriteGates(plane, probe, Prometheus(door("/prom")), FollowingClock())


@pytest.fixture
def feeds(plane: ControlPlane, door: MakeClient) -> Feeds:
    return Feeds(plane, Prometheus(door("/prom")))


@pytest.fixture
def change_feed(plane: ControlPlane) -> ChangeFeed:
    return ChangeFeed(plane)


@pytest.fixture
def flags(door: MakeClient) -> Flags:
    """The flag adapter; its client has little patience."""
    http = door("/unleash", timeout=PATIENCE, Authorization="practice-token")
    return Flags(Unleash(http, http, project="default", environment="production"), AppPlane(door("/app")))


@pytest.fixture
def telemetry(door: MakeClient) -> Telemetry:
    return Telemetry(Prometheus(door("/prom"), ui="http://metrics.example.com"))


def inject(world: World, route: str, mode: str, **settings: object) -> None:
    """Make a route misbehave (docs/practice-platform.md, Injected faults)."""
    world.injected_faults.set(InjectedFault(route, mode, **settings))  # type: ignore[arg-type]


def break_provider(world: World, provider: str, kind: str, rate: float = 1.0, after: float = 0.0, lasts: float | None = None) -> None:
    """Make a provider fail, from `after` world seconds on."""
    since = world.clock.now() + after
    world.state.provider_faults.append(ProviderFault(provider, kind, rate, since, None if lasts is None else since + lasts))


def pass_time(world: World, seconds: float) -> None:
    """Let world time pass, with its traffic."""
    world.clock.show(world.clock.now() + seconds)
    world.advance()


def effects(world: World, route: str = "", *, changed: bool = True) -> list[JSON]:
    """What was really done on a route, or on a face: `llm.routes.weights`, `unleash`."""
    return [e for e in world.effects.entries if e["route"].startswith(route) and (e["changed"] or not changed)]


def granted(verb: Verb[Any, Any], order: Order, call: Call) -> Call:
    """The same call, with a person's yes to exactly this order."""
    covers = (order.digest(action_of(verb).name),)
    grant = Grant(question=1, covers=covers, by=("dana",), verified=True, at=call.at, expires_at=call.at + timedelta(minutes=15))
    return call.model_copy(update={"grant": grant})


async def until_done(attempt: Callable[[], Awaitable[Effect]], tries: int = 4) -> tuple[Effect, list[Exception]]:
    """Try as Temporal does: again after anything but a refusal. Returns the effect, and what went wrong before it."""
    broke: list[Exception] = []
    for _ in range(tries):
        try:
            return await attempt(), broke
        except Refused:
            raise
        except Exception as said:
            broke.append(said)
    raise AssertionError(f"not done after {tries} tries: {broke}")


async def tried(verb: Verb[Any, Effect], system: Any, order: Order, call: Call, tries: int = 7) -> tuple[Effect, list[Exception]]:
    """Try as Temporal does: each time in an activity of its own, as much later as was asked for. Returns the effect, and what broke before."""
    broke: list[Exception] = []
    made = granted(verb, order, call) if action_of(verb).risk(order, call.limits) >= Risk.C2 and call.grant is None else call
    later = timedelta(0)
    for attempt in range(1, tries + 1):
        env = ActivityEnvironment()
        env.info = replace(
            env.info, attempt=attempt, scheduled_time=call.at, started_time=call.at + later, start_to_close_timeout=timedelta(hours=9)
        )
        try:
            return await env.run(verb.__get__(system), order, made), broke
        except Refused:
            raise
        except Exception as said:
            broke.append(said)
            later += getattr(said, "next_retry_delay", None) or timedelta(seconds=0.2)
    raise AssertionError(f"not done after {tries} tries: {broke}")


async def by_hand(order: Any, practice_url: str, **names: str) -> None:
    """Run an order's own commands in a shell."""
    here = {"PLATFORM_URL": f"{practice_url}/platform", "PLATFORM_TOKEN": "practice-token", "EDGE_URL": f"{practice_url}/edge"}
    shell = await asyncio.create_subprocess_exec(
        "bash", "-ec", "\n".join(order.by_hand()), env={**os.environ, **here, **names}, stdout=asyncio.subprocess.DEVNULL
    )
    assert await shell.wait() == 0
