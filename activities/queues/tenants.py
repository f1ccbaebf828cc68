"""What tenants may bring and may have under way: the first step against a backlog is the narrowest (spec §8 S-LIMIT; A.8 M1, M4)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Generic, Self, cast

from pydantic import Field
from typing_extensions import TypeVar

from activities.action import Call, Limits, Refused, Risk
from activities.kit.clock import Clock
from activities.kit.rest import RestResource
from activities.kit.setting import Change, Reading, Resource, Restore, SettingValue
from activities.kit.setting.several import PerName, Several, SeveralReading
from activities.organisation.numbers import MitigationSettings
from activities.queues.control import PATTERN, Broker, JobsResource, QueueControl
from activities.queues.holding import ASKS, seen
from activities.values import listed


class IntakeOf(JobsResource, path="tenants/{tenant}/intake", called="what the API takes of {tenant}"):
    tenant: str


class TenantJobsOf(JobsResource, path="tenants/{tenant}/jobs", called="the jobs of {tenant} at once"):
    tenant: str


class TenantsOf(Resource):
    """The same of several tenants."""

    one: ClassVar[type[Any]]

    names: tuple[str, ...]
    broker: Broker = "queue control"

    def of(self, name: str) -> RestResource:
        return cast("RestResource", self.one(tenant=name, broker=self.broker))

    def __str__(self) -> str:
        return f"the jobs of {self.whose}"

    @property
    def whose(self) -> str:
        return listed(self.names)

    def target(self) -> str:
        return f"tenants/{','.join(self.names)}/{self.of('').parts()[-1]}"

    def concerns_nobody(self) -> bool:
        return not self.names

    def read_by_hand(self) -> tuple[str, ...]:
        return tuple(line for name in self.names for line in self.of(name).read_by_hand())

    def write_by_hand(self, value: Any, prior: Any = None) -> tuple[str, ...]:
        return tuple(line for name, one in value.each.items() for line in self.of(name).write_by_hand(one))


class IntakesOf(TenantsOf):
    one: ClassVar[type[Any]] = IntakeOf


class CapsOf(TenantsOf):
    one: ClassVar[type[Any]] = TenantJobsOf


class Intake(SettingValue):
    """Jobs that the API takes per second, at most; what is more gets 429 with Retry-After. None: all."""

    jobs_per_second: float | None = Field(default=None, gt=0)  # nothing at all would be an outage of this tenant

    def __str__(self) -> str:
        return "all jobs" if self.jobs_per_second is None else f"at most {self.jobs_per_second:g} jobs per second"

    @property
    def felt(self) -> bool:
        return self.jobs_per_second is not None

    def met(self, now: Self) -> bool:
        if self.jobs_per_second is None:
            return True
        return now.jobs_per_second is not None and now.jobs_per_second <= self.jobs_per_second

    def both(self, other: Self) -> Self:
        given = [one.jobs_per_second for one in (self, other) if one.jobs_per_second is not None]
        return self.model_copy(update={"jobs_per_second": min(given, default=None)})

    def pause(self, numbers: MitigationSettings) -> timedelta:
        return numbers.limit_pause

    def way_back(self, before: Self, numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple[Self, ...]:
        """The limit grows by a quarter at a time."""
        grown, rate = [], self.jobs_per_second
        for _ in range(numbers.limit_steps if rate is not None else 0):
            rate = round((rate or 0) * numbers.limit_growth, 4)
            if before.jobs_per_second is not None and rate >= before.jobs_per_second:
                break
            grown.append(self.model_copy(update={"jobs_per_second": rate}))
        return (*grown, before)


class TenantJobs(SettingValue):
    """Jobs that run at once, at most. None: any number."""

    most: int | None = Field(default=None, ge=1)

    def __str__(self) -> str:
        return "any number of jobs at once" if self.most is None else f"at most {self.most} jobs at once"

    def met(self, now: Self) -> bool:
        return self.most is None or (now.most is not None and now.most <= self.most)

    def both(self, other: Self) -> Self:
        given = [one.most for one in (self, other) if one.most is not None]
        return self.model_copy(update={"most": min(given, default=None)})


class Intakes(Several[Intake], effect="take of {of.whose}: {self}", back="take of {of.whose} again: {self}"):
    pass


class TenantCaps(Several[TenantJobs], effect="run of {of.whose}: {self}", back="run of {of.whose} again: {self}"):
    pass


def _risk(order: Any, limits: Limits) -> Risk:
    """Narrow for a few tenants; wide for more."""
    return Risk.C2 if isinstance(order, Change) and len(order.of.names) > limits.tenants else Risk.C1


T = TypeVar("T", bound=TenantsOf)
S = TypeVar("S", bound=Several[Any])
R = TypeVar("R", bound=SeveralReading[Any])


class _PerTenant(PerName[T, S, R], Generic[T, S, R]):
    """Each tenant's is a resource of its own, which is written under its etag."""

    control: QueueControl
    one: ClassVar[type[SettingValue]]

    async def look_at_one(self, call: Call, of: T, name: str) -> Reading[Any]:
        if PATTERN & set(name) or not name.strip():
            raise Refused(f"{name!r} is no name of one tenant: patterns are not sent; name each tenant")
        said = await self.control.get(call, of.of(name).path)
        value = self.one.model_validate({field: said[field] for field in self.one.model_fields})
        return Reading[Any](value=value, version=said["etag"], changed_by=said.get("changed_by", ""))

    async def write_one(self, call: Call, of: T, name: str, wanted: Any, over: Any, version: str) -> None:
        await self.control.put(call, of.of(name).path, version, wanted.model_dump(mode="json"))

    async def check(self, call: Call, order: Change[T, S] | Restore[T, S], to: S) -> None:
        """Refuses what would allow more than was allowed."""
        if isinstance(order, Change):
            now = await self.look_at(call, order.of)
            more = [name for name, value in to.each.items() if value.met(now.value.each[name]) and not value.same(now.value.each[name])]
            if more:
                raise Refused(f"{listed(tuple(more))} would be allowed more than now: automation never raises a limit")


class TenantIntakes(
    _PerTenant[IntakesOf, Intakes, SeveralReading[Intakes]], read="queues.intake", change="queues.limit_intake", restore="queues.loosen_intake",
    risk=_risk, restore_risk=Risk.C1, asks=ASKS, watched=True,
):  # fmt: skip
    """Backpressure at the API, proven by what arrives."""

    one = Intake

    def __init__(self, control: QueueControl, clock: Clock) -> None:
        self.control, self.clock = control, clock

    async def trouble(self, call: Call, order: Restore[IntakesOf, Intakes], step: Intakes) -> str:
        """What came back too early: something waits too long again, or what it stands on is full."""
        now = await seen(self.control, call)
        late = [one for one in now.queues if not one.deferrable and (one.late or 0.0) > 1]
        full = now.fullest
        if late:
            return f"{late[0].name} waits for {late[0].late:.1f} times of what it may"
        return f"the {full[0]} is {full[1]:.0%} full" if full is not None and full[1] >= order.numbers.saturation else ""


class TenantConcurrency(
    _PerTenant[CapsOf, TenantCaps, SeveralReading[TenantCaps]], read="queues.tenant_jobs", change="queues.cap_tenant", restore="queues.uncap_tenant",
    risk=_risk, restore_risk=Risk.C1, asks=ASKS,
):  # fmt: skip
    """Fairness: nobody's jobs fill the workers."""

    one = TenantJobs

    def __init__(self, control: QueueControl) -> None:
        self.control = control


INTAKE_LIMITED = TenantIntakes.measure("intake limited")
CAPPED = TenantConcurrency.measure("capped")
