"""How much runs, and how much it could carry (spec §8 S-SCALE; A.1 M7). More instances only help while what they stand on has room."""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Self

from activities.action import Call, Limits, NotYet, Refused, Risk, Role, Value
from activities.kit.rest import Json, RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.kit.words.promql import quantile, selector
from activities.metrics.counting import again
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings
from activities.platform.control_plane import ControlPlane, PartOf, PlatformResource

LATELY = timedelta(minutes=1)  # over which the 99th percentile is said


class AutoscalerOf(PlatformResource, path="services/{service}/autoscaler", called="the autoscaler of {service}"):
    epochs = False

    service: str

    def body(self, value: "Bounds") -> Json:
        return {"regions": {region: {"least": n} for region, n in value.least.items()}}

    def read_by_hand(self) -> tuple[str, ...]:
        return (*super().read_by_hand(), *PartOf(service=self.service, part="headroom").by_hand())


class Bounds(
    SettingValue,
    effect="keep {self} of {of.service}",
    back="keep {self} of {of.service}, as before; the autoscaler removes the rest as the load allows",
):
    """At least so many instances per region. `most` and `fullest` (of the dependencies) are the facts by which it was decided."""

    volatile: ClassVar[frozenset[str]] = frozenset({"most", "fullest"})

    least: dict[str, int]
    most: dict[str, int] = {}
    fullest: float = 0.0

    def __str__(self) -> str:
        return f"at least {_counts(self.least)} instances"

    def same(self, other: Self) -> bool:
        return all(other.least.get(region) == n for region, n in self.least.items())

    def met(self, now: Self) -> bool:
        return all(now.least.get(region, -1) >= n for region, n in self.least.items())

    def between(self, before: Self, now: Self) -> bool:
        """One write sets region after region, and may break off."""
        return all(now.least.get(region) in (before.least.get(region), n) for region, n in self.least.items())

    def both(self, other: Self) -> Self:
        """In every region as many as either needs."""
        more = {region: max(n, other.least.get(region, n)) for region, n in self.least.items()}
        return self.model_copy(update={"least": {**other.least, **more}})

    def way_back(self, before: Self, numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple[Self, ...]:
        least = {region: before.least[region] for region in self.least if region in before.least}
        return (self.model_copy(update={"least": least}),)

    def within(self, numbers: MitigationSettings) -> bool:
        """True inside the autoscaler's bounds, while the dependencies have room."""
        return all(n <= self.most.get(region, 0) for region, n in self.least.items()) and self.fullest < numbers.saturation


class Instances(Value):
    """Instances of one region: wanted now, ready, and the bounds of the autoscaler."""

    replicas: int
    ready: int
    least: int
    most: int


class Capacity(Reading[Bounds]):
    """How much runs by region. Rates are requests per second; `saturation` is how full each dependency is, 0 to 1."""

    service: str
    regions: dict[str, Instances]
    capacity_rps: dict[str, float] = {}
    used_rps: dict[str, float] = {}
    saturation: dict[str, float] = {}

    def utilisation(self) -> float:
        """What is asked as a share of what could be served, in the region that is worst off."""
        return max((_ratio(self.used_rps.get(r, 0.0), c) for r, c in self.capacity_rps.items()), default=0.0)

    def fullest(self) -> float:
        return max(self.saturation.values(), default=0.0)

    def scaled(self, factor: float, numbers: MitigationSettings | None = None) -> Change[AutoscalerOf, Bounds]:
        """An order for `factor` times the instances that are ready, within the bounds of the autoscaler."""
        wanted = {r: max(now.least, min(now.most, math.ceil(max(now.ready, now.least) * factor))) for r, now in self.regions.items()}
        most = {region: now.most for region, now in self.regions.items()}
        bounds = Bounds(least=wanted, most=most, fullest=self.fullest())
        return Autoscalers.order(AutoscalerOf(service=self.service), bounds, numbers=numbers)


def _risk(order: Change[AutoscalerOf, Bounds] | Restore[AutoscalerOf, Bounds], limits: Limits) -> Risk:
    bounds = order.wanted if isinstance(order, Change) else order.left
    return Risk.C1 if bounds.within(order.numbers) else Risk.C2


class Autoscalers(
    RestSetting[AutoscalerOf, Bounds, Capacity], read="capacity.read", change="capacity.scale_up", restore="capacity.scale_back",
    risk=_risk, asks=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """The autoscalers, proven by the instances that are ready."""

    def __init__(self, plane: ControlPlane, prometheus: Prometheus) -> None:
        self.rest, self._prometheus = plane, prometheus

    async def survey(self, call: Call, of: AutoscalerOf) -> Capacity:
        """How much runs, what it could carry, how full the dependencies are."""
        now, room = await self.look_at(call, of), await self.rest.look(call, PartOf(service=of.service, part="headroom"))
        rates = {name: {region: float(row[name]) for region, row in room["regions"].items()} for name in ("capacity_rps", "used_rps")}
        return now.model_copy(update={**rates, "saturation": room["dependencies"]})

    def understood(self, of: AutoscalerOf, said: Mapping[str, Any]) -> Capacity:
        rows = {region: Instances.model_validate(row) for region, row in said["regions"].items()}
        bounds = Bounds(least={region: row.least for region, row in rows.items()})
        return Capacity(value=bounds, version=said["etag"], changed_by=said["changed_by"], service=of.service, regions=rows)

    async def check(self, call: Call, order: Change[AutoscalerOf, Bounds] | Restore[AutoscalerOf, Bounds], to: Bounds) -> None:
        """What the risk was judged by must still hold: an approval of *within bounds* is none of *beyond*."""
        if isinstance(order, Restore):
            return
        now = await self.survey(call, order.of)
        beyond = [f"{r} {n} (most {now.regions[r].most})" for r, n in to.least.items() if r in now.regions and n > now.regions[r].most]
        if beyond:
            raise Refused(f"more instances than the autoscaler may run: {', '.join(beyond)}; its most must be raised first")
        fewer = [region for region, n in to.least.items() if region in now.regions and n < now.regions[region].least]
        if fewer:
            raise Refused(f"that would be fewer instances in {', '.join(sorted(fewer))}, and no help; read the bounds again")
        if to.fullest < order.numbers.saturation <= now.fullest():
            full = max(now.saturation, key=lambda name: now.saturation[name])
            raise Refused(f"the {full} is {now.fullest():.0%} full by now: more instances would push the trouble there. Read it again")

    async def prove(self, call: Call, order: Change[AutoscalerOf, Bounds], now: Capacity) -> str:
        ready = {region: row.ready for region, row in (await self.look_at(call, order.of)).regions.items()}
        short = {region: n for region, n in order.wanted.least.items() if ready.get(region, 0) < n}
        if short:
            said = ", ".join(f"{region} {ready.get(region, 0)} of {n}" for region, n in sorted(short.items()))
            raise NotYet(f"accepted, but not all are ready yet: {said}", after=again(call, order.numbers))
        p99 = await self._prometheus.number(
            call, quantile(0.99, selector("service_request_duration_seconds_bucket", service=order.of.service), LATELY)
        )
        counted = f"{_counts({region: ready[region] for region in order.wanted.least})} are ready"
        return counted if p99 is None else f"{counted}; p99 {p99:.2f} s"


SCALED = Autoscalers.measure("scaled")


def _ratio(used: float, capacity: float) -> float:
    return used / capacity if capacity else math.inf if used else 0.0


def _counts(instances: Mapping[str, int]) -> str:
    return ", ".join(f"{region} {n}" for region, n in sorted(instances.items())) or "none"
