"""Ends a story at once, and says why, when the time-skipping server has broken: it says so in the log of the SDK's core.

`orderly.py` keeps it from breaking in the one way that we know; a story that meets another way is told once more.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

REFUSALS = (  # what that server says of a task that it has half carried out
    "ACTIVITY_UNKNOWN", "TIMER_UNKNOWN", "missing method", "invalid history builder state for action",
)  # fmt: skip


class ServerBroke(Exception):
    """The test server wedged the workflow: not a fault of what is tested. Pytest tells the story once more (`--only-rerun` in pyproject.toml)."""


class Listener(logging.Handler):
    """Hears the core, and ends the story that is being told as soon as its server has broken."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = ""
        self._story: tuple[asyncio.AbstractEventLoop, asyncio.Timeout] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """A line of the core's log, from another thread."""
        line = record.getMessage()
        if self._story is not None and any(refusal in line for refusal in REFUSALS):
            self.said = self.said or line[:300]
            loop, limit = self._story
            loop.call_soon_threadsafe(self._end, limit, loop.time())

    @staticmethod
    def _end(limit: asyncio.Timeout, now: float) -> None:
        try:
            limit.reschedule(now)
        except RuntimeError:
            return  # the story is over

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """For the length of one story. Raises `ServerBroke`, and nothing else in its place."""
        self.said = ""
        try:
            async with asyncio.timeout(None) as limit:
                self._story = asyncio.get_running_loop(), limit
                yield
        except Exception as why:
            if self.said:
                raise ServerBroke(self.said) from why
            raise
        finally:
            self._story = None


LISTENER = Listener()
_core = logging.getLogger("temporal.core")
_core.addHandler(LISTENER)
Runtime.set_default(
    Runtime(
        telemetry=TelemetryConfig(
            logging=LoggingConfig(TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=LogForwardingConfig(_core))
        )
    )
)
