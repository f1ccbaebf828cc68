"""How much runs, and how much it could carry (spec §8 S-SCALE; A.1 M7). More instances only help while what they stand on has room."""

import math
from datetime import timedelta
from typing import ClassVar, Self

from pydantic import JsonValue

from activities.action import Call, Effect, Imposition, Limits, Measure, NotYet, Order, Refused, Risk, Role, System, Value, action
from activities.kit.versioned import Setting, Settled, Versioned, by_now, part_of, put_by_hand, read_by_hand, whose
from activities.metrics.metric_check import MetricCheck, again
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings
from activities.platform.control_plane import ControlPlane

SCALING = (Role.OPS_LEAD, Role.INCIDENT_COMMANDER)
LATELY = timedelta(minutes=1)  # over which the 99th percentile is said


class CapacityOf(Order):
    """Read how much runs of a service, what it could carry, and how full its dependencies are."""

    service: str

    def target(self) -> str:
        return f"service/{self.service}/autoscaler"

    def effect(self) -> str:
        return f"read instances and headroom of {self.service}"

    def by_hand(self) -> tuple[str, ...]:
        return tuple(read_by_hand(part_of(self.service, part)) for part in ("autoscaler", "headroom"))


class Instances(Value):
    """Instances of one region: wanted now, ready, and the bounds of the autoscaler."""

    replicas: int
    ready: int
    least: int
    most: int


class Capacity(Versioned):
    """How much runs by region. Rates are requests per second; `saturation` is how full each dependency is, 0 to 1."""

    service: str
    regions: dict[str, Instances]
    capacity_rps: dict[str, float] = {}
    used_rps: dict[str, float] = {}
    saturation: dict[str, float] = {}

    def utilisation(self) -> float:
        """What is asked as a share of what could be served, in the region that is worst off."""
        return max((_ratio(self.used_rps.get(r, 0.0), c) for r, c in self.capacity_rps.items()), default=0.0)

    def headroom_without(self, region: str) -> float:
        """What the other regions can serve, as a multiple of everything that is asked; a drain needs 1.3 (policy)."""
        rest = sum(rps for name, rps in self.capacity_rps.items() if name != region)
        asked = sum(self.used_rps.values())
        return rest / asked if asked else math.inf

    def share(self, region: str) -> float:
        """A region's part of the capacity."""
        every = sum(self.capacity_rps.values())
        return self.capacity_rps.get(region, 0.0) / every if every else 0.0

    def fullest(self) -> float:
        """How full the fullest dependency is."""
        return max(self.saturation.values(), default=0.0)

    def scaled(self, factor: float, mitigation: MitigationSettings | None = None) -> "ScaleUp":
        """An order for `factor` times the instances that are ready, within the bounds of the autoscaler."""
        wanted = {r: max(now.least, min(now.most, math.ceil(max(now.ready, now.least) * factor))) for r, now in self.regions.items()}
        most = {region: now.most for region, now in self.regions.items()}
        return ScaleUp(
            service=self.service, least=wanted, most=most, saturation=self.fullest(), mitigation=mitigation or MitigationSettings()
        )


class ScaleUp(Imposition):
    """Keep at least so many instances per region; absolute. `most` and `saturation` are the facts by which it was decided."""

    volatile: ClassVar[frozenset[str]] = frozenset({"prior", "most", "saturation"})

    service: str
    least: dict[str, int]
    most: dict[str, int]
    saturation: float
    mitigation: MitigationSettings = MitigationSettings()
    prior: Capacity | None = None

    def target(self) -> str:
        return f"service/{self.service}/autoscaler"

    def effect(self) -> str:
        return f"keep at least {_counts(self.least)} instances of {self.service}"

    def inverse(self) -> str:
        return f"keep at least {_counts(self.undo().least)} again" if self.prior else "put the least instances before back"

    def by_hand(self) -> tuple[str, ...]:
        """Read the version, then write, by curl."""
        return _by_hand(self.service, self.least)

    @property
    def within(self) -> bool:
        """True inside the autoscaler's bounds, while the dependencies have room."""
        return all(n <= self.most.get(region, 0) for region, n in self.least.items()) and self.saturation < self.mitigation.saturation

    def look(self) -> Order:
        return CapacityOf(service=self.service)

    def met(self, now: Capacity) -> bool:
        """Every region keeps at least so many."""
        return all(region in now.regions and now.regions[region].least >= n for region, n in self.least.items())

    def given(self, prior: Capacity) -> Self:
        """The same, with the bounds before."""
        return self.model_copy(update={"prior": prior})

    def undo(self) -> "ScaleBack":
        if self.prior is None:
            raise ValueError("this order does not carry the bounds before; give it the capacity first")
        before = {region: self.prior.regions[region].least for region in self.least if region in self.prior.regions}
        return ScaleBack(service=self.service, least=before, left=self.least, was_within=self.within)


