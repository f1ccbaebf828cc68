"""PromQL functions over samples and vectors (prometheus.io/docs/prometheus/latest/querying/functions)."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from practice.metrics.metrics import extrapolated
from practice.metrics.promql_words import Sample, Vector, bare

Fold = Callable[[list[Sample], float], float]


def quantile(q: float, values: list[float]) -> float:
    """The φ-quantile by linear interpolation, as Prometheus computes it."""
    if not values or math.isnan(q):
        return math.nan
    if q < 0 or q > 1:
        return math.copysign(math.inf, q)
    ordered = sorted(values)
    rank = q * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def _values(samples: list[Sample]) -> list[float]:
    return [value for _, value in samples]


def _deviation(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))


OVER_TIME: dict[str, Fold] = {
    "avg_over_time": lambda s, _: sum(_values(s)) / len(s),
    "min_over_time": lambda s, _: min(_values(s)),
    "max_over_time": lambda s, _: max(_values(s)),
    "sum_over_time": lambda s, _: sum(_values(s)),
    "count_over_time": lambda s, _: float(len(s)),
    "last_over_time": lambda s, _: s[-1][1],
    "present_over_time": lambda s, _: 1.0,
    "stddev_over_time": lambda s, _: _deviation(_values(s)),
    "quantile_over_time": lambda s, q: quantile(q, _values(s)),
    "changes": lambda s, _: float(sum(a != b for (_, a), (_, b) in pairwise(s))),
    "resets": lambda s, _: float(sum(b < a for (_, a), (_, b) in pairwise(s))),
}


def _rounded(value: float, to: float = 1.0) -> float:
    return math.floor(value / to + 0.5) * to


def _logarithm(value: float) -> float:
    return math.log(value) if value > 0 else (-math.inf if value == 0 else math.nan)


ROUNDING: dict[str, Callable[..., float]] = {
    "abs": abs,
    "ceil": lambda v: float(math.ceil(v)),
    "floor": lambda v: float(math.floor(v)),
    "round": _rounded,
    "sqrt": lambda v: math.sqrt(v) if v >= 0 else math.nan,
    "ln": _logarithm,
    "exp": math.exp,
    "clamp_min": max,
    "clamp_max": min,
    "clamp": lambda v, low, high: max(low, min(high, v)),
}

OVER_VECTOR: dict[str, Callable[[Vector], Vector]] = {
    "sort": lambda vector: sorted(vector, key=lambda row: row[1]),
    "sort_desc": lambda vector: sorted(vector, key=lambda row: -row[1]),
}


def rate_of(name: str, samples: list[Sample], start: float, end: float) -> float | None:
    """rate, increase, delta, irate and idelta over the samples of one window; None where there are too few."""
    if len(samples) < 2:
        return None
    if name in {"irate", "idelta"}:
        (before, was), (after, now) = samples[-2:]
        if name == "idelta":
            return now - was
        return (now - was if now >= was else now) / (after - before)
    counter = name != "delta"
    gain = samples[-1][1] - samples[0][1]
    if counter:
        gain += sum(was for (_, was), (_, now) in pairwise(samples) if now < was)
    first = samples[0][1] if counter else None
    gain = extrapolated(gain, first, len(samples), samples[0][0], samples[-1][0], start, end)
    return gain / (end - start) if name == "rate" else gain


def histogram_quantile(q: float, buckets: Vector) -> Vector:
    """The φ-quantile of each classic histogram in the vector."""
    histograms: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
    for labels, value in buckets:
        if "le" in labels:
            key = tuple(sorted((k, v) for k, v in bare(labels).items() if k != "le"))
            histograms.setdefault(key, []).append((float(labels["le"].replace("Inf", "inf")), value))
    return [(dict(key), _bucket_quantile(q, sorted(found))) for key, found in histograms.items()]


def _bucket_quantile(q: float, buckets: list[Sample]) -> float:
    total = buckets[-1][1]
    if len(buckets) < 2 or not math.isinf(buckets[-1][0]) or not total > 0:
        return math.nan
    if q < 0 or q > 1:
        return math.copysign(math.inf, q)
    rank = q * total
    lower, below = 0.0, 0.0
    for bound, cumulative in buckets:
        if cumulative >= rank:
            if math.isinf(bound):
                return lower
            share = (rank - below) / (cumulative - below) if cumulative > below else 0.0
            return lower + (bound - lower) * share
        lower, below = bound, cumulative
    return lower
