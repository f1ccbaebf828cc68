"""How a verb ends that does not return (`activities/action.py` says what each of them means)."""

from datetime import timedelta
from typing import Any

from temporalio.exceptions import ApplicationError

# How the record calls them, by their type. Whatever else was raised: it is unknown what was done.
ON_THE_BOOK = {"Refused": "refused", "Expired": "refused", "Contended": "refused", "NotYet": "not yet"}


class Refused(ApplicationError):
    """No, and no again: asking a second time would not help."""

    def __init__(self, why: str, *details: Any, kind: str = "Refused") -> None:
        super().__init__(why, *details, type=kind, non_retryable=True)


class Expired(Refused):
    """The approval ended before it could be carried out. This attempt did nothing, and the same may be asked again.

    `attempt`: which one this is. An earlier one, in time, may have reached the system.
    """

    def __init__(self, why: str, attempt: int = 1) -> None:
        tried = attempt > 1
        super().__init__(f"{why}; an earlier try of ours may have reached it" if tried else why, tried, kind="Expired")


class NotYet(ApplicationError):
    """Not now, or done but not proven yet; worth another try `after` (a real duration, not a policy one)."""

    def __init__(self, why: str, after: timedelta | None = None) -> None:
        super().__init__(why, type="NotYet", next_retry_delay=after)


class Lapsed(ApplicationError):
    """What we held by a lease ran out while nobody renewed it. The target is safe; look again and take the step again."""

    def __init__(self, why: str) -> None:
        super().__init__(why, type="Lapsed", non_retryable=True)
