"""A drill: a practice platform, a Temporal server that can skip time, a worker, and people who answer. Stories are written on top of it.

Time passes only when the story lets it: nobody's patience runs out while a test thinks.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.ledger.ledger import Done
from practice.http.in_process import BASE_URL, InProcess
from practice.services.fleet_cast import SERVICES
from practice.world.world import World
from tests.stage.overheard import LISTENER
from worker.converter import data_converter
from worker.service import worker
from worker.settings import Settings
from worker.systems import practice, settings_class
from worker.wiring import Fleet, wire
from workflows.incident import Phase, Question
from workflows.status import Status

BIN = Path(__file__).parents[2] / ".venv" / "bin"
PATIENCE = 30.0  # real seconds that a story waits for something before it fails
ORGANISATION = """
[policy]
mode = "live"
plan_ahead = false
least_wait_for_people = 0
{policy}

[people.dana]
roles = ["incident_commander"]
email = "dana@example.com"
slack = "U_DANA"
pager = "P_DANA"
[people.lee]
roles = ["ops_lead"]
email = "lee@example.com"
slack = "U_LEE"
pager = "P_LEE"
[people.noor]
roles = ["comms_lead"]
email = "noor@example.com"
slack = "U_NOOR"
pager = "P_NOOR"
[people.ravi]
roles = ["ai_ml_lead"]
email = "ravi@example.com"
slack = "U_RAVI"
pager = "P_RAVI"
[people.kim]
roles = ["deputy"]
email = "kim@example.com"
slack = "U_KIM"
pager = "P_KIM"
[people.pat]
roles = ["duty_executive"]
email = "pat@example.com"
slack = "U_PAT"
pager = "P_PAT"

[services.api]
platform = "cloud_run"
project = "acme"
regions = ["eu-west", "us-east"]
repository = "acme/api"
[services.orchestrator]
platform = "kubernetes"
regions = ["eu-west", "us-east"]
repository = "acme/orchestrator"

# On a server that skips time a skip must not look like a dead worker: nothing technical runs out within a story.
[policy.patience.read]
each_try = 900
tries = 7
longest_pause = 5
heartbeat = 900
[policy.patience.change]
each_try = 900
tries = 7
longest_pause = 5
heartbeat = 900
[policy.patience.rollout]
each_try = 900
tries = 7
longest_pause = 5
heartbeat = 900
[policy.patience.watch]
each_try = 14400
tries = 9
heartbeat = 3600
[policy.patience.record]
each_try = 900
tries = 0
longest_pause = 10
heartbeat = 900
"""
ROLES = {
    "incident_commander": "dana", "ops_lead": "lee", "comms_lead": "noor", "ai_ml_lead": "ravi", "deputy": "kim", "duty_executive": "pat",
}  # fmt: skip


# The same story in less policy time: the numbers are smaller, the rules are the spec's.
BRISK = """
mitigated_window = "PT1M"
[policy.stability]
window = "PT5M"
[policy.provider_outage]
log_window = "PT2M"
ramp = [0.5, 1.0]
ramp_step = "PT1M"
healthy_for = "PT2M"
flap_lock = "PT3M"
returns_apart = "PT10M"
rest_before_restoring = "PT30S"
resting = "PT0S"
{outage}
[policy.provider_outage.canary]
p_bad = 0.2
alpha = 0.05
tick = "PT15S"
min_dwell = "PT30S"
bake = "PT30S"
max_dwell = "PT5M"
trials_to_decide = 40
probes_per_second = 0.4
least_weight = 0.25
most_first_weight = 0.25
growth = 4.0
back_off = "PT3M"
hold = "PT10M"
{more}
"""


def brisk(outage: str = "", more: str = "", top: str = "") -> str:
    """A brisk policy: `outage` are further numbers of the playbook, `more` are whole tables, `top` are keys of the policy itself."""
    changed = {line.partition("=")[0].strip() for line in (top + "\n" + outage).splitlines() if line}
    kept = "\n".join(line for line in BRISK.splitlines() if line.partition("=")[0].strip() not in changed)
    return f"{top}\n" + kept.format(outage=outage, more=more)


class Following:
    """A clock for activities that does not wait: the world follows the instants it is shown."""

    async def sleep(self, duration: timedelta) -> None: ...


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
        yield env


@dataclass
class Drill:
    env: WorkflowEnvironment
    world: World
    settings: Settings
    fleet: Fleet
    http: httpx.AsyncClient
    workers: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def break_provider(self, **fault: Any) -> None:
        """Break a model provider (docs/practice-platform.md, Provider faults)."""
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

    async def code(self, person: str, question: int) -> str:
        """The personal code on somebody's phone. Waits until it has arrived."""

        async def arrived() -> str:
            inbox = (await self.http.get(f"/practice/inbox/{person}")).json()
            letters = inbox["inbox"] if isinstance(inbox, dict) else inbox
            for letter in reversed(letters):
                for word in str(letter["text"]).replace('"', " ").replace("`", " ").split():
                    if word.startswith(f"{question}-") and word.count("-") == 2:
                        return word.strip(".,;)")
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
        await self.workers.enter_async_context(served)

    async def declare(
        self, playbook: str = "LLMProviderOutage", given: Any = None, task_timeout: timedelta = timedelta(hours=1), **incident: Any
    ) -> "RunningIncident":
        """Declare an incident. `task_timeout`: after which the server gives a task out again that nobody has answered."""
        name = f"inc-20261123-{uuid.uuid4().hex[:8]}"
        handle: WorkflowHandle[Any, Any] = await self.env.client.start_workflow(
            playbook, given if given is not None else {"service": "chat", **incident}, id=name, task_queue=self.settings.queue,
            task_timeout=task_timeout,
        )  # fmt: skip
        return RunningIncident(self, handle)


