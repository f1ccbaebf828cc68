"""What can be wrong with a provider, and what a call to it meets as a result."""

from __future__ import annotations

from dataclasses import dataclass, field

OUTCOMES = ("ok", "overload", "rate_limit", "spend_cap", "auth", "bad_request", "timeout", "content_filter")
TRANSIENT = ("overload", "rate_limit", "timeout")  # the gateway tries these again; the others say the same thing twice
KINDS = (*OUTCOMES[1:], "slow", "wrong_but_200", "down", "flapping")
MEETS = {"down": "overload", "flapping": "overload"}  # a refused connection counts as overload

NATURAL = {"overload": 0.0002, "rate_limit": 0.0001, "timeout": 0.0002}
"""A healthy provider also fails now and then."""


@dataclass
class ProviderFault:
    """One thing wrong with one provider, between two world instants."""

    provider: str
    kind: str
    rate: float
    since: float
    until: float | None = None
    period_seconds: float = 120.0

    def active(self, at: float) -> bool:
        if at < self.since or (self.until is not None and at >= self.until):
            return False
        return self.kind != "flapping" or (at - self.since) % self.period_seconds < self.period_seconds / 2


@dataclass
class Condition:
    """What the calls of one step meet: the chance of each failure, of a slow answer, of a wrong answer."""

    failures: dict[str, float] = field(default_factory=dict)
    slow: float = 0.0
    wrong: float = 0.0

    transient: float = 0.0  # the chance of a failure that the gateway tries again
    persistent: float = 0.0  # and of one that it does not

    def fail(self, outcome: str, rate: float) -> None:
        """Add a cause of failure; it can only hit the calls that no earlier cause has hit."""
        more = rate * max(0.0, 1.0 - self.transient - self.persistent)
        self.failures[outcome] = self.failures.get(outcome, 0.0) + more
        if outcome in TRANSIENT:
            self.transient += more
        else:
            self.persistent += more


def condition(faults: list[ProviderFault], at: float) -> Condition:
    """The faults of one provider at one instant, taken together."""
    met = Condition()
    for fault in faults:
        if not fault.active(at):
            continue
        if fault.kind == "slow":
            met.slow = 1 - (1 - met.slow) * (1 - fault.rate)
        elif fault.kind == "wrong_but_200":
            met.wrong = 1 - (1 - met.wrong) * (1 - fault.rate)
        else:
            met.fail(MEETS.get(fault.kind, fault.kind), 1.0 if fault.kind == "down" else fault.rate)
    for outcome, rate in NATURAL.items():
        met.fail(outcome, rate)
    return met
