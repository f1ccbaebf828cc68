"""How long calls take: four log-normal shapes, mixed; and the histograms that show them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

from practice.metrics.metrics import Labels, Metrics

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 20.0, 30.0, 60.0)
SLOW_SECONDS, TIMEOUT_SECONDS, REFUSED_SECONDS, RETRIEVAL_SECONDS = 8.0, 29.0, 0.15, 0.3
TTFT_SHARE = 0.3
"""Time to first token as a part of the whole."""

_NORMAL_P95 = 1.6449


@dataclass(frozen=True)
class Shape:
    """A log-normal by its median in seconds and its spread."""

    median: float
    spread: float

    def below(self, seconds: float) -> float:
        """The share of calls that take at most `seconds`."""
        return 0.5 * (1 + math.erf(math.log(seconds / self.median) / (self.spread * math.sqrt(2)))) if seconds > 0 else 0.0

    @property
    def mean(self) -> float:
        return self.median * math.exp(self.spread**2 / 2)


SLOW = Shape(SLOW_SECONDS, 0.08)
TIMEOUT = Shape(TIMEOUT_SECONDS, 0.01)
REFUSED = Shape(REFUSED_SECONDS, 0.3)
RETRIEVAL = Shape(RETRIEVAL_SECONDS, 0.3)


@lru_cache(maxsize=256)
def usual(p95_ms: float) -> Shape:
    """A healthy provider, by its usual 95th percentile."""
    return Shape(p95_ms / 1000 / math.exp(_NORMAL_P95 * 0.5), 0.5)


@lru_cache(maxsize=256)
def _shares(shape: Shape) -> tuple[float, ...]:
    return tuple(shape.below(bound) for bound in BOUNDS)


@lru_cache(maxsize=256)
def shown(shape: Shape, share: float) -> float:
    """The seconds within which this share of calls came, as a histogram of them shows it: interpolated inside a bucket."""
    below = 0.0
    for low, high, up_to in zip((0.0, *BOUNDS), BOUNDS, _shares(shape), strict=False):
        if up_to >= share:
            return low + (high - low) * (share - below) / (up_to - below)
        below = up_to
    return BOUNDS[-1]


Mixture = list[tuple[int, Shape]]
"""So many calls of each shape."""


def p95_seconds(mixture: Mixture) -> float | None:
    """The 95th percentile of a mixture, by bisection; None for no calls."""
    total = sum(count for count, _ in mixture)
    if not total:
        return None
    low, high = 0.001, 120.0
    for _ in range(24):
        middle = math.sqrt(low * high)
        below = sum(count * shape.below(middle) for count, shape in mixture) / total
        low, high = (middle, high) if below < 0.95 else (low, middle)
    return high


@dataclass
class Histogram:
    """A Prometheus histogram fed with mixtures. Buckets hold whole numbers: fractions are carried, never dropped."""

    metrics: Metrics
    name: str
    labels: Labels
    _ideal: list[float] = field(default_factory=lambda: [0.0] * len(BOUNDS))

    def __post_init__(self) -> None:
        label = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
        self._buckets = [self.metrics.counter(f"{self.name}_bucket", {**self.labels, "le": le}) for le in label]
        self._count = self.metrics.counter(f"{self.name}_count", self.labels)
        self._sum = self.metrics.counter(f"{self.name}_sum", self.labels)

    def observe(self, mixture: Mixture) -> None:
        for count, shape in mixture:
            if not count:
                continue
            self._ideal = [i + count * share for i, share in zip(self._ideal, _shares(shape), strict=True)]
            self._count.value += count
            self._sum.value += count * shape.mean
        for bucket, ideal in zip(self._buckets, self._ideal, strict=False):
            bucket.value = min(float(int(ideal + 1e-9)), self._count.value)
        self._buckets[-1].value = self._count.value
