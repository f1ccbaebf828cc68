"""Customers' answers by slice: of whom, in what language, how long, with which tool; and the log of those that were judged."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from practice.quality.faults import QualityFaults
from practice.quality.registry import Registry, Triple
from practice.world.state import State, Tenant

USUAL_BAD = 0.03
LANGUAGES = {"en": 0.45, "de": 0.25, "fr": 0.2, "ja": 0.1}
CONTEXTS = {"short": 0.7, "long": 0.3}
TOOLS = {"none": 0.5, "search": 0.3, "code": 0.2}
RETRIEVAL = "retrieval"  # who answers where no model does
KEPT = 8_000  # judged answers, the newest


@dataclass(frozen=True)
class Cell:
    """A kind of question that customers ask."""

    tenant: str
    region: str
    language: str
    context: str
    tool: str

    def answered(self, triple: Triple, provider: str, snapshot: str) -> dict[str, str]:
        """The attributes of an answer to it."""
        model, prompt, guard = map(str, triple)
        return {
            "model": model, "prompt": prompt, "guard": guard, "provider": provider, "snapshot": snapshot, "region": self.region,
            "language": self.language, "context": self.context, "tool": self.tool, "tenant": self.tenant,
        }  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """One answer that was judged. There is no text: `ref` says where it is kept."""

    at: float
    cell: Cell
    triple: Triple
    provider: str
    snapshot: str
    bad: bool
    ref: str

    def attributes(self) -> dict[str, str]:
        return self.cell.answered(self.triple, self.provider, self.snapshot)


def cells(rng: Random, tenants: list[Tenant]) -> tuple[list[Cell], list[float]]:
    """Some kinds of questions of every tenant, and how often each is asked, accumulated."""
    found: list[Cell] = []
    weights: list[float] = []
    for tenant in tenants:
        region = tenant.allowed[0].partition("@")[2]
        for _ in range(8):
            drawn = [rng.choices(list(one), list(one.values()))[0] for one in (LANGUAGES, CONTEXTS, TOOLS)]
            found.append(Cell(tenant.name, region, *drawn))
            weights.append(tenant.rps / 8)
    return found, list(accumulate(weights))


class Answers:
    """Draws who answers what, and whether it is good. `log`: the judged ones, oldest first."""

    def __init__(self, rng: Random, state: State) -> None:
        self._rng = rng
        self._cells, self._weights = cells(rng, list(state.tenants.values()))
        self._chances: dict[tuple[object, ...], float] = {}
        self._faults: tuple[object, ...] = ()
        self._number = 0
        self.log: deque[Judged] = deque(maxlen=KEPT)

    def judged(self, state: State, n: int, at: float) -> list[Judged]:
        """`n` answers of this step, judged."""
        registry, faults = state.part(Registry), state.part(QualityFaults)
        self._forget_if_changed(faults)
        rng, shares = self._rng, registry.shares()
        triples, ends = list(shares), list(accumulate(shares.values()))
        made = []
        for cell in rng.choices(self._cells, cum_weights=self._weights, k=n):
            triple = triples[0] if len(triples) == 1 else triples[min(bisect_right(ends, rng.random() * ends[-1]), len(triples) - 1)]
            provider = self._provider(state, cell.tenant)
            snapshot = RETRIEVAL if provider == RETRIEVAL else registry.model_id(provider)
            bad = rng.random() < self.chance(faults, cell, triple, provider, snapshot)
            self._number += 1
            made.append(Judged(at, cell, triple, provider, snapshot, bad, f"answers/{self._number:08d}"))
        self.log.extend(made)
        return made

    def chance(self, faults: QualityFaults, cell: Cell, triple: Triple, provider: str, snapshot: str) -> float:
        """How likely an answer is bad. Looked up: it is asked for every answer, and changes rarely."""
        if provider == RETRIEVAL:
            return USUAL_BAD
        key = (cell, triple, provider, snapshot)
        known = self._chances.get(key)
        if known is None:
            known = self._chances[key] = faults.badness(cell.answered(triple, provider, snapshot), USUAL_BAD)
        return known

    def passes(self, state: State, triple: Triple) -> float:
        """How likely an answer of this triple passes a suite: over all kinds of questions that suites hold."""
        faults, provider = state.part(QualityFaults), next(iter(state.providers))
        snapshot = state.part(Registry).model_id(provider)
        bad = sum(faults.badness(cell.answered(triple, provider, snapshot), USUAL_BAD, evals=True) for cell in self._cells)
        return 1 - bad / len(self._cells)

    def _provider(self, state: State, tenant: str) -> str:
        if state.route.mode(tenant) == "retrieval_only":
            return RETRIEVAL
        shares = state.route.shares(tenant)
        first = max(shares, key=lambda one: shares[one])
        return first if shares[first] >= 1 else self._rng.choices(list(shares), list(shares.values()))[0]

    def _forget_if_changed(self, faults: QualityFaults) -> None:
        now = tuple(faults.spoilt)
        if now != self._faults:
            self._faults = now
            self._chances.clear()
