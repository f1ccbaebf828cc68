"""What of queues is held back for a while: consumers, the rate at which jobs are begun, retries (spec §8 S-QPAUSE; A.8 M2, M5, R1)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Generic, Self

from pydantic import Field
from typing_extensions import TypeVar

from activities.action import Call, Refused, Risk, Role
from activities.kit.clock import Clock
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.organisation.numbers import MitigationSettings
from activities.queues.control import Broker, JobsResource, QueueControl, one_queue
from activities.queues.queues import WorkOf
from activities.queues.seen import QueueSeen, WorkSeen

ASKS = (Role.OPS_LEAD, Role.INCIDENT_COMMANDER)


async def seen(control: QueueControl, call: Call) -> WorkSeen:
    return WorkSeen.model_validate(await control.look(call, WorkOf()))


async def queue(control: QueueControl, call: Call, name: str) -> QueueSeen:
    """One queue as it is now. Raises `Refused` where there is none of this very name."""
    found = (await seen(control, call)).of(one_queue(name))
    if found is None:
        raise Refused(f"there is no queue {name}")
    return found


class OfQueue(JobsResource):
    """A setting of one queue."""

    queue: str


T = TypeVar("T", bound=OfQueue)
V = TypeVar("V", bound=SettingValue)


class QueueSetting(RestSetting[T, V], Generic[T, V]):
    """One that is looked at only by the very name of its queue."""

    async def look_at(self, call: Call, of: T) -> Reading[Any]:
        one_queue(of.queue)
        return await super().look_at(call, of)


class ConsumersOf(OfQueue, path="queues/{queue}/consumers", called="the consumers of {queue}"):
    pass


class Consuming(SettingValue):
    """The share of a queue's workers that takes jobs, 0 to 1. `on_its_way`: from which share to which a write of ours is, that broke off."""

    volatile: ClassVar[frozenset[str]] = frozenset({"on_its_way"})

    share: float = Field(ge=0, le=1)
    on_its_way: tuple[float, float] | None = None

    def __str__(self) -> str:
        return "paused" if self.share == 0 else f"taken by {self.share:.0%} of its workers"

    def same(self, other: Self) -> bool:
        return self.share == other.share

    def met(self, now: Self) -> bool:
        return now.share <= self.share

    def both(self, other: Self) -> Self:
        return self if self.share <= other.share else other

    def between(self, before: Self, now: Self) -> bool:
        """One write tells worker after worker, and some may not have heard it. Any other share in between is somebody else's."""
        return now.on_its_way == (before.share, self.share)

    def effect(self, of: ConsumersOf) -> str:
        held = "; its jobs wait, and none is lost" if self.share == 0 else ""
        return f"pause {of.queue}{held}" if self.share == 0 else f"let {self.share:.0%} of the workers of {of.queue} take jobs"

    def back(self, of: ConsumersOf) -> str:
        return f"leave {of.queue} paused, as it was" if self.share == 0 else f"let jobs of {of.queue} be {self} again"

    def pause(self, numbers: MitigationSettings) -> timedelta:
        return numbers.return_pause

    def way_back(self, before: Self, numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple[Self, ...]:
        """A quarter, half, all of it, whatever the shares of others."""
        steps = [self.share + share * (before.share - self.share) for share in numbers.caps_return]
        return tuple(self.model_copy(update={"share": round(step, 4), "on_its_way": None}) for step in steps)


class Consumers(
    QueueSetting[ConsumersOf, Consuming], read="queues.consumers", change="queues.pause", restore="queues.resume", risk=Risk.C1,
    restore_risk=Risk.C2, asks=ASKS, watched=True,
):  # fmt: skip
    """Consumers of queues, proven by what is begun. Only a queue that is known to be deferrable is paused unasked."""

    values_compare = True  # on or off, mostly: a third value is a step on the way back

    def __init__(self, control: QueueControl, clock: Clock) -> None:
        self.rest, self._control, self.clock = control, control, clock

    async def check(self, call: Call, order: Change[ConsumersOf, Consuming] | Restore[ConsumersOf, Consuming], to: Consuming) -> None:
        now = await queue(self._control, call, order.of.queue)
        if isinstance(order, Change) and to.share < 1 and not now.deferrable:
            said = "of no known class" if now.kind is None else now.kind
            raise Refused(f"{now.name} is {said}: only what is deferrable is paused; say of which class it is")

    async def prove(self, call: Call, order: Change[ConsumersOf, Consuming], now: object) -> str:
        found = await queue(self._control, call, order.of.queue)
        if order.wanted.share == 0 and found.in_flight:
            return f"{found.in_flight} jobs of it are still held by workers: they may be delivered again after the visibility timeout"
        return "no worker holds a job of it" if order.wanted.share == 0 else ""

    async def trouble(self, call: Call, order: Restore[ConsumersOf, Consuming], step: Consuming) -> str:
        """What came back too early: something else waits too long again, or what it stands on is full."""
        now = await seen(self._control, call)
        late = [one for one in now.queues if not one.deferrable and (one.late or 0.0) > 1]
        if late:
            return f"{late[0].name} waits for {late[0].late:.1f} times of what it may"
        full = now.fullest
        return f"the {full[0]} is {full[1]:.0%} full" if full is not None and full[1] >= order.numbers.saturation else ""


PAUSED = Consumers.measure("paused")


def pause(name: str, broker: Broker, why: str = "", numbers: MitigationSettings | None = None) -> Change[ConsumersOf, Consuming]:
    return Consumers.order(ConsumersOf(queue=name, broker=broker), Consuming(share=0.0), why=why, numbers=numbers)


class RateOf(OfQueue, path="queues/{queue}/rate", called="the rate of {queue}"):
    pass


class Rate(SettingValue, effect="begin {self} of {of.queue}", back="begin {self} of {of.queue}"):
    """Jobs that are begun per second, at most. None: as many as the workers can."""

    jobs_per_second: float | None = Field(default=None, gt=0)

    def __str__(self) -> str:
        return "as many jobs as the workers can" if self.jobs_per_second is None else f"at most {self.jobs_per_second:g} jobs per second"

    def met(self, now: Self) -> bool:
        return self.same(now) or (
            self.jobs_per_second is not None and now.jobs_per_second is not None and now.jobs_per_second <= self.jobs_per_second
        )

    def both(self, other: Self) -> Self:
        given = [one.jobs_per_second for one in (self, other) if one.jobs_per_second is not None]
        return self.model_copy(update={"jobs_per_second": min(given, default=None)})


class Rates(
    QueueSetting[RateOf, Rate], read="queues.rate", change="queues.slow_down", restore="queues.full_rate", risk=Risk.C1, asks=ASKS,
):  # fmt: skip
    """How fast a backlog is drained."""

    def __init__(self, control: QueueControl) -> None:
        self.rest, self._control = control, control

    async def shown(self, call: Call, of: RateOf, value: Rate) -> str:
        now = await queue(self._control, call, of.queue)
        return f"{now.completions_per_second or 0:.2f} jobs a second are done"


DRAINED = Rates.measure("drained slowly")


class RetriesOf(OfQueue, path="queues/{queue}/retries", called="the retries of {queue}"):
    pass


class Retrying(SettingValue, effect="begin a job of {of.queue} {self}", back="begin a job of {of.queue} {self} again"):
    """How often a job is begun at most, and how long it waits in between."""

    max_attempts: int = Field(ge=1)
    backoff_seconds: float = Field(ge=0)

    def __str__(self) -> str:
        return f"at most {self.max_attempts} times, {self.backoff_seconds:g} s apart"

    def met(self, now: Self) -> bool:
        return now.max_attempts <= self.max_attempts and now.backoff_seconds >= self.backoff_seconds

    def both(self, other: Self) -> Self:
        fewer, longer = min(self.max_attempts, other.max_attempts), max(self.backoff_seconds, other.backoff_seconds)
        return self.model_copy(update={"max_attempts": fewer, "backoff_seconds": longer})


class JobRetries(
    QueueSetting[RetriesOf, Retrying], read="queues.retries", change="queues.ease_retries", restore="queues.retry_as_before", risk=Risk.C1,
    asks=ASKS,
):  # fmt: skip
    """How jobs are tried again. A wait beyond the visibility timeout would be no wait: the broker delivers the job again meanwhile."""

    def __init__(self, control: QueueControl) -> None:
        self.rest, self._control = control, control

    async def check(self, call: Call, order: Change[RetriesOf, Retrying] | Restore[RetriesOf, Retrying], to: Retrying) -> None:
        now = await queue(self._control, call, order.of.queue)
        if isinstance(order, Change) and now.visibility_seconds is not None and to.backoff_seconds >= now.visibility_seconds:
            raise Refused(
                f"a job of {now.name} that waits {to.backoff_seconds:g} s is delivered again after {now.visibility_seconds:g} s "
                "(its visibility timeout), and is done twice: wait for less"
            )

    async def shown(self, call: Call, of: RetriesOf, value: Retrying) -> str:
        now = await queue(self._control, call, of.queue)
        return "" if now.retry_share is None else f"{now.retry_share:.0%} of what is begun was begun before"


EASED = JobRetries.measure("retries eased")
