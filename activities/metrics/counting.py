"""Counted requests: what share of them failed, who is hit by it, and whether that is more than chance. No answer is not zero."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from activities.action import Call, NotYet
from activities.kit.fence import elapsed
from activities.kit.words.promql import selector
from activities.metrics.orders import EstimateQuality
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings

HIT, LEAST_ERRORS = 0.05, 2  # who is hit: at least so great a share of requests failed, and at least so many
Counts = list[tuple[dict[str, str], float]]  # labels, and how many requests


@dataclass(frozen=True)
class Met:
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
    return errors > at_most_by_chance(n, allowed)


def at_most_by_chance(n: float, share: float) -> float:
    """How many of `n` may be so by chance, when this share is. Above 1 it is no share but what is expected of each."""
    return share * n + 4 * math.sqrt(share * n * (1 - share if share < 1 else 1)) + 1


def fewer_than_chance(n: float, expected: float) -> bool:
    """Whether so few say that less than expected comes."""
    return n < expected - 4 * math.sqrt(expected) - 1


def chance(times: int, n: int, share: float) -> float:
    """How likely it is to meet something at least as far from what is expected, if each of `n` is so with this chance (exact, two-sided)."""
    each = [math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    return sum(one for one in each if one <= each[times] * (1 + 1e-9))


def ratios(counted: Counts, by: str) -> dict[str, Met]:
    """What was counted for each value of a label; without those that had no request."""
    every: dict[str, float] = defaultdict(float)
    errors: dict[str, float] = defaultdict(float)
    for labels, n in counted:
        every[labels.get(by, "")] += n
        errors[labels.get(by, "")] += n if labels.get("outcome") == "error" else 0.0
    return {name: Met(n, errors[name]) for name, n in every.items() if n}


def agreement(tenants: Iterable[Met], regions: Iterable[Met]) -> EstimateQuality:
    """How far two independent counts of the errors agree (S-BLAST: within 20 %, else LOW); MED below 200 requests (spec §2.2)."""
    one, other = list(tenants), list(regions)
    if not one or not other:
        return EstimateQuality.LOW
    first, second = sum(met.errors for met in one), sum(met.errors for met in other)
    if abs(first - second) > 0.2 * max(first, second):
        return EstimateQuality.LOW
    return EstimateQuality.HIGH if sum(met.n for met in one) >= 200 else EstimateQuality.MED


async def too_many_errors(prometheus: Prometheus, call: Call, window: timedelta, allowed: float, **labels: str) -> str:
    """What is wrong with the requests that have these labels: more errors than allowed, beyond chance. Empty when nothing is.

    Raises `NotYet` when the metrics do not say: nothing is called healthy on missing data.
    """
    every = await prometheus.grown(call, selector("service_requests_total", **labels), window)
    if every is None:
        raise NotYet("no metrics: nothing is called healthy on missing data", after=timedelta(seconds=5))
    errors = await prometheus.grown(call, selector("service_requests_total", **labels, outcome="error"), window) or 0.0
    return f"{errors / every:.2%} of {every:.0f} requests failed" if beyond_chance(errors, every, allowed) else ""


async def grown_since(prometheus: Prometheus, call: Call, series: str, numbers: MitigationSettings, what: str) -> float | None:
    """How much counters grew since a change settled. None: the metrics are blind by now, so that what the probes met must do (INV-20).

    Raises `NotYet` while the metrics do not answer and may still; `what`: what they do not show.
    """
    grown = await prometheus.grown(call, series, numbers.settled)
    if grown is None and elapsed() * call.pace < numbers.settled:
        raise NotYet(f"accepted, but no metrics show yet {what}", after=again(call, numbers))
    return grown


def again(call: Call, numbers: MitigationSettings) -> timedelta:
    """When to look for a change again that does not show yet, in real time."""
    return numbers.look_again / call.pace
