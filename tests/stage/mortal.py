"""Workers that die at every boundary of an activity: each one's first attempt is not begun, or is done and nobody hears of it.

What a dead worker leaves behind is what the next attempt finds: nothing, or an effect that no history knows of.
"""

from enum import StrEnum
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor


class Dies(StrEnum):
    BEFORE = "before it began"
    AFTER = "after its effect, before anybody heard of it"


class WorkerDied(Exception):
    """What the server makes of it: the attempt has failed, and the next one begins."""


class Mortal(Interceptor):
    """`spared`: activities that do not die. `deaths`: how often each has died."""

    def __init__(self, dies: Dies, spared: tuple[str, ...] = ()) -> None:
        self.dies, self.spared = dies, spared
        self.deaths: dict[str, int] = {}

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Attempt(next, self)


class _Attempt(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, mortal: Mortal) -> None:
        super().__init__(next)
        self._mortal = mortal

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info, mortal = activity.info(), self._mortal
        if info.attempt > 1 or info.activity_type in mortal.spared:
            return await super().execute_activity(input)
        mortal.deaths[info.activity_type] = mortal.deaths.get(info.activity_type, 0) + 1
        if mortal.dies is Dies.AFTER:
            await super().execute_activity(input)
        raise WorkerDied(mortal.dies)
