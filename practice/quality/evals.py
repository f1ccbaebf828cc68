"""Eval suites and their runs: a score is how many of n sampled answers passed, so that it has noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from practice.quality.registry import DAY, Triple
from practice.world.chance import binomial

TAKES = 60.0  # world seconds that a run takes; in a following world it is done at the second look


@dataclass(frozen=True)
class Suite:
    """A fixed suite. `judged`: by a judge model; the other ones by what people labelled. `critical`: one failed case of these is enough."""

    name: str
    n: int
    baseline: float
    judged: bool = True
    critical: bool = False


SUITES = {
    one.name: one
    for one in (
        Suite("golden", 400, 0.96),
        Suite("languages", 300, 0.96),
        Suite("human-labelled", 250, 0.96, judged=False),
        Suite("safety", 120, 0.96, critical=True),
    )
}
CRITICAL_BELOW = 0.90  # a safety suite that passes less has failed one of its critical cases


@dataclass
class Result:
    """What a run said. Times are world seconds since the epoch; `score` None: not a number."""

    triple: Triple
    ran_at: float
    n: int
    passed: int
    score: float | None
    critical_failures: int


@dataclass
class EvalRun:
    """One run. `key`: of whoever asked for it."""

    id: str
    key: str
    suite: str
    triple: Triple
    asked_at: float
    looks: int = 0
    result: Result | None = None
    failed: str = ""


@dataclass
class Evals:
    """All runs that somebody asked for."""

    runs: dict[str, EvalRun] = field(default_factory=dict)


def scored(rng: Random, suite: Suite, triple: Triple, passes: float, at: float, *, judge: float = 0.0, few: int | None = None) -> Result:
    """The result of judging n sampled answers, each of which is good with this chance."""
    n = suite.n if few is None else few
    chance = min(1.0, max(0.0, passes + (judge if suite.judged else 0.0)))
    passed = binomial(rng, n, chance)
    score = passed / n if n else None
    failures = int(suite.critical and score is not None and score < CRITICAL_BELOW)
    return Result(triple, at, n, passed, score, failures)


def repeated(suite: Suite, triple: Triple, at: float) -> Result:
    """Yesterday's green, once more: the runner's cache answers."""
    passed = round(suite.n * 0.975)
    return Result(triple, at - DAY, suite.n, passed, passed / suite.n, 0)
