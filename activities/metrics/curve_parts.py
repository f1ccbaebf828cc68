"""What each curve is made of: how it is asked of the metrics store, and how far from usual each answer is.

The alert rules of `alerts/` ask for the same series. A rate is taken over a short window, so that a clamp shows within two minutes.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, NamedTuple

from activities.action import Call
from activities.kit.words import promql
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import CurveNumbers, Limit

Labels = tuple[tuple[str, str], ...]
Answers = Mapping[Labels, Mapping[float, float]]  # by labels and instant (Unix seconds, real)


class Point(NamedTuple):
    """How far from usual at an instant; `surely`: what of it is beyond chance. `n`: how many stand behind it."""

    labels: Labels
    at: float
    off: float
    surely: float
    n: float = 0.0


class Height(NamedTuple):
    """The curve as it is drawn."""

    value: float | None
    usual: float | None
    unit: str


@dataclass(frozen=True)
class Span:
    """Asks the store at every step between two real instants; only what was said on fresh data counts."""

    prometheus: Prometheus
    call: Call
    start: datetime
    end: datetime
    step: timedelta
    numbers: CurveNumbers
    fresh: timedelta

    async def ask(self, query: str) -> Answers:
        found = await self.prometheus.query_range(self.call, query, self.start, self.end, self.step.total_seconds())
        return {_labels(one.labels): {t: v for t, v in one.points if math.isfinite(v)} for one in found}

    async def alive(self, series: str) -> set[float]:
        """The instants at which any of these series had a fresh sample."""
        answers = await self.ask(f"count({promql.over_time('count', series, self.fresh)})")
        return {t for one in answers.values() for t, n in one.items() if n > 0}

    def instant(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, UTC)


class Part(ABC):
    """One of the things that a curve is made of."""

    name: ClassVar[str]
    unit: ClassVar[str] = "%"

    @abstractmethod
    def limit(self, numbers: CurveNumbers) -> Limit: ...

    @abstractmethod
    def says(self, point: Point) -> str: ...

    @abstractmethod
    def series(self, service: str) -> str:
        """The series without which nothing can be said."""

    @abstractmethod
    async def measured(self, span: Span, service: str) -> list[Point]: ...

    @abstractmethod
    async def height(self, span: Span, service: str) -> Height: ...

    def asked(self, service: str, window: timedelta) -> str:
        """What a person asks to see the same."""
        return promql.total(promql.increase(self.series(service), window))

    async def points(self, span: Span, service: str) -> list[Point]:
        """What was measured on fresh data."""
        alive = await span.alive(self.series(service))
        return [point for point in await self.measured(span, service) if point.at in alive]


class Spend(Part):
    """What one agent of one tenant costs, beside what is usual for it."""

    name, unit = "spend", "USD/h"

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.spend

    def says(self, point: Point) -> str:
        return f"{named(point.labels)} spends {point.off:.1f} times what is usual ({point.n:,.0f} USD/h)"

    def series(self, service: str) -> str:
        return promql.selector("llm_spend_usd_total", service=service)

    async def measured(self, span: Span, service: str) -> list[Point]:
        rates = await span.ask(promql.total(promql.rate(self.series(service), span.numbers.window), "tenant", "agent"))
        usual = await span.ask(promql.most(promql.selector("llm_spend_usd_per_hour_usual", service=service), "tenant", "agent"))
        least = span.numbers.spend_floor_usd_per_h / max(span.numbers.spend.impact, 1)
        points = []
        for labels, values in rates.items():
            known = usual.get(labels, {})
            for at, rate in values.items():
                off = 3600 * rate / max(known.get(at, 0.0), least, 1e-9)
                points.append(Point(labels, at, off, off, 3600 * rate))
        return points

    async def height(self, span: Span, service: str) -> Height:
        usual = last(await span.ask(promql.total(promql.selector("llm_spend_usd_per_hour_usual", service=service))))
        spent = last(await span.ask(promql.total(promql.rate(self.series(service), span.numbers.window))))
        return Height(None if spent is None else 3600 * spent, usual, self.unit)


class Unmetered(Part):
    """What the provider counts of one of our keys, beside what we count ourselves: more is not our traffic."""

    name, unit = "provider's meter", "times"

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.unmetered

    def says(self, point: Point) -> str:
        return f"the provider counts {point.off:.1f} times the tokens that we count of {named(point.labels)}"

    def series(self, service: str) -> str:
        return promql.selector("provider_meter_tokens_total", service=service)

    async def measured(self, span: Span, service: str) -> list[Point]:
        theirs = await span.ask(promql.total(promql.rate(self.series(service), span.numbers.window), "key"))
        counted = promql.selector("llm_tokens_total", service=service)
        ours = await span.ask(promql.total(promql.rate(counted, span.numbers.window), "key"))
        points = []
        for labels, values in theirs.items():
            for at, rate in values.items():
                own = ours.get(labels, {}).get(at, 0.0)
                off = rate / own if own > 0 else (0.0 if rate <= 0 else math.inf)
                points.append(Point(labels, at, min(off, 1e6), min(off, 1e6)))
        return points

    async def height(self, span: Span, service: str) -> Height:
        off = [point.off for point in await self.points(span, service)]
        return Height(max(off, default=None), 1.0, self.unit)


class Evals(Part):
    """The score of an eval suite on what serves, below its usual one. A run that is too old, or on too few cases, says nothing."""

    name = "evals"

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.evals

    def says(self, point: Point) -> str:
        return f"{named(point.labels)} is {100 * point.off:.1f} points below usual ({point.n:.0f} cases)"

    def series(self, service: str) -> str:
        return promql.selector("eval_pass_ratio", service=service)

    async def measured(self, span: Span, service: str) -> list[Point]:
        def by_suite(metric: str) -> str:
            return promql.least(promql.selector(metric, service=service), "suite")

        scores, usual = await span.ask(by_suite("eval_pass_ratio")), await span.ask(by_suite("eval_pass_ratio_baseline"))
        cases, ages = await span.ask(by_suite("eval_cases")), await span.ask(f"time() - {by_suite('eval_last_run_timestamp_seconds')}")
        limit, points = span.numbers.evals, []
        for labels, values in scores.items():
            for at, score in values.items():
                n, age = cases.get(labels, {}).get(at, 0.0), ages.get(labels, {}).get(at, math.inf)
                if n < limit.least or age > span.numbers.eval_fresh.total_seconds() or at not in usual.get(labels, {}):
                    continue
                points.append(below(labels, at, score, usual[labels][at], n))
        return points

    async def height(self, span: Span, service: str) -> Height:
        scores = await span.ask(promql.least(self.series(service)))
        usual = await span.ask(promql.least(promql.selector("eval_pass_ratio_baseline", service=service)))
        return Height(last(scores), last(usual), self.unit)


class Share(Part):
    """The share of good ones among what was judged, below what is usual."""

    metric: ClassVar[str]
    good: ClassVar[dict[str, str]]
    usual: ClassVar[str]
    by: ClassVar[tuple[str, ...]] = ()

    def says(self, point: Point) -> str:
        of = f" of {named(point.labels)}" if point.labels else ""
        return f"{100 * point.off:.1f} points fewer {self.name}{of} are good than usual ({point.n:.0f} judged)"

    def series(self, service: str) -> str:
        return promql.selector(self.metric, service=service)

    async def measured(self, span: Span, service: str) -> list[Point]:
        good, every = await self._counted(span, service, **self.good), await self._counted(span, service)
        usual = await span.ask(promql.least(promql.selector(self.usual, service=service), *self.by))
        least, points = self.limit(span.numbers).least, []
        for labels, values in every.items():
            for at, n in values.items():
                if n >= max(least, 1) and at in usual.get(labels, {}):
                    points.append(below(labels, at, good.get(labels, {}).get(at, 0.0) / n, usual[labels][at], n))
        return points

    async def height(self, span: Span, service: str) -> Height:
        measured = await self.points(span, service)
        usual = last(await span.ask(promql.least(promql.selector(self.usual, service=service))))
        worst = max((point.off for point in measured), default=None)
        return Height(None if worst is None or usual is None else usual - worst, usual, self.unit)

    async def _counted(self, span: Span, service: str, **labels: str) -> Answers:
        window = max(span.numbers.window, timedelta(minutes=5))
        return await span.ask(promql.total(promql.increase(promql.selector(self.metric, service=service, **labels), window), *self.by))


class JudgedAnswers(Share):
    """What customers were answered, by a judged sample."""

    name, metric, good, usual = "answers", "answers_judged_total", {"verdict": "good"}, "answers_good_ratio_usual"

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.answers


class Hits(Share):
    """What the cache answered, by a judged sample, domain by domain."""

    name, metric, good, usual = "cache hits", "cag_hits_total", {"judged": "right"}, "cag_correct_ratio_usual"
    by = ("domain",)

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.grounding


class Happened(Part):
    """What must not happen at all: how often it did. `watched`: the series that shows that somebody looks."""

    metric: ClassVar[str]
    watched: ClassVar[str]
    counted: ClassVar[dict[str, str]] = {}
    by: ClassVar[tuple[str, ...]]
    what: ClassVar[str]
    unit = "in 5 min"

    def says(self, point: Point) -> str:
        return f"{point.off:.0f} {self.what} ({named(point.labels)})"

    def series(self, service: str) -> str:
        return promql.selector(self.watched, service=service)

    async def measured(self, span: Span, service: str) -> list[Point]:
        selected = promql.selector(self.metric, service=service, **self.counted)
        counts = await span.ask(promql.total(promql.grown(selected, timedelta(minutes=5)), *self.by))
        points = [Point(labels, at, n, n) for labels, values in counts.items() for at, n in values.items()]
        return points or [Point((), at, 0.0, 0.0) for at in sorted(await span.alive(self.series(service)))]

    async def height(self, span: Span, service: str) -> Height:
        measured = await self.points(span, service)
        return Height(sum(point.off for point in measured) if measured else None, 0.0, self.unit)


class DeniedSources(Happened):
    name, metric, counted, watched, by = "denied sources", "rag_citation_total", {"trust": "denied"}, "rag_citation_total", ("domain",)
    what = "citations of a source that must not be cited"

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.denied_sources


class Injected(Happened):
    name, metric, watched, by = "injected effects", "injected_effects_total", "guardrail_checks_total", ("tenant", "kind")
    what = "effects of an injected instruction"

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.injected


class Crossed(Happened):
    name, metric, watched, by = "reads across tenants", "tenant_mismatch_total", "tenant_reads_total", ("endpoint", "region")
    what = "reads got another tenant's object"

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.crossed


class UsedByStrangers(Happened):
    name, metric, watched, by = "unexpected use", "credential_unexpected_use_total", "credential_uses_total", ("credential",)
    what = "uses of a credential from where nobody of ours is"

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.unexpected_use


def below(labels: Labels, at: float, share: float, usual: float, n: float) -> Point:
    """How far a share is below what is usual, and what of that is no chance: two standard deviations of so many."""
    p = min(max(share, 1 / (n + 2)), 1 - 1 / (n + 2))
    return Point(labels, at, usual - share, usual - share - 2 * math.sqrt(p * (1 - p) / n), n)


def named(labels: Labels) -> str:
    return ", ".join(f"{name} {value}" for name, value in labels) or "all"


def _labels(found: Mapping[str, str]) -> Labels:
    return tuple(sorted((name, value) for name, value in found.items() if name != "__name__"))


def last(answers: Answers) -> float | None:
    """The newest value of all."""
    points = [point for one in answers.values() for point in one.items()]
    return max(points)[1] if points else None
