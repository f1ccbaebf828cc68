"""What the metrics store says: impact, radius, stability, budget (spec §2.3, §7.1). No data is BLIND; it is never healthy.

Instants are real; durations inside PromQL are policy seconds and never scaled. `call.pace` relates the two.
"""

import math
from datetime import datetime, timedelta

from activities.action import Call, System, action
from activities.kit.words import promql, urls
from activities.kit.words.promql import OneOf, Other
from activities.metrics import queries
from activities.metrics.counting import HIT, Counts, agreement, beyond_chance, ratios
from activities.metrics.onset import WINDOW, Onset, OnsetOf, Shape, Start, start_of
from activities.metrics.orders import (
    BlastRadius,
    BudgetOf,
    EstimateQuality,
    Gate,
    Links,
    ProviderGate,
    ServiceHealth,
    StabilityVerdict,
    Surface,
)
from activities.metrics.prometheus import Prometheus
from activities.metrics.queries import FIVE_MINUTES, ONE_MINUTE
from activities.metrics.slo import Counted, ErrorBudget
from activities.metrics.spans import Readings
from activities.organisation.numbers import Stability
from activities.values import Symptom

__all__ = [
    "FOUR_WEEKS", "HIT", "BlastRadius", "BudgetOf", "EstimateQuality", "Gate", "Links", "ProviderGate",
    "ServiceHealth", "StabilityVerdict", "Surface", "Telemetry", "beyond_chance",
]  # fmt: skip

ONE_HOUR, FOUR_WEEKS = timedelta(hours=1), timedelta(weeks=4)
TURNED_AWAY = ("limited", "refused")  # by the gateway, by the write gate: no request that a service was to serve
FRESH = Stability().fresh
LEAST_SHOWN = 10  # requests, before a revision's or a region's share of errors is said


