"""The model gateway's own log: what was called and what was served, kept per step and summed over a window."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from practice.llm.faults import OUTCOMES
from practice.llm.latency import REFUSED, SLOW, TIMEOUT, TTFT_SHARE, Mixture, p95_seconds, usual
from practice.world.state import Provider

CLASSES = {outcome: outcome.upper() for outcome in OUTCOMES}
KEEP_SECONDS = 6 * 3600.0


@dataclass
class Calls:
    """Calls to one provider in one region: by outcome, how many of the successes were slow, how many were second tries."""

    by_outcome: Counter[str] = field(default_factory=Counter)
    slow: int = 0
    retries: int = 0

    @property
    def n(self) -> int:
        return sum(self.by_outcome.values())

    def add(self, other: Calls) -> None:
        self.by_outcome.update(other.by_outcome)
        self.slow += other.slow
        self.retries += other.retries

    def mixture(self, baseline_latency_ms: float) -> Mixture:
        ok, timeouts = self.by_outcome["ok"], self.by_outcome["timeout"]
        failed = self.n - ok - timeouts
        return [(ok - self.slow, usual(baseline_latency_ms)), (self.slow, SLOW), (timeouts, TIMEOUT), (failed, REFUSED)]


@dataclass
class Served:
    n: int = 0
    ok: int = 0
    by: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    sampled: int = 0
    passed: int = 0

    def add(self, other: Served) -> None:
        self.n += other.n
        self.ok += other.ok
        self.by.update(other.by)
        self.modes.update(other.modes)
        self.sampled += other.sampled
        self.passed += other.passed


@dataclass
class Step:
    """What happened in the seconds before `end`."""

    end: float
    calls: dict[tuple[str, str], Calls] = field(default_factory=dict)
    served: dict[str, Served] = field(default_factory=dict)
    cost_usd: float = 0.0
    requests: int = 0
    errors: int = 0

    def call(self, provider: str, region: str) -> Calls:
        return self.calls.setdefault((provider, region), Calls())

    def tenant(self, name: str) -> Served:
        return self.served.setdefault(name, Served())


class GatewayLog:
    def __init__(self) -> None:
        self._steps: deque[Step] = deque()

    def append(self, step: Step) -> None:
        self._steps.append(step)
        while self._steps[0].end < step.end - KEEP_SECONDS:
            self._steps.popleft()

    def within(self, now: float, window: float) -> Iterator[Step]:
        """The steps that ended in (now − window, now], newest first."""
        for step in reversed(self._steps):
            if step.end <= now - window:
                return
            if step.end <= now:
                yield step

    def calls(self, now: float, window: float, providers: Mapping[str, Provider]) -> list[dict[str, Any]]:
        """One row per provider and region that was called."""
        total: dict[tuple[str, str], Calls] = {}
        for step in self.within(now, window):
            for place, calls in step.calls.items():
                total.setdefault(place, Calls()).add(calls)
        return [_row(providers[name], region, calls) for (name, region), calls in sorted(total.items()) if calls.n]

    def retry_share(self, now: float, window: float) -> float:
        """Second and later tries as a share of all calls."""
        calls = [c for step in self.within(now, window) for c in step.calls.values()]
        return round(sum(c.retries for c in calls) / max(1, sum(c.n for c in calls)), 4)

    def served(self, now: float, window: float) -> tuple[dict[str, dict[str, Any]], float]:
        """Per tenant what it got, and the cost per hour."""
        total: dict[str, Served] = {}
        cost = 0.0
        for step in self.within(now, window):
            cost += step.cost_usd
            for name, served in step.served.items():
                total.setdefault(name, Served()).add(served)
        rows = {
            name: {
                "n": s.n,
                "ok": s.ok,
                "by": {provider: n for provider, n in sorted(s.by.items()) if n},
                "modes": {mode: n for mode, n in sorted(s.modes.items()) if n},
                "quality": {"n": s.sampled, "pass": s.passed},
            }
            for name, s in sorted(total.items())
        }
        return rows, round(cost * 3600 / window, 4)


def _row(provider: Provider, region: str, calls: Calls) -> dict[str, Any]:
    waited = [(n, shape) for n, shape in calls.mixture(provider.baseline_latency_ms) if shape is not REFUSED]
    p95 = p95_seconds(waited) or 0.0  # of the calls that kept someone waiting: quick refusals would flatter it
    return {
        "provider": provider.name,
        "model": provider.model,
        "region": region,
        "n": calls.n,
        "by_class": {**{CLASSES[outcome]: calls.by_outcome[outcome] for outcome in OUTCOMES}, "UNCLASSIFIED": 0},
        "ttft_p95_ms": round(p95 * TTFT_SHARE * 1000),
        "latency_p95_ms": round(p95 * 1000),
        "baseline_ms": provider.baseline_latency_ms,
        "timeout_ratio": round(calls.by_outcome["timeout"] / calls.n, 4),
    }
