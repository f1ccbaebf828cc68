"""One step of the way back, watched tick by tick: fixed windows, the pure core's verdict, and the lease renewed while it goes well.

Counts are differences of the counters at the two ends of a window, per series: no extrapolation, nothing counted twice, and a restarted
exporter counts from 0.
"""

import asyncio
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

from activities.action import Call, NotYet, Refused, Value
from activities.kit.clock import Clock
from activities.kit.http import Conflict
from activities.kit.words import promql
from activities.metrics.prometheus import Prometheus
from activities.models.canary_core import LEAST_SAMPLES, Tick, Verdict, weigh, worsened
from activities.models.logs import SLOW_MS, ErrorClass
from activities.models.model_gateway import ModelGateway, permitting
from activities.models.routes import Watch, Watched
from activities.models.ticks import Ticked, Ticks

FRESH = 60  # policy seconds: metrics without a newer sample are stale, and stale is blind
_FAMILIES = promql.text("llm_requests_total|llm_request_duration_seconds_bucket|llm_quality_samples_total|llm_cost_usd_total")
_BUCKETS = promql.text("|5|5.0|[+]Inf")
_TROUBLE = (httpx.HTTPError, NotYet, Refused, Conflict)

Counters = dict[tuple[tuple[str, str], ...], float]


class Arm(Value):
    """What one provider did: calls, bad ones among them, quality samples, and cost."""

    n: int = 0
    bad: int = 0
    quality_n: int = 0
    quality_pass: int = 0
    usd: float = 0.0

    def and_(self, more: "Arm") -> "Arm":
        return Arm(**{name: getattr(self, name) + getattr(more, name) for name in Arm.model_fields})


class Progress(Ticked):
    """What the two arms have done so far."""

    canary: Arm = Arm()
    control: Arm = Arm()


@dataclass
class CanaryWatch:
    """Watches one step until the core has decided."""

    gateway: ModelGateway
    prometheus: Prometheus
    clock: Clock
    order: Watch
    call: Call
    _last: tuple[datetime, Counters] | None = None
    _permitting: tuple[str, ...] = ()
    _lapsed: bool = False

    async def until_decided(self) -> Watched:
        """Tick until the core says more than *continue*."""
        verdict, reason, progress = await self._ticks.until_decided(Progress(), self._look)
        return Watched(
            verdict=verdict,
            reason=reason,
            evidence=progress.evidence,
            ticks=progress.ticks,
            ended_at=self._ticks.instant(progress.ticks),
            control_n=progress.control.n,
            cost_ratio=_cost_ratio(progress.canary, progress.control),
            lapsed=self._lapsed,
        )

    @property
    def _ticks(self) -> Ticks:
        return Ticks(self.clock, self.call, self.order.policy.tick)

    async def _look(self, progress: Progress, call: Call) -> tuple[Verdict, str, Progress]:
        """One tick: renew the lease, measure, weigh."""
        order, number = self.order, progress.ticks + 1
        call = call.model_copy(update={"key": f"{call.key}/lease-{number}"})
        veto = await self._renew(call)
        measured = await (self._traffic(call) if order.weight else self._probes(call))
        canary, control = measured or (Arm(), Arm())
        tick = Tick(
            n=canary.n,
            bad=canary.bad,
            control_n=control.n,
            control_bad=control.bad,
            seconds=order.policy.tick.total_seconds(),
            blind=measured is None,
            veto=veto,
        )
        verdict, evidence, reason = weigh(order.policy, order.steps, order.weight, progress.evidence, tick)
        seen = Progress(ticks=number, evidence=evidence, canary=progress.canary.and_(canary), control=progress.control.and_(control))
        worse = _regression(order, seen.canary, seen.control)
        return (Verdict.ABORT, worse, seen) if worse and verdict is not Verdict.ABORT else (verdict, reason, seen)

    async def _renew(self, call: Call) -> str:
        """Renew the lease. Returns the veto when the route is not ours any more; a renewal that failed otherwise has more tries left.

        At weight 0 the route is not ours yet, and the whole is nobody's loan: there only the epoch is compared.
        """
        order = self.order
        try:
            if not order.weight:
                return ""
            if order.weight < 1 and order.lease_ticks:
                await self.gateway.renew_lease(call, order.route, order.epoch, order.lease_seconds)
            elif (await self.gateway.route(call, order.route)).epoch != order.epoch:
                return "a newer route change exists"
        except Conflict as conflict:
            self._lapsed = "no_lease" in str(conflict)
            return "the lease lapsed; the router is back on the safe weights" if self._lapsed else "a newer route change exists"
        except (httpx.HTTPError, NotYet):
            return ""
        return ""

    async def _probes(self, call: Call) -> tuple[Arm, Arm] | None:
        """Weight 0: nobody's traffic, our own probes, pinned. None when nothing answered at all: then we know nothing of the provider."""
        order = self.order
        times = max(1, round(order.policy.tick.total_seconds() * order.policy.probes_per_second))
        try:
            if not self._permitting:
                providers, tenants = await self.gateway.known(call)
                self._permitting = permitting(providers[order.provider], tenants)
        except (*_TROUBLE, KeyError):
            return None
        said = await self.gateway.probe(call, order.route, order.provider, self._permitting, times)
        if not any(one.reached for one in said):
            return None
        return Arm(n=len(said), bad=sum(one.error_class is not ErrorClass.OK or one.milliseconds > SLOW_MS for one in said)), Arm()

    async def _traffic(self, call: Call) -> tuple[Arm, Arm] | None:
        """What both arms did in the window that ends at the call's instant; None when the metrics do not say."""
        since = call.at - self._ticks.tick
        try:
            if self._last is None or self._last[0] != since:
                self._last = (since, await self._counters(call, since))
            before = self._last[1]
            now, fresh = await asyncio.gather(self._counters(call, call.at), self._fresh(call))
        except _TROUBLE:
            return None
        self._last = (call.at, now)
        canary, control = _arm(self.order.provider, before, now), _arm(self.order.control, before, now)
        return (canary, control or Arm()) if fresh and canary is not None else None

    async def _counters(self, call: Call, at: datetime) -> Counters:
        arms = promql.text("|".join(map(re.escape, (self.order.provider, self.order.control))))
        found = await self.prometheus.query(call, f"{{__name__=~{_FAMILIES},provider=~{arms},le=~{_BUCKETS}}}", at)
        return {tuple(sorted(sample.labels.items())): sample.value for sample in found}

    async def _fresh(self, call: Call) -> bool:
        window = timedelta(seconds=max(FRESH, math.ceil(self.order.policy.tick.total_seconds())))
        calls = promql.over(promql.selector("llm_requests_total", provider=self.order.provider), window)
        return (await self.prometheus.number(call, f"sum(count_over_time({calls}))") or 0) > 0


