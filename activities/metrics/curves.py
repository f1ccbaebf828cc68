"""The symptom of an incident that no HTTP error shows: spend, quality, grounding, injection, isolation, use of keys (spec §9).

A curve is made of parts, each of which says how far something is from usual: of every agent, key, suite or domain of its own. One that is
too far off is a symptom; the curve has come back when all of them are near; a part without fresh data is neither.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from activities.action import Call, Order, System, Value, action
from activities.metrics import queries
from activities.metrics.curve_parts import (
    Crossed,
    DeniedSources,
    Evals,
    Hits,
    Injected,
    JudgedAnswers,
    Part,
    Point,
    Span,
    Spend,
    Unmetered,
    UsedByStrangers,
)
from activities.metrics.data_parts import (
    AffectedInstances,
    ApiTimeouts,
    CallsHome,
    Depth,
    ExportVolume,
    OldestAge,
    OneWriter,
    ReplicationLag,
    TakesWrites,
)
from activities.metrics.orders import StabilityVerdict
from activities.metrics.prometheus import Prometheus
from activities.metrics.spans import LEAST_SPAN
from activities.organisation.numbers import CurveNumbers, Limit, Stability
from activities.values import Curve

MOST_SHOWN = 5  # what is furthest from usual: more would only fill the history
# The first part of each is the one that is drawn.
PARTS: dict[Curve, tuple[Part, ...]] = {
    Curve.SPEND: (Spend(), Unmetered()),
    Curve.QUALITY: (JudgedAnswers(), Evals()),
    Curve.GROUNDING: (Hits(), DeniedSources()),
    Curve.INJECTION: (Injected(),),
    Curve.ISOLATION: (Crossed(),),
    Curve.UNEXPECTED_USE: (UsedByStrangers(),),
    Curve.EXPOSURE: (AffectedInstances(), CallsHome()),
    Curve.EXPORTS: (ExportVolume(),),
    Curve.BACKLOG: (OldestAge(), ApiTimeouts()),
    Curve.REPLICATION: (ReplicationLag(), TakesWrites(), OneWriter()),
}
BESIDE: dict[Curve, Part] = {Curve.BACKLOG: Depth()}  # drawn below it; it decides nothing


class CurveOf(Order, target="curve/{curve}/{service}", effect="read the {curve} of {service}"):
    """One curve of a service at the call's instant."""

    curve: Curve
    service: str
    numbers: CurveNumbers = CurveNumbers()
    fresh: timedelta = Stability().fresh

    def by_hand(self) -> tuple[str, ...]:
        return tuple(queries.by_hand("query", query=query) for query in curve_query(self.curve, self.service, self.numbers.window))


class CurveGate(
    Order, target="curve/{curve}/{service}", effect="ask whether the {curve} of {service} was usual from {start:%H:%M:%S} to {end:%H:%M:%S}"
):
    """Was a curve as usual between two real instants?"""

    curve: Curve
    service: str
    start: datetime
    end: datetime
    numbers: CurveNumbers = CurveNumbers()
    stability: Stability = Stability()


class Off(Value):
    """How far one thing is from usual: `off` as it was read, `surely` what of it is beyond chance. `says`: the sentence for people."""

    part: str
    labels: dict[str, str]
    off: float
    surely: float
    limit: Limit
    says: str

    @property
    def ill(self) -> bool:
        return self.surely > self.limit.impact

    @property
    def well(self) -> bool:
        return self.off <= self.limit.impact


class Beside(Value):
    """What is drawn below a curve: its name, its height and what is usual, in its own unit."""

    name: str
    shown: float | None
    unit: str
    usual: float | None = None


class CurveReading(Value):
    """A curve at an instant. `off`: what is furthest from usual first. `missing`: the parts that nobody can say anything of."""

    curve: Curve
    service: str
    shown: float | None  # the height of the curve, in `unit`
    unit: str
    usual: float | None = None
    beside: Beside | None = None
    off: tuple[Off, ...] = ()
    missing: tuple[str, ...] = ()
    at: datetime

    @property
    def ill(self) -> tuple[Off, ...]:
        """What is a symptom, the worst first."""
        return tuple(one for one in self.off if one.ill)

    @property
    def well(self) -> bool:
        """Whether everything that counts was seen, and is as usual."""
        return bool(self.off) and not self.missing and all(one.well for one in self.off)

    @property
    def in_words(self) -> str:
        said = [
            f"{self.curve} is {self._height(self.shown)}" + (f", usual is {self._height(self.usual)}" if self.usual is not None else "")
        ]
        said += [one.says for one in self.ill[:2]]
        said += [f"no fresh data: {', '.join(self.missing)}"] if self.missing else []
        return "; ".join(said)

    def _height(self, value: float | None) -> str:
        if value is None:
            return "unknown"
        return f"{value:.1%}" if self.unit == "%" else f"{value:,.2f} {self.unit}"


