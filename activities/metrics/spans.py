"""Readings over a span of time: the series at every step of it, what was bad in them, and whether there was data all the time.

Instants are real; the lengths of windows are policy time, and a span relates the two.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median

from activities.action import Call
from activities.kit.words import promql
from activities.kit.words.promql import Wanted
from activities.metrics.counting import at_most_by_chance, beyond_chance, fewer_than_chance
from activities.metrics.onset import WINDOW, Point
from activities.metrics.orders import StabilityVerdict
from activities.metrics.prometheus import Prometheus, Series
from activities.metrics.queries import FIVE_MINUTES, p99, requests, slowest

STEP = timedelta(seconds=15)
LEAST_SPAN = timedelta(minutes=1)  # below, there are too few samples to say that anything was stable
SLOW_RATIO = 2.0  # the seed's own number: a 99th percentile above so many times the usual one
LEAST_BAD = 5  # errors that make a sample bad: we look at hundreds of them
At = tuple[float, str]  # when (Unix seconds, real), and what was wrong


@dataclass(frozen=True)
class Readings:
    """Reads the metrics store over one span: real instants, and the policy time between them."""

    prometheus: Prometheus
    call: Call
    start: datetime
    end: datetime
    missing: list[At] = field(default_factory=list)  # when what was read was no number, and why that says nothing

    @property
    def length(self) -> timedelta:
        return max(timedelta(0), self.end - self.start) * self.call.pace

    def policy(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds) * self.call.pace

    def since(self, instant: float) -> float:
        """Policy seconds from the span's start to a real instant."""
        return self.policy(instant - self.start.timestamp()).total_seconds()

    def verdict(self, found: list[At], gaps: list[At]) -> StabilityVerdict:
        """Stable when nothing was found, nothing was missing, and there was anything to look at."""
        if self.length < LEAST_SPAN:
            gaps = [(self.end.timestamp(), "too short a time to say anything")]
        worst, blind = max(found, default=None), max((*gaps, *self.missing), default=None)
        return StabilityVerdict(
            stable=worst is None and blind is None,
            violated_at=_instant(worst),
            blind_at=_instant(blind),
            why="; ".join(why for _, why in filter(None, (worst, blind))),
            watched=self.length,
        )

    async def series(self, query: str, first: timedelta) -> list[Series]:
        """The query at every step of the span, from the first step whose window lies within it."""
        if first > self.length:
            return []
        return await self.prometheus.query_range(self.call, query, self.start + first / self.call.pace, self.end, STEP.total_seconds())

    async def errors(
        self,
        metric: str,
        labels: Mapping[str, Wanted],
        outcome: Wanted,
        allowed: float,
        windows: tuple[timedelta, ...],
        what: str = "errors",
    ) -> list[At]:
        """The instants at which the share of bad outcomes over a window was above what is allowed, beyond chance.

        `labels`: of all that count; of the bad ones, with that outcome.
        """
        found: list[At] = []
        for window in dict.fromkeys(min(window, self.length) for window in windows):
            for t, n, bad in await self._shares(metric, labels, outcome, window):
                if beyond_chance(bad, n, allowed):
                    found.append((t, f"{bad / n:.2%} {what} over {window.total_seconds():.0f}s, allowed {allowed:.2%}"))
        return found

    async def lost_traffic(self, service: str, usual_rps: float, lost_ratio: float) -> list[At]:
        """The instants at which much less came than is usual, beyond chance."""
        window = min(FIVE_MINUTES, self.length)
        usual = usual_rps * window.total_seconds()
        arrived = await self.series(promql.total(promql.increase(requests(service), window)), window)
        return [
            (t, f"{n:.0f} requests came, usual are {usual:.0f}")
            for t, n in self._numbers(arrived)
            if fewer_than_chance(n, (1 - lost_ratio) * usual)
        ]

    async def error_points(self, service: str, window: timedelta, slo_target: float) -> list[Point]:
        """The share of errors at every step of the span, and whether it says that the SLO is broken."""
        allowed = 1 - slo_target
        return [
            Point(self.since(t), bad / n, bad >= LEAST_BAD and beyond_chance(bad, n, allowed))
            for t, n, bad in await self._shares("service_requests_total", {"service": service}, "error", window)
            if n > 0
        ]

    async def slow_points(self, service: str, usual: float | None) -> list[Point]:
        """The 99th percentile at every step, and whether it is more than twice what is usual; nothing where nobody knows that."""
        if not usual:
            return []
        return [
            Point(self.since(t), value / usual, value > SLOW_RATIO * usual)
            for series in await self.series(p99(service, 2 * WINDOW), 2 * WINDOW)
            for t, value in series.points
            if math.isfinite(value)
        ]

    async def synthetics(self, service: str) -> list[At]:
        """The instants at which a synthetic user failed twice running, or two vantage points failed at once: one failure is chance."""
        seen = await self._least("synthetic_ok", service=service)
        failed = [[t for t, value in self._numbers([series]) if value < 1] for series in seen]
        twice = {b for times in failed for a, b in pairwise(times) if self.policy(b - a) <= 1.5 * STEP}
        at_once = {t for t, vantages in Counter(t for times in failed for t in times).items() if vantages > 1}
        return [(t, "synthetic users failed") for t in sorted(twice | at_once)]

    async def failed_probes(self, provider: str) -> list[At]:
        """The instants at which a probe of the provider failed less than 5 min after another one: one lost probe is chance."""
        lost = sorted(t for t, value in self._numbers(await self._least("llm_probe_success", provider=provider)) if value < 1)
        return [(b, "two probes failed within 5 min") for a, b in pairwise(lost) if self.policy(b - a) <= FIVE_MINUTES]

    async def latency(self, service: str, most: float) -> list[At]:
        """The instants at which the 99th percentile was above so many seconds, beyond chance: more than one in a hundred took longer."""
        window = min(FIVE_MINUTES, self.length)
        counted = await self.series(promql.total(promql.increase(requests(service), window)), window)
        n = median([value for _, value in self._numbers(counted)] or [0.0])
        if n <= 0:
            return []
        share = 1 - min(0.5, at_most_by_chance(n, 0.01) / n)
        said = await self.series(slowest(share, service, window), window)
        seen = self._numbers(said)
        if not any(series.points for series in said):  # what is no number is missing already
            self.missing.append((self.end.timestamp(), "nobody says how long the answers took"))
        return [(t, f"p99 was above {most:.2f} s, allowed are so many") for t, value in seen if value > most]

    async def gaps(self, series: str, longest: timedelta, fresh: timedelta) -> list[At]:
        """The instants at which there had been no sample for longer than allowed, by the samples' own instants; and an end that is not fresh."""
        last = self.end.timestamp()
        found = await self.prometheus.samples(self.call, series, self.length + timedelta(seconds=1), self.end)
        taken = {t for one in found for t, value in one.points if math.isfinite(value) and self.start.timestamp() < t <= last}
        if not taken:
            return [(last, "no metrics")]
        gaps = [(b, "no metrics") for a, b in pairwise([self.start.timestamp(), *sorted(taken), last]) if self.policy(b - a) > longest]
        old = self.policy(last - max(taken))
        return [*gaps, (last, f"the newest sample is {old.total_seconds():.0f} s old")] if old > fresh else gaps

    def _numbers(self, found: list[Series]) -> list[tuple[float, float]]:
        """The points of these series. What is no number is missing: neither good nor bad."""
        points = [point for series in found for point in series.points]
        self.missing.extend((t, "the metrics are no numbers") for t, value in points if not math.isfinite(value))
        return [(t, value) for t, value in points if math.isfinite(value)]

    async def _shares(
        self, metric: str, labels: Mapping[str, Wanted], outcome: Wanted, window: timedelta
    ) -> list[tuple[float, float, float]]:
        """At every step: when, how many requests, and how many of them were bad."""
        every, bad = [
            await self.series(promql.total(promql.increase(promql.selector(metric, **wanted), window)), window)
            for wanted in (labels, {**labels, "outcome": outcome})
        ]
        errors = dict(self._numbers(bad))
        return [(t, n, errors.get(t, 0.0)) for t, n in self._numbers(every)]

    async def _least(self, metric: str, **labels: Wanted) -> list[Series]:
        return await self.series(f"min_over_time({promql.over(promql.selector(metric, **labels), STEP)})", STEP)


def _instant(at: At | None) -> datetime | None:
    return datetime.fromtimestamp(at[0], UTC) if at else None