class ScaleBack(Order):
    """Put the least instances back; the autoscaler removes the rest as the load allows."""

    service: str
    least: dict[str, int]
    left: dict[str, int]
    was_within: bool = True

    def target(self) -> str:
        return f"service/{self.service}/autoscaler"

    def effect(self) -> str:
        return f"keep at least {_counts(self.least)} instances of {self.service}, as before"

    def inverse(self) -> str:
        return f"keep at least {_counts(self.left)} again"

    def by_hand(self) -> tuple[str, ...]:
        """Read the version, then write, by curl."""
        return _by_hand(self.service, self.least)


def _risk_of_scaling(order: ScaleUp, limits: Limits) -> Risk:
    return Risk.C1 if order.within else Risk.C2


def _risk_of_going_back(order: ScaleBack, limits: Limits) -> Risk:
    return Risk.C1 if order.was_within else Risk.C2


class Autoscaler(System):
    """The autoscaler, proven by the instances that are ready."""

    def __init__(self, plane: ControlPlane, prometheus: Prometheus) -> None:
        self._plane = plane
        self._seen = MetricCheck(prometheus)

    @action("capacity.read")
    async def read(self, order: CapacityOf, call: Call) -> Capacity:
        """How much runs, what it could carry, how full the dependencies are."""
        return await self._capacity(call, order.service)

    @action("capacity.scale_up", risk=_risk_of_scaling, asks=SCALING)
    async def scale_up(self, order: ScaleUp, call: Call) -> Effect:
        """Raise the least instances, and see them ready (A.1 M7). Raises `NotYet` until they are.

        Raises `Refused` above the autoscaler's most, when a dependency has filled up since it was decided, or when somebody has changed
        the bounds since.
        """
        made = await self._bound(call, order.service, order.least, order=order)
        ready = await self._ready(call, order)
        p99 = await self._p99(by_now(call), order.service)
        said = f"; p99 {p99:.2f} s" if p99 is not None else ""
        return _bounded(call, order, order.prior or made.before, made, f"{_counts(ready)} are ready{said}")

    @action("capacity.scale_back", risk=_risk_of_going_back, asks=SCALING)
    async def scale_back(self, order: ScaleBack, call: Call) -> Effect:
        """Put the bounds back, if they are still as we left them. Raises `Refused` when somebody else has changed them."""
        made = await self._bound(call, order.service, order.least, left=order.left)
        return _bounded(call, order, made.before, made, "the autoscaler decides by the load again")

    async def _capacity(self, call: Call, service: str) -> Capacity:
        scaler = await self._plane.of_service(call, service, "autoscaler")
        room = await self._plane.of_service(call, service, "headroom")
        return Capacity(
            service=service,
            capacity_rps={region: row["capacity_rps"] for region, row in room["regions"].items()},
            used_rps={region: row["used_rps"] for region, row in room["regions"].items()},
            saturation=room["dependencies"],
            **scaler,
        )

    async def _bound(
        self, call: Call, service: str, least: dict[str, int], *, order: ScaleUp | None = None, left: dict[str, int] | None = None
    ) -> Settled[Capacity]:
        async def write(etag: str, _: int) -> None:
            if order is not None:
                await self._may_scale(call, order)
            body = {"regions": {region: {"least": n} for region, n in least.items()}}
            await self._plane.put_of_service(call, service, "autoscaler", etag, body)

        setting = Setting(
            f"the autoscaler of {service}",
            lambda: self._capacity(call, service),
            write,
            lambda now: f"at least {_counts({region: row.least for region, row in now.regions.items()})}",
        )
        before = order.prior if order else None
        was = left if left is not None else {r: row.least for r, row in before.regions.items()} if before else None
        return await setting.bring_about(
            lambda now: all(_least(now, region) == n for region, n in least.items()),
            read_etag=before.etag if before else "",
            left=None if left is None else lambda now: _on_the_way(now, left, least),
            half_done=None if was is None else lambda now: _half_done(now, was, least),
        )

    async def _may_scale(self, call: Call, order: ScaleUp) -> None:
        """What the risk was judged by must still hold: an approval of *within bounds* is none of *beyond*."""
        now = await self._capacity(call, order.service)
        beyond = [f"{region} {n} (most {now.regions[region].most})" for region, n in order.least.items()
                  if region in now.regions and n > now.regions[region].most]  # fmt: skip
        if beyond:
            raise Refused(f"more instances than the autoscaler may run: {', '.join(beyond)}; its most must be raised first")
        fewer = [region for region, n in order.least.items() if region in now.regions and n < now.regions[region].least]
        if fewer:
            raise Refused(f"that would be fewer instances in {', '.join(sorted(fewer))}, and no help; read the bounds again")
        if order.saturation < order.mitigation.saturation <= now.fullest():
            full = max(now.saturation, key=lambda name: now.saturation[name])
            raise Refused(f"the {full} is {now.fullest():.0%} full by now: more instances would push the trouble there. Read it again")

    async def _ready(self, call: Call, order: ScaleUp) -> dict[str, int]:
        """The instances that are ready, by region. Raises `NotYet` while there are fewer than wanted."""
        now = by_now(call)
        ready = {region: row.ready for region, row in (await self._capacity(now, order.service)).regions.items()}
        short = {region: n for region, n in order.least.items() if ready.get(region, 0) < n}
        if short:
            said = ", ".join(f"{region} {ready.get(region, 0)} of {n}" for region, n in sorted(short.items()))
            raise NotYet(f"accepted, but not all are ready yet: {said}", after=again(call, order.mitigation))
        return {region: ready[region] for region in order.least}

    async def _p99(self, call: Call, service: str) -> float | None:
        buckets = f'service_request_duration_seconds_bucket{{service="{service}"}}[{LATELY.total_seconds():.0f}s]'
        return await self._seen.number(call, f"histogram_quantile(0.99, sum by (le) (rate({buckets})))")


