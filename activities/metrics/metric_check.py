"""What the metrics show of a change: how much something grew in a window. No answer is not zero.

Windows are policy time; they end at the call's instant.
"""

import math
from datetime import timedelta

from activities.action import Call, NotYet
from activities.kit.fence import elapsed
from activities.kit.words.promql import increase, selector, total
from activities.metrics.counting import beyond_chance
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings


class MetricCheck:
    """Looks for changes in the metrics store."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    async def value(self, call: Call, series: str) -> float | None:
        """What a gauge shows, added up; None without a fresh sample."""
        return await self.number(call, total(series))

    async def grown(self, call: Call, series: str, window: timedelta) -> float | None:
        """How much counters grew; None where there are no samples of them in the window."""
        return await self.number(call, total(increase(series, window)))

    async def too_many_errors(self, call: Call, window: timedelta, allowed: float, **labels: str) -> str:
        """What is wrong with the requests that have these labels: more errors than allowed, beyond chance. Empty when nothing is.

        Raises `NotYet` when the metrics do not say: nothing is called healthy on missing data.
        """
        every = await self.grown(call, selector("service_requests_total", **labels), window)
        if every is None:
            raise NotYet("no metrics: nothing is called healthy on missing data", after=timedelta(seconds=5))
        errors = await self.grown(call, selector("service_requests_total", **labels, outcome="error"), window) or 0.0
        return f"{errors / every:.2%} of {every:.0f} requests failed" if beyond_chance(errors, every, allowed) else ""

    async def number(self, call: Call, query: str) -> float | None:
        """The one number that a query gives; None when there is none."""
        found = await self._prometheus.query(call, query, call.at)
        return next((sample.value for sample in found if math.isfinite(sample.value)), None)


def blind(call: Call, numbers: MitigationSettings) -> bool:
    """Whether metrics that do not answer are taken as blind by now, so that what the probes met must do (INV-20)."""
    return elapsed() * call.pace >= numbers.settled


def again(call: Call, numbers: MitigationSettings) -> timedelta:
    """When to look for a change again that does not show yet, in real time."""
    return numbers.look_again / call.pace
