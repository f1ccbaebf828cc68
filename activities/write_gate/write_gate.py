"""Whether the application takes writes (spec §8 S-READONLY; A.1 T4, M5).

Read-only is proven by writes that are refused in every region, with the words agreed on, and by the writes that the metrics still count. It
is sticky: what was closed for the sake of the data is opened by people, in steps, while nothing more breaks.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import httpx
from pydantic import JsonValue
from temporalio import activity

from activities.action import Call, Effect, Measure, NotYet, Patience, Refused, Risk, Role, System, action
from activities.edge.probe import EdgeProbe, Met
from activities.kit import promql
from activities.kit.clock import Clock
from activities.kit.stepwise import StepwiseRestore, where
from activities.kit.versioned import SOON, Setting, Settled, by_now, whose
from activities.metrics.metric_check import MetricCheck, again, blind
from activities.metrics.prometheus import Prometheus
from activities.platform.control_plane import ControlPlane
from activities.write_gate.orders import REFUSED_AS, Gate, GateOf, ReadOnly, Reopen, WriteSafety

__all__ = ["READ_ONLY", "Gate", "GateOf", "ReadOnly", "Reopen", "WriteGate", "WriteSafety"]

CLOSING = (Role.INCIDENT_COMMANDER, Role.DB_LEAD)
SAMPLE = 6  # writes that are tried in every region
PARTLY = 40  # and so many while only a share is let through
STRAYS = 1.0  # writes that may still be counted: one was under way
FIVE_MINUTES = timedelta(minutes=5)
BLIND_FROM = 3  # from this try on, a schema that cannot be read is unknown
ABSURD = 0.001  # a share is contradicted when what was met would be rarer than this


class WriteGate(System):
    """The application's write gate."""

    def __init__(self, plane: ControlPlane, edge: EdgeProbe, prometheus: Prometheus, clock: Clock) -> None:
        self._plane = plane
        self._edge = edge
        self._seen = MetricCheck(prometheus)
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
        if order.admitted <= 0:
            return await self._left_closed(order, call)
        steps, listed = order.steps(), ", ".join(order.regions)

        async def take(n: int, now: Call) -> None:
            if n == 0 and (unsafe := await self._unsafe(now, order.service)):
                raise Refused(f"writes are not safe yet: {unsafe}")
            await self._admit(now, order.service, steps[n], left=steps[n - 1] if n else order.left)
            await self._taken(now, order, steps[n])

        async def trouble(n: int, now: Call) -> str:
            pause = order.mitigation.return_pause
            spoilt = await self._seen.grown(now, promql.selector("service_integrity_errors_total", service=order.service), pause)
            if spoilt is None:
                raise NotYet("no metrics: nothing is called healthy on missing data", after=again(call, order.mitigation))
            if spoilt >= 1:
                return f"{spoilt:.0f} integrity errors"
            return await self._unsafe(now, order.service) or await self._seen.too_many_errors(
                now, {"service": order.service}, pause, order.mitigation.step_error_ratio
            )

        async def back(n: int, now: Call) -> None:
            await self._admit(now, order.service, steps[n - 1] if n else order.left, left=steps[n])

        before, at = await where(
            lambda: self._gate(call, order.service), lambda now, n: _same(now.admitted, steps[n]), len(steps)
        )  # fmt: skip
        if at == len(steps) - 1 and before.changed_by != call.incident_id:
            await self._taken(by_now(call), order, order.admitted)
            return _effect(call, order, before.admitted, Settled(before, before, wrote=False), f"writes are taken in {listed}")
        ended, took = await StepwiseRestore(len(steps), order.mitigation.return_pause, at, take, trouble, back).climb(call, self._clock)
        after = await self._gate(call, order.service)
        seen = f"writes were taken in {listed} at every step, and no integrity error followed"
        return _effect(call, order, before.admitted, Settled(before, after, wrote=took), seen, ended)

    # ---- how it is done ----

    async def _left_closed(self, order: Reopen, call: Call) -> Effect:
        """It was read-only before us, and stays so; there is nothing to open."""
        now = await self._gate(call, order.service)
        if now.admitted > 0:
            raise Refused(f"conflict: {now.author} lets {now.admitted:.0%} of writes through, and it was read-only before us")
        return _effect(call, order, 0.0, Settled(now, now, wrote=False), "nothing is let through")

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
                raise NotYet(
                    f"accepted, but no write in {region} was refused as agreed: {_words(met)}", after=again(call, order.mitigation)
                )
        selector = f'service_writes_total{{service="{order.service}",outcome!="refused"}}'
        written = await self._seen.grown(now, selector, order.mitigation.settled)
        if written is None and not blind(call, order.mitigation):
            raise NotYet("accepted, but no metrics show yet that writes have stopped", after=again(call, order.mitigation))
        if written is not None and written > STRAYS:
            raise NotYet(f"accepted, but {written:.0f} writes were still counted lately", after=again(call, order.mitigation))
        counted = "the metrics are blind" if written is None else f"{written:.0f} writes counted since"
        return f"writes were refused as {REFUSED_AS} in {', '.join(order.regions)}; {counted}"

    async def _counts_refusals(self, call: Call, order: ReadOnly, region: str) -> bool:
        """Whether the metrics count refused writes in a region where no probe got as far as the gate."""
        selector = f'service_writes_total{{service="{order.service}",region="{region}",outcome="refused"}}'
        return (await self._seen.grown(call, selector, order.mitigation.settled) or 0.0) >= 1

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
