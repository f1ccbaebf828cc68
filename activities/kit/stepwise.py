"""The way back in steps: take one, watch it, take the next; take it back at the first sign of trouble (INV-19).

State tells where we are: a worker that dies in between is resumed by reading what is in force, not by what it remembered.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio import activity

from activities.action import Call, Refused
from activities.kit.clock import Clock
from activities.kit.versioned import by_now

S = TypeVar("S")
BEAT = 0.5  # seconds between heartbeats: below every heartbeat timeout


@dataclass(frozen=True)
class StepwiseRestore:
    """A way back. Steps are numbered from 0; `at` says which one is in force: -1 none yet.

    `take(n)` brings a step about, from the one before, and proves it; `trouble(n)` says what is wrong after it was watched for `pause`
    (policy time), empty when nothing is; `back(n)` puts the state before step n in force.
    """

    steps: int
    pause: timedelta
    at: int
    take: Callable[[int, Call], Awaitable[None]]
    trouble: Callable[[int, Call], Awaitable[str]]
    back: Callable[[int, Call], Awaitable[None]]

    async def climb(self, call: Call, clock: Clock) -> tuple[datetime, bool]:
        """Climb to the end; the step that is in force is watched first, for nobody knows how long it was.

        Returns the instant at which the last one had been watched, and whether we took any. Raises `Refused` when one had to be taken back.
        """
        now, took = by_now(call), False
        async with beating():
            for n in range(max(0, self.at), self.steps):
                step = now.model_copy(update={"key": f"{call.key}/step-{n + 1}"})
                if n != self.at:
                    await self.take(n, step)
                    took = True
                await clock.sleep(self.pause / call.pace)
                now = now.model_copy(update={"at": now.at + self.pause / call.pace})
                found = await self.trouble(n, now)
                if found:
                    await self.back(n, now.model_copy(update={"key": f"{call.key}/step-{n + 1}-back"}))
                    raise Refused(f"step {n + 1} of {self.steps} was taken back: {found}")
        return now.at, took


async def where(read: Callable[[], Awaitable[S]], is_at: Callable[[S, int], bool], steps: int) -> tuple[S, int]:
    """What is in force, and which step that is: -1 none. Read twice: nothing else would show that the first reading was stale."""
    await read()
    now = await read()
    return now, next((n for n in reversed(range(steps)) if is_at(now, n)), -1)


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Heartbeat all the while, so that a killed worker is noticed at once and a cancellation is heard."""
    if not activity.in_activity():
        yield
        return
    beat = asyncio.create_task(_beat())
    try:
        yield
    finally:
        beat.cancel()


async def _beat() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(BEAT)
