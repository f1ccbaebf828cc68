"""Whether the application takes writes (spec §8 S-READONLY; A.1 T4, M5).

Read-only is proven by writes that are refused in every region, with the words agreed on, and by the writes that the metrics still count. It
is sticky: what was closed for the sake of the data is opened by people, in steps, while nothing more breaks.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import ClassVar, Self

import httpx
from pydantic import JsonValue
from temporalio import activity

from activities.action import Call, Effect, Imposition, Measure, NotYet, Order, Patience, Refused, Risk, Role, System, action
from activities.clients.edge_probe import EdgeProbe, Met
from activities.clients.platform import ControlPlane
from activities.clients.prometheus import Prometheus
from activities.clock import Clock
from activities.organisation import Levers
from activities.seen import Seen, again, blind
from activities.stairs import Stairs, where
from activities.versioned import SOON, Setting, Settled, Versioned, by_now, part_of, percents, put_by_hand, read_by_hand, whose

CLOSING = (Role.INCIDENT_COMMANDER, Role.DB_LEAD)
REFUSED_AS = "read_only"  # the agreed error of a refused write
SAMPLE = 6  # writes that are tried in every region
PARTLY = 40  # and so many while only a share is let through
STRAYS = 1.0  # writes that may still be counted: one was under way
FIVE_MINUTES = timedelta(minutes=5)
BLIND_FROM = 3  # from this try on, a schema that cannot be read is unknown
ABSURD = 0.001  # a share is contradicted when what was met would be rarer than this


class WriteSafety(StrEnum):
    """Whether writes may go on (A.1 T4). Unknown is a value; after ten minutes it counts as unsafe."""

    SAFE = "SAFE"
    UNSAFE = "UNSAFE"
    UNKNOWN = "UNKNOWN"


class GateOf(Order):
    """Read whether writes are taken, and whether what is written fits together."""

    service: str

    def target(self) -> str:
        """The service's write gate."""
        return f"service/{self.service}/write-gate"

    def effect(self) -> str:
        """Nothing changes."""
        return f"read the write gate and the schema of {self.service}"

    def by_hand(self) -> tuple[str, ...]:
        """The same, by curl."""
        return tuple(read_by_hand(part_of(self.service, part)) for part in ("write-gate", "schema"))


class Gate(Versioned):
    """The share of writes that is let through, and the state of the data. None where nobody could say.

    Integrity errors are counted twice: by the database itself, per minute, and by the metrics, in the last five minutes.
    """

    service: str
    admitted: float
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
        """What speaks against writing on."""
        found = []
        if self.integrity_errors_per_minute:
            found.append(f"the database counts {self.integrity_errors_per_minute:g} integrity errors per minute")
        if self.integrity_errors_seen and self.integrity_errors_seen >= 1:
            found.append(f"the metrics count {self.integrity_errors_seen:.0f} integrity errors in the last 5 min")
        if self.migrating:
            found.append(f"a migration of schema {self.schema_version} is under way: old and new rows stand side by side")
        return tuple(found)


class ReadOnly(Imposition):
    """Take no writes any more, in every region. `regions`: where it is tried."""

    volatile: ClassVar[frozenset[str]] = frozenset({"prior", "epoch"})

    service: str
    regions: tuple[str, ...]
    why: str = ""
    levers: Levers = Levers()
    prior: Gate | None = None
    epoch: int = 0

    def target(self) -> str:
        """The service's write gate."""
        return f"service/{self.service}/write-gate"

    def effect(self) -> str:
        """What is refused, and why."""
        return f"{self.service} takes no writes: each is refused with {REFUSED_AS} and Retry-After" + (f": {self.why}" if self.why else "")

    def inverse(self) -> str:
        """In steps."""
        return f"take writes again in steps of {percents(self.levers.writes_return)}, while nothing more breaks"

    def by_hand(self) -> tuple[str, ...]:
        """Read the version, then write, by curl."""
        return _by_hand(self.service, 0.0)

    def look(self) -> Order:
        """Read the gate."""
        return GateOf(service=self.service)

    def met(self, now: Gate) -> bool:
        """No write is let through."""
        return now.admitted <= 0

    def given(self, prior: Gate) -> Self:
        """The same, with the gate before, to be written under the epoch after it."""
        return self.model_copy(update={"prior": prior, "epoch": prior.epoch + 1})

    def undo(self) -> "Reopen":
        """The share before, in steps."""
        if self.prior is None:
            raise ValueError("this order does not carry the gate before; give it the gate first")
        return Reopen(
            service=self.service,
            regions=self.regions,
            admitted=self.prior.admitted,
            shares=self.levers.writes_return,
            levers=self.levers,
        )

    def undo_steps(self, shares: Sequence[float]) -> tuple[Order, ...]:
        """Writes come back 1, 10, 100 % (policy) at a time, whatever the shares of others."""
        whole = self.undo()
        return tuple(
            whole.model_copy(update={"admitted": to, "left": since, "shares": (1.0,)}) for since, to in pairwise((0.0, *whole.steps()))
        )


