"""A drill with the legal clocks of one incident in the middle: weeks pass in seconds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from activities.action import Call, Effect
from activities.clocks.clock import Clock, ClocksState
from activities.clocks.clocks import Clocks, state_of
from activities.clocks.drafts import draft_of
from activities.clocks.orders import ReportExposure
from tests.stage.drill import Drill, drill
from tests.stage.orderly import orderly
from tests.stage.organisation import OTHERS
from tests.stage.running import completed, replays, until
from worker.service import worker

INCIDENT = "inc-20261127-leak-api"
SELF_DECLARED = "verified_from = 3"  # what is C3 takes a code in any case
ALARMS = """
[alarms]
ceo_designee = "fay"
"""
NOTHING_ELSE = """
nis2_entity = false
business_associate = false
product = false
financial_clients = false
pan = false
high_risk_ai = false
"""  # of the profile: whatever is unknown there is alarmed about for weeks
OURS = ALARMS + "[profile]\nregistrant = false\ncovered_entity = false\nproduct = false\n"
FAR = timedelta(seconds=20)


@dataclass
class Story:
    stage: Drill
    clocks: Clocks
    tmp: Path
    calls: int = 0
    used: set[str] = field(default_factory=set)

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.stage.env.client.get_workflow_handle(f"clocks-{INCIDENT}")

    async def now(self) -> datetime:
        return await self.stage.env.get_current_time()

    async def serve(self, max_cached: int | None = None) -> None:
        """A worker; the one before it ends. `max_cached` 0: every task replays the whole history, and no workflow belongs to one worker."""
        await self.stage.workers.aclose()
        served = worker(
            self.stage.env.client,
            self.stage.fleet,
            self.stage.settings.queues[0],
            self.stage.settings,
            max_cached=max_cached,
            debug_mode=True,
        )
        await self.stage.workers.enter_async_context(orderly(served))

    async def until(self, weekday: int, hour: int, minute: int = 0) -> datetime:
        """Let time pass until this hour of that day of the week (0 is Monday), UTC."""
        at = await self.now()
        then = at.replace(hour=hour, minute=minute, second=0, microsecond=0) + timedelta(days=(weekday - at.weekday()) % 7)
        await self.stage.env.sleep((then if then > at else then + timedelta(days=7)) - at)
        return await self.now()

    async def report(self, why: str = "an export was seen", again: str = "", **more: Any) -> Effect:
        """As an incident's workflow reports. `again`: with the key of an earlier attempt."""
        self.calls += 1
        at = await self.now()
        order = ReportExposure(**{"incident": INCIDENT, "why": why, "aware_at": at, "title": "Rows of another tenant were shown", **more})
        key = again or f"{INCIDENT}/clocks.report/{order.target()}/{self.calls}"
        return await self.clocks.report(order, Call(incident_id=INCIDENT, key=key, at=at))

    async def state(self) -> ClocksState:
        return await state_of(self.stage.env.client, INCIDENT)

    async def clock(self, id: str) -> Clock:
        return (await self.state()).clocks[id]

    async def say(self, message: str, **words: Any) -> str:
        try:
            return str(await self.handle.execute_update(message, words))
        except WorkflowUpdateFailedError as no:
            raise AssertionError(f"{message}: {getattr(no.cause, 'message', no.cause)}") from None

    async def assess(self, by: str = "lou", **facts: Any) -> str:
        return await self.say("assess", by=by, facts=facts)

    async def refused(self, message: str, *given: Any) -> str:
        try:
            said = await self.handle.execute_update(message, args=list(given))
        except WorkflowUpdateFailedError as no:
            return str(getattr(no.cause, "message", no.cause))
        raise AssertionError(f"{message} was accepted: {said}")

    async def code(self, person: str) -> str:
        """A code for one message, as it comes to somebody's phone."""

        async def sent() -> int:
            return sum("0-" in text for text in await self.inbox(person))

        before, said = await sent(), await self.say("code", by=person)

        async def arrived() -> bool:
            return await sent() > before

        if "is sent to" in said:
            await until(arrived, f"a code for {person}")
        code = await self.stage.code(person, 0, used=self.used)
        self.used.add(code)
        return code

    async def sent(self, id: str, stage: str = "", by: str = "lou", **more: Any) -> str:
        told = {"receipt": "R-1", "reason": "sent on the portal", **more}
        return await self.say("submitted", clock=id, stage=stage, code=await self.code(by), **told)

    async def draft(self, id: str, stage: str) -> Any:
        state = await self.state()
        return draft_of(state, state.clocks[id], stage)

    async def lines(self) -> list[str]:
        return [f"{line['kind']}: {line['text']}" for line in await self.handle.query("timeline")]

    async def pass_(self, **time: float) -> None:
        """Let time pass, and what is due then be done."""
        await self.stage.env.sleep(timedelta(**time))
        await self.settled()

    async def settled(self) -> None:
        """Until nothing that is due is left to do: a moment more of the server's time."""
        await self.stage.env.sleep(FAR)

    async def inbox(self, person: str) -> list[str]:
        letters = (await self.stage.http.get(f"/practice/inbox/{person}")).json()["inbox"]
        return [str(letter["text"]) for letter in letters]

    async def hears(self, person: str, phrase: str) -> str:
        """The newest that somebody was told with this phrase in it."""

        async def told() -> str:
            return next((text for text in reversed(await self.inbox(person)) if phrase in text), "")

        return str(await until(told, f"{phrase!r} for {person}"))

    async def alarms(self, id: str) -> list[tuple[str, str]]:
        """The alarms about one clock, oldest first: who was told, and what."""
        told = [line for line in await self.lines() if line.startswith("alarm: ") and f": {id}," in line]
        return [(line.split(": ")[1], line.partition(f": {id},")[0].rpartition("; ")[2].rpartition(": ")[2]) for line in told]

    async def until_ended(self) -> None:
        """By itself."""
        await completed(self.handle, "the clocks")

    async def replayed(self) -> None:
        await replays(self.handle)


@asynccontextmanager
async def story(tmp: Path, ours: str = OURS, policy: str = SELF_DECLARED, more: str = OTHERS) -> AsyncIterator[Story]:
    """Everything up, no clock yet. `ours`: the organisation's clocks.toml."""
    async with drill(tmp, policy=policy + "\n" + more, serving=False, services=()) as stage:
        stage.world.clock.following = False  # pager and chat are all that is needed of it: weeks of its traffic would take hours
        (tmp / "clocks.toml").write_text(ours)
        (clocks,) = [system for system in stage.fleet.systems if isinstance(system, Clocks)]
        told = Story(stage, clocks, tmp)
        await told.serve()
        yield told
