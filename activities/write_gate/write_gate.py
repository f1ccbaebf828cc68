"""Whether the application takes writes (spec §8 S-READONLY; A.1 T4, M5). Shares are 0 to 1.

Read-only is proven by writes that are refused in every region, with the words agreed on, and by the writes that the metrics still count. It
is sticky: what was closed for the sake of the data is opened by people, in steps, while nothing more breaks.
"""

import asyncio
from collections import Counter
from datetime import timedelta

import httpx
from temporalio import activity

from activities.action import Call, NotYet, Refused, Role
from activities.edge.probe import EdgeProbe, Met
from activities.kit.clock import Clock
from activities.kit.rest import Json, RestSetting
from activities.kit.setting import Change, Restore
from activities.kit.setting.write import SOON
from activities.kit.words.promql import Other, selector
from activities.metrics.counting import again, blind, chance, too_many_errors
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings
from activities.platform.control_plane import ControlPlane, PartOf
from activities.write_gate.values import NO_WRITES, REFUSED_AS, WriteGate, WriteGateOf, Writes

SAMPLE = 6  # writes that are tried in every region
PARTLY = 40  # and so many while only a share is let through
STRAYS = 1.0  # writes that may still be counted: one was under way
FIVE_MINUTES = timedelta(minutes=5)
BLIND_FROM = 3  # from this try on, a schema that cannot be read is unknown
ABSURD = 0.001  # a share is contradicted when what was met would be rarer than this


Closing = Change[WriteGateOf, Writes]
Reopening = Restore[WriteGateOf, Writes]