class Curves(System):
    """Reads Prometheus: at the call's instant, or over a span of time."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    @action("curves.read")
    async def read(self, order: CurveOf, call: Call) -> CurveReading:
        """How far everything that the curve is made of is from usual, now."""
        span = Span(self._prometheus, call, call.at, call.at, timedelta(seconds=15), order.numbers, order.fresh)
        off, missing = [], []
        for part in PARTS[order.curve]:
            points = await part.points(span, order.service)
            if not points:
                missing.append(part.name)
            off += [_off(part, order.numbers, point) for point in points]
        height = await PARTS[order.curve][0].height(span, order.service)
        return CurveReading(
            curve=order.curve, service=order.service, shown=height.value, usual=height.usual, unit=height.unit, at=call.at,
            beside=await _beside(span, order),
            off=tuple(sorted(off, key=_distance, reverse=True)[:MOST_SHOWN]), missing=tuple(missing),
        )  # fmt: skip

    @action("curves.stable")
    async def stable(self, order: CurveGate, call: Call) -> StabilityVerdict:
        """Whether everything was as usual at every instant of the span, with data all the time."""
        length = max(timedelta(0), order.end - order.start) * call.pace
        step = max(timedelta(seconds=15), length / order.numbers.points)
        span = Span(self._prometheus, call, order.start, order.end, step, order.numbers, order.stability.fresh)
        found: list[tuple[float, str]] = []
        gaps = [] if length >= LEAST_SPAN else [(order.end.timestamp(), "too short a time to say anything")]
        for part in PARTS[order.curve]:
            points = await part.points(span, order.service)
            # A window that starts again begins at the last violation itself: that instant is not in it, or it would never pass.
            later = [one for one in points if one.at > order.start.timestamp()]
            found += [(one.at, part.says(one)) for one in later if one.surely > part.limit(order.numbers).stable]
            gaps += [(at, f"no fresh data: {part.name}") for at in _gaps(span, points, order.stability.longest_gap)]
        worst, blind = max(found, default=None), max(gaps, default=None)
        return StabilityVerdict(
            stable=worst is None and blind is None,
            violated_at=worst and span.instant(worst[0]),
            blind_at=blind and span.instant(blind[0]),
            why="; ".join(one[1] for one in (worst, blind) if one),
            watched=length,
        )


async def _beside(span: Span, order: CurveOf) -> Beside | None:
    part = BESIDE.get(order.curve)
    if part is None:
        return None
    height = await part.height(span, order.service)
    return Beside(name=part.name, shown=height.value, unit=height.unit, usual=height.usual)


def curve_query(curve: Curve, service: str, window: timedelta) -> tuple[str, ...]:
    """What a person asks to see the same."""
    return tuple(part.asked(service, window) for part in PARTS[curve])


def _gaps(span: Span, points: Sequence[Point], longest: timedelta) -> list[float]:
    """The instants before which a part had said nothing for longer than allowed."""
    seen = sorted({point.at for point in points})
    ends = [*seen, span.end.timestamp()]
    begins = [span.start.timestamp(), *seen]
    return [b for a, b in zip(begins, ends, strict=True) if timedelta(seconds=b - a) * span.call.pace > max(longest, 2 * span.step)]


def _off(part: Part, numbers: CurveNumbers, point: Point) -> Off:
    return Off(
        part=part.name, labels=dict(point.labels), off=point.off, surely=point.surely, limit=part.limit(numbers), says=part.says(point)
    )


def _distance(one: Off) -> float:
    return one.surely / one.limit.impact if one.limit.impact else math.inf if one.surely > 0 else 0.0


def of_labels(reading: CurveReading, wanted: Mapping[str, str]) -> tuple[Off, ...]:
    """What of a reading is about these labels."""
    return tuple(one for one in reading.off if all(one.labels.get(name) == value for name, value in wanted.items()))
