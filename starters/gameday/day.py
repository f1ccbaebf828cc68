"""The course of a game day: the alert opens the incident, people answer, and it is shown until it has ended."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from temporalio.client import Client, WorkflowExecutionStatus

from activities.action import Role
from activities.ledger.database import LedgerDown
from activities.ledger.ledger import Ledger
from starters import steering
from starters.errors import CliError
from starters.gameday.cast import PLAYS, Cast
from starters.gameday.processes import DidNotStart
from starters.gameday.scenario import Deed, Scenario
from starters.gameday.stage import TOKEN, Stage
from starters.screens.changes import changes
from starters.screens.incident import render
from workflows.incident import Phase, Question
from workflows.status import Status

OPENS_WITHIN = 90.0  # real seconds from the fault to the incident
ENDS_WITHIN = 900.0  # real seconds; a scripted cast needs two minutes
LOOK_EVERY = 0.1
COMMANDER = frozenset({Role.INCIDENT_COMMANDER})


@dataclass
class Options:
    """How the demo runs, from the environment that `make demo` passes on."""

    playbook: str
    answers: str  # auto | decline | me
    kill: str  # "" | worker | temporal
    kills: int
    keep: bool
    pace: float
    seed: int
    faults: tuple[dict[str, Any], ...] = ()
    shadow: bool = False  # the playbook only says what it would do; people mend the world by hand

    @property
    def mine(self) -> bool:
        """True when a person at this terminal is the commander."""
        return self.answers == "me"


@dataclass
class Day:
    options: Options
    scenario: Scenario
    stage: Stage
    client: Client
    ledger: Ledger
    console: Console
    cast: Cast
    broken_at: datetime
    before: dict[str, Any]
    incident: str = ""
    killed: list[str] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)
    live: Live | None = None
    asked: set[int] = field(default_factory=set)
    later: list[Deed] = field(default_factory=list)

    def status(self) -> Status | None:
        """The status on record, if there is one."""
        if not self.incident:
            found = [one for one in self.ledger.incidents(open_only=False)]
            self.incident = found[0].incident_id if found else ""
        known = self.ledger.status(self.incident) if self.incident else None
        return Status.model_validate(known.status) if known else None

    def say(self, line: str) -> None:
        """A line for the reader, above the live screen if there is one."""
        self.console.print(escape(line), highlight=False, soft_wrap=True)

    async def opens(self) -> Status:
        """Wait until the alert has fired and the incident is open."""
        deadline = time.monotonic() + OPENS_WITHIN
        while time.monotonic() < deadline:
            with contextlib.suppress(LedgerDown):
                if (status := self.status()) is not None:
                    return status
            await asyncio.sleep(LOOK_EVERY)
        raise DidNotStart(f"no alert opened an incident within {OPENS_WITHIN:g} s\n{self.stage.processes.tail('receiver')}")

    async def runs(self) -> Status:
        """Show it and answer, until it has ended."""
        playing = asyncio.create_task(self._plays())
        mending = asyncio.create_task(self._mends()) if self.options.shadow else None
        try:
            return await (self._watches_live() if self.console.is_terminal else self._prints())
        finally:
            for task in (playing, mending):
                if task is not None:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task

    async def _mends(self) -> None:
        """Shadow mode: people do a part of it themselves by the vendor's own door, and after a while they have mended the fault."""
        part = self.scenario.mended_after * 60 / self.options.pace / 2
        await asyncio.sleep(part)
        for path in self.scenario.by_hand:
            self.stage.practice.post(path, headers={"Authorization": TOKEN}).raise_for_status()
            self.say(f"          ⟶ somebody, by hand: POST {path}")
        await asyncio.sleep(part)
        self.stage.practice.delete("/practice/provider-faults").raise_for_status()
        while self.later:
            self.stage.do(self.later.pop(0))
        self.say("          ⟶ people have mended the fault")

    async def _plays(self) -> None:
        while True:
            status = self.status()
            if status is not None and status.phase is not Phase.CLOSED:
                try:
                    for line in await self.cast.play(status):
                        self.say(f"          ⟶ {line}")
                except CliError as trouble:
                    self.say(f"          ⟶ {trouble.sentence}")
                self._do_what_is_due(status)
            await asyncio.sleep(LOOK_EVERY * 2)

    def _do_what_is_due(self, status: Status) -> None:
        for deed in [deed for deed in self.later if deed.when in status.phases]:
            self.later.remove(deed)
            self.stage.do(deed)
            self.say(f"********  {deed.story}")

    async def _prints(self) -> Status:
        before: Status | None = None
        deadline = time.monotonic() + ENDS_WITHIN
        while time.monotonic() < deadline:
            status = self.status()
            if status is not None and (before is None or status.version != before.version):
                for line in changes(before, status):
                    self.say(f"{datetime.now(UTC):%H:%M:%S}  {line}")
                if {q.number for q in status.asking} - self.asked:
                    self.asked |= {q.number for q in status.asking}
                    self.console.print(self.screen(status))
                before = status
            if status is not None and status.phase is Phase.CLOSED:
                return status
            await asyncio.sleep(LOOK_EVERY)
        raise DidNotStart(f"the incident did not end within {ENDS_WITHIN:g} s")

    async def _watches_live(self) -> Status:
        deadline = time.monotonic() + (ENDS_WITHIN if not self.options.mine else 24 * 3600)
        with Live(console=self.console, auto_refresh=False, vertical_overflow="crop") as self.live:
            while time.monotonic() < deadline:
                status = self.status()
                if status is not None:
                    self.live.update(self.screen(status), refresh=True)
                    if status.phase is Phase.CLOSED:
                        return status
                    await self._ask_the_person(status)
                await asyncio.sleep(LOOK_EVERY)
        raise DidNotStart("the incident did not end")

    def screen(self, status: Status) -> Group:
        return render(status, datetime.now(UTC), min(self.console.width, 120), source="the ledger")

    async def _ask_the_person(self, status: Status) -> None:
        """In a terminal you are the commander: you are asked what your role is asked."""
        if not self.options.mine or self.live is None:
            return
        if status.acknowledged_at is None:
            await self._prompt("You are dana, the Incident Commander, and you are being paged. Press Enter to take command ")
            self.say(await steering.say(self.client, status.incident_id, "acknowledge", by="dana"))
            return
        mine = next((q for q in status.asking if q.roles[0] in COMMANDER), None)
        if mine is not None:
            await self._answer(status, mine)

    async def _answer(self, status: Status, question: Question) -> None:
        choices = " | ".join(question.options)
        typed = await self._prompt(
            f"[{question.number}] {question.asks}\n    {choices} (or Enter to keep watching), then a reason if you like: "
        )
        verdict, _, reason = typed.strip().partition(" ")
        matching = [option for option in question.options if verdict and option.startswith(verdict)]
        if len(matching) != 1:
            await asyncio.sleep(2)
            return
        code = self.cast.code(PLAYS[Role.INCIDENT_COMMANDER], question)
        try:
            said = await steering.say(
                self.client, status.incident_id, matching[0], question=question.number, code=code, by="" if code else "dana", reason=reason
            )
        except CliError as trouble:
            said = trouble.sentence
        self.say(f"          ⟶ {said}")
        await asyncio.sleep(0.5)

    async def _prompt(self, text: str) -> str:
        assert self.live is not None  # noqa: S101 - only asked while watching live
        self.live.stop()
        try:
            return await asyncio.to_thread(input, text)
        except EOFError:
            return ""
        finally:
            self.live.start()

    async def ended(self) -> None:
        """Wait until the workflow itself has ended, so that nothing of it is in flight when we count."""
        handle = self.client.get_workflow_handle(self.incident)
        deadline = time.monotonic() + 30
        while (await handle.describe()).status is WorkflowExecutionStatus.RUNNING and time.monotonic() < deadline:  # noqa: ASYNC110 - as above
            await asyncio.sleep(LOOK_EVERY)
