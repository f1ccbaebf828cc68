"""Whether the application takes writes, and whether that is safe (spec §8 S-READONLY; A.1 T4, M5). Shares are 0 to 1.

Read-only is proven by writes that are refused in every region, with the words agreed on, and by the writes that the metrics still count. It
is sticky: what was closed for the sake of the data is opened by people, in steps, while nothing more breaks.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Self, TypeVar

import httpx

from activities.action import Call, NotYet, Refused, Role
from activities.edge.probe import EdgeProbe, Met
from activities.kit.clock import Clock
from activities.kit.fence import attempts
from activities.kit.rest import Json, RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.promql import Other, selector
from activities.kit.words.shell import comment
from activities.metrics.counting import again, chance, grown_since, too_many_errors
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings
from activities.platform.control_plane import ControlPlane, PartOf, PlatformResource

REFUSED_AS = "read_only"  # the agreed error of a refused write
SAMPLE = 6  # writes that are tried in every region
PARTLY = 40  # and so many while only a share is let through
STRAYS = 1.0  # writes that may still be counted: one was under way
FIVE_MINUTES = timedelta(minutes=5)
BLIND_FROM = 3  # from this try on, what cannot be read is unknown
ABSURD = 0.001  # a share is contradicted when what was met would be rarer than this

T = TypeVar("T")


class WriteSafety(StrEnum):
    """Whether writes may go on (A.1 T4). Unknown is a value; after ten minutes it counts as unsafe."""

    SAFE = "SAFE"
    UNSAFE = "UNSAFE"
    UNKNOWN = "UNKNOWN"


class WriteGateOf(PlatformResource, path="services/{service}/write-gate", called="the write gate of {service}"):
    """The write gate of a service. `regions`: where writes are tried, to prove it."""

    service: str
    regions: tuple[str, ...] = ()

    def read_by_hand(self) -> tuple[str, ...]:
        return (*super().read_by_hand(), *PartOf(service=self.service, part="schema").by_hand())

    def watch_by_hand(self, value: "Writes") -> tuple[str, ...]:
        return (comment("look at the integrity errors:"), *PartOf(service=self.service, part="schema").by_hand())


class Writes(SettingValue, effect="{of.service} takes no writes: each is refused with read_only and Retry-After"):
    """The share of writes that is let through."""

    admitted: float

    def __str__(self) -> str:
        return f"{self.admitted * 100:g} % of the writes"

    @property
    def felt(self) -> bool:
        return self.admitted < 1

    def same(self, other: Self) -> bool:
        return math.isclose(self.admitted, other.admitted, abs_tol=1e-6)

    def met(self, now: Self) -> bool:
        return now.admitted <= 0

    def both(self, other: Self) -> Self:
        """Nobody's data is written to against their need: the smaller share."""
        return min(self, other, key=lambda one: one.admitted)

    def back(self, of: WriteGateOf) -> str:
        return f"{of.service} takes {self} again" if self.admitted > 0 else f"leave {of.service} read-only, as it was before"

    def pause(self, numbers: MitigationSettings) -> timedelta:
        return numbers.return_pause

    def way_back(self, before: Self, numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple[Self, ...]:
        """1, 10, 100 % (policy), whatever the shares of others."""
        steps = dict.fromkeys(round(share * before.admitted, 6) for share in numbers.writes_return)
        return tuple(self.model_copy(update={"admitted": share}) for share in steps)


NO_WRITES = Writes(admitted=0.0)


class WriteGate(Reading[Writes]):
    """The gate, and the state of the data. None where nobody could say.

    Integrity errors are counted twice: by the database itself, per minute, and by the metrics, in the last five minutes.
    """

    schema_version: int | None = None
    migrating: bool | None = None
    integrity_errors_per_minute: float | None = None
    integrity_errors_seen: float | None = None

    @property
    def safety(self) -> WriteSafety:
        """SAFE when both counts say so and no migration is half done; UNSAFE when either says otherwise."""
        if self.why_unsafe():
            return WriteSafety.UNSAFE
        known = self.integrity_errors_per_minute is not None and self.integrity_errors_seen is not None and self.migrating is not None
        return WriteSafety.SAFE if known else WriteSafety.UNKNOWN

    def why_unsafe(self) -> tuple[str, ...]:
        found = []
        if self.integrity_errors_per_minute:
            found.append(f"the database counts {self.integrity_errors_per_minute:g} integrity errors per minute")
        if self.integrity_errors_seen and self.integrity_errors_seen >= 1:
            found.append(f"the metrics count {self.integrity_errors_seen:.0f} integrity errors in the last 5 min")
        if self.migrating:
            found.append(f"a migration of schema {self.schema_version} is under way: old and new rows stand side by side")
        return tuple(found)


Closing = Change[WriteGateOf, Writes]
Reopening = Restore[WriteGateOf, Writes]


class WriteGates(
    RestSetting[WriteGateOf, Writes, WriteGate], read="write_gate.read", change="write_gate.close", restore="write_gate.reopen",
    asks=(Role.INCIDENT_COMMANDER, Role.DB_LEAD), watched=True, contains=True,
):  # fmt: skip
    def __init__(self, plane: ControlPlane, edge: EdgeProbe, prometheus: Prometheus, clock: Clock) -> None:
        self.rest, self.clock, self._edge, self._prometheus = plane, clock, edge, prometheus

    async def survey(self, call: Call, of: WriteGateOf) -> WriteGate:
        """The gate, the schema, and whether writes are safe (A.1 T4)."""
        gate, schema = await self.look_at(call, of), await self._schema(call, of.service)
        errors = self._prometheus.grown(call, selector("service_integrity_errors_total", service=of.service), FIVE_MINUTES)
        return gate.model_copy(update={"integrity_errors_seen": await _if_it_can_be_read(call, errors), **schema})

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
        written = await grown_since(self._prometheus, call, series, numbers, "that writes have stopped")
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
        said = await _if_it_can_be_read(call, self.rest.look(call, PartOf(service=service, part="schema")))
        names = {"schema_version": "version", "migrating": "migrating", "integrity_errors_per_minute": "integrity_errors_per_minute"}
        return {ours: said[theirs] for ours, theirs in names.items()} if said else {}

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
    return WriteGates.order(WriteGateOf(service=service, regions=regions), NO_WRITES, why=why, numbers=numbers)


async def _if_it_can_be_read(call: Call, reading: Awaitable[T]) -> T | None:
    """What was read. None, unknown, for what cannot be read after some tries."""
    try:
        return await reading
    except (httpx.HTTPError, NotYet):
        if attempts(call) < BLIND_FROM:
            raise
        return None


def _word(met: Met) -> str:
    if met.ok:
        return "taken"
    if met.status == 503 and met.error == REFUSED_AS:
        return "refused"
    return "unanswered" if met.status in (0, 429) else "failed"


def _words(met: Counter[str]) -> str:
    return ", ".join(f"{n} {word}" for word, n in sorted(met.items())) or "nothing"
