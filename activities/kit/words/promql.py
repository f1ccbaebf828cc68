"""PromQL, built: a value of a label is one string, whatever stands in it.

Names of metrics and labels are ours; values come from outside.
"""

import math
import re
from dataclasses import dataclass
from datetime import timedelta

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


@dataclass(frozen=True)
class Other:
    """Any value of a label but this one."""

    value: str


Wanted = str | Other


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


def quantile(share: float, buckets: str, window: timedelta) -> str:
    return f"histogram_quantile({share:g}, {total(rate(buckets, window), 'le')})"


def _match(value: Wanted) -> str:
    return f"!={text(value.value)}" if isinstance(value, Other) else f"={text(value)}"


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a metric or a label")
    return name
