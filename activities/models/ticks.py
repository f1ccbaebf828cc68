"""A step that is watched tick by tick: fixed windows, a heartbeat every second, and the next attempt goes on where the last one was.

Windows are disjoint and lie at fixed instants after the call's, so that a second look at one gives the same answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import ValidationError
from temporalio import activity

from activities.action import Call, Value
from activities.kit.clock import Clock
from activities.models.canary_core import Evidence, Verdict

LONGEST_SILENCE = timedelta(seconds=1)  # between heartbeats


class Ticked(Value):
    """How far a watch is: what a heartbeat carries, and what the next attempt resumes from."""

    ticks: int = 0
    evidence: Evidence = Evidence()


T = TypeVar("T", bound=Ticked)


@dataclass(frozen=True)
class Ticks:
    """The windows of one call. `policy_tick`: how long one is, in policy time."""

    clock: Clock
    call: Call
    policy_tick: timedelta

    @property
    def tick(self) -> timedelta:
        """How long a window is on the clock."""
        return self.policy_tick / self.call.pace

    def instant(self, ticks: int) -> datetime:
        """When the window of this number ends."""
        return self.call.at + ticks * self.tick

    async def until_decided(self, beginning: T, look: Callable[[T, Call], Awaitable[tuple[Verdict, str, T]]]) -> tuple[Verdict, str, T]:
        """Look at one window after the other until the verdict is more than *continue*. `look` gets the call at the end of its window."""
        progress, behind = _resumed(beginning), timedelta(0)
        if progress.ticks:  # the windows that a resumed watch missed lie in the past, and need no waiting for
            behind = max(behind, activity.info().started_time - self.instant(progress.ticks))
        verdict, reason = Verdict.CONTINUE, ""
        while verdict is Verdict.CONTINUE:
            behind = await self._wait(progress, behind)
            began = asyncio.get_running_loop().time()
            at = self.instant(progress.ticks + 1)
            verdict, reason, progress = await look(progress, self.call.model_copy(update={"at": at}))
            _heartbeat(progress)
            behind += timedelta(seconds=asyncio.get_running_loop().time() - began)
        return verdict, reason, progress

    async def _wait(self, progress: Ticked, behind: timedelta) -> timedelta:
        """Let one tick pass, less what we are late; never silent for more than a second. Returns what we are still late."""
        caught_up = min(behind, self.tick)
        left = self.tick - caught_up
        while left > timedelta(0):
            pause = min(left, LONGEST_SILENCE)
            await self.clock.sleep(pause)
            _heartbeat(progress)
            left -= pause
        return behind - caught_up


def _resumed(beginning: T) -> T:
    """How far an earlier attempt had come. What cannot be read is no evidence: the step is watched from its beginning."""
    details = activity.info().heartbeat_details if activity.in_activity() else ()
    try:
        return type(beginning).model_validate(details[0]) if details else beginning
    except ValidationError:
        return beginning


def _heartbeat(progress: Ticked) -> None:
    if activity.in_activity():
        activity.heartbeat(progress.model_dump(mode="json"))
