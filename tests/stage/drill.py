"""A drill: a practice platform, a Temporal server that can skip time, a worker, and people who answer. Stories are written on top of it.

Time passes only when the story lets it: nobody's patience runs out while a test thinks.
"""

import asyncio
import os
import sqlite3
import uuid
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import sqlalchemy as sa
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowInstance, WorkflowInstanceDetails

from activities.ledger.ledger import Ledger
from practice.http.in_process import BASE_URL, InProcess
from practice.services.fleet_cast import SERVICES
from practice.stores.secret_manager import secret_manager
from practice.world.world import World
from tests.stage.mortal import Dies, Mortal
from tests.stage.orderly import orderly
from tests.stage.organisation import ORGANISATION, stage_settings
from tests.stage.overheard import LISTENER, ServerBroke
from tests.stage.running import ENDED, Remembering, RunningIncident, until
from worker.converter import data_converter
from worker.service import ContextFree, worker
from worker.settings import Settings
from worker.wiring import Fleet, wire

BIN = Path(__file__).parents[2] / ".venv" / "bin"
MORTAL = Mortal(Dies[os.environ["DIES"]]) if "DIES" in os.environ else None  # DIES=AFTER pytest …: every story, with workers that die
STUCK = 90.0  # real seconds that a skip may take, on a busy machine, with everything that happens meanwhile
SEEN_AFTER = 20.0  # seconds that an outage lasts before it is declared
PAST = 120.0  # seconds that a world has stood before its story begins: building them costs as much as living through them


class Following:
    """A clock for activities that does not wait: the world follows the instants it is shown."""

    async def sleep(self, duration: timedelta) -> None: ...


class WithoutSandbox(UnsandboxedWorkflowRunner):
    """A fifth of a story's processor time. That the playbooks run in the sandbox is proven by `tests/histories` and by the real server."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """As in the worker's own sandbox (`worker/service.py`)."""
        return ContextFree(super().create_instance(det))


@asynccontextmanager
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal server that skips time, with our search attributes."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(BIN / "temporal-test-server"), data_converter=data_converter
    ) as env:
        keyword, boolean = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD, IndexedValueType.INDEXED_VALUE_TYPE_BOOL
        names = dict.fromkeys(("IncidentSeverity", "IncidentPhase", "IncidentState", "Playbook", "Commander"), keyword)
        await env.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace="default", search_attributes={**names, "Waiting": boolean})
        )
        yield noticing(env)


def noticing(env: WorkflowEnvironment) -> WorkflowEnvironment:
    """The same server; a story ends as soon as that has stopped to skip time, which it does when it loses count of what is under way."""
    sleep = env.sleep

    async def skipped(duration: timedelta | float) -> None:
        try:
            await asyncio.wait_for(sleep(duration), STUCK)
        except (TimeoutError, RPCError) as stuck:
            raise ServerBroke("the server does not skip time any more") from stuck

    env.sleep = skipped  # type: ignore[method-assign]  # of this one server
    return env


