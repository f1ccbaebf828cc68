"""Read-only in one region (spec §8 S-READONLY, A.5 M3): the others go on. Proven there, by writes that are refused as agreed."""

from activities.action import Call, NotYet, Risk, Role
from activities.edge.probe import EdgeProbe
from activities.kit.clock import Clock
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, Reading, Restore
from activities.kit.setting.write import SOON
from activities.kit.words.promql import Other, selector
from activities.metrics.counting import again, chance, grown_since, too_many_errors
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings
from activities.platform.control_plane import ControlPlane, PlatformResource
from activities.write_gate.write_gate import ABSURD, PARTLY, REFUSED_AS, SAMPLE, STRAYS, Writes


class RegionGateOf(
    PlatformResource, path="services/{service}/regions/{region}/write-gate", called="the write gate of {service} in {region}"
):
    service: str
    region: str


class RegionWrites(Writes, effect="{of.service} takes no writes in {of.region}: each is refused with read_only and Retry-After"):
    """The share of a region's writes that is let through."""

    def back(self, of: RegionGateOf) -> str:  # type: ignore[override]  # of a region, not of the whole service
        return f"{of.service} takes {self} in {of.region} again" if self.admitted > 0 else f"leave {of.region} read-only, as it was before"


Closing = Change[RegionGateOf, RegionWrites]
Reopening = Restore[RegionGateOf, RegionWrites]


class RegionGates(
    RestSetting[RegionGateOf, RegionWrites], read="write_gate.region", change="write_gate.close_region", restore="write_gate.reopen_region",
    risk=Risk.C2, asks=(Role.INCIDENT_COMMANDER, Role.DB_LEAD), watched=True, contains=True,
):  # fmt: skip
    def __init__(self, plane: ControlPlane, edge: EdgeProbe, prometheus: Prometheus, clock: Clock) -> None:
        self.rest, self.clock, self._edge, self._prometheus = plane, clock, edge, prometheus

    async def prove(self, call: Call, order: Closing, now: Reading[RegionWrites]) -> str:
        """Every write there is refused as agreed, and the metrics count none."""
        of = order.of
        taken, refused, _ = await self._tried(call, of, SAMPLE)
        if taken:
            raise NotYet(f"accepted, but {taken} of {SAMPLE} writes were still taken in {of.region}", after=SOON)
        if not refused:
            raise NotYet(f"accepted, but no write in {of.region} was refused as agreed", after=again(call, order.numbers))
        series = selector("service_writes_total", service=of.service, region=of.region, outcome=Other("refused"))
        written = await grown_since(self._prometheus, call, series, order.numbers, "that writes have stopped")
        if written is not None and written > STRAYS:
            raise NotYet(f"accepted, but {written:.0f} writes were still counted lately in {of.region}", after=again(call, order.numbers))
        counted = "the metrics are blind" if written is None else f"{written:.0f} writes counted since"
        return f"writes were refused as {REFUSED_AS} in {of.region}; {counted}"

    async def prove_step(self, call: Call, order: Reopening, step: RegionWrites) -> str:
        taken, refused, failed = await self._tried(call, order.of, PARTLY if step.admitted < 1 else SAMPLE)
        through, n = taken + failed, taken + failed + refused
        if not n:
            raise NotYet(f"accepted, but nothing in {order.of.region} says whether writes are taken", after=SOON)
        if chance(through, n, step.admitted) < ABSURD:
            raise NotYet(
                f"accepted, but {through} of {n} writes in {order.of.region} came through, wanted are {step.admitted:.0%}", after=SOON
            )
        return f"writes are taken in {order.of.region}"

    async def trouble(self, call: Call, order: Reopening, step: RegionWrites) -> str:
        of = order.of
        crossed = await self._prometheus.grown(call, selector("tenant_mismatch_total", service=of.service, region=of.region), order.pause)
        if crossed is not None and crossed >= 1:
            return f"{crossed:.0f} reads have crossed tenants in {of.region}"
        return await too_many_errors(
            self._prometheus, call, order.pause, order.numbers.step_error_ratio, service=of.service, region=of.region
        )

    async def _tried(self, call: Call, of: RegionGateOf, times: int) -> tuple[int, int, int]:
        """How many writes were taken, refused as agreed, and failed behind the gate."""
        met = [await self._edge.write(call, of.service, of.region) for _ in range(times)]
        taken, refused = sum(one.ok for one in met), sum(one.status == 503 and one.error == REFUSED_AS for one in met)
        return taken, refused, sum(one.status not in (0, 429) for one in met) - taken - refused


REGION_READ_ONLY = RegionGates.measure("region read-only", sticky=True)


def region_read_only(service: str, region: str, numbers: MitigationSettings, why: str = "") -> Change[RegionGateOf, RegionWrites]:
    return RegionGates.order(RegionGateOf(service=service, region=region), RegionWrites(admitted=0.0), why=why, numbers=numbers)
