"""One incident, as a story sees and steers it."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from temporalio import workflow
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle, WorkflowHistory, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import ExecuteWorkflowInput, Replayer, WorkflowInboundInterceptor

from activities.identity.codes import COMMANDS
from activities.ledger.effects import Done
from tests.stage.mortal import Dies, Mortal
from tests.stage.organisation import ROLES
from worker.converter import data_converter
from worker.service import runner, workflow_types
from worker.wiring import Fleet
from workflows.incident import Phase, Question
from workflows.playbook import Playbook
from workflows.status import Status

PATIENCE = float(os.environ.get("PATIENCE", "60"))  # seconds that a story waits for something; much more than it takes on an idle machine
PAUSE = 0.03  # seconds between two looks
MINUTE = timedelta(minutes=1)


async def until(look: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Look again and again until there is something, or fail with what it was.

    The looks are counted, not the seconds: a busy machine delays what is waited for as much as it delays the looks.
    """
    for _ in range(round(patience / PAUSE)):
        seen = await look()
        if seen:
            return seen
        await asyncio.sleep(PAUSE)
    raise AssertionError(f"waited {patience:g} s for {what}")


ENDED: dict[str, tuple[Status, list[dict[str, Any]]]] = {}
"""Status and timeline of the incidents that have ended, by id. Asked afterwards, a worker would replay a whole history for each answer."""


class Remembering(WorkflowInboundInterceptor):
    """Keeps what an incident would say when it has ended. For workers without a sandbox."""

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        """A task that the server refuses is done again from the beginning: then it has not ended."""
        ENDED.pop(workflow.info().workflow_id, None)
        try:
            result = await super().execute_workflow(input)
        except Exception:
            self._keep()
            raise
        self._keep()
        return result

    def _keep(self) -> None:
        incident = workflow.instance()
        if isinstance(incident, Playbook):
            ENDED[workflow.info().workflow_id] = incident.status(), incident.timeline()


class Stage(Protocol):
    """What an incident needs of the stage that it runs on."""

    env: WorkflowEnvironment
    fleet: Fleet
    mortal: Mortal | None

    async def code(self, person: str, question: int, used: Collection[str] = (), of: str = "") -> str: ...


