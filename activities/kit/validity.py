"""Until when an approval may be used, by a clock that nobody can set: the server says when the attempt began, and we count from there."""

import time
from contextvars import ContextVar
from datetime import timedelta

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
