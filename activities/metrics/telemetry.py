"""What the metrics store says: impact, radius, stability, budget (spec §2.3, §7.1). No data is BLIND; it is never healthy.

Instants are real; durations inside PromQL are policy seconds and never scaled. `call.pace` relates the two.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import urlencode

from activities.action import Call, System, action
from activities.metrics.onset import WINDOW, Onset, OnsetOf, Point, Shape, Start, start_of
from activities.metrics.orders import (
    Baseline,
    BlastRadius,
    Budget,
    BudgetOf,
    EstimateQuality,
    FiringAlert,
    Gate,
    Links,
    ProviderGate,
    ServiceHealth,
    StabilityVerdict,
    Surface,
)
from activities.metrics.prometheus import Prometheus, Series
from activities.metrics.slo import Counted, ErrorBudget, burn
from activities.organisation.numbers import Stability

__all__ = [
    "FOUR_WEEKS", "HIT", "Baseline", "BlastRadius", "Budget", "BudgetOf", "EstimateQuality", "FiringAlert", "Gate", "Links", "ProviderGate",
    "ServiceHealth", "StabilityVerdict", "Surface", "Telemetry", "beyond_chance",
]  # fmt: skip

STEP = timedelta(seconds=15)
FIVE_MINUTES, ONE_HOUR, FOUR_WEEKS = timedelta(minutes=5), timedelta(hours=1), timedelta(weeks=4)
TURNED_AWAY = ("limited", "refused")  # by the gateway, by the write gate: no request that a service was to serve
LEAST_SPAN = timedelta(minutes=1)  # below, there are too few samples to say that anything was stable
SLOW_RATIO = 2.0  # the seed's own number: a 99th percentile above so many times the usual one
LEAST_BAD = 5  # errors that make a sample bad: we look at hundreds of them
LEAST_SHOWN = 10  # requests, before a revision's or a region's share of errors is said
HIT, LEAST_ERRORS = 0.05, 2  # who is hit: at least so great a share of requests failed, and at least so many


class Telemetry(System):
    """Reads Prometheus. Every reading is taken at the call's instant, or at instants that the order names."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    @action("telemetry.impact")
    async def impact(self, order: Surface, call: Call) -> ServiceHealth:
        """How the service did over the window. Blind when there are no fresh samples, or no requests: that is not health."""
        counted = await self._counted(call, f'service_requests_total{{service="{order.service}"}}', order.window, "outcome")
        by = {labels["outcome"]: n for labels, n in counted}
        n = sum(by.values())
        blind = not n or not await self._fresh(call, order.service)
        return ServiceHealth(
            error_ratio=None if blind else by.get("error", 0.0) / n,
            degraded_ratio=None if blind else by.get("degraded", 0.0) / n,
            requests=n,
            p99_seconds=None if blind else await self._p99(call, order),
            blind=blind,
            at=call.at,
        )

    @action("telemetry.blast_radius")
    async def blast_radius(self, order: Surface, call: Call) -> BlastRadius:
        """Who is hit, estimated twice: by what tenants met and by what services answered (S-BLAST). Endpoints are not measured here."""
        service = f'{{service="{order.service}"}}'
        tenants = _ratios(await self._counted(call, f"tenant_requests_total{service}", order.window, "tenant", "outcome"), "tenant")
        regions = _ratios(await self._counted(call, f"service_requests_total{service}", order.window, "region", "outcome"), "region")
        services = _ratios(await self._counted(call, "service_requests_total", order.window, "service", "outcome"), "service")
        hit = tuple(sorted(tenant for tenant, met in tenants.items() if met.hit))
        quality = _agreement(tenants.values(), regions.values())
        return BlastRadius(
            tenants=hit,
            tenant_ratio=len(hit) / len(tenants) if tenants else 0.0,
            regions=tuple(sorted(region for region, met in regions.items() if met.hit)),
            services=tuple(sorted(name for name, met in services.items() if met.hit)),
            error_ratio_by_region={region: met.ratio for region, met in sorted(regions.items())},
            quality=quality if await self._fresh(call, order.service) else EstimateQuality.LOW,
            at=call.at,
        )

    @action("telemetry.stability")
    async def stability(self, order: Gate, call: Call) -> StabilityVerdict:
        """Whether the service was stable all the time between the order's instants: errors and burn, p99, synthetics, no gap (spec §7.1).

        Only windows that lie wholly between the instants count, so that what was before the gate cannot fail it.
        """
        policy, service, span = order.stability, f'{{service="{order.service}"}}', _Span(order.start, order.end, call.pace)
        gaps = await self._gaps(call, span, f"service_requests_total{service}", policy.longest_gap)
        allowed = 1 - policy.slo_target
        if order.baseline_error_ratio is not None:
            allowed = min(allowed, order.baseline_error_ratio + policy.above_baseline)
        found = [
            *await self._errors(call, span, f"service_requests_total{service}", '"error"', "=", allowed, (FIVE_MINUTES, ONE_HOUR)),
            *await self._synthetics(call, span, order.service),
        ]
        if order.baseline_p99_seconds is not None:
            found += await self._latency(call, span, order.service, policy.latency_ratio * order.baseline_p99_seconds)
        return span.verdict(found, gaps)

    @action("telemetry.provider_health")
    async def provider_health(self, order: ProviderGate, call: Call) -> StabilityVerdict:
        """Whether probes of the provider succeeded, and its calls, if it had any. One lost probe is chance, two in 5 min are not."""
        provider, span = f'{{provider="{order.provider}"}}', _Span(order.start, order.end, call.pace)
        gaps = await self._gaps(call, span, f"llm_probe_success{provider}", order.longest_gap)
        probes = await self._range(call, span, f"min_over_time(llm_probe_success{provider}[{_s(STEP)}])", STEP)
        lost = sorted(t for series in probes for t, value in series.points if value < 1)
        twice = [(b, "two probes failed within 5 min") for a, b in pairwise(lost) if span.policy(b - a) <= FIVE_MINUTES]
        errors = await self._errors(call, span, f"llm_requests_total{provider}", '"ok"', "!=", order.most_errors, (FIVE_MINUTES,))
        return span.verdict([*twice, *errors], gaps)

    @action("telemetry.error_budget")
    async def error_budget(self, order: Surface, call: Call) -> Budget:
        """What is left of four weeks' error budget at 99.9 %, at the present rate of requests, and how fast it burns."""
        allowed = 1 - Stability().slo_target
        service = f'service_requests_total{{service="{order.service}"}}'
        hour, five, month = [_met(await self._counted(call, service, w, "outcome")) for w in (ONE_HOUR, FIVE_MINUTES, FOUR_WEEKS)]
        fresh = await self._fresh(call, order.service)
        budget = allowed * hour.n * (FOUR_WEEKS / ONE_HOUR)
        burn_1h, burn_5m = (
            burn(Counted(window=w, bad=met.errors, total=met.n), 1 - allowed) for w, met in ((ONE_HOUR, hour), (FIVE_MINUTES, five))
        )
        return Budget(
            spent_ratio=month.errors / budget if fresh and budget else None,
            burn_1h=burn_1h if fresh else None,
            burn_5m=burn_5m if fresh else None,
            at=call.at,
        )

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

    @action("telemetry.baseline")
    async def baseline(self, order: Surface, call: Call) -> Baseline:
        """The usual 99th percentile, where the metrics store has it (in a real installation a recording rule)."""
        return Baseline(p99_seconds=await self._baseline(call, order.service), at=call.at)

    @action("telemetry.onset")
    async def onset(self, order: OnsetOf, call: Call) -> Onset:
        """The first bad sample, the shape of the start, and the errors by revision and region. Blind when there are no fresh samples."""
        span, service = _Span(call.at - order.within / call.pace, call.at, call.pace), f'{{service="{order.service}"}}'
        start = start_of(await self._error_points(call, span, f"service_requests_total{service}", WINDOW))
        slow = start.at is None and (start := start_of(await self._slow_points(call, span, order.service))).at is not None
        if start.at is None:  # few errors show only in a longer window; that they are there is certain then, how they began is not
            start = Start(
                start_of(await self._error_points(call, span, f"service_requests_total{service}", FIVE_MINUTES)).at, Shape.UNKNOWN
            )
        counted = [
            await self._counted(call, f"service_requests_total{service}", order.window, label, "outcome")
            for label in ("revision", "region")
        ]
        by_revision, by_region = (_ratios(rows, label) for rows, label in zip(counted, ("revision", "region"), strict=True))
        return Onset(
            service=order.service,
            first_bad=None if start.at is None else span.start + timedelta(seconds=start.at) / call.pace,
            shape=start.shape,
            slow=slow,
            every=None if start.every is None else timedelta(seconds=start.every),
            errors_by_revision={name: met.ratio for name, met in sorted(by_revision.items()) if name and met.n >= LEAST_SHOWN},
            errors_by_region={name: met.ratio for name, met in sorted(by_region.items()) if name and met.n >= LEAST_SHOWN},
            blind=not await self._fresh(call, order.service),
            at=call.at,
        )

    @action("telemetry.links")
    async def links(self, order: Surface, call: Call) -> Links:
        """Links to the metrics UI over the window, at absolute instants."""
        service = f'service="{order.service}"'
        shown = (
            ("Requests by outcome", f"sum by (outcome) (rate(service_requests_total{{{service}}}[1m]))"),
            ("Provider calls by outcome", "sum by (provider, outcome) (rate(llm_requests_total[1m]))"),
            ("99th percentile", f"histogram_quantile(0.99, sum by (le) (rate(service_request_duration_seconds_bucket{{{service}}}[5m])))"),
        )
        return Links(links=tuple((title, self._link(query, call.at, order.window / call.pace)) for title, query in shown))

    @action("telemetry.alerts")
    async def alerts(self, order: Surface, call: Call) -> tuple[FiringAlert, ...]:
        """What fires for the service, and what fires without naming any service."""
        return tuple(
            FiringAlert(
                name=alert["labels"].get("alertname", ""),
                state=alert["state"],
                since=alert.get("activeAt"),
                summary=alert.get("annotations", {}).get("summary", ""),
                labels=alert["labels"],
            )
            for alert in await self._prometheus.alerts(call)
            if alert["state"] == "firing" and alert["labels"].get("service", order.service) == order.service
        )

    # ---- queries ----

    async def _counted(self, call: Call, selector: str, window: timedelta, *by: str) -> list[tuple[dict[str, str], float]]:
        """How much the counters grew over the window, by labels; what is no number is left out."""
        query = f"sum by ({', '.join(by)}) (increase({selector}[{_s(window)}]))"
        found = await self._prometheus.query(call, query, call.at)
        return [(sample.labels, sample.value) for sample in found if math.isfinite(sample.value)]

    async def _valid(self, call: Call, service: str, window: timedelta) -> Counted:
        """Requests that a service was to serve, and that it failed. An outcome that never happened has no series, and counts as 0."""
        by = {
            labels.get("outcome", ""): n
            for labels, n in await self._counted(call, f'service_requests_total{{service="{service}"}}', window, "outcome")
            if labels.get("outcome") not in TURNED_AWAY
        }
        return Counted(window=window, bad=by.get("error", 0.0) if by else None, total=sum(by.values()) if by else None)

    async def _history(self, call: Call, order: BudgetOf) -> timedelta:
        """How much of the objective's window has data: a hole is none."""
        every = f'count(service_requests_total{{service="{order.service}"}})'
        found = await self._prometheus.query(call, f"count_over_time({every}[{_s(order.slo.window)}:{_s(FIVE_MINUTES)}])", call.at)
        return FIVE_MINUTES * next((sample.value for sample in found if math.isfinite(sample.value)), 0.0)

    async def _fresh(self, call: Call, service: str) -> bool:
        """Whether there are samples younger than the longest gap: without, what we see is the past."""
        query = f'sum(count_over_time(service_requests_total{{service="{service}"}}[{_s(Stability().longest_gap)}]))'
        return any(sample.value > 0 for sample in await self._prometheus.query(call, query, call.at))

    async def _p99(self, call: Call, order: Surface) -> float | None:
        found = await self._prometheus.query(call, _p99_of(order.service, order.window), call.at)
        return next((sample.value for sample in found if math.isfinite(sample.value)), None)

    async def _baseline(self, call: Call, service: str) -> float | None:
        found = await self._prometheus.query(call, f'max(service_p99_baseline_seconds{{service="{service}"}})', call.at)
        return next((sample.value for sample in found if math.isfinite(sample.value)), None)

    async def _error_points(self, call: Call, span: "_Span", selector: str, window: timedelta) -> list[Point]:
        """The share of errors at every step of the span, and whether it says that the SLO is broken."""
        bad_selector, allowed = selector.replace("}", ',outcome="error"}'), 1 - Stability().slo_target
        every = await self._range(call, span, f"sum(increase({selector}[{_s(window)}]))", window)
        bad = await self._range(call, span, f"sum(increase({bad_selector}[{_s(window)}]))", window)
        errors = {t: value for series in bad for t, value in series.points}
        return [
            Point(span.since(t), errors.get(t, 0.0) / n, errors.get(t, 0.0) >= LEAST_BAD and beyond_chance(errors.get(t, 0.0), n, allowed))
            for t, n in (point for series in every for point in series.points)
            if n > 0
        ]

    async def _slow_points(self, call: Call, span: "_Span", service: str) -> list[Point]:
        """The 99th percentile at every step of the span, and whether it is more than twice what is usual; nothing where nobody knows that."""
        usual = await self._baseline(call, service)
        if not usual:
            return []
        seen = await self._range(call, span, _p99_of(service, 2 * WINDOW), 2 * WINDOW)
        return [
            Point(span.since(t), value / usual, value > SLOW_RATIO * usual)
            for series in seen
            for t, value in series.points
            if math.isfinite(value)
        ]

    async def _range(self, call: Call, span: "_Span", query: str, first: timedelta) -> list[Series]:
        """The query at every step of the span, from the first step whose window lies within it."""
        if first > span.length:
            return []
        return await self._prometheus.query_range(call, query, span.start + first / span.pace, span.end, STEP.total_seconds())

    async def _errors(
        self, call: Call, span: "_Span", selector: str, outcome: str, sign: str, allowed: float, windows: tuple[timedelta, ...]
    ) -> list["_Finding"]:
        """The instants at which the share of bad outcomes over a window was above what is allowed, beyond chance."""
        bad_selector = selector.replace("}", f",outcome{sign}{outcome}}}")
        found: list[_Finding] = []
        for window in dict.fromkeys(min(window, span.length) for window in windows):
            every = await self._range(call, span, f"sum(increase({selector}[{_s(window)}]))", window)
            bad = await self._range(call, span, f"sum(increase({bad_selector}[{_s(window)}]))", window)
            errors = {t: value for series in bad for t, value in series.points}
            for t, n in (point for series in every for point in series.points):
                if beyond_chance(errors.get(t, 0.0), n, allowed):
                    found.append((t, f"{errors[t] / n:.2%} errors over {_s(window)}, allowed {allowed:.2%}"))
        return found

    async def _synthetics(self, call: Call, span: "_Span", service: str) -> list["_Finding"]:
        """The instants at which a synthetic user failed twice running, or two vantage points failed at once: one failure is chance."""
        seen = await self._range(call, span, f'min_over_time(synthetic_ok{{service="{service}"}}[{_s(STEP)}])', STEP)
        failed = [[t for t, value in series.points if value < 1] for series in seen]
        twice = {b for times in failed for a, b in pairwise(times) if span.policy(b - a) <= 1.5 * STEP}
        at_once = {t for t, vantages in Counter(t for times in failed for t in times).items() if vantages > 1}
        return [(t, "synthetic users failed") for t in sorted(twice | at_once)]

    async def _latency(self, call: Call, span: "_Span", service: str, most: float) -> list["_Finding"]:
        window = min(FIVE_MINUTES, span.length)
        seen = await self._range(call, span, _p99_of(service, window), window)
        slow = [(t, value) for series in seen for t, value in series.points if value > most]
        return [(t, f"p99 was {value:.2f} s, allowed {most:.2f} s") for t, value in slow]

    async def _gaps(self, call: Call, span: "_Span", selector: str, longest: timedelta) -> list["_Finding"]:
        """The instants at which there had been no sample for longer than allowed."""
        seen = await self._range(call, span, f"sum(count_over_time({selector}[{_s(2 * STEP)}]))", 2 * STEP)
        present = sorted(t for series in seen for t, value in series.points if value > 0)
        ends = [span.start.timestamp(), *present, span.end.timestamp()]
        # A point says that there was a sample within two steps before it; so much longer a gap may really have been.
        return [(b, "no metrics") for a, b in pairwise(ends) if span.policy(b - a) - STEP > longest or not present]

    def _link(self, query: str, at: datetime, window: timedelta) -> str:
        shown = {
            "g0.expr": query,
            "g0.tab": "0",
            "g0.range_input": _s(window),
            "g0.end_input": f"{at:%Y-%m-%d %H:%M:%S}",
            "g0.moment_input": f"{at:%Y-%m-%d %H:%M:%S}",
        }
        return f"{self._prometheus.ui}/graph?{urlencode(shown)}"


