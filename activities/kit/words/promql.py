"""PromQL, built: a value of a label is one string, whatever stands in it.

Names of metrics and labels are ours; values come from outside.
"""

import math
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


class Other:
    """Any value of a label but these."""

    def __init__(self, *values: str) -> None:
        self.values = values


@dataclass(frozen=True)
class OneOf:
    """Any of several values of a label."""

    values: tuple[str, ...]


Wanted = str | Other | OneOf


def text(value: str) -> str:
    """A string of PromQL, with its quotes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def labels(**wanted: Wanted) -> str:
    """Matchers in braces, in the order given: `{service="api",outcome!="limited"}`."""
    return "{" + ",".join(f"{_name(label)}{_match(value)}" for label, value in wanted.items()) + "}"


def selector(metric: str, **wanted: Wanted) -> str:
    """The series of a metric: `service_requests_total{service="api"}`."""
    return _name(metric) + (labels(**wanted) if wanted else "")


def over(series: str, window: timedelta) -> str:
    """A range of series: whole seconds, at least one."""
    return f"{series}[{max(1, math.floor(window.total_seconds()))}s]"


def increase(series: str, window: timedelta) -> str:
    return f"increase({over(series, window)})"


def rate(series: str, window: timedelta) -> str:
    return f"rate({over(series, window)})"


def total(series: str, *by: str) -> str:
    """Added up, for each value of these labels or in all."""
    return f"sum by ({', '.join(map(_name, by))}) ({series})" if by else f"sum({series})"


def most(series: str, *by: str) -> str:
    """The greatest, for each value of these labels or of all."""
    return f"max by ({', '.join(map(_name, by))}) ({series})"


def least(series: str, *by: str) -> str:
    """The smallest, for each value of these labels or of all."""
    return f"min by ({', '.join(map(_name, by))}) ({series})"


def over_time(what: Literal["count", "min", "max"], series: str, window: timedelta) -> str:
    return f"{what}_over_time({over(series, window)})"


def grown(series: str, window: timedelta) -> str:
    """How much counters grew, also those that were born in the window: `increase` does not see their first value."""
    ago = f"{max(1, math.floor(window.total_seconds()))}s"
    return f"({increase(series, window)}) or ({series} unless {series} offset {ago})"


def quantile(share: float, buckets: str, window: timedelta) -> str:
    return f"histogram_quantile({share:g}, {total(rate(buckets, window), 'le')})"


def median(expression: str, window: timedelta, ago: timedelta) -> str:
    """The median of an expression's values, minute by minute, over a window that ended some time ago."""
    return f"quantile_over_time(0.5, ({expression})[{window.total_seconds():.0f}s:60s] offset {ago.total_seconds():.0f}s)"


def _match(value: Wanted) -> str:
    if isinstance(value, str):
        return f"={text(value)}"
    if isinstance(value, Other) and len(value.values) == 1:
        return f"!={text(value.values[0])}"
    return f"{'!~' if isinstance(value, Other) else '=~'}{text('|'.join(map(re.escape, value.values)))}"


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a metric or a label")
    return name
