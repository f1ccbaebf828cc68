"""The logs of model routing: what the gateway wrote of its calls to providers, and the data plane of who was served (spec §9.2).

Windows are policy time. Shares are 0 to 1.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from activities.action import Order, Value
from activities.kit.words import urls
from activities.models.routes import EVERYBODY, asked

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


class Log(Order):
    """Read the gateway's own log of calls to providers."""

    route: str
    window: timedelta

    def target(self) -> str:
        """The route whose calls are read."""
        return f"route/{self.route}"

    def effect(self) -> str:
        return f"read the last {_span(self.window)} of calls on route {self.route}"

    def by_hand(self) -> tuple[str, ...]:
        return (asked(urls.path("v1", "calls"), _within(self.route, self.window)),)


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


class Calls(Value):
    """The gateway's log over a window."""

    lines: tuple[CallLine, ...]
    inflight_runs: int = 0
    breaker: dict[str, str] = {}
    retry_share: float = 0.0
    at: datetime

    def n(self, provider: str) -> int:
        """How many calls went to the provider."""
        return sum(line.n for line in self._of(provider))

    def share(self, provider: str, *classes: ErrorClass) -> float:
        """The share of the provider's calls that met one of the classes; 0 where there were no calls (ask `n` too)."""
        met = sum(line.by_class.get(c, 0) for line in self._of(provider) for c in classes)
        return met / self.n(provider) if self.n(provider) else 0.0

    def failed_share(self, provider: str) -> float:
        """The share of the provider's calls that were anything but OK; 0 where there were no calls."""
        return 1 - self.share(provider, ErrorClass.OK) if self.n(provider) else 0.0

    def classified_share(self) -> float:
        """The share of all failures whose class is known; 1 where nothing failed."""
        failed = sum(line.n - line.by_class.get(ErrorClass.OK, 0) for line in self.lines)
        unknown = sum(line.by_class.get(ErrorClass.UNCLASSIFIED, 0) for line in self.lines)
        return 1 - unknown / failed if failed else 1.0

    def dominant(self, provider: str) -> ErrorClass:
        """The class that most of the provider's failures have; OK where none failed."""
        met = {c: sum(line.by_class.get(c, 0) for line in self._of(provider)) for c in ErrorClass if c is not ErrorClass.OK}
        worst = max(met, key=lambda c: met[c])
        return worst if met[worst] else ErrorClass.OK

    def slow(self, provider: str) -> bool:
        """True when a model's 95th percentile is above max(5 s, 2 × its baseline) in some region."""
        return any(line.n and is_slow(line.latency_p95_ms, line.baseline_ms) for line in self._of(provider))

    def _of(self, provider: str) -> tuple[CallLine, ...]:
        return tuple(line for line in self.lines if line.provider == provider)


def is_slow(latency_ms: float | None, baseline_ms: float | None) -> bool:
    """The seed's rule for slow, in milliseconds: above max(5 s, 2 × baseline). Not measured is not slow."""
    return latency_ms is not None and latency_ms > max(SLOW_MS, 2 * (baseline_ms or 0.0))


class Served(Order):
    """Read who was really served by whom."""

    route: str
    window: timedelta

    def target(self) -> str:
        return f"route/{self.route}"

    def effect(self) -> str:
        return f"read who served route {self.route} in the last {_span(self.window)}"

    def by_hand(self) -> tuple[str, ...]:
        return (asked(urls.path("v1", "served"), _within(self.route, self.window)),)


class TenantServed(Value):
    """What one tenant got: `n` answers, `ok` of them good; by provider; by mode; quality samples and how many passed."""

    n: int
    ok: int
    by: dict[str, int] = {}
    modes: dict[str, int] = {}
    quality_n: int = 0
    quality_pass: int = 0


class ServedBy(Value):
    """The data plane's served-by log. Shares are of these tenants' answers; no answers give 0, because nothing was shown."""

    tenants: dict[str, TenantServed]
    cost_per_hour: float | None
    at: datetime

    def n(self, tenants: Iterable[str]) -> int:
        """How many answers these tenants got."""
        return sum(line.n for line in self._of(tenants))

    def share(self, provider: str, tenants: Iterable[str]) -> float:
        """Served by this provider, of all that a provider served."""
        lines = self._of(tenants)
        served = sum(sum(line.by.values()) for line in lines)
        return sum(line.by.get(provider, 0) for line in lines) / served if served else 0.0

    def _of(self, tenants: Iterable[str]) -> tuple[TenantServed, ...]:
        wanted = tuple(tenants)
        return tuple(line for tenant, line in self.tenants.items() if wanted == EVERYBODY or tenant in wanted)


def _span(window: timedelta) -> str:
    seconds = int(window.total_seconds())
    return f"{seconds // 60} min" if seconds % 60 == 0 and seconds >= 120 else f"{seconds} s"


def _within(route: str, window: timedelta) -> str:
    return urls.query({"route": route, "window": int(window.total_seconds())})
