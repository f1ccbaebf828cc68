"""Error budget and burn rate: pure arithmetic over counted requests (seed §3, spec §1 G22; sre.google/workbook/alerting-on-slos).

A burn of 1 spends the whole budget in exactly the window of the objective. Everything is by requests: a ratio of sums, never a mean of
ratios, so that a quiet bad night does not weigh like a busy day. What nobody counted is unknown: neither healthy nor burning.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from activities.action import Value


class BurnAlert(Value):
    """Burning `factor` times too fast, over a long window and over a short one that says that it still goes on."""

    factor: float = Field(gt=0)
    long: timedelta
    short: timedelta
    says: Literal["page", "ticket"]


class SloPolicy(Value):
    """The numbers of the objective's window, of the burn alerts, and of what is too little to judge by. The target is the stability gate's."""

    window: timedelta = timedelta(days=30)
    alerts: tuple[BurnAlert, ...] = (
        BurnAlert(factor=14.4, long=timedelta(hours=1), short=timedelta(minutes=5), says="page"),
        BurnAlert(factor=6, long=timedelta(hours=6), short=timedelta(minutes=30), says="page"),
        BurnAlert(factor=1, long=timedelta(days=3), short=timedelta(hours=6), says="ticket"),
    )
    least_requests: float = 50  # in a window, before its burn is said: of a hundred requests, one failure would be ten times the budget
    least_errors: float = 10  # in the long window: a young service's 5 m and 1 h are the same minutes
    least_history: timedelta = timedelta(days=3)  # of data, before a budget can be exhausted and before a ticket is written
    look_again: timedelta = timedelta(hours=6)  # how often an exhausted budget is looked at
    ask_again: timedelta = timedelta(hours=24)  # how often the commander is asked to waive it

    @property
    def windows(self) -> tuple[timedelta, ...]:
        """Every window of an alert, shortest first."""
        return tuple(sorted({window for alert in self.alerts for window in (alert.long, alert.short)}))


class Counted(Value):
    """What was counted over one window: valid requests, and those of them that failed. None: there was nothing that could count."""

    window: timedelta
    bad: float | None
    total: float | None


class Finding(StrEnum):
    """What the burn over a pair of windows says."""

    PAGE = "page"
    TICKET = "ticket"
    WITHIN = "within the budget"
    TOO_LITTLE = "too little traffic or history to judge"
    UNKNOWN = "no data: unknown"


class Burning(Value):
    """One pair of windows: how fast the budget burns in each, and what follows. A burn is None where it cannot be said."""

    alert: BurnAlert
    long: float | None
    short: float | None
    finding: Finding


class ErrorBudget(Value):
    """The counts of one service at an instant. `history` is how much of the objective's window has data; `fresh`: the newest sample is."""

    service: str
    slo_target: float = Field(gt=0, lt=1)
    fresh: bool
    history: timedelta
    month: Counted  # over the whole window of the objective
    windows: tuple[Counted, ...] = ()

    @property
    def remaining(self) -> float | None:
        """What is left, as a part of the whole; below 0 when more than all of it is spent. None: unknown."""
        return remaining(self.month, self.slo_target) if self.fresh else None

    def exhausted(self, policy: SloPolicy) -> bool | None:
        """Whether nothing is left. None: unknown, or too little history or too few errors to say so."""
        if (left := self.remaining) is None:
            return None
        if left > 0:
            return False
        enough = self.history >= policy.least_history and (self.month.bad or 0) >= policy.least_errors
        return True if enough else None

    def burning(self, policy: SloPolicy) -> tuple[Burning, ...]:
        """How fast it burns by every pair of windows, and what follows from it."""
        return tuple(self._burning(alert, policy) for alert in policy.alerts)

    def _burning(self, alert: BurnAlert, policy: SloPolicy) -> Burning:
        uncounted = Counted(window=alert.long, bad=None, total=None)
        counted = [next((one for one in self.windows if one.window == window), uncounted) for window in (alert.long, alert.short)]
        long, short = (burn(one, self.slo_target) for one in counted)
        return Burning(alert=alert, long=long, short=short, finding=self._finding(alert, counted, long, short, policy))

    def _finding(self, alert: BurnAlert, counted: list[Counted], long: float | None, short: float | None, policy: SloPolicy) -> Finding:
        if not self.fresh or long is None or short is None:
            return Finding.UNKNOWN
        if min(one.total or 0 for one in counted) < policy.least_requests:
            return Finding.TOO_LITTLE
        if min(long, short) < alert.factor:
            return Finding.WITHIN
        young = alert.says == "ticket" and self.history < min(alert.long, policy.least_history)
        return Finding.TOO_LITTLE if young or (counted[0].bad or 0) < policy.least_errors else Finding(alert.says)

    def in_words(self, policy: SloPolicy) -> str:
        """What is left, in a few words."""
        left = self.remaining
        if left is None:
            return f"nobody can say what is left of the error budget of {self.service}: no data"
        days, bad = policy.window / timedelta(days=1), self.month.bad or 0
        said = f"{left:.0%} of the error budget of {self.service} is left: {bad:.0f} of {self.month.total:.0f} requests failed in {days:g} days"
        young = self.history < policy.least_history
        return f"{said}, of which {self.history / timedelta(hours=1):.1f} h have data" if young else said


def burn(counted: Counted, slo_target: float) -> float | None:
    """How many times too fast the budget is spent. None without a request: no traffic is no verdict."""
    if counted.bad is None or not counted.total:
        return None
    return counted.bad / counted.total / (1 - slo_target)


def remaining(counted: Counted, slo_target: float) -> float | None:
    """The part of the budget that is left, by requests: 1 untouched, 0 spent, below 0 overspent. None without a request."""
    spent = burn(counted, slo_target)
    return None if spent is None else 1 - spent