SCALED = Measure("scaled", look=Autoscaler.read, impose=Autoscaler.scale_up, lift=Autoscaler.scale_back)


def _least(now: Capacity, region: str) -> int | None:
    return now.regions[region].least if region in now.regions else None


def _half_done(now: Capacity, was: dict[str, int], wanted: dict[str, int]) -> bool:
    """Whether every region is as before or as wanted, and some are as wanted: a write of ours that broke off leaves it so."""
    return _on_the_way(now, was, wanted) and any(_least(now, r) == n != was.get(r) for r, n in wanted.items())


def _on_the_way(now: Capacity, was: dict[str, int], wanted: dict[str, int]) -> bool:
    return all(_least(now, region) in (was.get(region), n) for region, n in wanted.items())


def _ratio(used: float, capacity: float) -> float:
    return used / capacity if capacity else math.inf if used else 0.0


def _counts(instances: dict[str, int]) -> str:
    return ", ".join(f"{region} {n}" for region, n in sorted(instances.items())) or "none"


def _by_hand(service: str, least: dict[str, int]) -> tuple[str, ...]:
    return put_by_hand(part_of(service, "autoscaler"), {"regions": {region: {"least": n} for region, n in least.items()}})


def _bounded(call: Call, order: ScaleUp | ScaleBack, before: Capacity, made: Settled[Capacity], seen: str) -> Effect:
    def shown(capacity: Capacity) -> dict[str, JsonValue]:
        return {region: row.least for region, row in capacity.regions.items()}

    return Effect(
        target=order.target(),
        summary=order.effect(),
        proven_by=f"bounds read back; {seen}{whose(call, made)}",
        adopted=not made.wrote,
        before=shown(before),
        after=shown(made.after),
    )
