"""How trouble began: the first bad sample, and the shape of the start (spec §9.1 Triage). Pure; the readings are telemetry's.

A *step* points at a change, a *ramp* at load or a leak, *periodic* trouble at a bad artefact that is made again and again.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from statistics import median, quantiles
from typing import NamedTuple

from activities.action import Order, Value
from activities.kit.words import shell
from activities.metrics import queries
from activities.organisation.numbers import Stability

WINDOW = timedelta(seconds=30)  # what one sample looks at; policy time
STEEP, SLOW = timedelta(seconds=45), timedelta(seconds=90)  # up to so long a start is a step; from so long on a ramp
BLIP = timedelta(seconds=20)  # shorter runs of bad samples are chance
CALM = timedelta(seconds=30)  # of good samples, and an episode is over
SAME_EPISODE = timedelta(minutes=3)  # of good samples that are still the same trouble: a slow start flickers
LEAST_SAMPLES = 4  # bad ones, before a shape can be told
RISEN = 0.7  # of the usual height: then the start is over
LIKE = 1.6  # intervals that differ by less are regular
TIMES = 3  # so often is periodic
Run = tuple[float, float]  # first and last instant of bad samples


class Shape(StrEnum):
    STEP = "step"
    RAMP = "ramp"
    PERIODIC = "periodic"
    UNKNOWN = "unknown"


class OnsetOf(Order, target="service/{service}", effect="look for the first bad sample of {service} in the last {within}"):
    service: str
    within: timedelta = timedelta(hours=3)
    window: timedelta = timedelta(minutes=5)  # over which errors are split by revision and region
    slo_target: float = Stability().slo_target

    def by_hand(self) -> tuple[str, ...]:
        start = shell.command("date", "-u", "-d", f"-{self.within.total_seconds():.0f} seconds", "+%s")
        asked = queries.error_share(self.service, queries.ONE_MINUTE)
        return (
            shell.keep("START", start),
            shell.keep("END", shell.command("date", "+%s")),
            queries.by_hand("query_range", start=shell.Var("START"), end=shell.Var("END"), step="15", query=asked),
        )


class Onset(Value):
    """How it began. `first_bad` is real time, None where nothing was bad; ratios are of requests, over the order's window.

    `slow`: what was bad is the 99th percentile, not errors. `every`: the period, where it is periodic (policy time).
    """

    service: str
    first_bad: datetime | None
    shape: Shape
    slow: bool = False
    every: timedelta | None = None
    errors_by_revision: dict[str, float] = {}
    errors_by_region: dict[str, float] = {}
    blind: bool = False
    at: datetime


class Point(NamedTuple):
    """One sample: when (policy seconds, from anywhere), how high, and whether it is bad."""

    at: float
    height: float
    bad: bool


class Start(NamedTuple):
    """How a series of samples began to be bad; `at` is None where it never was."""

    at: float | None
    shape: Shape
    every: float | None = None


def start_of(points: Sequence[Point]) -> Start:
    """The first bad sample of the latest trouble, and the shape of its start. The order of the points does not matter."""
    ordered = sorted(points)
    runs = _joined(((point.at, point.at) for point in ordered if point.bad), CALM)
    # Of hundreds of samples one is bad by chance: runs that were over at once do not count. What goes on at the end has only begun.
    lasting = [run for run in runs if run[1] - run[0] >= BLIP.total_seconds() or ordered[-1].at - run[1] <= CALM.total_seconds()]
    if not lasting:
        return Start(None, Shape.UNKNOWN)
    if regular := _regular(ordered, lasting):
        return Start(regular[0][0], Shape.PERIODIC, median(_gaps(regular)))
    first = _joined(lasting, SAME_EPISODE)[-1][0]
    return Start(first, _shape([point for point in ordered if point.at >= first]))


def _shape(points: list[Point]) -> Shape:
    heights = [point.height for point in points if point.bad]
    if len(heights) < LEAST_SAMPLES:
        return Shape.UNKNOWN
    usual = quantiles(heights, n=5)[-1]
    risen = next(point.at for point in points if point.height >= RISEN * min(usual, max(heights))) - points[0].at
    if risen <= STEEP.total_seconds():
        return Shape.STEP
    return Shape.RAMP if risen >= SLOW.total_seconds() else Shape.UNKNOWN


def _regular(points: list[Point], runs: list[Run]) -> list[Run]:
    """The latest runs that come back regularly and are about as high; none when they do not: a start that flickers grows."""
    n = len(runs)
    while n >= TIMES and max(gaps := _gaps(runs[-n:])) > LIKE * min(gaps):
        n -= 1
    if n < TIMES:
        return []
    peaks = [max(point.height for point in points if first <= point.at <= last) for first, last in runs[-n:]]
    return runs[-n:] if max(peaks) <= 2 * min(peaks) else []


def _gaps(runs: list[Run]) -> list[float]:
    return [after[0] - before[0] for before, after in pairwise(runs)]


def _joined(runs: Iterable[Run], calm: timedelta) -> list[Run]:
    """One run of those between which no more than `calm` lies."""
    found: list[Run] = []
    for first, last in runs:
        if found and first - found[-1][1] <= calm.total_seconds():
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found
