"""The heartbeat of an attempt, and whether it was ever silent for so long that the server may have given its work to somebody else.

And how long it has been at work, by a clock that nobody can set: ours may be minutes off the server's.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from temporalio import activity

BEATS = 4  # within one heartbeat timeout
SILENT = 0.6  # of the heartbeat timeout: the SDK holds a heartbeat back for up to 0.4 s (`worker.service`)
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # goes on while the machine sleeps


class Pulse:
    """The heartbeat of one attempt. `limit`: so long (seconds) it may be silent; once it was silent for longer, it is lost for ever."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._last = time.clock_gettime(CLOCK)
        self._lost = False

    def beat(self) -> None:
        """It is alive now; which does not bring back what was lost."""
        self._lost = self.lost
        self._last = time.clock_gettime(CLOCK)

    @property
    def lost(self) -> bool:
        return self._lost or time.clock_gettime(CLOCK) - self._last > self._limit


_BEGAN: ContextVar[float] = ContextVar("began")
PULSE: ContextVar[Pulse | None] = ContextVar("pulse", default=None)


def begins() -> None:
    """An attempt begins here."""
    _BEGAN.set(time.clock_gettime(CLOCK))


def at_work() -> timedelta:
    """For how long this attempt has been at work."""
    return timedelta(seconds=time.clock_gettime(CLOCK) - _BEGAN.get())


@asynccontextmanager
async def beating(details: Callable[[], tuple[Any, ...]] = tuple) -> AsyncIterator[None]:
    """Heartbeat all the while, so that a killed worker is noticed at once and a cancellation is heard. `details`: how far we are."""
    timeout = activity.info().heartbeat_timeout if activity.in_activity() else None
    if not timeout:
        yield
        return
    pulse = PULSE.get() or Pulse(timeout.total_seconds() * SILENT)
    token = PULSE.set(pulse)
    beat = asyncio.create_task(_beat(pulse, timeout / BEATS, details))
    try:
        yield
    finally:
        beat.cancel()
        PULSE.reset(token)


async def _beat(pulse: Pulse, pause: timedelta, details: Callable[[], tuple[Any, ...]]) -> None:
    while True:
        pulse.beat()
        activity.heartbeat(*details())
        await asyncio.sleep(pause.total_seconds())
