"""Waiting for something, as a rule not for ever."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow


async def waited(until: Callable[[], bool], at_most: timedelta | None, what: str) -> bool:
    """Wait for a condition. False when the time is over first. `what` is what Temporal's own screen calls the timer."""
    with suppress(TimeoutError):
        await workflow.wait_condition(until, timeout=at_most, timeout_summary=what)
        return True
    return False
