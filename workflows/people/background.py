"""Work beside the playbook: mitigation never waits for it, and a vendor that is down is noted and never stops an incident."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from activities.action import Refused
from workflows.errors import NotSentInShadow, RetriesExhausted
from workflows.people.context import IncidentContext

T = TypeVar("T")


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


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Run this beside the block. What has not ended when the block does is cancelled, and waited for."""
    task = asyncio.create_task(work)
    try:
        yield task
    except (Exception, asyncio.CancelledError):
        await stopped(task)
        raise
    if not task.done():
        await stopped(task)


async def stopped(*tasks: asyncio.Task[Any]) -> None:
    """Cancel these, and wait until they have ended, however they end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
