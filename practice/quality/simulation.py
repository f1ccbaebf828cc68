"""How good the answers are, step by step: judged samples, thumbs, hand-offs, complaints, and the evals that run by themselves."""

from __future__ import annotations

import math
from random import Random

from practice.knowledge.library import Knowledge
from practice.llm.load import STEP_SECONDS
from practice.metrics.metrics import Metrics, Series
from practice.quality.answers import USUAL_BAD, Answers
from practice.quality.evals import SUITES, Result, repeated, scored
from practice.quality.faults import QualityFaults
from practice.quality.registry import Registry, Triple, said
from practice.world.chance import binomial, poisson
from practice.world.state import State

JUDGED = 0.1  # of all answers
USUALLY_GOOD = 0.965  # what the dashboards call usual: a little below what it is, so that chance is no symptom
RATED, DOWN, HANDED_OVER, COMPLAINED = 0.02, 0.06, 0.01, 0.0002  # shares: of answers that get a thumb, down ones of those, and so on
BAD_DOWN, BAD_HANDED_OVER, BAD_COMPLAINED = 0.5, 0.06, 0.005  # the same for bad answers beyond the usual
EVERY = 1800.0  # seconds between two evals of what serves
SOON = 60.0  # and this long after something else serves


class Simulation:
    """The customers and the eval runner."""

    def __init__(self, seed: int, metrics: Metrics, state: State) -> None:
        self._rng = Random(seed)
        self._metrics, self._service = metrics, state.route.alias
        self.answers = Answers(self._rng, state)
        self._due = 0.0
        self._evaluated: tuple[Triple, str] | None = None
        self._judged = {bad: self._counter("answers_judged_total", verdict="bad" if bad else "good") for bad in (False, True)}
        self._rated = {way: self._counter("chat_feedback_total", rating=way) for way in ("up", "down")}
        self._handed, self._complained = self._counter("handoffs_total"), self._counter("complaints_total")
        self._garbled = self._counter("answers_garbled_total")
        self._usual = metrics.gauge("answers_good_ratio_usual", {"service": self._service})
        self._usual.value = USUALLY_GOOD
        for suite in SUITES.values():
            metrics.gauge("eval_pass_ratio_baseline", {"service": self._service, "suite": suite.name}).value = suite.baseline
        self._shown: dict[str, tuple[str, Result]] = {}
        self._ended: list[dict[str, str]] = []  # labels of what does not serve any more

    def _counter(self, name: str, **labels: str) -> Series:
        return self._metrics.counter(name, {"service": self._service, **labels})

    def step(self, state: State, at: float) -> None:
        """One step of the simulation, up to this instant."""
        state.part(Registry).settle()
        asked = sum(tenant.rps for tenant in state.tenants.values()) * STEP_SECONDS
        self._customers(state, asked, at)
        self._evals(state, at)
        self._show()

    def _customers(self, state: State, asked: float, at: float) -> None:
        rng, faults = self._rng, state.part(QualityFaults)
        found = self.answers.judged(state, poisson(rng, asked * JUDGED), at)
        bad = sum(one.bad for one in found)
        self._judged[True].value += bad
        self._judged[False].value += len(found) - bad
        share = max(0.0, bad / len(found) - USUAL_BAD) if found else 0.0
        rated = poisson(rng, asked * RATED)
        down = binomial(rng, rated, min(1.0, DOWN + BAD_DOWN * share))
        self._rated["down"].value += down
        self._rated["up"].value += rated - down
        self._handed.value += poisson(rng, asked * (HANDED_OVER + BAD_HANDED_OVER * share))
        self._complained.value += poisson(rng, asked * (COMPLAINED + BAD_COMPLAINED * share))
        spoils = [one for one in faults.spoilt if one.garbled]
        if spoils:
            self._garbled.value += sum(one.bad and any(s.meets(one.attributes()) for s in spoils) for one in found)

    def _evals(self, state: State, at: float) -> None:
        registry = state.part(Registry)
        serving = registry.serving
        now = (serving, registry.model_id(next(iter(state.providers))))
        if now != self._evaluated:
            self._evaluated = now
            state.part(Knowledge).prompt = f"{self._service}-v{serving[1]}"  # what is cached from now on is made by it
            self._due = at + SOON if self._due else at
        if at < self._due:
            return
        self._due = at + EVERY
        for suite in SUITES.values():
            self.show(suite.name, serving, self.evaluate(self._rng, state, suite.name, serving, at))

    def show(self, suite: str, serving: Triple, result: Result) -> None:
        """Let the gauges say this from the next step on."""
        version, before = said(serving), self._shown.get(suite)
        if before and before[0] != version:
            self._ended.append(self._labels(suite, before[0]))
        self._shown[suite] = (version, result)

    def evaluate(self, rng: Random, state: State, suite: str, triple: Triple, at: float) -> Result:
        """Run a suite on a triple, as well as the runner can."""
        faults, wanted = state.part(QualityFaults), SUITES[suite]
        if faults.stuck:
            return self._shown[suite][1] if suite in self._shown else repeated(wanted, triple, at)
        chance = self.answers.passes(state, triple)
        result = scored(rng, wanted, triple, chance, at, judge=faults.judge, few=faults.few)
        if faults.nan:
            result.score = None
        return result

    def _labels(self, suite: str, version: str) -> dict[str, str]:
        return {"service": self._service, "suite": suite, "model_version": version}

    def _show(self) -> None:
        """Gauges of what serves; those of what served before are no number any more."""
        while self._ended:
            self._metrics.gauge("eval_pass_ratio", self._ended.pop()).value = math.nan
        for suite, (version, result) in self._shown.items():
            labels = {"service": self._service, "suite": suite}
            ratio = math.nan if result.score is None else result.score
            self._metrics.gauge("eval_pass_ratio", self._labels(suite, version)).value = ratio
            told = {"cases": result.n, "last_run_timestamp_seconds": result.ran_at, "critical_failures": result.critical_failures}
            for name, value in told.items():
                self._metrics.gauge(f"eval_{name}", labels).value = float(value)
