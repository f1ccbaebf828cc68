"""The figures as a table, and where it stands in `docs/performance.md`."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

BEGIN, END = "<!-- bench: written by `make bench` -->", "<!-- bench: end -->"


@dataclass(frozen=True)
class Figure:
    """One thing that was measured on both sides. `goal`: the ratio to reach; `goal_ours`: the figure of ours to reach."""

    what: str
    unit: str
    floor: Sequence[float]
    ours: Sequence[float]
    goal: float | None = None
    goal_ours: float | None = None

    @property
    def ratios(self) -> list[float]:
        """Ours to the floor, round by round: what disturbs the machine disturbs both."""
        return [ours / floor if floor else float("inf") for floor, ours in zip(self.floor, self.ours, strict=True)]

    def row(self) -> str:
        goal = f"ratio ≤ {self.goal:g}" if self.goal else f"≤ {self.goal_ours:g} {self.unit}".rstrip() if self.goal_ours else "–"
        reached = "–" if goal == "–" else "yes" if self.reached else "no"
        name = f"{self.what}, {self.unit}" if self.unit else self.what
        return f"| {name} | {_spread(self.floor)} | {_spread(self.ours)} | {_spread(self.ratios, 2)} | {goal} | {reached} |"

    @property
    def reached(self) -> bool:
        return median(self.ratios) <= self.goal if self.goal else self.goal_ours is None or median(self.ours) <= self.goal_ours


def table(figures: Sequence[Figure]) -> str:
    rows = (figure.row() for figure in figures)
    heading = ("| what | floor | ours | ours ÷ floor | to be reached | reached |", "|---|---|---|---|---|---|")
    where = (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}; minimum/median/maximum of the rounds."
    )
    return "\n".join((where, "", *heading, *rows))


def write(figures: Sequence[Figure], page: Path | None) -> None:
    """Print the table, and put it between its marks on the page."""
    print(table(figures))
    if page is not None:
        page.write_text(filled(page.read_text(), BEGIN, END, table(figures)))


def filled(text: str, begin: str, end: str, between: str) -> str:
    """The page, with this between its two marks."""
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n{between}\n{end}{rest.partition(end)[2]}"


def _spread(numbers: Sequence[float], digits: int | None = None) -> str:
    told = [
        f"{number:.{digits if digits is not None else 0 if number >= 100 else 1}f}"
        for number in (min(numbers), median(numbers), max(numbers))
    ]
    return told[1] if len(set(told)) == 1 else "/".join(told)
