"""The words that PromQL evaluation is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from practice.metrics.metrics import Metrics

Labels = Mapping[str, str]
Sample = tuple[float, float]  # (at, value)
Vector = list[tuple[Labels, float]]
Windows = list[tuple[Labels, list[Sample]]]
Value = float | Vector


class PromqlError(ValueError):
    """The expression cannot be parsed or evaluated."""


@dataclass(frozen=True)
class Moment:
    """Where and when an expression is evaluated."""

    metrics: Metrics
    at: float


Evaluate = Callable[[Moment], Value]


def bare(labels: Labels) -> Labels:
    """Labels without the metric's name: what a calculation leaves."""
    return {k: v for k, v in labels.items() if k != "__name__"} if "__name__" in labels else labels
