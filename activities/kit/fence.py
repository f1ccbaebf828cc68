"""How long an attempt may still write: always shorter than the time after which the server gives the work to somebody else.

The server takes an attempt for dead when its start-to-close time is over, or when it has heard no heartbeat for the heartbeat timeout. A
process that was suspended for so long does not know it. So an attempt keeps the time of its own last heartbeat, and writes no more once
that is too long ago, even after it beats again. What was sent before is in flight all the same: versions and epochs fence that, and where
a system has none, it is looked at again (`setting`).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity

from activities.action import Call, NotYet

BEATS = 4  # within one heartbeat timeout
SILENT = (
    0.6  # of the heartbeat timeout: the SDK holds a heartbeat back for up to 0.4 s (`worker.service`), which is a third of our shortest
)
MARGIN = timedelta(seconds=2)  # before the end of start-to-close, or a tenth of it: the longest that our clock is taken to be behind
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
        """True when the server may have given this attempt's work to somebody else."""
        return self._lost or time.clock_gettime(CLOCK) - self._last > self._limit


_pulse: ContextVar[Pulse | None] = ContextVar("pulse", default=None)


@asynccontextmanager
async def beating(details: Callable[[], tuple[Any, ...]] = tuple) -> AsyncIterator[None]:
    """Heartbeat all the while, so that a killed worker is noticed at once and a cancellation is heard. `details`: how far we are."""
    timeout = activity.info().heartbeat_timeout if activity.in_activity() else None
    if not timeout:
        yield
        return
    pulse = _pulse.get() or Pulse(timeout.total_seconds() * SILENT)
    token = _pulse.set(pulse)
    beat = asyncio.create_task(_beat(pulse, timeout / BEATS, details))
    try:
        yield
    finally:
        beat.cancel()
        _pulse.reset(token)


async def _beat(pulse: Pulse, pause: timedelta, details: Callable[[], tuple[Any, ...]]) -> None:
    while True:
        pulse.beat()
        activity.heartbeat(*details())
        await asyncio.sleep(pause.total_seconds())


def refuse_when_late() -> None:
    """Call it just before every write. Raises `NotYet` when another attempt may be at work by now."""
    if not activity.in_activity():
        return
    info, pulse = activity.info(), _pulse.get()
    if pulse is not None and pulse.lost:
        raise NotYet("this attempt was silent for too long; it does not write any more")
    limit = info.start_to_close_timeout
    if limit and datetime.now(UTC) > info.started_time + limit - min(MARGIN, limit / 10):
        raise NotYet("this attempt is over time; it does not write any more")


def attempts(call: Call) -> int:
    """How often this was tried by now, a person's *retry* included."""
    return (activity.info().attempt if activity.in_activity() else 1) + call.again


def elapsed() -> timedelta:
    """Real time since the step began: nothing in its first attempt, the attempts and pauses before in a later one."""
    if not activity.in_activity():
        return timedelta(0)
    info = activity.info()
    return max(timedelta(0), info.started_time - info.scheduled_time)


def by_now(call: Call) -> Call:
    """The same call at this attempt's own instant: what must show in the metrics shows later than the step began."""
    return call.model_copy(update={"at": call.at + elapsed()})
