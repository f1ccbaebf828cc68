"""What spoils answers, and what spoils the judging of them. Made by whoever runs the drill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FACTORS = ("model", "prompt", "guard", "provider", "snapshot", "region", "language", "context", "tool", "tenant")


@dataclass(frozen=True)
class Spoilt:
    """Answers that have all of these attributes are bad, so often. `where` may name versions, a slice, or both."""

    name: str
    where: tuple[tuple[str, str], ...]
    rate: float
    in_evals: bool = True  # false: no suite holds such a case
    garbled: bool = False

    def meets(self, answer: Mapping[str, str]) -> bool:
        return all(answer.get(factor) == value for factor, value in self.where)


@dataclass
class QualityFaults:
    """All that is wrong now. `judge`: so much the judge model's scores are off; `stuck`: the runner repeats what it said before."""

    spoilt: list[Spoilt] = field(default_factory=list)
    nan: bool = False
    stuck: bool = False
    judge: float = 0.0
    few: int | None = None  # the runner judges so few samples
    guardrails_down: bool = False

    def badness(self, answer: Mapping[str, str], usual: float, *, evals: bool = False) -> float:
        """How likely an answer with these attributes is bad."""
        good = 1 - usual
        for one in self.spoilt:
            if (one.in_evals or not evals) and one.meets(answer):
                good *= 1 - one.rate
        return 1 - good
