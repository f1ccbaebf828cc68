"""A suite is run on a triple, and says how many of n answers passed, when it ran and on what (spec §9.7; A.7 T2, R1).

A result is refused when it is older than the request, of another triple or suite, not a number, or of too few samples. There is no verb that
changes a suite or its threshold: an eval is never weakened to pass.
"""

import math
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from pydantic import Field

from activities.action import Call, Effect, Order, Patience, Refused, Risk, Role, Value, action
from activities.kit.clock import Clock
from activities.kit.operation import At, Operation, Progress
from activities.kit.words.shell import Var, address, curl
from activities.kit.words.urls import path

BASE, TOKEN = Var("EVALS_URL"), Var("EVALS_TOKEN")
SLACK = timedelta(seconds=2)  # of clocks: a result is not old because two of them differ
Z = 1.959964  # of 95 %, two-sided


class Suite(Value):
    """A fixed suite. `judged`: by a judge model; the others by what people labelled. `critical`: one failed critical case fails it."""

    name: str
    n: int
    baseline: float
    judged: bool
    critical: bool


class RunSuite(Order, target="evals/{suite}/{triple}", effect="run the suite {suite} on {triple}"):
    """Run a suite on a triple (`MODEL/PROMPT/GUARD`). `asked_at`: what ran before says nothing; `least`: fewer samples say nothing."""

    undone = "nothing to undo: a run changes nothing"
    volatile: ClassVar[frozenset[str]] = frozenset({"asked_at"})

    suite: str
    triple: str
    asked_at: datetime
    least: int = Field(default=50, ge=1)

    def by_hand(self) -> tuple[str, ...]:
        body = {"key": Var("USER"), "suite": self.suite, "triple": self.triple}
        return (curl("POST", address(BASE, path("v1", "runs")), ("Authorization: Bearer ", TOKEN), body=body),)


class Ran(Value):
    """What the runner says of a run. None where it says nothing; `score` may be NaN."""

    id: str
    suite: str
    state: At
    why: str = ""
    score: float | None = None
    n: int | None = None
    passed: int | None = None
    critical_failures: int | None = None
    ran_at: datetime | None = None
    ran_on: str | None = None


class Score(Value):
    """A result that may be believed. `low`, `high`: the 95 % interval of the score, by n."""

    suite: str
    triple: str
    score: float
    low: float
    high: float
    n: int
    critical_failures: int
    ran_at: datetime

    def at_least(self, baseline: float, margin: float) -> bool:
        """Whether it passes: no critical case failed, and not even the upper end of its interval is below; nor the score itself."""
        return not self.critical_failures and self.score >= baseline - margin

    def surely_below(self, baseline: float, margin: float) -> bool:
        """Whether it fails beyond chance, or in a critical case."""
        return bool(self.critical_failures) or self.high < baseline - margin

    def __str__(self) -> str:
        critical = f", {self.critical_failures} critical cases failed" if self.critical_failures else ""
        return f"{self.suite} {self.score:.1%} ({self.low:.1%} to {self.high:.1%}, n {self.n}) on {self.triple}{critical}"


def interval(passed: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share, by Wilson."""
    share, z2 = passed / n, Z * Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def believed(order: RunSuite, ran: Ran) -> Score:
    """The score of a run. Raises `Refused`, and says why, for what must not be believed."""
    what = f"the result of {order.suite} on {order.triple}"
    if ran.ran_on != order.triple or ran.suite != order.suite:
        raise Refused(f"{what} is refused as stale: it is of {ran.suite} on {ran.ran_on or 'nobody knows what'}")
    if ran.ran_at is None or ran.ran_at < order.asked_at - SLACK:
        when = f"ran at {ran.ran_at:%Y-%m-%d %H:%M:%S} UTC" if ran.ran_at else "does not say when it ran"
        raise Refused(f"{what} is refused as stale: it {when}, and was asked for at {order.asked_at:%Y-%m-%d %H:%M:%S} UTC")
    if ran.score is None or not math.isfinite(ran.score):
        raise Refused(f"{what} is no number: the runner could not judge")
    if ran.n is None or ran.passed is None or ran.n < order.least:
        raise Refused(f"{what} is of {ran.n or 0} samples; fewer than {order.least} say nothing")
    if not 0 <= ran.passed <= ran.n or abs(ran.passed / ran.n - ran.score) > 0.01:
        raise Refused(f"{what} contradicts itself: {ran.passed} of {ran.n} passed, and the score is {ran.score:g}")
    low, high = interval(ran.passed, ran.n)
    return Score(
        suite=order.suite, triple=order.triple, score=ran.passed / ran.n, low=low, high=high, n=ran.n,
        critical_failures=ran.critical_failures or 0, ran_at=ran.ran_at,
    )  # fmt: skip


class EvalRunner(Protocol):
    """Whatever runs suites: the port. One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def suites(self, call: Call) -> tuple[Suite, ...]:
        """Every suite that there is."""

    async def find(self, call: Call, key: str) -> str | None:
        """The run with this key. None only when there surely is none."""

    async def start(self, call: Call, key: str, suite: str, triple: str) -> str:
        """Ask for a run under a key. Returns its id."""

    async def ran(self, call: Call, id: str) -> Ran:
        """How far a run is, and what it says."""


class SuitesOf(Order, target="evals", effect="read which eval suites there are"):
    def by_hand(self) -> tuple[str, ...]:
        return (curl("GET", address(BASE, path("v1", "suites")), ("Authorization: Bearer ", TOKEN)),)


class Suites(Value):
    suites: tuple[Suite, ...]

    def of(self, name: str) -> Suite | None:
        return next((one for one in self.suites if one.name == name), None)


class Evals(Operation[RunSuite], name="evals.run", risk=Risk.C0, asks=(Role.AI_ML_LEAD,), patience=Patience.WATCH):
    """A run is started once under our key. What it says is believed, or refused with a reason."""

    def __init__(self, runner: EvalRunner, clock: Clock) -> None:
        self._runner, self.clock = runner, clock

    @action("evals.suites")
    async def suites(self, order: SuitesOf, call: Call) -> Suites:
        """Every suite of the runner."""
        return Suites(suites=await self._runner.suites(call))

    async def precondition(self, call: Call, order: RunSuite) -> None:
        known = [one.name for one in await self._runner.suites(call)]
        if order.suite not in known:
            raise Refused(f"there is no suite {order.suite}; there are {', '.join(known) or 'none'}")

    async def find(self, call: Call, order: RunSuite) -> str | None:
        return await self._runner.find(call, call.key)

    async def start(self, call: Call, order: RunSuite) -> str:
        return await self._runner.start(call, call.key, order.suite, order.triple)

    async def status(self, call: Call, order: RunSuite, id: str) -> Progress:
        ran = await self._runner.ran(call, id)
        if ran.state is not At.DONE:
            return Progress(at=ran.state, says=ran.why)
        score = believed(order, ran)
        return Progress(at=At.DONE, says=str(score), after={"score": score.model_dump(mode="json")})

    async def verify(self, call: Call, order: RunSuite, id: str) -> str:
        """The run itself, read once more by its id."""
        score = believed(order, await self._runner.ran(call, id))
        return f"run {id} of {score.ran_at:%H:%M:%S} UTC says so, read twice"


def score_of(effect: Effect) -> Score:
    """The score that a run ended with."""
    return Score.model_validate(effect.after["score"])
