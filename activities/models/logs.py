"""The logs of model routing: what the gateway wrote of its calls to providers, and the data plane of who was served (spec §9.2).

Windows are policy time. Shares are 0 to 1.
"""

from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum

from activities.action import Value
from activities.kit.rest import Json
from activities.models.routes import GatewayLook

SLOW_MS = 5_000.0  # the seed's own number: an answer that takes longer is a bad one


class ErrorClass(StrEnum):
    """What a call met (spec §9.2). They must be kept apart: only some of them are an outage of the provider."""

    OK = "OK"
    OVERLOAD = "OVERLOAD"
    RATE_LIMIT = "RATE_LIMIT"
    SPEND_CAP = "SPEND_CAP"
    AUTH = "AUTH"
    BAD_REQUEST = "BAD_REQUEST"
    TIMEOUT = "TIMEOUT"
    CONTENT_FILTER = "CONTENT_FILTER"
    UNCLASSIFIED = "UNCLASSIFIED"


class Log(GatewayLook, effect="read the last {window} of calls on route {route}", path="calls", asks=("route", "window")):
    route: str
    window: timedelta


class CallLine(Value):
    """Calls to one model of one provider in one region. Latencies in milliseconds; None where nothing was measured."""

    provider: str
    model: str
    region: str
    n: int
    by_class: dict[ErrorClass, int] = {}
    ttft_p95_ms: float | None = None
    latency_p95_ms: float | None = None
    baseline_ms: float | None = None
    timeout_ratio: float | None = None


def call_line(row: Json) -> CallLine:
    """A line as the gateway says it; a class that we do not know is unclassified."""
    known = {c.value for c in ErrorClass}
    met: Counter[ErrorClass] = Counter()
    for name, n in row["by_class"].items():
        met[ErrorClass(name) if name in known else ErrorClass.UNCLASSIFIED] += n
    return CallLine(**{**{field: row.get(field) for field in CallLine.model_fields}, "by_class": dict(met)})


class Calls(Value):
    lines: tuple[CallLine, ...]
    inflight_runs: int = 0
    breaker: dict[str, str] = {}
    retry_share: float = 0.0
    at: datetime

    def n(self, provider: str) -> int:
        return sum(line.n for line in self.lines if line.provider == provider)

    def failed_share(self, provider: str) -> float:
        """The share of the provider's calls that were anything but OK; 0 where there were no calls (ask `n` too)."""
        return 1 - self._met(provider)[ErrorClass.OK] / self.n(provider) if self.n(provider) else 0.0

    def slow(self, provider: str) -> bool:
        """Whether a line of it that was measured is slow by the seed's rule: above max(5 s, 2 × baseline)."""
        measured = ((one.latency_p95_ms, one.baseline_ms) for one in self.lines if one.provider == provider)
        return any(p95 is not None and p95 > max(SLOW_MS, 2 * (usual or 0.0)) for p95, usual in measured)

    def classified_share(self) -> float:
        """The share of all failures whose class is known; 1 where nothing failed."""
        failed = sum(line.n - line.by_class.get(ErrorClass.OK, 0) for line in self.lines)
        unknown = sum(line.by_class.get(ErrorClass.UNCLASSIFIED, 0) for line in self.lines)
        return 1 - unknown / failed if failed else 1.0

    def dominant(self, provider: str) -> ErrorClass:
        """The class that most of the provider's failures have; OK where none failed."""
        return next((met for met, _ in self._met(provider).most_common() if met is not ErrorClass.OK), ErrorClass.OK)

    def _met(self, provider: str) -> Counter[ErrorClass]:
        """How many of the provider's calls met each class; without those that none met."""
        return sum((Counter(line.by_class) for line in self.lines if line.provider == provider), Counter())


class Served(GatewayLook, effect="read who served route {route} in the last {window}", path="served", asks=("route", "window")):
    route: str
    window: timedelta


class TenantServed(Value):
    """What one tenant got: `n` answers, `ok` of them good, by provider. `sampled` were looked at for quality, and so many `passed`."""

    n: int
    ok: int
    by: dict[str, int] = {}
    sampled: int = 0
    passed: int = 0


class ServedBy(Value):
    tenants: dict[str, TenantServed]
    cost_per_hour: float | None
    at: datetime

    @property
    def summary(self) -> str:
        """Success, quality and cost, in one line (spec §9.2, Verify)."""
        n, sampled = (sum(getattr(line, name) for line in self.tenants.values()) for name in ("n", "sampled"))
        ok, passed = (sum(getattr(line, name) for line in self.tenants.values()) for name in ("ok", "passed"))
        quality = f"{passed / sampled:.0%} of {sampled} samples passed" if sampled else "no sample of quality"
        cost = "" if self.cost_per_hour is None else f"; {self.cost_per_hour:.2f} USD per hour"
        return f"{ok / n:.1%} of {n} answers were good; {quality}{cost}" if n else "nobody was served"
