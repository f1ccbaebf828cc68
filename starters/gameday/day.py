"""The course of a game day: the alert opens the incident, people answer, processes die, and it is shown until it has ended."""

import asyncio
import contextlib
import random
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
from starters.gameday.cast import COMMANDER, Cast
from starters.gameday.processes import DidNotStart
from starters.gameday.scenario import Deed, Options, Scenario
from starters.gameday.stage import TOKEN, Stage
from starters.screens.incident import render
from starters.screens.lists import changes
from workflows.incident import Phase, Question
from workflows.status import Status

OPENS_WITHIN = 90.0  # real seconds from the fault to the incident
ENDS_WITHIN = 900.0  # real seconds; a scripted cast needs two minutes
A_PERSON_ENDS_WITHIN = 24 * 3600.0
LOOK_EVERY = 0.1
LAST_KILL = 15  # the shortest playbook, cost_runaway, has 16 steps when all goes well; a kill that never came proves nothing


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
    later: list[Deed]
    incident: str = ""
    killed: list[str] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)
    asked: set[int] = field(default_factory=set)

    def status(self) -> Status | None:
        if not self.incident:
            found = self.ledger.incidents(open_only=False)
            self.incident = found[0].incident_id if found else ""
        known = self.ledger.status(self.incident) if self.incident else None
        return Status.model_validate(known.status) if known else None

    def say(self, line: str) -> None:
        """A line for the reader, above the live screen if there is one."""
        self.console.print(escape(line), highlight=False, soft_wrap=True)

    def screen(self, status: Status) -> Group:
        return render(status, datetime.now(UTC), min(self.console.width, 120))

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
        """Show it and answer, until it has ended, and the workflow itself too, so that nothing of it is in flight when we count."""
        beside = [self._plays(), *([self._mends()] if self.options.shadow else []), *([self._kills()] if self.options.kill else [])]
        tasks = [asyncio.create_task(one) for one in beside]
        try:
            status = await self._watches()
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        handle = self.client.get_workflow_handle(self.incident)
        deadline = time.monotonic() + 30
        while (await handle.describe()).status is WorkflowExecutionStatus.RUNNING and time.monotonic() < deadline:  # noqa: ASYNC110 - another process
            await asyncio.sleep(LOOK_EVERY)
        return status

    async def _plays(self) -> None:
        """The scripted cast answers, and what is to happen in a phase happens."""
        while True:
            status = self.status()
            if status is not None and status.phase is not Phase.CLOSED:
                for line in await self.cast.play(status):
                    self.say(f"          ⟶ {line}")
                for deed in [deed for deed in self.later if deed.when in status.phases]:
                    self.later.remove(deed)
                    self.stage.do(deed)
                    self.say(f"********  {deed.story}")
            await asyncio.sleep(LOOK_EVERY * 2)

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

    async def _kills(self) -> None:
        """kill -9 at random steps on screen; each time the same process again, and how long until something happens."""
        name = self.options.kill
        for at_step in sorted(random.sample(range(2, max(LAST_KILL, 2 + self.options.kills)), self.options.kills)):
            while (status := self.status()) is None or len(status.steps) < at_step:  # noqa: ASYNC110 - the ledger is a file, without events
                await asyncio.sleep(0.02)
            await asyncio.sleep(random.uniform(0, 0.5))  # a crash does not wait for a good moment, nor for a bad one
            step = (self.status() or status).steps[-1]
            self.killed.append(f"{name} at step {step.number} ({step.verb}, {step.state})")
            self.say(f"!!!!!!!!  kill -9 {self.killed[-1]}")
            self.stage.processes.kill(name)
            version = self._version()
            await asyncio.to_thread(self.stage.restart, name)
            began = time.monotonic()
            self.say(f"!!!!!!!!  {name} is started again")
            while self._version() == version:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
            self.recovered.append(round(time.monotonic() - began, 2))
            self.say(f"!!!!!!!!  the next thing happened {self.recovered[-1]:g} s after the restart")

    def _version(self) -> int:
        status = self.status()
        return status.version if status else 0

    async def _watches(self) -> Status:
        """In a terminal live; otherwise one line per change, and the screen when somebody is asked."""
        before: Status | None = None
        live = Live(console=self.console, auto_refresh=False, vertical_overflow="crop") if self.console.is_terminal else None
        within = A_PERSON_ENDS_WITHIN if live and self.options.mine else ENDS_WITHIN
        deadline = time.monotonic() + within
        with live or contextlib.nullcontext():
            while time.monotonic() < deadline:
                status = self.status()
                if status is not None and live:
                    live.update(self.screen(status), refresh=True)
                elif status is not None and (before is None or status.version != before.version):
                    self._print(before, status)
                    before = status
                if status is not None and status.phase is Phase.CLOSED:
                    return status
                if status is not None and live and self.options.mine:
                    await self._ask_the_person(live, status)
                await asyncio.sleep(LOOK_EVERY)
        raise DidNotStart(f"the incident did not end within {within:g} s")

    def _print(self, before: Status | None, status: Status) -> None:
        for line in changes(before, status):
            self.say(f"{datetime.now(UTC):%H:%M:%S}  {line}")
        numbers = {q.number for q in status.asking}
        if numbers - self.asked:
            self.console.print(self.screen(status))
        self.asked |= numbers

    async def _ask_the_person(self, live: Live, status: Status) -> None:
        """In a terminal you are the commander: you are asked what your role is asked."""
        if status.acknowledged_at is None:
            await _prompt(live, f"You are {COMMANDER}, the Incident Commander, and you are being paged. Press Enter to take command ")
            return self.say(await self.cast.say(status, "acknowledge", COMMANDER))
        mine: Question | None = next((q for q in status.asking if q.roles[0] is Role.INCIDENT_COMMANDER), None)
        if mine is None:
            return None
        choices = f"{' | '.join(mine.options)} (or Enter to keep watching), then a reason if you like: "
        typed = await _prompt(live, f"[{mine.number}] {mine.asks}\n    {choices}")
        verdict, _, reason = typed.strip().partition(" ")
        matching = [option for option in mine.options if verdict and option.startswith(verdict)]
        if len(matching) != 1:
            return await asyncio.sleep(2)
        code = self.cast.code(COMMANDER, mine)
        said = await self.cast.say(status, matching[0], "" if code else COMMANDER, question=mine.number, code=code, reason=reason)
        self.say(f"          ⟶ {said}")
        return await asyncio.sleep(0.5)


async def _prompt(live: Live, text: str) -> str:
    live.stop()
    try:
        return await asyncio.to_thread(input, text)
    except EOFError:
        return ""
    finally:
        live.start()