_Finding = tuple[float, str]  # when (Unix seconds, real), and what was wrong


@dataclass(frozen=True)
class _Span:
    """The time that a gate asks about: real instants, and the policy time between them."""

    start: datetime
    end: datetime
    pace: float

    @property
    def length(self) -> timedelta:
        return max(timedelta(0), self.end - self.start) * self.pace

    def since(self, instant: float) -> float:
        """Policy seconds from the span's start to a real instant."""
        return self.policy(instant - self.start.timestamp()).total_seconds()

    def policy(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds) * self.pace

    def verdict(self, found: list[_Finding], gaps: list[_Finding]) -> StabilityVerdict:
        """Stable when nothing was found, nothing was missing, and there was anything to look at."""
        if self.length < LEAST_SPAN:
            gaps = [(self.end.timestamp(), "too short a time to say anything")]
        worst = max(found, default=None)
        blind = max(gaps, default=None)
        return StabilityVerdict(
            stable=worst is None and blind is None,
            violated_at=_instant(worst),
            blind_at=_instant(blind),
            why="; ".join(why for _, why in filter(None, (worst, blind))),
            watched=self.length,
        )


@dataclass(frozen=True)
class _Met:
    """Requests, and the errors among them."""

    n: float
    errors: float

    @property
    def ratio(self) -> float:
        return self.errors / self.n if self.n else 0.0

    @property
    def hit(self) -> bool:
        return self.errors >= LEAST_ERRORS and self.ratio >= HIT