def _arm(provider: str, before: Counters, now: Counters) -> Arm | None:
    """What the counters of one provider say of a window; None when they say nothing, or no number."""
    mine = {series: value for series, value in now.items() if ("provider", provider) in series}
    calls = [series for series in mine if ("__name__", "llm_requests_total") in series]
    if not any(series in before for series in calls) or any(math.isnan(value) for value in mine.values()):
        return None
    gained: defaultdict[tuple[str, str], float] = defaultdict(float)
    for series, value in mine.items():
        labels, was = dict(series), before.get(series, 0.0)
        kind = labels.get("outcome") or labels.get("verdict") or labels.get("le") or ""
        gained[labels["__name__"], kind] += value - was if value >= was else value
    n = round(sum(gain for (family, _), gain in gained.items() if family == "llm_requests_total"))
    in_time = [gain for (_, le), gain in gained.items() if le in ("5", "5.0")]
    slow = gained["llm_request_duration_seconds_bucket", "+Inf"] - in_time[0] if in_time else 0.0
    slow = max(0.0, slow - gained["llm_requests_total", "timeout"])  # a timeout is slow too; it is not counted twice
    passed, failed = (gained["llm_quality_samples_total", kind] for kind in ("pass", "fail"))
    bad = min(n, round(n - gained["llm_requests_total", "ok"] + slow + failed))
    return Arm(n=n, bad=bad, quality_n=round(passed + failed), quality_pass=round(passed), usd=gained["llm_cost_usd_total", ""])


def _regression(order: Watch, canary: Arm, control: Arm) -> str:
    """Why the canary is worse than the control in what the core does not weigh: quality and cost."""
    failed, control_failed = canary.quality_n - canary.quality_pass, control.quality_n - control.quality_pass
    drop = worsened(canary.quality_n, failed, control.quality_n, control_failed)
    if drop is not None and drop >= order.quality_drop:
        return f"quality is {drop:.1%} below {order.control}'s"
    ratio = _cost_ratio(canary, control)
    if ratio is not None and ratio > order.cost_ratio:
        return f"an answer costs {ratio:.2f} times what it costs at {order.control}"
    return ""


def _cost_ratio(canary: Arm, control: Arm) -> float | None:
    if min(canary.n, control.n) < LEAST_SAMPLES or control.usd <= 0:
        return None
    return (canary.usd / canary.n) / (control.usd / control.n)
