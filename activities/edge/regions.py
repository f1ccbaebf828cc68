"""Where a service's traffic goes: a region is drained, and gets its traffic back (spec §9.1 3b; A.1 M4). Shares are 0 to 1."""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

from activities.action import Call, NotYet, Refused, Role, Value, action
from activities.edge.probe import EdgeProbe
from activities.kit.clock import Clock
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.promql import selector
from activities.metrics.counting import again, grown_since, too_many_errors
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings
from activities.platform.control_plane import ControlPlane, PlatformLook, PlatformResource

SAMPLE = 24  # probes of the data plane that prove where traffic goes


class RegionsOf(PlatformResource, path="services/{service}/regions", called="the weights of {service}"):
    """The region weights of a service. `region`: the one that is drained, and gets its traffic back."""

    service: str
    region: str = ""


class Weights(
    SettingValue, effect="drain {of.region}: traffic of {of.service} goes to {self}", back="traffic of {of.service} again goes to {self}"
):
    """Shares of the traffic by region, at the global balancer: absolute, and all regions."""

    weights: dict[str, float]

    def __str__(self) -> str:
        return " / ".join(f"{region} {share * 100:.4g} %" for region, share in sorted(self.weights.items()))

    def same(self, other: Self) -> bool:
        """Equal shares; a region that is not named has none."""
        regions = {*self.weights, *other.weights}
        return all(math.isclose(self.weights.get(r, 0.0), other.weights.get(r, 0.0), abs_tol=1e-6) for r in regions)

    def met(self, now: Self) -> bool:
        """What was to get nothing gets nothing."""
        return all(now.weights.get(region, 0.0) <= 0.001 for region, share in self.weights.items() if share == 0)

    def both(self, other: Self) -> Self | None:
        """Of two drains the one that leaves out all that the other does; None where each leaves out what the other needs."""
        here, there = self._drained(other), other._drained(self)
        return self if here >= there else other if there >= here else None

    def _drained(self, other: Self) -> set[str]:
        return {region for region in {*self.weights, *other.weights} if self.weights.get(region, 0.0) <= 0.001}

    def without(self, region: str) -> Self:
        """The same shares among the other regions. Raises ValueError when there is no other with traffic."""
        rest = sum(share for name, share in self.weights.items() if name != region)
        if rest <= 0 or region not in self.weights:
            raise ValueError(f"nobody can take over from {region}")
        shares = {name: 0.0 if name == region else round(share / rest, 9) for name, share in self.weights.items()}
        greatest = max((name for name in shares if name != region), key=lambda name: (shares[name], name))
        others = sum(share for name, share in shares.items() if name != greatest)
        return self.model_copy(update={"weights": {**shares, greatest: round(1 - others, 9)}})

    def pause(self, numbers: MitigationSettings) -> timedelta:
        return numbers.return_pause

    def way_back(self, before: Self, numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple[Self, ...]:
        return tuple(before if share >= 1 else self._on_the_way(before, share) for share in shares or numbers.regions_return)

    def _on_the_way(self, before: Self, share: float) -> Self:
        here = {region: self.weights.get(region, 0.0) for region in before.weights}
        return self.model_copy(update={"weights": {r: round(here[r] + share * (to - here[r]), 9) for r, to in before.weights.items()}})


class HeadroomOf(
    PlatformLook,
    target="service/{service}/regions",
    effect="read whether the other regions of {service} can take over from {region}",
    path="services/{service}/headroom",
):
    service: str
    region: str
    numbers: MitigationSettings = MitigationSettings()


class Headroom(Value):
    """What speaks against draining a region (spec §9.1: never more than half of the capacity, never without 1.3 times the headroom)."""

    service: str
    region: str
    against: tuple[str, ...]

    @property
    def summary(self) -> str:
        return "; ".join(self.against) or f"the other regions can take over from {self.region}"


class Regions(
    RestSetting[RegionsOf, Weights], read="edge.weights", change="edge.drain", restore="edge.return_traffic",
    asks=(Role.INCIDENT_COMMANDER,), watched=True,
):  # fmt: skip
    """The global balancer, proven by who answers and by what the metrics count."""

    def __init__(self, plane: ControlPlane, edge: EdgeProbe, prometheus: Prometheus, clock: Clock) -> None:
        self.rest, self.clock, self._edge, self._prometheus = plane, clock, edge, prometheus

    @action("edge.headroom")
    async def headroom(self, order: HeadroomOf, call: Call) -> Headroom:
        """Whether a region may be drained at all; asked before people are, and once more before anything is moved."""
        return Headroom(service=order.service, region=order.region, against=await self._against(call, order))

    async def check(self, call: Call, order: Change[RegionsOf, Weights] | Restore[RegionsOf, Weights], to: Weights) -> None:
        if isinstance(order, Restore):
            return
        if to.weights.get(order.of.region) != 0 or abs(sum(to.weights.values()) - 1) > 1e-6:
            raise Refused(f"a drain of {order.of.region} must leave nothing there and everything somewhere: {to}")
        if against := await self._against(call, HeadroomOf(service=order.of.service, region=order.of.region, numbers=order.numbers)):
            raise Refused("; ".join(against))

    async def prove(self, call: Call, order: Change[RegionsOf, Weights], now: Reading[Weights]) -> str:
        region, numbers = order.of.region, order.numbers
        met = await asyncio.gather(*(self._edge.meet(call, order.of.service) for _ in range(SAMPLE)))
        by = Counter(one.region for one in met if one.region)
        if by[region]:
            raise NotYet(f"accepted, but {by[region]} of {SAMPLE} probes were still answered from {region}", after=SOON)
        counted = selector("service_requests_total", service=order.of.service, region=region)
        there = await grown_since(self._prometheus, call, counted, numbers, f"that {region} is empty")
        if there:
            raise NotYet(f"accepted, but {region} still counted {there:.0f} requests lately", after=again(call, numbers))
        if there is None and not by:
            raise NotYet("accepted, but neither probes nor metrics show who answers", after=again(call, numbers))
        answered = ", ".join(f"{name} ({n})" for name, n in sorted(by.items())) or "none at all"
        said = "the metrics are blind" if there is None else f"{region} counts none"
        return f"of {SAMPLE} probes these were answered: {answered}; {said}"

    async def trouble(self, call: Call, order: Restore[RegionsOf, Weights], step: Weights) -> str:
        most = order.numbers.step_error_ratio
        return await too_many_errors(self._prometheus, call, order.pause, most, service=order.of.service, region=order.of.region)

    async def _against(self, call: Call, order: HeadroomOf) -> tuple[str, ...]:
        """Never more than half of the capacity, never onto regions that cannot take it (spec §9.1)."""
        said = (await self.rest.look(call, order))["regions"]
        capacity = {region: float(row["capacity_rps"]) for region, row in said.items()}
        asked, every = sum(float(row["used_rps"]) for row in said.values()), sum(capacity.values())
        here = capacity.get(order.region, 0.0)
        found = []
        if every and here / every > order.numbers.drain_at_most + 1e-9:
            found.append(f"{order.region} is {here / every:.0%} of the capacity of {order.service}: so much is never drained at once")
        rest = every - here
        if rest < order.numbers.drain_headroom * asked:
            found.append(
                f"the other regions can serve {rest:g} requests per second and {asked:g} are asked for: "
                f"{rest / asked:.2f} times, wanted are {order.numbers.drain_headroom:g}"
            )
        return tuple(found)


DRAINED = Regions.measure("drained")


def drain(service: str, region: str, now: Reading[Weights], numbers: MitigationSettings | None = None) -> Change[RegionsOf, Weights]:
    """The order that sends a region's traffic to the others. Raises ValueError when nobody can take over from it."""
    return Regions.order(RegionsOf(service=service, region=region), now.value.without(region), numbers=numbers)