def beyond_chance(errors: float, n: float, allowed: float) -> bool:
    """Whether so many errors say that their share is above `allowed`.

    At one request in a thousand, a few errors more or less in 5 minutes are chance: four standard deviations are wanted, and one error on
    top. A share only slightly above shows in the longer window.
    """
    expected = allowed * n
    return errors > expected + 4 * math.sqrt(expected) + 1


def _met(counted: list[tuple[dict[str, str], float]]) -> _Met:
    return _Met(sum(n for _, n in counted), sum(n for labels, n in counted if labels.get("outcome") == "error"))


def _ratios(counted: list[tuple[dict[str, str], float]], by: str) -> dict[str, _Met]:
    groups: dict[str, list[tuple[dict[str, str], float]]] = {}
    for labels, n in counted:
        groups.setdefault(labels.get(by, ""), []).append((labels, n))
    return {name: _met(rows) for name, rows in groups.items() if sum(n for _, n in rows)}


def _agreement(tenants: Iterable[_Met], regions: Iterable[_Met]) -> EstimateQuality:
    """How far two independent counts of the errors agree (S-BLAST: within 20 %, else LOW); MED below 200 requests (spec §2.2)."""
    one, other = list(tenants), list(regions)
    if not one or not other:
        return EstimateQuality.LOW
    first, second = sum(met.errors for met in one), sum(met.errors for met in other)
    if abs(first - second) > 0.2 * max(first, second):
        return EstimateQuality.LOW
    return EstimateQuality.HIGH if sum(met.n for met in one) >= 200 else EstimateQuality.MED


def _p99_of(service: str, window: timedelta) -> str:
    buckets = f'service_request_duration_seconds_bucket{{service="{service}"}}[{_s(window)}]'
    return f"histogram_quantile(0.99, sum by (le) (rate({buckets})))"


def _instant(finding: _Finding | None) -> datetime | None:
    return datetime.fromtimestamp(finding[0], UTC) if finding else None


def _s(window: timedelta) -> str:
    """A duration as PromQL writes it."""
    return f"{max(1, math.floor(window.total_seconds()))}s"
