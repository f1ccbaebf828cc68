"""The only way for an activity to wait. A time-skipping test gives a clock that does not."""

import asyncio
from datetime import timedelta
from typing import Protocol


class Clock(Protocol):
    async def sleep(self, duration: timedelta) -> None:
        """Return when `duration` of real time is over."""


class RealClock:
    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds())
