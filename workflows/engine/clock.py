"""The engine's clock: the instant of the last answer that this branch of the work has got from a verb.

A playbook and its helpers tell the time by it and by nothing else. A run that begins anew from the answers it has got goes the same ways: its
answers bring their instants along, and the wall clock of the new run does not (docs/adr/0027).
"""

from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from temporalio import workflow

P = ParamSpec("P")
T = TypeVar("T")
_answered: ContextVar[datetime] = ContextVar("answered")  # a task begins with the clock of the one that began it, and goes on by its own


def answering(verb: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """The same verb; its answer sets the clock of whoever waited for it. A failure is an answer too; a cancel is none."""

    @wraps(verb)
    async def answered(*given: P.args, **named: P.kwargs) -> T:
        try:
            answer = await verb(*given, **named)
        except Exception:
            _answered.set(workflow.now())
            raise
        _answered.set(workflow.now())
        return answer

    return answered


def clock(before_any: datetime) -> datetime:
    """The time by this branch's last answer. `before_any`: the time before there was one."""
    return _answered.get(before_any)
