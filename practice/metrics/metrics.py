"""The metrics store: series that are sampled together, kept as arrays, looked up by bisection."""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import Any

LOOKBACK = 300.0
"""An instant sees samples at most this old, as Prometheus does."""
RETENTION = 26 * 3600.0

Labels = Mapping[str, str]


class Series:
    """One time series. `value` is what the next sample will hold; `times` is shared by all series that are sampled together."""

    __slots__ = ("born", "kind", "labels", "name", "resets", "times", "value", "values")

    def __init__(self, name: str, labels: Labels, kind: str, times: list[float]) -> None:
        self.name = name
        self.labels = dict(labels)
        self.kind = kind
        self.times = times
        self.value = 0.0
        self.values = array("d")
        self.born = len(times)
        self.resets: list[int] = []
        if kind == "counter" and times:  # born at 0 one sample ago: a counter that appears at 5 is invisible to increase()
            self.born -= 1
            self.values.append(0.0)

    def __getstate__(self) -> tuple[object, ...]:
        """Its values as bytes: a world has a thousand series, and is copied for every test."""
        return self.name, self.labels, self.kind, self.times, self.value, self.values.tobytes(), self.born, self.resets

    def __setstate__(self, kept: tuple[Any, ...]) -> None:
        self.name, self.labels, self.kind, self.times, self.value, values, self.born, self.resets = kept
        self.values = array("d", values)

    def at(self, instant: float) -> float | None:
        """The newest value not after `instant` and not older than the look-back; None where there is none."""
        index = bisect_right(self.times, instant) - 1
        if index < self.born or self.times[index] <= instant - LOOKBACK:
            return None
        value = self.values[index - self.born]
        return None if self.kind == "recorded" and math.isnan(value) else value  # NaN marks where a recording ended

    def span(self, start: float, end: float) -> tuple[int, int]:
        """Indices into `times` of the samples in (start, end]."""
        return max(self.born, bisect_right(self.times, start)), bisect_right(self.times, end)

    def span_of_times(self, start: float, end: float) -> tuple[int, int]:
        """As `span`, for all series that share these times."""
        return bisect_right(self.times, start), bisect_right(self.times, end)

    def increase(self, low: int, high: int, start: float, end: float) -> float | None:
        """Growth over the samples [low, high), extrapolated to (start, end]; None for fewer than two."""
        if high - low < 2:
            return None
        first, last = self.values[low - self.born], self.values[high - 1 - self.born]
        gain = last - first
        gain += sum(self.values[index - 1 - self.born] for index in self.resets if low < index < high)
        return extrapolated(gain, first, high - low, self.times[low], self.times[high - 1], start, end)

    def window(self, start: float, end: float) -> list[tuple[float, float]]:
        low, high = self.span(start, end)
        if high <= low:  # also one that was born later: the store is ahead of whoever asks about the past
            return []
        pairs = zip(self.times[low:high], self.values[low - self.born : high - self.born], strict=True)
        return [p for p in pairs if not math.isnan(p[1])] if self.kind == "recorded" else list(pairs)

    def forget(self, count: int) -> None:
        """Drop what belongs to the first `count` sample times."""
        dropped = max(0, count - self.born)
        del self.values[:dropped]
        self.born = max(0, self.born - count)
        self.resets = [index - count for index in self.resets if index > count]


