"""The curves of the data plane: a backlog (spec §9.8) and the replication of a database (spec §9.9).

A backlog is how old the oldest jobs are and whether the API waits for them, with how many wait drawn beside it. What is deferrable does not
count: it is ours to let wait.
"""

from datetime import timedelta
from typing import ClassVar

from activities.kit.words import promql
from activities.metrics.curve_parts import Happened, Height, Part, Point, Span, last, named
from activities.organisation.numbers import CurveNumbers, Limit

NEVER = Limit(impact=0, stable=0)  # of what must not happen at all
DEFERRABLE = promql.Other("deferrable")


class OldestAge(Part):
    """The oldest job of a queue, as a share of what a job of it may wait. Age beats depth."""

    name, unit = "age", "min"

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.age

    def says(self, point: Point) -> str:
        return f"the oldest job of {named(point.labels)} waits for {point.off:.1f} times of what it may ({point.n / 60:.1f} min)"

    def series(self, service: str) -> str:
        return promql.selector("job_oldest_age_seconds", service=service, **{"class": DEFERRABLE})

    def asked(self, service: str, window: timedelta) -> str:
        return promql.most(self.series(service), "queue")

    async def measured(self, span: Span, service: str) -> list[Point]:
        ages = await span.ask(promql.most(self.series(service), "queue"))
        may = await span.ask(promql.most(promql.selector("job_age_objective_seconds", service=service), "queue"))
        points = []
        for labels, values in ages.items():
            for at, age in values.items():
                if allowed := may.get(labels, {}).get(at, 0.0):
                    points.append(Point(labels, at, age / allowed, age / allowed, age))
        return points

    async def height(self, span: Span, service: str) -> Height:
        oldest = last(await span.ask(promql.most(self.series(service))))
        return Height(None if oldest is None else oldest / 60, 0.0, self.unit)


class ApiTimeouts(Part):
    """The share of API requests that wait for a job too long."""

    name = "API timeouts"

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.api_timeouts

    def says(self, point: Point) -> str:
        return f"{point.off:.1%} of the API requests wait for a job too long ({point.n:.0f} requests)"

    def series(self, service: str) -> str:
        return promql.selector("job_api_requests_total", service=service)

    async def measured(self, span: Span, service: str) -> list[Point]:
        window, late = span.numbers.window, promql.selector("job_api_requests_total", service=service, outcome="timeout")
        failed, every = (
            await span.ask(promql.total(promql.increase(late, window))),
            await span.ask(promql.total(promql.increase(self.series(service), window))),
        )
        least = span.numbers.api_timeouts.least
        return [
            Point((), at, failed.get((), {}).get(at, 0.0) / n, failed.get((), {}).get(at, 0.0) / n, n)
            for at, n in every.get((), {}).items()
            if n >= max(least, 1)
        ]

    async def height(self, span: Span, service: str) -> Height:
        measured = await self.points(span, service)
        return Height(max((point.off for point in measured), default=None), 0.0, self.unit)


class Depth(Part):
    """How many jobs wait. It is drawn, and decides nothing."""

    name, unit = "depth", "jobs"

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.age

    def says(self, point: Point) -> str:
        return f"{point.off:.0f} jobs wait in {named(point.labels)}"

    def series(self, service: str) -> str:
        return promql.selector("job_queue_depth", service=service, **{"class": DEFERRABLE})

    def asked(self, service: str, window: timedelta) -> str:
        return promql.total(self.series(service), "queue")

    async def measured(self, span: Span, service: str) -> list[Point]:
        depths = await span.ask(promql.total(self.series(service), "queue"))
        return [Point(labels, at, depth, 0.0, depth) for labels, values in depths.items() for at, depth in values.items()]

    async def height(self, span: Span, service: str) -> Height:
        usual = promql.selector("job_queue_depth_usual", service=service, **{"class": DEFERRABLE})
        return Height(last(await span.ask(promql.total(self.series(service)))), last(await span.ask(promql.total(usual))), self.unit)


