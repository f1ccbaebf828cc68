"""The edge: health from inside and outside, where traffic goes, what is let in (spec §8 S-LIMIT, §9.1 3b; A.1 T1, T3, M4, M6).

Every write: compare, write under the version and the epoch that were read, read back from the control plane, and then see it outside: in
who answers, and in the metrics.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import chain

from pydantic import JsonValue

from activities.action import Call, Effect, Measure, NotYet, Patience, Refused, Risk, Role, System, action
from activities.edge.health import Dependencies, DependenciesOf, HealthMap, Inside, Vantages
from activities.edge.orders import (
    Drain,
    Gateway,
    GatewayOf,
    Headroom,
    HeadroomOf,
    Limit,
    Loosen,
    RegionsOf,
    ReturnTraffic,
    Weights,
    in_shares,
    in_words,
    same_shares,
)
from activities.edge.probe import EdgeProbe, Met
from activities.kit.clock import Clock
from activities.kit.stepwise import StepwiseRestore, where
from activities.kit.versioned import SOON, Setting, Settled, by_now, whose
from activities.metrics.metric_check import MetricCheck, again, blind
from activities.metrics.prometheus import Prometheus
from activities.metrics.telemetry import beyond_chance
from activities.platform.control_plane import ControlPlane

__all__ = [
    "DRAINED", "LIMITED", "Dependencies", "DependenciesOf", "Drain", "Edge", "Gateway", "GatewayOf", "Headroom", "HeadroomOf", "HealthMap", "Inside",
    "Limit",
    "Loosen", "RegionsOf", "ReturnTraffic", "Vantages", "Weights",
]  # fmt: skip

DRAINING = (Role.INCIDENT_COMMANDER,)
SAMPLE = 24  # probes of the data plane that prove where traffic goes


class Edge(System):
    """Our own balancer and gateways, proven by what probes meet and by what the metrics count."""

    def __init__(self, plane: ControlPlane, edge: EdgeProbe, prometheus: Prometheus, clock: Clock) -> None:
        self._plane = plane
        self._edge = edge
        self._seen = MetricCheck(prometheus)
        self._clock = clock

    # ---- looking ----

    @action("edge.health")
    async def health(self, order: Vantages, call: Call) -> HealthMap:
        """The service from inside every region and from outside, by several networks (A.1 T1). No answer is a finding, not an error."""
        vantages = order.mitigation.vantages
        inside, outside = await asyncio.gather(
            asyncio.gather(*(self._edge.status(call, order.service, region) for region in order.regions)),
            asyncio.gather(*(self._from(call, order, vantage) for vantage in vantages)),
        )
        pinned = {r: [met for _, by_region in outside for met in by_region[r]] for r in order.regions}
        return HealthMap(
            service=order.service,
            inside={region: _inside(said) for region, said in zip(order.regions, inside, strict=True)},
            outside={region: _well(met) for region, met in pinned.items()},
            vantages={vantage: _well(balanced) for vantage, (balanced, _) in zip(vantages, outside, strict=True)},
            answered=sum(any(met.status for met in chain(balanced, *pins.values())) for balanced, pins in outside),
            wanted=order.mitigation.least_vantages,
            at=call.at,
        )

    @action("edge.dependencies")
    async def dependencies(self, order: DependenciesOf, call: Call) -> Dependencies:
        """What the service stands on, as the control plane knows it (A.1 T3)."""
        said = (await self._plane.of_service(call, order.service, "dependencies"))["dependencies"]
        up = {name: bool(row["up"]) for name, row in said.items()}
        return Dependencies(up=up, detail={name: str(row.get("detail", "")) for name, row in said.items()}, at=call.at)

    @action("edge.weights")
    async def weights(self, order: RegionsOf, call: Call) -> Weights:
        """Where the service's traffic goes."""
        return await self._weights(call, order.service)

    @action("edge.limits")
    async def limits(self, order: GatewayOf, call: Call) -> Gateway:
        """What is let in to the service."""
        return await self._gateway(call, order.service)

    @action("edge.headroom")
    async def headroom(self, order: HeadroomOf, call: Call) -> Headroom:
        """Whether a region may be drained at all; asked before people are, and once more before anything is moved."""
        return Headroom(service=order.service, region=order.region, against=await self._against(call, order))

    # ---- where traffic goes ----

    @action("edge.drain", risk=Risk.C2, asks=DRAINING)
    async def drain(self, order: Drain, call: Call) -> Effect:
        """Send a region's traffic to the others, and see that nobody is answered from there (A.1 M4).

        Raises `Refused` when the region has more than half of the capacity, when the others have too little headroom, or when somebody
        has changed the weights since; `NotYet` when it was accepted but does not show.
        """
        if order.weights.get(order.region) != 0 or abs(sum(order.weights.values()) - 1) > 1e-6:
            raise Refused(f"a drain of {order.region} must leave nothing there and everything somewhere: {in_shares(order.weights)}")
        made = await self._shares(call, order.service, order, check=order).bring_about(
            lambda now: same_shares(now.weights, order.weights), epoch=order.epoch
        )
        seen = await self._nobody_there(call, order)
        return _moved(call, order, order.prior or made.before, made, seen)

    @action("edge.return_traffic", risk=Risk.C2, asks=DRAINING, patience=Patience.WATCH)
    async def return_traffic(self, order: ReturnTraffic, call: Call) -> Effect:
        """Send traffic back step by step, each watched before the next (INV-19). Minutes long; heartbeats; resumes where it was.

        Raises `Refused` when somebody else has changed the weights, or when a step brought errors and was taken back.
        """
        steps = order.steps()

        async def take(n: int, now: Call) -> None:
            await self._move(now, order, steps[n], steps[n - 1] if n else order.left)

        async def trouble(n: int, now: Call) -> str:
            labels = {"service": order.service, "region": order.region}
            return await self._seen.too_many_errors(now, labels, order.mitigation.return_pause, order.mitigation.step_error_ratio)

        async def back(n: int, now: Call) -> None:
            await self._move(now, order, steps[n - 1] if n else order.left, steps[n])

        before, at = await where(
            lambda: self._weights(call, order.service), lambda now, n: same_shares(now.weights, steps[n]), len(steps)
        )  # fmt: skip
        if at == len(steps) - 1 and before.changed_by != call.incident_id:
            return _moved(call, order, before, Settled(before, before, wrote=False), "not watched")
        ended, took = await StepwiseRestore(len(steps), order.mitigation.return_pause, at, take, trouble, back).climb(call, self._clock)
        after = await self._weights(call, order.service)
        return _moved(
            call,
            order,
            before,
            Settled(before, after, wrote=took),
            f"watched {len(steps)} times, without more errors in {order.region}",
            ended,
        )

    # ---- what is let in ----

    @action("edge.limit", risk=Risk.C1)
    async def limit(self, order: Limit, call: Call) -> Effect:
        """Let at most so much in (A.1 M6). Raises `NotYet` until the metrics show no more."""
        if order.rate_limit_rps is not None and order.rate_limit_rps <= 0:
            raise Refused("a limit of nothing would be an outage of its own")
        made = await self._let_in(call, order.service, order.rate_limit_rps, order.breaker, epoch=order.epoch)
        return _let(call, order, order.prior or made.before, made, await self._no_more_than(call, order))

    @action("edge.loosen", risk=Risk.C1, patience=Patience.WATCH)
    async def loosen(self, order: Loosen, call: Call) -> Effect:
        """Go back to the limit before, step by step (A.1 R2). Minutes long; heartbeats; resumes where it was.

        Raises `Refused` when somebody else has changed it, or when a step brought errors and was taken back.
        """
        steps = order.steps()
        left = (order.left_rps, order.left_breaker)

        async def take(n: int, now: Call) -> None:
            rps, breaker = steps[n]
            await self._let_in(now, order.service, rps, breaker, left=steps[n - 1] if n else left)

        async def trouble(n: int, now: Call) -> str:
            return await self._seen.too_many_errors(
                now, {"service": order.service}, order.mitigation.limit_pause, order.mitigation.step_error_ratio
            )

        async def back(n: int, now: Call) -> None:
            rps, breaker = steps[n - 1] if n else left
            await self._let_in(now, order.service, rps, breaker, left=steps[n])

        before, at = await where(lambda: self._gateway(call, order.service), lambda now, n: _is(now, steps[n]), len(steps))
        if at == len(steps) - 1 and before.changed_by != call.incident_id:
            return _let(call, order, before, Settled(before, before, wrote=False), "not watched")
        ended, took = await StepwiseRestore(len(steps), order.mitigation.limit_pause, at, take, trouble, back).climb(call, self._clock)
        after = await self._gateway(call, order.service)
        return _let(call, order, before, Settled(before, after, wrote=took), f"watched {len(steps)} times, without more errors", ended)

    # ---- how it is done ----

    async def _from(self, call: Call, order: Vantages, vantage: str) -> tuple[list[Met], dict[str, list[Met]]]:
        """What one network meets: through the balancer, and pinned to every region."""
        asked = ["" for _ in range(order.times)] + [region for region in order.regions for _ in range(order.times)]
        said = await asyncio.gather(*(self._edge.health(call, order.service, region, vantage) for region in asked))
        pinned: dict[str, list[Met]] = {region: [] for region in order.regions}
        for region, met in zip(asked[order.times :], said[order.times :], strict=True):
            pinned[region].append(met)
        return said[: order.times], pinned

    async def _weights(self, call: Call, service: str) -> Weights:
        return Weights(service=service, **await self._plane.of_service(call, service, "regions"))

    async def _gateway(self, call: Call, service: str) -> Gateway:
        return Gateway(service=service, **await self._plane.of_service(call, service, "gateway"))

    def _shares(self, call: Call, service: str, wanted: Drain | dict[str, float], check: Drain | None = None) -> Setting[Weights]:
        shares = wanted.weights if isinstance(wanted, Drain) else wanted

        async def write(etag: str, epoch: int) -> None:
            if check is not None:
                await self._may_drain(call, check)
            await self._plane.put_of_service(call, service, "regions", etag, {"epoch": epoch, "weights": shares})

        return Setting(
            f"the weights of {service}", lambda: self._weights(call, service), write, lambda now: in_shares(now.weights)
        )  # fmt: skip

    async def _move(self, call: Call, order: ReturnTraffic, to: dict[str, float], since: dict[str, float]) -> None:
        """One step of the way back, only over the weights that we left."""
        await self._shares(call, order.service, to).bring_about(
            lambda now: same_shares(now.weights, to), left=lambda now: same_shares(now.weights, since)
        )

    async def _may_drain(self, call: Call, order: Drain) -> None:
        if against := await self._against(call, HeadroomOf(service=order.service, region=order.region, mitigation=order.mitigation)):
            raise Refused("; ".join(against))

    async def _against(self, call: Call, order: HeadroomOf) -> tuple[str, ...]:
        """Never more than half of the capacity, never onto regions that cannot take it (spec §9.1)."""
        said = (await self._plane.of_service(call, order.service, "headroom"))["regions"]
        capacity = {region: float(row["capacity_rps"]) for region, row in said.items()}
        asked, every = sum(float(row["used_rps"]) for row in said.values()), sum(capacity.values())
        here = capacity.get(order.region, 0.0)
        found = []
        if every and here / every > order.mitigation.drain_at_most + 1e-9:
            found.append(f"{order.region} is {here / every:.0%} of the capacity of {order.service}: so much is never drained at once")
        rest = every - here
        if rest < order.mitigation.drain_headroom * asked:
            found.append(
                f"the other regions can serve {rest:g} requests per second and {asked:g} are asked for: "
                f"{rest / asked:.2f} times, wanted are {order.mitigation.drain_headroom:g}"
            )
        return tuple(found)

    async def _nobody_there(self, call: Call, order: Drain) -> str:
        """Who answers, and how many requests the region still counts. Raises `NotYet` when any do."""
        now = by_now(call)
        met = await asyncio.gather(*(self._edge.meet(now, order.service) for _ in range(SAMPLE)))
        by = Counter(one.region for one in met if one.region)
        if by[order.region]:
            raise NotYet(f"accepted, but {by[order.region]} of {SAMPLE} probes were still answered from {order.region}", after=SOON)
        window = order.mitigation.settled
        there = await self._seen.grown(now, f'service_requests_total{{service="{order.service}",region="{order.region}"}}', window)
        if there is None and not blind(call, order.mitigation):
            raise NotYet(f"accepted, but no metrics show yet that {order.region} is empty", after=again(call, order.mitigation))
        if there:
            raise NotYet(f"accepted, but {order.region} still counted {there:.0f} requests lately", after=again(call, order.mitigation))
        if there is None and not by:
            raise NotYet("accepted, but neither probes nor metrics show who answers", after=again(call, order.mitigation))
        counted = "the metrics are blind" if there is None else f"{order.region} counts none"
        answered = ", ".join(f"{region} ({n})" for region, n in sorted(by.items())) or "none at all"
        return f"of {SAMPLE} probes these were answered: {answered}; {counted}"

    async def _let_in(
        self, call: Call, service: str, rps: float | None, breaker: bool, *, epoch: int = 0, left: tuple[float | None, bool] | None = None
    ) -> Settled[Gateway]:
        async def write(etag: str, at: int) -> None:
            body = {"epoch": at, "rate_limit_rps": rps, "breaker": breaker}
            await self._plane.put_of_service(call, service, "gateway", etag, body)

        setting = Setting(
            f"the gateway of {service}",
            lambda: self._gateway(call, service),
            write,
            lambda now: in_words(now.rate_limit_rps, now.breaker),
        )
        return await setting.bring_about(
            lambda now: _is(now, (rps, breaker)), epoch=epoch, left=None if left is None else lambda now: _is(now, left)
        )

    async def _no_more_than(self, call: Call, order: Limit) -> str:
        """How much was let in lately. Raises `NotYet` while it is more than the limit, beyond chance."""
        if order.rate_limit_rps is None:
            return f"the gateway was read back: {in_words(None, order.breaker)}"
        now, window = by_now(call), order.mitigation.settled
        let_in = f'service_requests_total{{service="{order.service}",outcome!="limited"}}'
        n, most = await self._seen.grown(now, let_in, window), order.rate_limit_rps * window.total_seconds()
        if n is None and not blind(call, order.mitigation):
            raise NotYet("accepted, but no metrics show yet how much is let in", after=again(call, order.mitigation))
        if n is None:
            return "the gateway was read back; the metrics are blind"
        if beyond_chance(n, 1.0, most):
            raise NotYet(
                f"accepted, but {n / window.total_seconds():.1f} requests per second are still let in, allowed {order.rate_limit_rps:g}",
                after=again(call, order.mitigation),
            )
        turned = await self._seen.grown(now, f'service_limited_total{{service="{order.service}"}}', window) or 0.0
        return f"{n / window.total_seconds():.1f} requests per second are let in, {turned / window.total_seconds():.1f} turned away"