class Metrics:
    """All series, by name and labels."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._series: dict[tuple[str, tuple[tuple[str, str], ...]], Series] = {}
        self._by_name: dict[str, list[Series]] = {}
        self._sampled: list[Series] = []
        self._selections: dict[object, list[Series]] = {}

    def __iter__(self) -> Iterator[Series]:
        return iter(self._series.values())

    def counter(self, name: str, labels: Labels) -> Series:
        return self._get(name, labels, "counter")

    def gauge(self, name: str, labels: Labels) -> Series:
        return self._get(name, labels, "gauge")

    def record(self, name: str, labels: Labels, at: float, value: float) -> None:
        """Append to a series that a recording rule computes; it keeps its own times."""
        series = self._get(name, labels, "recorded")
        if not series.times or series.times[-1] < at:
            series.times.append(at)
            series.values.append(value)

    def _get(self, name: str, labels: Labels, kind: str) -> Series:
        key = (name, tuple(sorted(labels.items())))
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series(name, labels, kind, [] if kind == "recorded" else self.times)
            self._by_name.setdefault(name, []).append(series)
            if kind != "recorded":
                self._sampled.append(series)
            self._selections.clear()
        return series

    def sample(self, at: float) -> None:
        """Take one sample of every counter and gauge, as a scrape does."""
        if self.times and at <= self.times[-1]:
            return
        for series in self._sampled:  # some four hundred, at every step: nothing is called that need not be
            value, values = series.value, series.values
            if values and value < values[-1] and series.kind == "counter":
                series.resets.append(len(values) + series.born)
            values.append(value)
        self.times.append(at)
        if len(self.times) % 1000 == 0:
            self._forget(at - RETENTION)

    def _forget(self, before: float) -> None:
        count = bisect_right(self.times, before)
        if count:
            for series in self._sampled:
                series.forget(count)
            del self.times[:count]

    def select(self, name: str | None, matchers: tuple[tuple[str, str, str], ...]) -> list[Series]:
        """The series of a selector; each matcher is (label, operator, value) with the operators = != =~ !~."""
        key = (name, matchers)
        found = self._selections.get(key)
        if found is None:
            tests = [(label, _test(operator, value)) for label, operator, value in matchers]
            candidates = self._by_name.get(name, []) if name else list(self)
            found = self._selections[key] = [s for s in candidates if all(test(_label(s, label)) for label, test in tests)]
        return found

    def exposition(self) -> str:
        """The text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats)."""
        lines: list[str] = []
        for name, family in sorted(self._by_name.items()):
            sampled = [series for series in family if series.kind != "recorded"]
            if not sampled:
                continue
            base, _, suffix = name.rpartition("_")
            if suffix == "bucket":
                lines.append(f"# TYPE {base} histogram")
            elif not (suffix in {"count", "sum"} and f"{base}_bucket" in self._by_name):
                lines.append(f"# TYPE {name} {sampled[0].kind}")
            lines += [f"{name}{_braces(series.labels)} {_exact(series.value)}" for series in sampled]
        return "\n".join(lines) + "\n"


def extrapolated(gain: float, first: float | None, count: int, first_at: float, last_at: float, start: float, end: float) -> float:
    """Growth between the first and last of `count` samples, stretched to the window's edges as Prometheus does it.

    `first` is the first value of a counter: it is not stretched back beyond where it was zero. None for a gauge.
    """
    length = last_at - first_at
    between = length / (count - 1)
    ahead, behind = first_at - start, end - last_at
    ahead = ahead if ahead < between * 1.1 else between / 2
    if first is not None and gain > 0 and first >= 0:
        ahead = min(ahead, length * (first / gain))
    behind = behind if behind < between * 1.1 else between / 2
    return gain * (length + ahead + behind) / length


def _label(series: Series, label: str) -> str:
    return series.name if label == "__name__" else series.labels.get(label, "")


def _test(operator: str, wanted: str) -> Callable[[str], bool]:
    if operator == "=":
        return lambda value: value == wanted
    if operator == "!=":
        return lambda value: value != wanted
    pattern = re.compile(wanted)
    if operator == "=~":
        return lambda value: pattern.fullmatch(value) is not None
    return lambda value: pattern.fullmatch(value) is None


def _exact(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _braces(labels: Labels) -> str:
    escaped = {k: v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for k, v in labels.items()}
    return "{" + ",".join(f'{k}="{v}"' for k, v in sorted(escaped.items())) + "}" if labels else ""