class Gauged(Part):
    """A gauge of each of several things, as it is: the largest of them is drawn."""

    metric: ClassVar[str]
    by: ClassVar[tuple[str, ...]]

    def series(self, service: str) -> str:
        return promql.selector(self.metric, service=service)

    async def measured(self, span: Span, service: str) -> list[Point]:
        found = await span.ask(self.each(self.series(service), *self.by))
        return [
            Point(labels, at, self.off(value), self.off(value), value) for labels, values in found.items() for at, value in values.items()
        ]

    def each(self, series: str, *by: str) -> str:
        return promql.most(series, *by)

    def off(self, value: float) -> float:
        return value

    async def height(self, span: Span, service: str) -> Height:
        return Height(last(await span.ask(promql.most(self.series(service)))), None, self.unit)


class ReplicationLag(Gauged):
    """How old what a replica answers is; of replicas that nobody reads from it is 0."""

    name, metric, unit, by = "replication lag", "database_replication_lag_seconds", "s", ("cluster", "node")

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.replication_lag_s

    def says(self, point: Point) -> str:
        return f"reads are {point.off:.0f} s old ({named(point.labels)})"


class TakesWrites(Gauged):
    """Whether the database can take the writes that the application is let send: 1 or 0."""

    name, metric, unit, by = "writes", "database_takes_writes", "of 1", ("cluster",)

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.no_writer

    def off(self, value: float) -> float:
        return 1.0 - value

    def says(self, point: Point) -> str:
        return f"the database takes no writes ({named(point.labels)})"


class OneWriter(Gauged):
    """How many nodes take writes: more than one is worse than none."""

    name, metric, unit, by = "writers", "database_writable", "nodes", ("cluster",)

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.no_writer

    def each(self, series: str, *by: str) -> str:
        return promql.total(series, *by)

    def off(self, value: float) -> float:
        return max(0.0, value - 1.0)

    def says(self, point: Point) -> str:
        return f"{point.n:.0f} nodes take writes ({named(point.labels)})"


class ExportVolume(Part):
    """Rows that one identity reads in an hour, beside what is usual of it; of what is never usual, so many that they count as too many."""

    name, unit = "exported rows", "rows/h"

    def limit(self, numbers: CurveNumbers) -> Limit:
        return numbers.exports

    def says(self, point: Point) -> str:
        return f"{point.n:,.0f} rows an hour are read, {point.off:.1f} times what is usual ({named(point.labels)})"

    def series(self, service: str) -> str:
        return promql.selector("export_rows_total", service=service)

    def asked(self, service: str, window: timedelta) -> str:
        return promql.total(promql.rate(self.series(service), window), "identity")

    async def measured(self, span: Span, service: str) -> list[Point]:
        rates = await span.ask(promql.total(promql.rate(self.series(service), span.numbers.window), "identity"))
        usual = await span.ask(promql.most(promql.selector("export_rows_hourly_p99", service=service), "identity"))
        most = span.numbers.export_rows_an_hour / max(span.numbers.exports.impact, 1)  # usual that makes so many the limit
        points = []
        for labels, values in rates.items():
            for at, rate in values.items():
                off = 3600 * rate / min(max(usual.get(labels, {}).get(at, most), 1.0), max(most, 1.0))
                points.append(Point(labels, at, off, off, 3600 * rate))
        return points

    async def height(self, span: Span, service: str) -> Height:
        rate = last(await span.ask(promql.total(promql.rate(self.series(service), span.numbers.window))))
        return Height(None if rate is None else 3600 * rate, None, self.unit)


class AffectedInstances(Gauged):
    """How many instances run a build that an advisory concerns."""

    name, metric, unit, by = "affected instances", "supply_affected_instances", "instances", ("service",)

    def limit(self, numbers: CurveNumbers) -> Limit:
        return NEVER

    def each(self, series: str, *by: str) -> str:
        return promql.total(series, *by)

    def says(self, point: Point) -> str:
        return f"{point.off:.0f} instances run an affected build ({named(point.labels)})"


class CallsHome(Happened):
    """What left for a host that an advisory names."""

    name, metric, watched, by = "calls home", "ioc_egress_total", "supply_affected_instances", ("workload", "host")
    what = "calls to a host that malicious code is known by"

    def limit(self, numbers: CurveNumbers) -> Limit:
        return NEVER
