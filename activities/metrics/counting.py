"""Counted requests: what share of them failed, who is hit by it, and whether that is more than chance. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from activities.metrics.orders import EstimateQuality

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
    expected = allowed * n
    return errors > expected + 4 * math.sqrt(expected) + 1


def met(counted: Counts) -> Met:
    return Met(sum(n for _, n in counted), sum(n for labels, n in counted if labels.get("outcome") == "error"))


def ratios(counted: Counts, by: str) -> dict[str, Met]:
    """What was counted for each value of a label; without those that had no request."""
    groups: dict[str, Counts] = {}
    for labels, n in counted:
        groups.setdefault(labels.get(by, ""), []).append((labels, n))
    return {name: met(rows) for name, rows in groups.items() if sum(n for _, n in rows)}


def agreement(tenants: Iterable[Met], regions: Iterable[Met]) -> EstimateQuality:
    """How far two independent counts of the errors agree (S-BLAST: within 20 %, else LOW); MED below 200 requests (spec §2.2)."""
    one, other = list(tenants), list(regions)
    if not one or not other:
        return EstimateQuality.LOW
    first, second = sum(met.errors for met in one), sum(met.errors for met in other)
    if abs(first - second) > 0.2 * max(first, second):
        return EstimateQuality.LOW
    return EstimateQuality.HIGH if sum(met.n for met in one) >= 200 else EstimateQuality.MED
