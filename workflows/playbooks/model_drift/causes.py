"""What may be the cause, by everything that triage has found: at least two candidates are examined, each with its evidence (A.7 T1). Pure."""

from dataclasses import dataclass, field
from enum import StrEnum

from activities.evals.answers import JudgedAnswers
from activities.evals.evals import Score, Suites
from activities.guardrails.guardrails import GuardStatus
from activities.organisation.numbers import ModelDrift
from activities.registry.orders import Offers, Releases
from activities.registry.releases import Rollout
from activities.registry.triples import Triple
from workflows.playbooks.model_drift.slices import NO_MODEL, Blamed
from workflows.status import Standing, Suspect


class Cause(StrEnum):
    TRIPLE = "the triple that serves"
    GUARD = "the guard chain"
    PROVIDER = "the provider's model"
    JUDGE = "the judge model of the evals"
    UNKNOWN = "a cause that nothing names"


@dataclass(frozen=True)
class Candidate:
    """A cause that was examined. `points`: 0, nothing speaks for it, to 1; `evidence`: what speaks for it, or against it."""

    cause: Cause
    points: float
    evidence: tuple[str, ...]

    def suspect(self, standing: Standing) -> Suspect:
        return Suspect(what=self.cause.value, score=self.points, evidence=self.evidence, standing=standing)


Scores = dict[tuple[str, str], Score | None]  # suite, triple → what may be believed; None: nothing


@dataclass
class Findings:
    """What was found. None where nobody could say."""

    releases: Releases | None = None
    offers: Offers | None = None
    suites: Suites | None = None
    rollout: Rollout | None = None
    guard: GuardStatus | None = None
    answers: JudgedAnswers | None = None
    blamed: tuple[Blamed, ...] = ()
    scores: Scores = field(default_factory=dict)
    ill: bool = False  # what customers are answered is surely worse than usual

    def failing(self, triple: str, numbers: ModelDrift, *, judged: bool | None = None) -> tuple[Score, ...]:
        """The scores of a triple that are surely too low. `judged`: only by a judge model (True), or only by what people labelled (False)."""
        suites = {one.name: one for one in (self.suites.suites if self.suites else ())}
        return tuple(
            score
            for (name, of), score in sorted(self.scores.items())
            if of == triple and score and score.surely_below(suites[name].baseline, numbers.eval_margin)
            and (judged is None or suites[name].judged is judged)
        )  # fmt: skip

    def mean(self, triple: str) -> float | None:
        """The mean of its scores that may be believed. None: there is none."""
        scores = [score.score for (_, of), score in self.scores.items() if of == triple and score]
        return sum(scores) / len(scores) if scores else None

    def known(self, triple: str) -> int:
        """How many suites say something of a triple that may be believed."""
        return sum(of == triple and score is not None for (_, of), score in self.scores.items())

    def moved(self) -> tuple[str, ...]:
        """What a provider's name without a date means now, where that is no snapshot that we know."""
        return (
            tuple(one for one in self.offers.floating.values() if one not in self.offers.snapshots and self._pinnable(one))
            if self.offers
            else ()
        )

    def _pinnable(self, snapshot: str) -> bool:
        """Whether there are snapshots of its provider at all: of others nobody can say that they moved."""
        assert self.offers is not None  # noqa: S101 - narrows the type
        provider = next((name for name, one in self.offers.floating.items() if one == snapshot), "")
        return provider in self.offers.snapshots.values()


def candidates(found: Findings, numbers: ModelDrift) -> tuple[Candidate, ...]:
    """Every cause that can be examined, the likeliest first."""
    examined = (_triple(found, numbers), _guard(found), _provider(found, numbers), _judge(found, numbers))
    return tuple(sorted(examined, key=lambda one: one.points, reverse=True))


def _triple(found: Findings, numbers: ModelDrift) -> Candidate:
    if (releases := found.releases) is None:
        return Candidate(Cause.TRIPLE, 0.2, ("the releases cannot be read: unknown",))
    serving, points, said = releases.serving, 0.0, list[str]()
    if (older := releases.eligible()) and not releases.blessed and Triple.read(serving).only_guard(Triple.read(older[0])):
        return Candidate(Cause.TRIPLE, 0.0, ("model and prompt are those that were blessed together",))
    if not releases.blessed:
        points, said = points + 0.4, [f"{serving} serves, and was never blessed"]
    named = [one for one in found.blamed if one.of("triple") == serving]
    if named:
        points, said = points + 0.5, [*said, *map(str, named)]
    if failing := found.failing(serving, numbers, judged=False) or found.failing(serving, numbers):
        good = bool(older) and bool(found.known(older[0])) and not found.failing(older[0], numbers)
        points, said = points + (0.3 if good else 0.1), [*said, *map(str, failing)]
    return Candidate(Cause.TRIPLE, min(points, 1.0), tuple(said) or (f"{serving} serves, and is blessed",))


def _guard(found: Findings) -> Candidate:
    said, points, releases = [], 0.0, found.releases
    if found.guard is not None and found.guard.up is False:
        points, said = 0.3, ["the guardrails are down"]
    if releases is not None and (older := releases.eligible()):
        serving, before = Triple.read(releases.serving), Triple.read(older[0])
        if not releases.blessed and serving.only_guard(before):
            points, said = 0.9, [*said, f"nothing but the guard chain differs from {before.short}, which was blessed"]
    return Candidate(Cause.GUARD, points, tuple(said) or ("the guard chain is the one that was blessed with the rest",))


def _provider(found: Findings, numbers: ModelDrift) -> Candidate:
    points, said, moved = 0.0, [], found.moved()
    if moved:
        points, said = 0.35, [f"{', '.join(moved)} answers, which is no snapshot that we have evaluated"]
    answering = {one.where["provider"] for one in found.answers.slices} - {NO_MODEL} if found.answers else set[str]()
    named = [one for one in found.blamed if one.of("snapshot") in moved or (one.of("provider") and len(answering) > 1)]
    if named:
        points, said = points + 0.5, [*said, *map(str, named)]
    blessed = found.releases.eligible()[:1] if found.releases else ()
    if blessed and found.failing(blessed[0], numbers, judged=False):
        points, said = points + 0.3, [*said, f"{blessed[0]} fails too, and was blessed: what answers it has changed"]
    return Candidate(Cause.PROVIDER, min(points, 1.0), tuple(said) or ("the provider's model is the one that we know",))


def _judge(found: Findings, numbers: ModelDrift) -> Candidate:
    if found.releases is None or found.suites is None:
        return Candidate(Cause.JUDGE, 0.0, ("nobody can say what the judge model says",))
    serving, blessed = found.releases.serving, found.releases.eligible()[:1]
    by_judge, by_people = found.failing(serving, numbers, judged=True), found.failing(serving, numbers, judged=False)
    labelled = [one.name for one in found.suites.suites if not one.judged and found.scores.get((one.name, serving))]
    everywhere = not blessed or bool(found.failing(blessed[0], numbers, judged=True))
    if by_judge and labelled and not by_people and everywhere and not found.ill:
        what = f"what people labelled passes ({', '.join(labelled)}), and customers are answered as usual"
        return Candidate(Cause.JUDGE, 0.95, (*map(str, by_judge), f"{', '.join(blessed) or 'everything'} fails by it too", what))
    return Candidate(Cause.JUDGE, 0.0, ("what the judge model says agrees with what people labelled",))
