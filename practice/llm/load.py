"""What load does to a provider: retries multiply it, too much overloads it, a jump topples it, a breaker keeps it away."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from practice.llm.faults import Condition
from practice.world.state import Breaker, ClientPolicy

STEP_SECONDS = 15.0
JUMP_SHARE, JUMP_SECONDS, TOPPLED_SECONDS, TOPPLED_RATE = 0.6, 60.0, 60.0, 0.95
OPEN_SECONDS, HALF_OPEN_SHARE = 30.0, 0.1
CORRELATION = {"none": 0.5, "exponential_jitter": 0.35}
"""How much more likely a second try fails than a first: at once it meets the same trouble, later a little less of it."""


@dataclass(frozen=True)
class Retrying:
    """The client policy in numbers, for calls that fail transiently with chance `p`."""

    policy: ClientPolicy

    def again(self, p: float) -> float:
        return p + (1 - p) * CORRELATION[self.policy.backoff]

    def stays_failed(self, p: float) -> float:
        """The chance that a call that failed once is a failed answer in the end."""
        budget = self.policy.retry_budget
        return float((1 - budget) + budget * self.again(p) ** (self.policy.max_attempts - 1))

    def tries_more(self, p: float) -> float:
        """Further calls that one failed call brings."""
        again, more = self.again(p), self.policy.max_attempts - 1
        return self.policy.retry_budget * (more if again >= 1 else (1 - again**more) / (1 - again))


@dataclass
class ProviderLoad:
    """One provider's recent past, as far as its behaviour depends on it."""

    offered: deque[tuple[float, float]] = field(default_factory=deque)  # (at, first calls per second)
    outcomes: deque[tuple[float, int, int]] = field(default_factory=deque)  # (at, calls, failures)
    toppled_until: float = 0.0
    breaker: str = "CLOSED"
    opened_at: float = 0.0

    def meet(self, at: float, requests: int, capacity_rps: float, met: Condition, retrying: Retrying) -> None:
        """Add to `met` what this step's load brings about."""
        demand = requests / STEP_SECONDS
        while self.offered and self.offered[0][0] <= at - JUMP_SECONDS - STEP_SECONDS:
            self.offered.popleft()
        quietest = min((rate for _, rate in self.offered), default=demand)
        if demand - quietest > JUMP_SHARE * capacity_rps:
            self.toppled_until = at + TOPPLED_SECONDS
            self.offered.clear()  # one jump topples once
        self.offered.append((at, demand))
        if at < self.toppled_until:
            met.fail("overload", TOPPLED_RATE)
        refused = 0.0
        for _ in range(4):  # retries add load, load adds failures, failures add retries: this settles in a few rounds
            p = met.transient + (1 - met.transient - met.persistent) * refused
            load = demand * (1 + p * retrying.tries_more(p))
            refused = 0.0 if load <= capacity_rps else 1 - capacity_rps / load
        if refused:
            met.fail("overload", refused)

    def admits(self, at: float) -> float:
        """The share of calls that the breaker lets through."""
        if self.breaker == "OPEN" and at - self.opened_at >= OPEN_SECONDS:
            self.breaker = "HALF"
        return {"CLOSED": 1.0, "OPEN": 0.0, "HALF": HALF_OPEN_SHARE}[self.breaker]

    def judge(self, at: float, calls: int, failures: int, rule: Breaker) -> None:
        """Let the breaker look at the step's calls."""
        if not rule.enabled:
            self.breaker = "CLOSED"
            self.outcomes.clear()
            return
        self.outcomes.append((at, calls, failures))
        while self.outcomes[0][0] <= at - max(rule.window_seconds, STEP_SECONDS):
            self.outcomes.popleft()
        if self.breaker == "HALF":
            if calls:
                self._turn(at, "OPEN" if failures / calls >= rule.failure_ratio else "CLOSED")
            return
        seen, failed = sum(n for _, n, _ in self.outcomes), sum(f for _, _, f in self.outcomes)
        if self.breaker == "CLOSED" and seen >= rule.min_calls and failed / seen >= rule.failure_ratio:
            self._turn(at, "OPEN")

    def _turn(self, at: float, breaker: str) -> None:
        self.breaker, self.opened_at = breaker, at
        self.outcomes.clear()