async def until(look: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Look again and again until there is something, or fail with what it was."""
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        seen = await look()
        if seen:
            return seen
        assert asyncio.get_running_loop().time() < deadline, f"waited {patience:g} s for {what}"
        await asyncio.sleep(0.03)


@dataclass
class RunningIncident:
    """One incident, as a story sees it."""

    drill: Drill
    handle: WorkflowHandle[Any, Any]

    @property
    def id(self) -> str:
        return self.handle.id

    async def status(self) -> Status:
        return Status.model_validate(await self.handle.query("status"))

    async def timeline(self) -> list[str]:
        """Its timeline, a line each: `kind: text`."""
        return [f"{e['kind']}: {e['text']}" for e in await self.handle.query("timeline")]

    async def orders(self, verb: str) -> list[dict[str, Any]]:
        """The orders that a verb was invoked with."""
        history = await self.handle.fetch_history()
        asked = [
            e.activity_task_scheduled_event_attributes for e in history.events if e.HasField("activity_task_scheduled_event_attributes")
        ]
        return [json.loads(one.input.payloads[0].data) for one in asked if one.activity_type.name == verb]

    async def over(self) -> bool:
        """True when the workflow has ended."""
        return (await self.handle.describe()).status is not WorkflowExecutionStatus.RUNNING

    async def say(self, message: str, given: Any) -> str:
        """Send a message by the CLI's door. Raises what the incident refuses."""
        said: str = await self.handle.execute_update(message, given)
        return said

    async def refused(self, message: str, given: Any) -> str:
        """The reason for which a message was refused; fails when it was not."""
        try:
            said = await self.say(message, given)
        except WorkflowUpdateFailedError as no:
            return str(getattr(no.cause, "message", no.cause))
        raise AssertionError(f"{message} was accepted: {said}")

    def book(self) -> list[Done]:
        """The record: every change that was tried, with its outcome."""
        return self.drill.fleet.ledger.effects(self.id)

    def done(self, verb: str) -> list[Done]:
        """The record of one verb, as far as it was proven."""
        return [row for row in self.book() if row.verb == verb and row.outcome in ("done", "adopted")]

    async def hears(self, phrase: str, skip: timedelta = timedelta(seconds=30), patience: float = PATIENCE) -> str:
        """The first line of the timeline with a phrase. Lets time pass until there is one."""

        async def said() -> str:
            found = next((line for line in await self.timeline() if phrase.lower() in line.lower()), "")
            if not found:
                await self.drill.env.sleep(skip)
            return found

        found: str = await until(said, f"{phrase!r} on the timeline", patience)
        return found

    async def is_in(self, phase: Phase, answers: dict[str, str] | None = None, skip: timedelta = timedelta(seconds=30)) -> Status:
        """Let the incident come to a phase, answering on the way."""
        answered: set[int] = set()

        async def there() -> Status | None:
            status = await self.status()
            if phase in status.phases:
                return status
            await self._move(status, answers or {}, answered, skip)
            return None

        found: Status = await until(there, f"phase {phase}")
        return found

    async def _move(self, status: Status, answers: dict[str, str], answered: set[int], skip: timedelta) -> None:
        """Answer what is open as `answers` says (a part of the question → verdict, "" leaves it open); without questions, let time pass.

        The commander takes the page before anybody answers: while nobody commands, a yes to anything broad is held (spec §4).
        """
        waiting = [q for q in status.asking if q.number not in answered]
        for question in waiting:
            verdict = next((v for k, v in answers.items() if k.lower() in question.asks.lower()), question.options[0])
            answered.add(question.number)
            if verdict:
                await self.commanded()
                code = await self.drill.code(ROLES[question.roles[0]], question.number)
                try:
                    await self.say(verdict, {"question": question.number, "code": code, "reason": "drill", "value": "none"})
                except WorkflowUpdateFailedError:
                    if any(q.number == question.number for q in (await self.status()).asking):
                        raise  # otherwise another answer has made this question superfluous
        if not waiting:
            await self.drill.env.sleep(skip)

    async def commanded(self, by: str = ROLES["incident_commander"]) -> None:
        if (await self.status()).acknowledged_at is None:
            await self.say("acknowledge", {"by": by})

    async def question(self, about: str, skip: timedelta = timedelta(seconds=20), patience: float = PATIENCE) -> Question:
        """The open question about something. Lets time pass until it is asked."""

        async def asked() -> Question | None:
            status = await self.status()
            found = next((q for q in status.asking if about.lower() in q.asks.lower()), None)
            if found is None:
                await self.drill.env.sleep(skip)
            return found

        found: Question = await until(asked, f"a question about {about!r}", patience)
        return found

    async def answer(self, about: str, verdict: str = "approve", by: str = "", reason: str = "drill", *, vacant: bool = False) -> str:
        """Answer a question with somebody's own code. Unless the story is about `vacant` command, somebody has taken it."""
        question = await self.question(about)
        if not vacant:
            await self.commanded()
        person = by or ROLES[question.roles[0]]
        return await self.say(
            verdict, {"question": question.number, "code": await self.drill.code(person, question.number), "reason": reason}
        )

    async def pass_time(self, duration: timedelta) -> None:
        await self.drill.env.sleep(duration)

    async def ends(self, answers: dict[str, str] | None = None, skip: timedelta = timedelta(seconds=60), patience: float = 60) -> Status:
        """Let the incident run to its end, answering as `answers` says (a part of the question → verdict); approve otherwise."""
        answered: set[int] = set()
        deadline = asyncio.get_running_loop().time() + patience
        while not await self.over():
            await self._move(await self.status(), answers or {}, answered, skip)
            if asyncio.get_running_loop().time() > deadline:
                lines = "\n".join(await self.timeline())
                raise AssertionError(f"{self.id} did not end within {patience:g} s:\n{lines}")
        return await self.status()


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
    **settings_: Any,
) -> AsyncIterator[Drill]:
    """A stage: everything up, nothing broken yet. `organisation`: its file, where it is not the usual one; the rest are settings."""
    written = tmp / "organisation.toml"
    written.write_text(organisation or ORGANISATION.format(policy=policy).replace('mode = "live"', f'mode = "{mode}"'))
    world = World(seed=seed, following=True, state=tmp / "practice", services=services)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(LISTENER.listening())
        env = await stack.enter_async_context(skipping())
        transport = InProcess(world)
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=BASE_URL, transport=transport))
        settings = stage_settings(BASE_URL, tmp, written).model_copy(
            update={"temporal_address": env.client.service_client.config.target_host, "task_timeout": 3600.0, **settings_}
        )
        fleet = await wire(settings, stack, Following(), transport)
        stage = Drill(env, world, settings, fleet, http, workers=await stack.enter_async_context(AsyncExitStack()))
        if serving:
            await stage.start_worker()
        yield stage


def stage_settings(url: str, tmp: Path, organisation: Path) -> Any:
    """The settings of the worker and of all clients; these speak to the practice platform."""
    token = tmp / "token"
    token.write_text("practice-token")
    secret = tmp / "codes"
    secret.write_text("0123456789abcdef0123456789abcdef")
    return settings_class()(
        **practice(url, f"file:{token}") | {"codes_secret": f"file:{secret}"}, rollout_patience=2.0, evidence=tmp / "evidence",
        queue=f"drill-{uuid.uuid4().hex[:8]}", sticky_timeout=900, ledger_url=f"sqlite:///{tmp / 'ledger.db'}", organisation=organisation,
    )  # fmt: skip