@dataclass
class RunningIncident:
    """One incident, as a story sees it."""

    drill: Stage
    handle: WorkflowHandle[Any, Any]
    used: set[str] = field(default_factory=set)  # codes for commands

    @property
    def id(self) -> str:
        return self.handle.id

    async def status(self) -> Status:
        if self.id in ENDED:
            return ENDED[self.id][0]
        return Status.model_validate(await self.handle.query("status"))

    async def timeline(self) -> list[str]:
        """Its timeline, a line each: `kind: text`. Where workers die after each effect, what is adopted is what they have done."""
        kinds = {"adopted": "done"} if self.drill.mortal and self.drill.mortal.dies is Dies.AFTER else {}
        return [f"{kinds.get(e['kind'], e['kind'])}: {e['text']}" for e in await self.entries()]

    async def entries(self) -> list[dict[str, Any]]:
        """Its timeline as it is."""
        if self.id in ENDED:
            return ENDED[self.id][1]
        entries: list[dict[str, Any]] = await self.handle.query("timeline")
        return entries

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

    async def command_code(self, who: str) -> str:
        """A code for commands, which somebody asks for and reads on their phone."""
        await self.say("code", who)
        code = await self.drill.code(who, COMMANDS, self.used, of=self.id)
        self.used.add(code)
        return code

    async def verified(self, message: str, by: str, **given: Any) -> str:
        """Send a command with a code for commands."""
        return await self.say(message, {"code": await self.command_code(by), **given})

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

        found: str = await self._until(said, f"{phrase!r} on the timeline", patience)
        return found

    async def is_in(self, phase: Phase, answers: dict[str, str] | None = None, skip: timedelta = timedelta(seconds=30)) -> Status:
        """Let the incident come to a phase, answering on the way."""
        answered: set[int] = set()

        async def there() -> Status | None:
            status = await self.status()
            if phase in status.phases:
                return status
            await self.move(status, answers or {}, answered, skip)
            return None

        found: Status = await self._until(there, f"phase {phase}")
        return found

    async def shows(
        self, look: Callable[[Status], Any], what: str, answers: dict[str, str] | None = None, skip: timedelta = MINUTE
    ) -> Status:
        """Let time pass until its status is so; where there are `answers`, it is answered on the way (`move`)."""
        answered: set[int] = set()

        async def so() -> Status | None:
            status = await self.status()
            if look(status):
                return status
            if answers is None:
                await self.drill.env.sleep(skip)
            else:
                await self.move(status, answers, answered, skip)
            return None

        found: Status = await self._until(so, what)
        return found

    async def _until(self, look: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
        """As `until`; when it fails it shows what the incident has done instead, and what it waits for. One that has ended changes no more."""

        async def seen() -> Any:
            ended = self.id in ENDED
            found = await look()
            if not found and ended:
                raise AssertionError(f"it has ended without {what}")
            return found

        try:
            return await until(seen, what, patience)
        except AssertionError as late:
            open_ = "\n".join(f"asking [{q.number}] {q.asks}" for q in (await self.status()).asking)
            raise AssertionError("\n".join((str(late), *(await self.timeline())[-60:], open_))) from None

    async def runs(
        self, answers: dict[str, str] | None = None, values: dict[str, Any] | None = None, *, until: Phase | None = None, says: str = "",
        rounds: int = 400, skip: timedelta = MINUTE, meanwhile: Callable[[Status], Awaitable[None]] | None = None, lenient: bool = False,
    ) -> Status:  # fmt: skip
        """Let it run to its end, to a phase, or until its timeline `says` something, answering on the way (`move`).

        `meanwhile`: what people do beside it, after each look. `lenient`: it need not have come so far.
        """
        answered = set[int]()
        for _ in range(rounds):
            if await self.over():
                return await self.status()
            status = await self.status()
            if until is not None and until in status.phases:
                return status
            if says and any(says in line for line in await self.timeline()):
                return status
            if meanwhile is not None:
                await meanwhile(status)
            await self.move(status, answers or {}, answered, skip, values or {})
        if lenient:
            return await self.status()
        asking = [one.asks for one in (await self.status()).asking]
        raise AssertionError(
            "\n".join([f"never said: {says}" if says else "it did not end", *(await self.timeline())[-60:], f"asking {asking}"])
        )

    async def says(
        self, phrase: str, answers: dict[str, str] | None = None, values: dict[str, Any] | None = None, *, rounds: int = 80,
        skip: timedelta = MINUTE,
    ) -> str:  # fmt: skip
        """The first line of the timeline with a phrase; it runs until there is one, answering on the way."""
        await self.runs(answers, values, says=phrase, rounds=rounds, skip=skip)
        return next((line for line in await self.timeline() if phrase in line), "") or _never(phrase)

    async def move(
        self, status: Status, answers: dict[str, str], answered: set[int], skip: timedelta, values: dict[str, Any] | None = None
    ) -> None:
        """Answer what is open; without questions, let time pass.

        `answers`: a part of the question → verdict, "" leaves it open; approved otherwise, by two where two are asked. `values`: a part of the
        question → what is told. The commander takes the page before anybody answers: while nobody commands, a yes to anything broad is held
        (spec §4).
        """
        waiting = [q for q in status.asking if q.number not in answered]
        for question in waiting:
            verdict = _said_of(question, answers, question.options[0])
            answered.add(question.number)
            if verdict:
                await self.commanded()
                await self._answered(question, verdict, _said_of(question, values or {}, "none"))
        if not waiting:
            await self.drill.env.sleep(skip)

    async def _answered(self, question: Question, verdict: str, value: Any) -> None:
        for role in question.roles[: max(1, question.quorum) if verdict == "approve" else 1]:
            if any(given.by == ROLES[role] for given in question.answers):
                continue
            code = await self.drill.code(ROLES[role], question.number, of=self.id)
            try:
                await self.say(verdict, {"question": question.number, "code": code, "reason": "drill", "value": value})
            except WorkflowUpdateFailedError:
                if any(q.number == question.number for q in (await self.status()).asking):
                    raise  # otherwise another answer has made this question superfluous

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

        found: Question = await self._until(asked, f"a question about {about!r}", patience)
        return found

    async def answer(self, about: str, verdict: str = "approve", by: str = "", reason: str = "drill", *, vacant: bool = False) -> str:
        """Answer a question with somebody's own code. Unless the story is about `vacant` command, somebody has taken it."""
        question = await self.question(about)
        if not vacant:
            await self.commanded()
        person = by or ROLES[question.roles[0]]
        code = await self.drill.code(person, question.number, of=self.id)
        return await self.say(verdict, {"question": question.number, "code": code, "reason": reason})

    async def pass_time(self, duration: timedelta) -> None:
        await self.drill.env.sleep(duration)

    async def ends(self, answers: dict[str, str] | None = None, skip: timedelta = timedelta(seconds=60), patience: float = 60) -> Status:
        """Let the incident run to its end, answering as `answers` says (a part of the question → verdict); approve otherwise."""
        answered: set[int] = set()
        for _ in range(round(patience / PAUSE)):
            if await self.over():
                return await self.status()
            await self.move(await self.status(), answers or {}, answered, skip)
        lines = "\n".join(await self.timeline())
        raise AssertionError(f"{self.id} did not end within {patience:g} s:\n{lines}")


def _never(phrase: str) -> str:
    raise AssertionError(f"it has ended, and never said: {phrase}")


def _said_of(question: Question, said: dict[str, Any], otherwise: Any) -> Any:
    """What is said of a question, by a part of it."""
    return next((one for part, one in said.items() if part.lower() in question.asks.lower()), otherwise)


async def completed(handle: WorkflowHandle[Any, Any], what: str) -> None:
    """Wait until a workflow has ended by itself."""

    async def over() -> bool:
        return (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING

    await until(over, f"{what} to end")
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED


def failed_tasks(history: WorkflowHistory) -> list[HistoryEvent]:
    """Workflow tasks that failed, but for those that were given out anew because something ended meanwhile (`orderly.py`)."""
    failed = [e for e in history.events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED]
    anew = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
    return [e for e in failed if e.workflow_task_failed_event_attributes.cause != anew]


async def replays(handle: WorkflowHandle[Any, Any]) -> None:
    """The history of the present run replays, and not one of its tasks failed."""
    history = await handle.fetch_history()
    assert not failed_tasks(history)
    await Replayer(workflows=workflow_types(), data_converter=data_converter, workflow_runner=runner()).replay_workflow(history)
