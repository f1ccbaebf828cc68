"""A real stage: the Temporal dev server with its UI, the practice platform at a pace of its own, and a worker beside the test.

Time really passes here, 120 times as fast for the policy and never below 30 s for people: nobody's patience runs out while a test thinks.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributeIndexedValueType
from temporalio.service import RPCError

from practice.http.server import serve
from practice.world.world import World
from starters.gameday.processes import Processes, free_ports, tool
from tests.stage.organisation import ORGANISATION, stage_settings
from tests.stage.running import until
from worker.converter import connect
from worker.service import worker
from worker.settings import Settings
from worker.wiring import Fleet, wire
from workflows.engine.record.recorder import ATTRIBUTES
from workflows.incident import Question
from workflows.status import Status

PACE = 120.0
LEAST_WAIT = 30  # seconds that a question waits for a person at each rung, whatever the pace


@dataclass
class RealServer:
    """Everything that is up, and where."""

    url: str  # of the practice platform
    ui_url: str
    client: Client
    settings: Settings
    practice: httpx.AsyncClient
    fleet: Fleet
    processes: Processes  # the Temporal server, as "temporal"

    @property
    def urgent(self) -> str:
        """The task queue of great incidents."""
        return self.settings.queues[0]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """A worker on both queues, for as long as the block lasts."""
        async with AsyncExitStack() as stack:
            for queue in self.settings.queues:
                await stack.enter_async_context(worker(self.client, self.fleet, queue, self.settings))
            yield

    async def restart_temporal(self) -> None:
        """After a kill, on the same file."""
        self.processes.restart("temporal")
        await _connected(self.settings)

    async def break_the_provider(self) -> None:
        """Aurora is overloaded, and the fallback provider answers a little worse than policy lets pass unasked."""
        (await self.practice.post("/practice/world", json={"providers": {"borealis": {"parity": 0.93}}})).raise_for_status()
        (
            await self.practice.post("/practice/provider-faults", json={"provider": "aurora", "kind": "overload", "rate": 0.6})
        ).raise_for_status()

    async def declare(self, name: str, given: Any) -> "Running":
        summary = "§2.2 LLM provider outage/degradation"
        handle = await self.client.start_workflow("LLMProviderOutage", given, id=name, task_queue=self.urgent, static_summary=summary)
        return Running(self, handle)

    async def code(self, person: str, question: int, used: Collection[str] = (), of: str = "") -> str:
        """The personal code on somebody's phone. Waits until it has arrived."""

        async def arrived() -> str:
            letters = (await self.practice.get(f"/practice/inbox/{person}")).raise_for_status().json()["inbox"]
            words = (
                w
                for letter in reversed(letters)
                if of in str(letter["text"])
                for w in str(letter["text"]).replace('"', " ").replace("`", " ").split()
            )
            codes = (w.strip(".,;)") for w in words if w.startswith(f"{question}-") and w.count("-") == 2)
            return next((code for code in codes if code not in used), "")

        return str(await until(arrived, f"a code for {person} and question {question}"))

    def reassign(self, roles: Mapping[str, str]) -> None:
        """Change who holds which role: from person to role, in the organisation's own file."""
        text = self.settings.organisation.read_text()
        for person, role in roles.items():
            head, rest = text.split(f"[people.{person}]\n", 1)
            _, rest = rest.split("\n", 1)
            text = f'{head}[people.{person}]\nroles = ["{role}"]\n{rest}'
        self.settings.organisation.write_text(text)


@dataclass
class Running:
    stage: RealServer
    handle: WorkflowHandle[Any, Any]

    @property
    def id(self) -> str:
        return self.handle.id

    async def status(self) -> Status:
        """Its status; a query that hangs (a wedged workflow) fails."""
        async with asyncio.timeout(10):
            return Status.model_validate(await self.handle.query("status"))

    async def timeline(self) -> list[str]:
        """Its timeline, a line each: `kind: text`."""
        async with asyncio.timeout(10):
            return [f"{e['kind']}: {e['text']}" for e in await self.handle.query("timeline")]

    async def refusals(self) -> list[str]:
        return [line.removeprefix("refused: ") for line in await self.timeline() if line.startswith("refused: ")]

    async def question(self, about: str) -> Question:
        """The open question about something. Waits until it is asked."""

        async def asked() -> Question | None:
            return next((q for q in (await self.status()).asking if about.lower() in q.asks.lower()), None)

        found: Question = await until(asked, f"a question about {about!r}")
        return found


@asynccontextmanager
async def real_server(tmp: Path, pace: float = PACE, *, policy: str = "", serving: bool = True) -> AsyncIterator[RealServer]:
    """Bring everything up; take it down whatever happens. Not `serving`: the story brings workers of its own."""
    organisation = tmp / "organisation.toml"
    organisation.write_text(ORGANISATION.format(policy=f"pace = {pace}\n{policy}").replace("people = 0", f"people = {LEAST_WAIT}"))
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(World(seed=7, pace=pace, state=tmp / "practice")))
        practice = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=LEAST_WAIT))  # the machine may be busy
        processes, address, ui_url = _start_temporal(tmp, stack)
        settings = stage_settings(url, tmp, organisation).model_copy(update={"temporal_address": address, "ui_url": ui_url})
        client = await _connected(settings)
        fleet = await wire(settings, stack)
        stage = RealServer(url, ui_url, client, settings, practice, fleet, processes)
        if serving:
            await stack.enter_async_context(stage.serving())
        yield stage


def _start_temporal(tmp: Path, stack: AsyncExitStack) -> tuple[Processes, str, str]:
    port, ui, http = free_ports(3)
    kinds = {SearchAttributeIndexedValueType.KEYWORD: "Keyword", SearchAttributeIndexedValueType.BOOL: "Bool"}
    attributes = [f"--search-attribute={a.name}={kinds[a.indexed_value_type]}" for a in ATTRIBUTES]
    processes = Processes(tmp / "logs", {})
    stack.callback(processes.stop_all)
    processes.start(
        "temporal",
        [
            tool("temporal"), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--ui-port", str(ui),
            "--http-port", str(http), "--db-filename", str(tmp / "temporal.db"), "--ui-disable-news-fetch", "--log-level", "error",
            "--dynamic-config-value", "history.transferProcessorMaxPollRPS=2000", *attributes,
        ],
    )  # fmt: skip
    processes.wait_for("temporal", lambda: _answers(f"http://127.0.0.1:{ui}/api/v1/namespaces/default"))  # through the UI to the server
    return processes, f"127.0.0.1:{port}", f"http://127.0.0.1:{ui}"


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1).is_success
    except httpx.HTTPError:
        return False


async def _connected(settings: Settings) -> Client:
    """The server listens before it serves its namespace."""

    async def serving() -> Client | None:
        try:
            client = await connect(settings)
            await client.count_workflows()
        except (RuntimeError, RPCError):
            return None
        return client

    found: Client = await until(serving, "the Temporal server to serve its namespace")
    return found