DRAINED = Measure("drained", look=Edge.weights, impose=Edge.drain, lift=Edge.return_traffic)
LIMITED = Measure("limited", look=Edge.limits, impose=Edge.limit, lift=Edge.loosen)


def _inside(said: dict[str, object] | None) -> Inside:
    if said is None:
        return Inside(ok=None)
    return Inside.model_validate({name: said.get(name) for name in Inside.model_fields if said.get(name) is not None})


def _well(met: Sequence[Met]) -> float | None:
    """The share of probes that were answered well; those that were turned away or met nothing at all say nothing of the service."""
    said = [one for one in met if one.status and one.status != 429]
    return sum(one.ok for one in said) / len(said) if said else None


def _is(now: Gateway, wanted: tuple[float | None, bool]) -> bool:
    return (now.rate_limit_rps, now.breaker) == wanted


def _moved(
    call: Call, order: Drain | ReturnTraffic, before: Weights, made: Settled[Weights], seen: str, ended: datetime | None = None
) -> Effect:
    shown: dict[str, JsonValue] = {**made.after.weights}
    return Effect(
        target=order.target(),
        summary=order.effect(),
        proven_by=f"weights read back at epoch {made.after.epoch}; {seen}{whose(call, made)}",
        adopted=not made.wrote,
        before={**before.weights},
        after=shown,
        seen_at=ended,
    )


def _let(call: Call, order: Limit | Loosen, before: Gateway, made: Settled[Gateway], seen: str, ended: datetime | None = None) -> Effect:
    return Effect(
        target=order.target(),
        summary=order.effect(),
        proven_by=f"gateway read back at epoch {made.after.epoch}; {seen}{whose(call, made)}",
        adopted=not made.wrote,
        before={"rate_limit_rps": before.rate_limit_rps, "breaker": before.breaker},
        after={"rate_limit_rps": made.after.rate_limit_rps, "breaker": made.after.breaker},
        seen_at=ended,
    )