@dataclass
class Drill:
    env: WorkflowEnvironment
    world: World
    settings: Settings
    fleet: Fleet
    http: httpx.AsyncClient
    workers: AsyncExitStack = field(default_factory=AsyncExitStack)
    unseen: bool = False  # a provider was broken, and no metric shows it yet
    mortal: Mortal | None = MORTAL  # how its workers die

    async def break_provider(self, **fault: Any) -> None:
        """Break a model provider (docs/practice-platform.md, Provider faults)."""
        self.unseen = True
        (await self.http.post("/practice/provider-faults", json=fault)).raise_for_status()

    async def mend(self) -> None:
        (await self.http.delete("/practice/provider-faults")).raise_for_status()

    async def inject(self, route: str, mode: str, **more: Any) -> None:
        """Break a route (docs/practice-platform.md, Injected faults)."""
        (await self.http.post("/practice/injected-faults", json={"route": route, "mode": mode, **more})).raise_for_status()

    async def stop_injecting(self) -> None:
        (await self.http.delete("/practice/injected-faults")).raise_for_status()

    async def edit(self, **edits: Any) -> None:
        """Change attributes of the world."""
        (await self.http.post("/practice/world", json=edits)).raise_for_status()

    async def look(self) -> dict[str, Any]:
        seen: dict[str, Any] = (await self.http.get("/practice/world")).json()
        return seen

    async def effects(self) -> list[dict[str, Any]]:
        answer = (await self.http.get("/practice/effects")).json()
        effects: list[dict[str, Any]] = answer["effects"] if isinstance(answer, dict) else answer
        return effects

    async def code(self, person: str, question: int, used: str | Collection[str] = (), of: str = "") -> str:
        """The newest personal code on somebody's phone. Waits until there is one that was not `used`. `of`: for this incident."""

        async def arrived() -> str:
            inbox = (await self.http.get(f"/practice/inbox/{person}")).json()
            letters = inbox["inbox"] if isinstance(inbox, dict) else inbox
            for letter in (one for one in reversed(letters) if of in str(one["text"])):
                for word in str(letter["text"]).replace('"', " ").replace("`", " ").split():
                    if word.startswith(f"{question}-") and word.count("-") == 2:
                        return "" if (found := word.strip(".,;)")) in used else found
            return ""

        code: str = await until(arrived, f"a code for {person} and question {question}")
        return code

    async def measured(self, query: str) -> list[dict[str, Any]]:
        """What the practice platform's metrics say, by PromQL, at the world's present."""
        now = (await self.http.get("/practice/clock")).json()["world_unix"]
        answer = (await self.http.get("/prom/api/v1/query", params={"query": query, "time": now})).json()
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    async def trespasses(self) -> list[str]:
        """Every tenant that a provider ever served without its permission, in this world's whole past, with the provider (INV-13)."""
        tenants = (await self.look())["tenants"]
        served = await self.measured("sum by (tenant, provider) (llm_tenant_requests_total) > 0")
        pairs = [(row["metric"]["tenant"], row["metric"]["provider"]) for row in served if row["metric"].get("provider")]
        return [f"{t} by {p}" for t, p in pairs if not any(place.startswith(f"{p}@") for place in tenants[t]["allowed"])]

    def forward(self, seconds: float) -> None:
        """Let the world's time pass before an incident is declared: its metrics show what is broken."""
        self.world.clock.show(self.world.clock.now() + seconds)
        self.world.advance()

    async def wrote(self, route: str) -> list[dict[str, Any]]:
        """The changes that really happened on a route of the practice platform."""
        return [e for e in await self.effects() if e["route"] == route and e["changed"]]

    async def start_worker(self, max_cached: int | None = None) -> None:
        """Start serving the queue. `max_cached` 0: every task replays the whole history, and no workflow belongs to one worker."""
        served: Worker = worker(self.env.client, self.fleet, self.settings.queue, self.settings, max_cached=max_cached, debug_mode=True)
        assert served._workflow_worker
        served._workflow_worker._workflow_runner = WithoutSandbox()
        served._workflow_worker._interceptor_classes = [*served._workflow_worker._interceptor_classes, Remembering]
        if self.mortal is not None:
            assert served._activity_worker
            served._activity_worker._interceptors = [*served._activity_worker._interceptors, self.mortal]
        await self.workers.enter_async_context(orderly(served))

    async def declare(
        self, playbook: str = "LLMProviderOutage", given: Any = None, task_timeout: timedelta = timedelta(hours=1), **incident: Any
    ) -> RunningIncident:
        """Declare an incident. `task_timeout`: after which the server gives a task out again that nobody has answered.

        Where a provider was broken its calls show it first: automation acts alone only on what it has measured.
        """
        if self.unseen:
            self.forward(SEEN_AFTER)
            await self.env.sleep(timedelta(seconds=SEEN_AFTER))
            self.unseen = False
        name = f"inc-20261123-{uuid.uuid4().hex[:8]}"
        handle: WorkflowHandle[Any, Any] = await self.env.client.start_workflow(
            playbook, given if given is not None else {"service": "chat", **incident}, id=name, task_queue=self.settings.queue,
            task_timeout=task_timeout,
        )  # fmt: skip
        return RunningIncident(self, handle)


@asynccontextmanager
async def drill(
    tmp: Path,
    *,
    seed: int = 7,
    policy: str = "",
    serving: bool = True,
    mode: str = "live",
    organisation: str = "",
    services: Sequence[str] = SERVICES,
    beside: Mapping[str, World] = {},
    mortal: Mortal | None = MORTAL,
    **settings_: Any,
) -> AsyncIterator[Drill]:
    """A stage: everything up, nothing broken yet. `organisation`: its file, where it is not the usual one;
    `beside`: further worlds, by their hosts; `mortal`: how its workers die; the rest are settings."""
    written = tmp / "organisation.toml"
    written.write_text(organisation or ORGANISATION.format(policy=policy).replace('mode = "live"', f'mode = "{mode}"'))
    ENDED.clear()
    world = World(seed=seed, following=True, state=tmp / "practice", services=services, history=PAST)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(LISTENER.listening())
        env = await stack.enter_async_context(skipping())
        transport = InProcess(world, **beside)
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=BASE_URL, transport=transport))
        if settings_.get("secret_manager_project"):
            settings_ |= {"secret_manager_address": await stack.enter_async_context(secret_manager(world)), "secret_manager_tls": "none"}
        settings = stage_settings(BASE_URL, tmp, written).model_copy(
            update={"temporal_address": env.client.service_client.config.target_host, "task_timeout": 3600.0, **settings_}
        )
        (tmp / "ledger.db").write_bytes(_empty_ledger())
        fleet = await wire(settings, stack, Following(), transport)
        _hurry(fleet.ledger)
        stage = Drill(env, world, settings, fleet, http, workers=await stack.enter_async_context(AsyncExitStack()), mortal=mortal)
        if serving:
            await stage.start_worker()
        yield stage


@cache
def _empty_ledger() -> bytes:
    """A ledger with its tables, as a file."""
    with TemporaryDirectory() as home:
        file = Path(home) / "ledger.db"
        ledger = Ledger(f"sqlite:///{file}")
        ledger.migrate()
        ledger.engine.dispose()
        return file.read_bytes()


def _hurry(ledger: Ledger) -> None:
    """No story is about a power cut: the ledger need not wait for the disk. The real PostgreSQL of tests does not wait anyhow."""
    if ledger.engine.dialect.name != "sqlite":
        return

    def no_waiting(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    ledger.engine.dispose()
    sa.event.listen(ledger.engine, "connect", no_waiting)