class Reopen(Order):
    """Take writes again, in steps; each is proven and watched before the next."""

    service: str
    regions: tuple[str, ...]
    admitted: float = 1.0
    left: float = 0.0
    shares: tuple[float, ...] = (1.0,)
    levers: Levers = Levers()

    def target(self) -> str:
        """The service's write gate."""
        return f"service/{self.service}/write-gate"

    def effect(self) -> str:
        """In steps."""
        span = f"{self.levers.return_pause.total_seconds() / 60:g} min"
        return f"{self.service} takes {percents(self.steps())} of the writes again, watched for {span}" + (
            " at each step" if len(self.shares) > 1 else ""
        )

    def inverse(self) -> str:
        """The share that we had left."""
        return f"let {self.service} take {self.left:.0%} of the writes again"

    def by_hand(self) -> tuple[str, ...]:
        """Step by step, by curl."""
        return tuple(
            line
            for share in self.steps()
            for line in (
                f"# {share:.0%} of the writes; then look at the integrity errors: {read_by_hand(part_of(self.service, 'schema'))}",
                *_by_hand(self.service, share),
            )
        )

    def steps(self) -> tuple[float, ...]:
        """The share of writes of every step."""
        return tuple(dict.fromkeys(round(share * self.admitted, 6) for share in self.shares))