class WriteGates(
    RestSetting[WriteGateOf, Writes, WriteGate], read="write_gate.read", change="write_gate.close", restore="write_gate.reopen",
    asks=(Role.INCIDENT_COMMANDER, Role.DB_LEAD), watched=True,
):  # fmt: skip
    """The application's write gates."""

    def __init__(self, plane: ControlPlane, edge: EdgeProbe, prometheus: Prometheus, clock: Clock) -> None:
        self.rest, self.clock, self._edge, self._prometheus = plane, clock, edge, prometheus

    async def survey(self, call: Call, of: WriteGateOf) -> WriteGate:
        """The gate, the schema, and whether writes are safe (A.1 T4). What cannot be read after some tries is unknown, and said to be."""
        gate, schema = await self.look_at(call, of), await self._schema(call, of.service)
        try:
            seen = await self._prometheus.grown(call, selector("service_integrity_errors_total", service=of.service), FIVE_MINUTES)
        except (httpx.HTTPError, NotYet):
            if _tries() < BLIND_FROM:
                raise
            seen = None
        return gate.model_copy(update={"integrity_errors_seen": seen, **schema})

    async def check(self, call: Call, order: Closing | Reopening, to: Writes) -> None:
        if isinstance(order, Change) and not order.of.regions:
            raise Refused("read-only is proven in every region, and none was named")
        if isinstance(order, Restore) and (unsafe := await self._unsafe(call, order.of.service)):
            raise Refused(f"writes are not safe yet: {unsafe}")

    async def prove(self, call: Call, order: Closing, now: WriteGate) -> str:
        """Every write is refused as agreed, and the metrics count none."""
        of, numbers = order.of, order.numbers
        for region, met in (await self._tried(call, of, SAMPLE)).items():
            if met["taken"]:
                raise NotYet(f"accepted, but {met['taken']} of {SAMPLE} writes were still taken in {region}", after=SOON)
            if not met["refused"] and not await self._counts_refusals(call, order, region):
                raise NotYet(f"accepted, but no write in {region} was refused as agreed: {_words(met)}", after=again(call, numbers))
        series = selector("service_writes_total", service=of.service, outcome=Other("refused"))
        written = await self._prometheus.grown(call, series, numbers.settled)
        if written is None and not blind(call, numbers):
            raise NotYet("accepted, but no metrics show yet that writes have stopped", after=again(call, numbers))
        if written is not None and written > STRAYS:
            raise NotYet(f"accepted, but {written:.0f} writes were still counted lately", after=again(call, numbers))
        counted = "the metrics are blind" if written is None else f"{written:.0f} writes counted since"
        return f"writes were refused as {REFUSED_AS} in {', '.join(of.regions)}; {counted}"

    async def prove_step(self, call: Call, order: Reopening, step: Writes) -> str:
        """Writes are let through in about that share, in every region. Raises `NotYet` when what was met is all but impossible.

        Only what the gate decided counts: a write that failed behind it was let through.
        """
        share = step.admitted
        for region, met in (await self._tried(call, order.of, PARTLY if share < 1 else SAMPLE)).items():
            through = met["taken"] + met["failed"]
            n = through + met["refused"]
            if not n:
                raise NotYet(f"accepted, but nothing in {region} says whether writes are taken: {_words(met)}", after=SOON)
            if chance(through, n, share) < ABSURD:
                raise NotYet(f"accepted, but {through} of {n} writes in {region} came through, wanted are {share:.0%}", after=SOON)
        return f"writes are taken in {', '.join(order.of.regions)}"

    async def trouble(self, call: Call, order: Reopening, step: Writes) -> str:
        service = order.of.service
        spoilt = await self._prometheus.grown(call, selector("service_integrity_errors_total", service=service), order.pause)
        if spoilt is None:
            raise NotYet("no metrics: nothing is called healthy on missing data", after=again(call, order.numbers))
        if spoilt >= 1:
            return f"{spoilt:.0f} integrity errors"
        unsafe = await self._unsafe(call, service)
        return unsafe or await too_many_errors(self._prometheus, call, order.pause, order.numbers.step_error_ratio, service=service)

    async def _schema(self, call: Call, service: str) -> Json:
        try:
            said = await self.rest.look(call, PartOf(service=service, part="schema"))
        except (httpx.HTTPError, NotYet):
            if _tries() < BLIND_FROM:
                raise
            return {}
        errors = said["integrity_errors_per_minute"]
        return {"schema_version": said["version"], "migrating": said["migrating"], "integrity_errors_per_minute": errors}

    async def _unsafe(self, call: Call, service: str) -> str:
        """What the database itself says against writing; empty when nothing."""
        schema = await self._schema(call, service)
        if not schema:
            return "nobody can say whether the data fits together"
        return "; ".join(WriteGate(value=NO_WRITES, **schema).why_unsafe())

    async def _tried(self, call: Call, of: WriteGateOf, times: int) -> dict[str, Counter[str]]:
        """What writes from every region met: `taken`, `refused` (with the agreed words), or something else."""
        met = await asyncio.gather(*(self._edge.write(call, of.service, region) for region in of.regions for _ in range(times)))
        return {region: Counter(map(_word, met[n * times : (n + 1) * times])) for n, region in enumerate(of.regions)}

    async def _counts_refusals(self, call: Call, order: Closing, region: str) -> bool:
        """Whether the metrics count refused writes in a region where no probe got as far as the gate."""
        series = selector("service_writes_total", service=order.of.service, region=region, outcome="refused")
        return (await self._prometheus.grown(call, series, order.numbers.settled) or 0.0) >= 1


READ_ONLY = WriteGates.measure("read-only", sticky=True)


def read_only(service: str, regions: tuple[str, ...], why: str = "", numbers: MitigationSettings | None = None) -> Closing:
    """The order that makes a service take no writes."""
    return WriteGates.order(WriteGateOf(service=service, regions=regions), NO_WRITES, why=why, numbers=numbers)


def _tries() -> int:
    return activity.info().attempt if activity.in_activity() else 1


def _word(met: Met) -> str:
    if met.ok:
        return "taken"
    if met.status == 503 and met.error == REFUSED_AS:
        return "refused"
    return "unanswered" if met.status in (0, 429) else "failed"


def _words(met: Counter[str]) -> str:
    return ", ".join(f"{n} {word}" for word, n in sorted(met.items())) or "nothing"
