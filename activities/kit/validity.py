"""Until when an approval may be used, by a clock that nobody can set: the server says when the attempt began, and we count from there."""

import time
from contextvars import ContextVar
from datetime import datetime, timedelta

from temporalio import activity

from activities.kit.pulse import CLOCK


class Validity:
    """How long an approval is still good for in this attempt. What has begun in time may come to its end."""

    def __init__(self, left: timedelta) -> None:
        self._until = time.clock_gettime(CLOCK) + left.total_seconds()
        self._begun = False

    def begins(self) -> bool:
        """Whether the act may go on: it begins now and in time, or it has begun in time."""
        self._begun = self._begun or time.clock_gettime(CLOCK) <= self._until
        return self._begun


VALIDITY: ContextVar[Validity | None] = ContextVar("validity", default=None)


def server_time(at: datetime) -> datetime:
    """When the server gave this attempt out: our own clock may be minutes off, and the worker may have been away since `at`."""
    return max(at, activity.info().started_time) if activity.in_activity() else at