class Telemetry(System):
    """Reads Prometheus. Every reading is taken at the call's instant, or at instants that the order names."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    @action("telemetry.impact")
    async def impact(self, order: Surface, call: Call) -> ServiceHealth:
        """How the service did over the window, beside what is usual for it.

        Blind when there are no fresh samples at either end of the window, or nothing but silence where nobody knows what is usual.
        """
        prometheus, service = self._prometheus, order.service
        answered = {"revision": OneOf(order.revisions)} if order.revisions else {}
        by = {
            labels["outcome"]: n for labels, n in await self._counted(call, queries.requests(service, **answered), order.window, "outcome")
        }
        n, valid = sum(by.values()), sum(count for outcome, count in by.items() if outcome not in TURNED_AWAY)
        usual = None if order.revisions else await self._usual_rate(call, service, order.usual_before)
        blind = not (n or (usual and by)) or not await self._covered(call, order)
        return ServiceHealth(
            error_ratio=None if blind or not valid else by.get("error", 0.0) / valid,
            degraded_ratio=None if blind or not valid else by.get("degraded", 0.0) / valid,
            requests=n,
            turned_away_ratio=by.get("limited", 0.0) / n if n else 0.0,
            p99_seconds=None if blind else await prometheus.number(call, queries.p99(service, order.window)),
            usual_requests=None if usual is None else usual * order.window.total_seconds(),
            usual_p99_seconds=await prometheus.number(call, queries.usual_p99(service)),
            blind=blind,
            at=call.at,
        )

    @action("telemetry.blast_radius")
    async def blast_radius(self, order: Surface, call: Call) -> BlastRadius:
        """Who is hit, estimated twice: by what tenants met and by what services answered (S-BLAST). Endpoints are not measured here."""
        by_tenant = promql.selector("tenant_requests_total", service=order.service)
        tenants = ratios(await self._counted(call, by_tenant, order.window, "tenant", "outcome"), "tenant")
        regions = ratios(await self._counted(call, queries.requests(order.service), order.window, "region", "outcome"), "region")
        services = ratios(await self._counted(call, "service_requests_total", order.window, "service", "outcome"), "service")
        hit = tuple(sorted(tenant for tenant, met in tenants.items() if met.hit))
        quality = agreement(tenants.values(), regions.values())
        return BlastRadius(
            tenants=hit,
            tenant_ratio=len(hit) / len(tenants) if tenants else 0.0,
            regions=tuple(sorted(region for region, met in regions.items() if met.hit)),
            services=tuple(sorted(name for name, met in services.items() if met.hit)),
            error_ratio_by_region={region: met.ratio for region, met in sorted(regions.items())},
            requests_by_region={region: met.n for region, met in sorted(regions.items())},
            quality=quality if await self._fresh(call, order.service) else EstimateQuality.LOW,
            at=call.at,
        )

    @action("telemetry.stability")
    async def stability(self, order: Gate, call: Call) -> StabilityVerdict:
        """Whether the service was stable all the time between the order's instants: errors and burn, synthetics, no gap (spec §7.1); and,
        where the order says that they count, latency and traffic beside what is usual, and who was turned away.

        Only windows that lie wholly between the instants count, so that what was before the gate cannot fail it.
        """
        policy, service = order.stability, order.service
        over = Readings(self._prometheus, call, order.start, order.end)
        every: dict[str, promql.Wanted] = {"service": service, "outcome": Other(*TURNED_AWAY)}
        gaps = await over.gaps(queries.requests(service), policy.longest_gap, policy.fresh)
        found = [
            *await over.errors("service_requests_total", every, "error", 1 - policy.slo_target, (FIVE_MINUTES, ONE_HOUR)),
            *await over.synthetics(service),
        ]
        if Symptom.TURNED_AWAY in order.proof:
            labels, most = {"service": service}, order.impact.turned_away_ratio
            found += await over.errors("service_requests_total", labels, "limited", most, (FIVE_MINUTES,), "turned away")
        if Symptom.LATENCY in order.proof and (usual := await self._prometheus.number(call, queries.usual_p99(service))):
            found += await over.latency(service, policy.latency_ratio * usual)
        if Symptom.LOST_TRAFFIC in order.proof:
            usual = await self._usual_rate(call, service, order.usual_before)
            if usual is not None and usual * FIVE_MINUTES.total_seconds() >= order.impact.least_requests:
                found += await over.lost_traffic(service, usual, order.impact.lost_ratio)
        return over.verdict(found, gaps)

    @action("telemetry.provider_health")
    async def provider_health(self, order: ProviderGate, call: Call) -> StabilityVerdict:
        """Whether probes of the provider succeeded, and its calls, if it had any. One lost probe is chance, two in 5 min are not."""
        over, provider = Readings(self._prometheus, call, order.start, order.end), order.provider
        gaps = await over.gaps(promql.selector("llm_probe_success", provider=provider), order.longest_gap, order.fresh)
        probes = await over.failed_probes(provider)
        calls = await over.errors("llm_requests_total", {"provider": provider}, Other("ok"), order.most_errors, (FIVE_MINUTES,))
        return over.verdict([*probes, *calls], gaps)

    @action("telemetry.slo")
    async def slo(self, order: BudgetOf, call: Call) -> ErrorBudget:
        """The requests that count over the objective's window and over every window of its burn alerts; what has no data is None."""
        return ErrorBudget(
            service=order.service,
            slo_target=order.slo_target,
            fresh=await self._fresh(call, order.service),
            history=await self._history(call, order),
            month=await self._valid(call, order.service, order.slo.window),
            windows=tuple([await self._valid(call, order.service, window) for window in order.slo.windows]),
        )

    @action("telemetry.onset")
    async def onset(self, order: OnsetOf, call: Call) -> Onset:
        """The first bad sample, the shape of the start, and the errors by revision and region. Blind when there are no fresh samples."""
        service, over = order.service, Readings(self._prometheus, call, call.at - order.within / call.pace, call.at)
        start = start_of(await over.error_points(service, WINDOW, order.slo_target))
        slow = False
        if start.at is None:
            usual = await self._prometheus.number(call, queries.usual_p99(service))
            start = start_of(await over.slow_points(service, usual))
            slow = start.at is not None
        if start.at is None:  # few errors show only in a longer window; that they are there is certain then, how they began is not
            start = Start(start_of(await over.error_points(service, FIVE_MINUTES, order.slo_target)).at, Shape.UNKNOWN)
        return Onset(
            service=service,
            first_bad=None if start.at is None else over.start + timedelta(seconds=start.at) / call.pace,
            shape=start.shape,
            slow=slow,
            every=None if start.every is None else timedelta(seconds=start.every),
            errors_by_revision=await self._errors_by(call, order, "revision"),
            errors_by_region=await self._errors_by(call, order, "region"),
            blind=not await self._fresh(call, service),
            at=call.at,
        )

    @action("telemetry.links")
    async def links(self, order: Surface, call: Call) -> Links:
        """Links to the metrics UI over the window, at absolute instants."""
        instant, seconds = f"{call.at:%Y-%m-%d %H:%M:%S}", max(1, math.floor((order.window / call.pace).total_seconds()))
        when = {"g0.tab": "0", "g0.range_input": f"{seconds}s", "g0.end_input": instant, "g0.moment_input": instant}
        shown = {
            "Requests by outcome": promql.total(promql.rate(queries.requests(order.service), ONE_MINUTE), "outcome"),
            "Provider calls by outcome": queries.provider_calls(ONE_MINUTE),
            "99th percentile": queries.p99(order.service, FIVE_MINUTES),
        }
        graph = f"{self._prometheus.ui}/graph"
        return Links(links=tuple((title, graph + urls.query({"g0.expr": query, **when})) for title, query in shown.items()))

    async def _counted(self, call: Call, series: str, window: timedelta, *by: str) -> Counts:
        """How much the counters grew over the window, by labels. Nothing, where anything in it is no number: it is not known then."""
        found = await self._prometheus.query(call, promql.total(promql.increase(series, window), *by), call.at)
        return [(sample.labels, sample.value) for sample in found] if all(math.isfinite(sample.value) for sample in found) else []

    async def _usual_rate(self, call: Call, service: str, before: datetime | None) -> float | None:
        """How many requests per second are usual, by what was known before the trouble. None: nobody knows."""
        if before is None:
            return None
        then = call.model_copy(update={"at": min(before, call.at)})
        for query in queries.usual_rate(service):
            if (rate := await self._prometheus.number(then, query)) is not None:
                return rate
        return None

    async def _covered(self, call: Call, order: Surface) -> bool:
        """Whether there are samples at both ends of the window: without, a part of it is guessed."""
        begin = call.model_copy(update={"at": call.at - max(timedelta(0), order.window - order.fresh) / call.pace})
        return await self._fresh(call, order.service, order.fresh) and await self._fresh(begin, order.service, order.fresh)

    async def _errors_by(self, call: Call, order: OnsetOf, label: str) -> dict[str, float]:
        """The share of errors by revision or region, where there were enough requests to say it."""
        counted = ratios(await self._counted(call, queries.requests(order.service), order.window, label, "outcome"), label)
        return {name: met.ratio for name, met in sorted(counted.items()) if name and met.n >= LEAST_SHOWN}

    async def _valid(self, call: Call, service: str, window: timedelta) -> Counted:
        """Requests that a service was to serve, and that it failed. An outcome that never happened has no series, and counts as 0."""
        by = {
            labels.get("outcome", ""): n
            for labels, n in await self._counted(call, queries.requests(service), window, "outcome")
            if labels.get("outcome") not in TURNED_AWAY
        }
        return Counted(window=window, bad=by.get("error", 0.0) if by else None, total=sum(by.values()) if by else None)

    async def _history(self, call: Call, order: BudgetOf) -> timedelta:
        """How much of the objective's window has data: a hole is none."""
        every, step = f"count({queries.requests(order.service)})", FIVE_MINUTES.total_seconds()
        query = f"count_over_time({every}[{order.slo.window.total_seconds():.0f}s:{step:.0f}s])"
        return FIVE_MINUTES * (await self._prometheus.number(call, query) or 0.0)

    async def _fresh(self, call: Call, service: str, window: timedelta = FRESH) -> bool:
        """Whether there are samples so young: without, what we see is the past."""
        seen = promql.over(queries.requests(service), window)
        return (await self._prometheus.number(call, f"sum(count_over_time({seen}))") or 0) > 0