class WriteGate(System):
    """The application's write gate."""

    def __init__(self, plane: ControlPlane, edge: EdgeProbe, prometheus: Prometheus, clock: Clock) -> None:
        self._plane = plane
        self._edge = edge
        self._seen = Seen(prometheus)
        self._clock = clock

    @action("write_gate.read")
    async def read(self, order: GateOf, call: Call) -> Gate:
        """The gate, the schema, and whether writes are safe (A.1 T4). What cannot be read after some tries is unknown, and said to be."""
        gate = await self._plane.of_service(call, order.service, "write-gate")
        schema = await self._schema(call, order.service)
        counted = f'service_integrity_errors_total{{service="{order.service}"}}'
        try:
            seen = await self._seen.grown(call, counted, FIVE_MINUTES)
        except (httpx.HTTPError, NotYet):
            if _tries() < BLIND_FROM:
                raise
            seen = None
        return Gate(service=order.service, integrity_errors_seen=seen, **schema, **gate)

    @action("write_gate.close", risk=Risk.C2, asks=CLOSING)
    async def close(self, order: ReadOnly, call: Call) -> Effect:
        """Take no writes any more, and see them refused in every region (A.1 M5).

        Raises `Refused` when somebody has changed the gate since; `NotYet` while any write comes through.
        """
        if not order.regions:
            raise Refused("read-only is proven in every region, and none was named")
        made = await self._admit(call, order.service, 0.0, epoch=order.epoch)
        seen = await self._no_writes(call, order)
        return _effect(call, order, (order.prior or made.before).admitted, made, seen)

    @action("write_gate.reopen", risk=Risk.C2, asks=CLOSING, patience=Patience.WATCH)
    async def reopen(self, order: Reopen, call: Call) -> Effect:
        """Take writes again step by step while nothing more breaks (S-READONLY undo). Minutes long; heartbeats; resumes where it was.

        Raises `Refused` when writes are not safe before the first step, when somebody else has changed the gate, or when a step was
        followed by errors and was taken back.
        """
        steps, listed = order.steps(), ", ".join(order.regions)

        async def take(n: int, now: Call) -> None:
            if n == 0 and (unsafe := await self._unsafe(now, order.service)):
                raise Refused(f"writes are not safe yet: {unsafe}")
            await self._admit(now, order.service, steps[n], left=steps[n - 1] if n else order.left)
            await self._taken(now, order, steps[n])

        async def trouble(n: int, now: Call) -> str:
            pause, service = order.levers.return_pause, f'service="{order.service}"'
            spoilt = await self._seen.grown(now, f"service_integrity_errors_total{{{service}}}", pause)
            if spoilt is None:
                raise NotYet("no metrics: nothing is called healthy on missing data", after=again(call, order.levers))
            if spoilt >= 1:
                return f"{spoilt:.0f} integrity errors"
            return await self._unsafe(now, order.service) or await self._seen.too_many_errors(
                now, service, pause, order.levers.step_error_ratio
            )

        async def back(n: int, now: Call) -> None:
            await self._admit(now, order.service, steps[n - 1] if n else order.left, left=steps[n])

        before, at = await where(
            lambda: self._gate(call, order.service), lambda now, n: _same(now.admitted, steps[n]), len(steps)
        )  # fmt: skip
        if at == len(steps) - 1 and before.changed_by != call.incident_id:
            await self._taken(by_now(call), order, order.admitted)
            return _effect(call, order, before.admitted, Settled(before, before, wrote=False), f"writes are taken in {listed}")
        ended, took = await Stairs(len(steps), order.levers.return_pause, at, take, trouble, back).climb(call, self._clock)
        after = await self._gate(call, order.service)
        seen = f"writes were taken in {listed} at every step, and no integrity error followed"
        return _effect(call, order, before.admitted, Settled(before, after, wrote=took), seen, ended)

    # ---- how it is done ----

    async def _gate(self, call: Call, service: str) -> Gate:
        return Gate(service=service, **await self._plane.of_service(call, service, "write-gate"))

    async def _schema(self, call: Call, service: str) -> dict[str, object]:
        try:
            said = await self._plane.of_service(call, service, "schema")
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
        gate = Gate.model_validate({"service": service, "etag": "", "admitted": 0.0, **schema})
        return "; ".join(gate.why_unsafe())

    async def _admit(
        self, call: Call, service: str, share: float, *, epoch: int = 0, left: float | None = None
    ) -> Settled[Gate]:  # fmt: skip
        async def write(etag: str, at: int) -> None:
            await self._plane.put_of_service(call, service, "write-gate", etag, {"epoch": at, "admitted": share})

        setting = Setting(
            f"the write gate of {service}", lambda: self._gate(call, service), write, lambda now: f"{now.admitted:.0%} of writes"
        )
        return await setting.bring_about(
            lambda now: _same(now.admitted, share), epoch=epoch, left=None if left is None else lambda now: _same(now.admitted, left)
        )

    async def _tried(self, call: Call, service: str, regions: Sequence[str], times: int) -> dict[str, Counter[str]]:
        """What writes from every region met: `taken`, `refused` (with the agreed words), or something else."""
        met = await asyncio.gather(*(self._edge.write(call, service, region) for region in regions for _ in range(times)))
        found: dict[str, Counter[str]] = {}
        for n, region in enumerate(regions):
            found[region] = Counter(map(_word, met[n * times : (n + 1) * times]))
        return found

    async def _no_writes(self, call: Call, order: ReadOnly) -> str:
        """Every write is refused as agreed, and the metrics count none. Raises `NotYet` until then."""
        now = by_now(call)
        tried = await self._tried(now, order.service, order.regions, SAMPLE)
        for region, met in tried.items():
            if met["taken"]:
                raise NotYet(f"accepted, but {met['taken']} of {SAMPLE} writes were still taken in {region}", after=SOON)
            if not met["refused"] and not await self._counts_refusals(now, order, region):
                raise NotYet(f"accepted, but no write in {region} was refused as agreed: {_words(met)}", after=again(call, order.levers))
        selector = f'service_writes_total{{service="{order.service}",outcome!="refused"}}'
        written = await self._seen.grown(now, selector, order.levers.settled)
        if written is None and not blind(call, order.levers):
            raise NotYet("accepted, but no metrics show yet that writes have stopped", after=again(call, order.levers))
        if written is not None and written > STRAYS:
            raise NotYet(f"accepted, but {written:.0f} writes were still counted lately", after=again(call, order.levers))
        counted = "the metrics are blind" if written is None else f"{written:.0f} writes counted since"
        return f"writes were refused as {REFUSED_AS} in {', '.join(order.regions)}; {counted}"

    async def _counts_refusals(self, call: Call, order: ReadOnly, region: str) -> bool:
        """Whether the metrics count refused writes in a region where no probe got as far as the gate."""
        selector = f'service_writes_total{{service="{order.service}",region="{region}",outcome="refused"}}'
        return (await self._seen.grown(call, selector, order.levers.settled) or 0.0) >= 1

    async def _taken(self, call: Call, order: Reopen, share: float) -> None:
        """Writes are let through in about that share, in every region. Raises `NotYet` when what was met is all but impossible.

        Only what the gate decided counts: a write that failed behind it was let through.
        """
        times = PARTLY if share < 1 else SAMPLE
        tried = await self._tried(call, order.service, order.regions, times)
        for region, met in tried.items():
            through = met["taken"] + met["failed"]
            n = through + met["refused"]
            if not n:
                raise NotYet(f"accepted, but nothing in {region} says whether writes are taken: {_words(met)}", after=SOON)
            if _chance(through, n, share) < ABSURD:
                raise NotYet(f"accepted, but {through} of {n} writes in {region} came through, wanted are {share:.0%}", after=SOON)


READ_ONLY = Measure("read-only", look=WriteGate.read, impose=WriteGate.close, lift=WriteGate.reopen, sticky=True)


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


def _chance(times: int, n: int, share: float) -> float:
    """How likely it is to meet something at least as far from what is expected, if each is let through with chance `share`."""
    chance = [math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    return sum(c for c in chance if c <= chance[times] * (1 + 1e-9))


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, abs_tol=1e-6)


def _by_hand(service: str, share: float) -> tuple[str, ...]:
    return put_by_hand(part_of(service, "write-gate"), {"epoch": "$EPOCH", "admitted": share})


def _effect(call: Call, order: ReadOnly | Reopen, before: float, made: Settled[Gate], seen: str, ended: datetime | None = None) -> Effect:
    shown: dict[str, JsonValue] = {"admitted": made.after.admitted}
    return Effect(
        target=order.target(),
        summary=order.effect(),
        proven_by=f"gate read back at epoch {made.after.epoch}; {seen}{whose(call, made)}",
        adopted=not made.wrote,
        before={"admitted": before},
        after=shown,
        seen_at=ended,
    )
