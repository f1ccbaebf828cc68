"""The practice platform in this process, without sockets: one world out of a template for each story, and a client that has no patience."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import httpx
from temporalio.testing import ActivityEnvironment

from activities.action import Call, Effect, Grant, Order, Refused, Risk, Verb, action_of
from activities.kit import fence
from activities.kit.http import HttpClient
from practice.http.app import build
from practice.services.fleet import ServiceFault
from practice.world.injected_faults import InjectedFault
from practice.world.stage import young
from practice.world.state import JSON
from practice.world.world import World
from tests.stage.contract import Checked

INCIDENT = "inc-20261123-chat"
BEARER = {"Authorization": "Bearer practice-token"}
PATIENCE = 0.05  # seconds that a client waits for an answer: nothing is on the way


class InProcess(httpx.AsyncBaseTransport):
    """Calls the application itself. A time limit that is over and a connection that is cut are what they are over a socket."""

    def __init__(self, app: Any) -> None:
        self._asgi = httpx.ASGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("read")):
                return await self._asgi.handle_async_request(request)
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time", request=request) from None
        except ConnectionResetError:
            raise httpx.RemoteProtocolError("the connection was cut", request=request) from None


class Stage:
    """A world, and who talks to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.app = build(world)
        self._transport = Checked(InProcess(self.app))

    def client(self, path: str, **headers: str) -> HttpClient:
        """A client of one face: `client("/platform")`."""
        return HttpClient(f"http://practice{path}", headers or BEARER, timeout=PATIENCE, transport=self._transport)

    def call(self, later: float = 0.0, **overrides: object) -> Call:
        """A call as a workflow makes it; at the world's present, plus `later` seconds, unless said otherwise."""
        at = datetime.fromtimestamp(self.world.clock.now() + later, UTC)
        return Call.model_validate({"incident_id": INCIDENT, "key": f"{INCIDENT}/verb/target/1", "at": at, **overrides})

    def inject(self, route: str, mode: str, **more: Any) -> None:
        """Make a route misbehave (docs/practice-platform.md)."""
        self.world.injected_faults.set(InjectedFault(route, mode, **more))

    def fault(self, kind: str, **more: Any) -> None:
        """Break something of the service `api`."""
        self.world.state.fleet.faults.append(ServiceFault("api", kind, since=self.world.clock.now(), **more))

    def pass_time(self, seconds: float) -> None:
        """Let world time pass, with its traffic."""
        self.world.clock.show(self.world.clock.now() + seconds)
        self.world.advance()

    def effects(self, route: str) -> list[JSON]:
        """What was really changed on a route."""
        return [e for e in self.world.effects.entries if e["route"].startswith(route) and e["changed"]]


class FollowingClock:
    """Lets no time pass: the world follows the instants of the readings."""

    async def sleep(self, duration: timedelta) -> None:
        """Return at once."""


def stage() -> Stage:
    """A world of its own, two minutes old."""
    return Stage(young())


def granted(verb: Verb[Any, Any], order: Order, call: Call) -> Call:
    """The same call, with a person's yes to exactly this order where the verb needs one."""
    if action_of(verb).risk(order, call.limits) < Risk.C2:
        return call
    covers = (order.digest(action_of(verb).name),)
    grant = Grant(question=1, covers=covers, by=("dana",), verified=True, at=call.at, expires_at=call.at + timedelta(minutes=15))
    return call.model_copy(update={"grant": grant})


async def attempt(
    verb: Verb[Any, Any], system: Any, order: Order, call: Call, n: int = 1, later: timedelta = timedelta(0), worked: timedelta | None = None,
    **info: Any,
) -> Any:  # fmt: skip
    """One attempt in an activity of its own, `later` than the step began.

    `worked`: for so long it was suspended before it writes. `info`: of the activity (`start_to_close_timeout`, …).
    """
    env = ActivityEnvironment()
    told = {"attempt": n, "scheduled_time": call.at, "started_time": call.at + later, "start_to_close_timeout": timedelta(days=9999)}
    env.info = replace(env.info, **{**told, **info})
    with patch.object(fence, "at_work", lambda: worked) if worked else nullcontext():
        return await env.run(verb.__get__(system), order, granted(verb, order, call))


async def tried(verb: Verb[Any, Any], system: Any, order: Order, call: Call, tries: int = 12) -> tuple[Any, list[Exception]]:
    """Try as Temporal does: each time as much later as was asked for. Returns the answer, and what went wrong before."""
    broke: list[Exception] = []
    later = timedelta(0)
    for n in range(1, tries + 1):
        try:
            return await attempt(verb, system, order, call, n, later), broke
        except Exception as said:
            if getattr(said, "non_retryable", False):
                raise
            broke.append(said)
            later += getattr(said, "next_retry_delay", None) or timedelta(seconds=0.2)
    raise AssertionError(f"not done after {tries} tries: {broke}")


async def refused(made: Callable[[], Awaitable[Any]]) -> str:
    """Why it was refused, in words. An assertion fails when it was not."""
    try:
        done = await made()
    except Refused as no:
        return no.message
    raise AssertionError(f"not refused: {done.proven_by if isinstance(done, Effect) else done}")
