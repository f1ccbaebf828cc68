"""The way back in steps: take one, watch it, take the next; take it back at the first sign of trouble (INV-19).

State tells where we are: a worker that dies in between is resumed by reading what is in force, not by what it remembered.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from activities.action import Call, Refused
from activities.kit.clock import Clock
from activities.kit.fence import by_now
from activities.kit.pulse import beating


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

    async def run(self, call: Call, clock: Clock) -> tuple[datetime, bool]:
        """Take all steps; the one that is in force is watched first, for nobody knows how long it was.

        Returns the instant at which the last one had been watched, and whether we took any. Raises `Refused` when one had to be taken back.
        """
        now, took = by_now(call), False
        async with beating():
            for n in range(max(0, self.at), self.steps):
                if n != self.at:
                    await self.take(n, now.model_copy(update={"key": f"{call.key}/step-{n + 1}"}))
                    took = True
                if not self.pause:
                    continue
                await clock.sleep(self.pause / call.pace)
                now = now.model_copy(update={"at": now.at + self.pause / call.pace})
                if found := await self.trouble(n, now):
                    await self.back(n, now.model_copy(update={"key": f"{call.key}/step-{n + 1}-back"}))
                    raise Refused(f"step {n + 1} of {self.steps} was taken back: {found}")
        return now.at, took
