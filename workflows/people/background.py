"""Work beside the playbook: mitigation never waits for it, and a vendor that is down is noted and never stops an incident.

Tasks are begun, waited for and cancelled here and nowhere else. A cancel always ends a task, also when it meets the answer of an activity: the
SDK would give that answer to the task, forget the cancel, and whoever waits for the end of the task would wait for ever (`settled`).
Everything here but `begun` also runs when a workflow is dropped from the worker's cache, where no task may be made.
"""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, Generic, TypeVar

from temporalio import workflow

from activities.action import Refused
from workflows.errors import NotSentInShadow, RetriesExhausted
from workflows.people.context import IncidentContext

T = TypeVar("T")


async def settled(work: asyncio.Task[T]) -> T:
    """What an activity or a child answers. A cancel is passed on to it once, and raised when it has ended, whatever it answered."""
    asked: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await workflow.wait([work])
        except asyncio.CancelledError as cancel:
            if asked is None:
                work.cancel()
            asked = cancel
    if asked is None:
        return work.result()
    if not work.cancelled():
        work.exception()  # taken note of: nobody asks for it any more
    raise asked


async def shared(work: asyncio.Task[T]) -> T:
    """What an activity of somebody else's answers: it goes on when we are cancelled."""
    await workflow.wait([work])
    return work.result()


def begun(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task of its own."""
    return asyncio.create_task(work)


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Wait until these have ended, however they end."""
    await asyncio.gather(*tasks, return_exceptions=True)


async def stopped(*tasks: asyncio.Task[Any]) -> None:
    """Cancel these, and wait until they have ended, however they end."""
    for task in tasks:
        task.cancel()
    await ended(*tasks)


async def together(*work: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
    """Side by side; when one fails the others are stopped first, and waited for."""
    tasks = [begun(each) for each in work]
    try:
        return tuple(await asyncio.gather(*tasks))
    except (Exception, asyncio.CancelledError):
        await stopped(*tasks)
        raise


class Beside(Generic[T]):
    """What `beside` gives. No generator: one that Python throws away unfinished complains loudly."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._work = work

    async def __aenter__(self) -> asyncio.Task[T]:
        self._task = begun(self._work)
        return self._task

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self._task.done() and (kind is None or issubclass(kind, Exception | asyncio.CancelledError)):
            await stopped(self._task)


def beside(work: Coroutine[Any, Any, T]) -> Beside[T]:
    """Run this beside the block. What has not ended when the block does is cancelled, and waited for."""
    return Beside(work)


class BackgroundTasks:
    """Runs what may fail without harm, each in a task of its own."""

    def __init__(self, state: IncidentContext) -> None:
        self._state = state
        self._tasks: list[asyncio.Task[bool]] = []
        self.ending = False

    def run(self, what: str, work: Awaitable[object], question: int | None = None) -> None:
        """Start it, and do not wait for it."""
        self._tasks = [*(task for task in self._tasks if not task.done()), begun(self.attempt(what, work, question))]

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
        await ended(*self._tasks)
