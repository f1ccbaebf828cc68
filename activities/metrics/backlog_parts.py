"""The curve of a backlog (spec §9.8): how old the oldest jobs are, whether the API waits for them; and, drawn beside it, how many wait.

What is deferrable does not count: it is ours to let wait.
"""

from datetime import timedelta

from activities.kit.words import promql
from activities.metrics.curve_parts import Height, Part, Point, Span, last, named
from activities.organisation.numbers import CurveNumbers, Limit

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
