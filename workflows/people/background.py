"""Work beside the playbook: mitigation never waits for it, and a vendor that is down is noted and never stops an incident."""

import asyncio
from collections.abc import Awaitable

from activities.action import Refused
from workflows.errors import NotSentInShadow, RetriesExhausted
from workflows.people.context import IncidentContext


class BackgroundTasks:
    """Runs what may fail without harm, each in a task of its own."""

    def __init__(self, state: IncidentContext) -> None:
        self._state = state
        self._tasks: list[asyncio.Task[bool]] = []
        self.ending = False

    def run(self, what: str, work: Awaitable[object], question: int | None = None) -> None:
        """Start it, and do not wait for it."""
        self._tasks = [*(task for task in self._tasks if not task.done()), asyncio.create_task(self.attempt(what, work, question))]

    async def attempt(self, what: str, work: Awaitable[object], question: int | None = None) -> bool:
        """Wait for it. False, and a line on the timeline, when it cannot be done."""
        try:
            await work
        except NotSentInShadow:
            return False  # shadow mode: noted already
        except (RetriesExhausted, Refused) as out:  # refused: a text that may not be sent, by a rule of ours; no failing vendor
            why = out.message if isinstance(out, Refused) else out.why
            if question:
                self._state.note("not sent", f"[{question}] {what}: {why}", question=question)
            else:
                self._state.note("not sent", f"{what}: {why}")
            return False
        return True

    async def stop(self) -> None:
        """Start nothing more, and wait until everything that was started has ended. Nothing is cancelled in the middle of a call."""
        self.ending = True
        await asyncio.gather(*self._tasks, return_exceptions=True)
