"""Which slices of the judged answers are bad, one after the other: the second cause hides behind the first. Pure.

A slice is one attribute of an answer, or two together (`triple 6/13/3, language de`). The one that tells good from bad best is blamed, its
answers are left out, and the rest is looked at again, until what is left is what is usual. Two attributes are blamed only when they tell much
more than one.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from activities.evals.answers import FACTORS, JudgedAnswers, Slice
from activities.metrics.counting import beyond_chance

MUCH_MORE = 6.0  # log-likelihood that a second attribute must add
LEAST = 20  # answers of a slice; fewer say nothing
NO_MODEL = "retrieval"  # who answers from retrieval only: no version of ours is to blame for that
Where = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Blamed:
    """A slice that is worse than the rest. `explains`: the share of everything that is too bad; `rest`: the share of bad ones outside it."""

    where: Where
    n: int
    bad: int
    rest: float
    explains: float

    @property
    def share(self) -> float:
        return self.bad / self.n

    def of(self, factor: str) -> str:
        """Its value of a factor; empty where it has none."""
        return next((value for name, value in self.where if name == factor), "")

    @property
    def name(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.where)

    def __str__(self) -> str:
        return f"{self.name}: {self.share:.0%} of {self.n} judged answers are bad, elsewhere {self.rest:.0%}; explains {self.explains:.0%}"


def blamed(seen: JudgedAnswers, usual_bad: float, at_most: int = 4) -> tuple[Blamed, ...]:
    """The slices that are to blame, the one that explains most first."""
    rows, found = [row for row in seen.slices if row.where["provider"] != NO_MODEL], list[Blamed]()
    every, every_bad = _counted(rows)
    excess = max(every_bad - usual_bad * every, 1e-9)
    while len(found) < at_most:
        n, bad = _counted(rows)
        if not n or not beyond_chance(bad, n, usual_bad):
            break
        worst = _worst(rows, n, bad)
        if worst is None:
            break
        where, mine, mine_bad = worst
        rest = (bad - mine_bad) / (n - mine) if n > mine else 0.0
        found.append(Blamed(where, mine, mine_bad, rest, (mine_bad - usual_bad * mine) / excess))
        rows = [row for row in rows if not _meets(row, where)]
    return tuple(found)


def _worst(rows: Sequence[Slice], n: int, bad: int) -> tuple[Where, int, int] | None:
    """The slice that tells best which answers are bad. None: none tells anything."""
    judged: Counter[Where] = Counter()
    spoilt: Counter[Where] = Counter()
    for row in rows:
        for where in _names(row):
            judged[where] += row.n
            spoilt[where] += row.bad
    told = [(_tells(spoilt[w], judged[w], bad, n) - MUCH_MORE * (len(w) - 1), w) for w in judged if judged[w] >= LEAST]
    told = [(much, where) for much, where in told if much > 0]
    if not told:
        return None
    _, best = max(told, key=lambda one: (one[0], -len(one[1]), one[1]))
    return best, judged[best], spoilt[best]


def _names(row: Slice) -> Iterator[Where]:
    for factor in FACTORS:
        yield ((factor, row.where[factor]),)
    for one, other in combinations(FACTORS, 2):
        yield (one, row.where[one]), (other, row.where[other])


def _tells(bad: int, n: int, every_bad: int, every: int) -> float:
    """By how much two shares of bad answers, in the slice and outside, are likelier than one. 0 where the slice is the better part."""
    rest, rest_bad = every - n, every_bad - bad
    if rest and bad / n <= rest_bad / rest:
        return 0.0
    apart = _likely(bad, n) + (_likely(rest_bad, rest) if rest else 0.0)
    return apart - _likely(every_bad, every)


def _likely(bad: int, n: int) -> float:
    share = bad / n
    return (bad * math.log(share) if bad else 0.0) + ((n - bad) * math.log(1 - share) if bad < n else 0.0)


def _counted(rows: Sequence[Slice]) -> tuple[int, int]:
    return sum(row.n for row in rows), sum(row.bad for row in rows)


def _meets(row: Slice, where: Where) -> bool:
    return all(row.where[factor] == value for factor, value in where)
