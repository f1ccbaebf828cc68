"""What changed, and what is the cause? Pure: the same evidence gives the same answer, in whatever order it comes (spec §8 S-CHANGES, §9.1).

Every hypothesis collects what speaks for it and against it, each with a weight and a reason in words. Our own change is tested like any
other hypothesis; that something was deployed last is a hint, and no more.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from activities.action import Value
from activities.feeds.feeds import Feed
from activities.metrics.onset import Shape
from activities.metrics.telemetry import HIT
from activities.platform.change_feed import Change
from activities.write_gate.values import WriteSafety
from workflows.playbooks.production_outage.findings import Suspect, TriageFindings, listed, rank, regions_of, revision_of

__all__ = ["Cause", "Diagnosis", "Lead", "Suspect", "TriageFindings", "diagnose", "rank"]

MUCH_WORSE = 4.0  # a revision or region with so many times the errors of the others stands out
FULL = 0.95  # of the capacity, or of a dependency
LEAST = 0.4  # confidence below which we say that we do not know


class Cause(StrEnum):
    """What kind of thing is broken (spec §9.1, 3a to 3e)."""

    CHANGE = "CHANGE"
    ARTEFACT = "ARTEFACT"
    REGION = "REGION"
    LOAD = "LOAD"
    DEPENDENCY = "DEPENDENCY"
    DATA = "DATA"
    UNKNOWN = "UNKNOWN"


class Lead(Value):
    """One hypothesis, and what its evidence amounts to: 0 to 1."""

    cause: Cause
    which: str
    score: float
    reasons: tuple[str, ...]


class Diagnosis(Value):
    """The likeliest cause. `which` names the change, feed, region or dependency; `missing` what could not be found out."""

    cause: Cause
    which: str
    confidence: float
    reasons: tuple[str, ...]
    change: Change | None = None
    feed: Feed | None = None
    others: tuple[Lead, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    missing: tuple[str, ...] = ()

    def in_words(self) -> str:
        what = self.cause.value.lower() + (f" {self.which}" if self.which else "")
        said = "the cause is unknown" if self.cause is Cause.UNKNOWN else f"the cause is probably {what} ({self.confidence:.0%})"
        return f"{said}: {'; '.join(self.reasons) or 'nothing stands out'}"


@dataclass
class _Case:
    """What speaks for a hypothesis and against it."""

    cause: Cause
    which: str = ""
    change: Change | None = None
    feed: Feed | None = None
    doubt: float = 1.0  # the chance that it is not so, after what speaks for it
    left: float = 1.0  # what is left of it after what speaks against it
    reasons: list[str] = field(default_factory=list)

    def for_(self, weight: float, reason: str) -> None:
        self.doubt *= 1 - weight
        self.reasons.append(reason)

    def against(self, weight: float, reason: str) -> None:
        self.left *= 1 - weight
        self.reasons.append(f"against it: {reason}")

    @property
    def score(self) -> float:
        return round((1 - self.doubt) * self.left, 4)

    @property
    def lead(self) -> Lead:
        return Lead(cause=self.cause, which=self.which, score=self.score, reasons=tuple(self.reasons))


def diagnose(findings: TriageFindings) -> Diagnosis:
    """The cause that the evidence speaks for most, with its rivals. UNKNOWN when it does not amount to much."""
    suspects = rank(findings)
    cases = [
        *_artefacts(findings, suspects),
        *_regional(findings, suspects),
        _load(findings),
        *_dependent(findings),
        _data(findings, suspects),
    ]
    elsewhere = max((case.score for case in cases), default=0.0)
    cases += [_changed(findings, suspect, elsewhere) for suspect in suspects]
    ranked = sorted((case for case in cases if case.score > 0), key=lambda c: (-c.score, list(Cause).index(c.cause), c.which))
    missing = _missing(findings)
    if not ranked:
        return Diagnosis(cause=Cause.UNKNOWN, which="", confidence=0.0, reasons=(), suspects=suspects, missing=missing)
    best, rival = ranked[0], ranked[1].score if len(ranked) > 1 else 0.0
    confidence = round(best.score * (1 - 0.5 * (rival / best.score) ** 2), 4)
    others = tuple(case.lead for case in ranked if case is not best)[:5]
    if confidence < LEAST:
        reasons = (f"likeliest: {best.cause.value.lower()} {best.which}".strip(), *best.reasons)
        return Diagnosis(
            cause=Cause.UNKNOWN, which="", confidence=confidence, reasons=reasons, others=(best.lead, *others), suspects=suspects,
            missing=missing,
        )  # fmt: skip
    return Diagnosis(
        cause=best.cause, which=best.which, confidence=confidence, reasons=tuple(best.reasons), change=best.change, feed=best.feed,
        others=others, suspects=suspects, missing=missing,
    )  # fmt: skip


def _changed(findings: TriageFindings, suspect: Suspect, elsewhere: float) -> _Case:
    """Our own change: suspected by time and scope, convicted or cleared by what its revision does against the others."""
    change, hit = suspect.change, findings.hit_services()
    case = _Case(Cause.CHANGE, change.id, change=change)
    case.for_(0.75 * suspect.score, f"{change.in_words()} ({'; '.join(suspect.reasons)})")
    if findings.onset and findings.onset.shape is Shape.STEP and suspect.score >= 0.5:
        case.for_(0.2, "the trouble began at once, as changes do")
    _by_revision(findings, change, case)
    if change.services and hit - set(change.services):
        case.against(0.6, f"{listed(hit - set(change.services))} fails too, which it does not touch")
    _by_place(findings, change, case)
    if elsewhere >= 0.5:
        case.against(0.35, "something else explains it by itself")
    return case


def _by_revision(findings: TriageFindings, change: Change, case: _Case) -> None:
    """Compare the errors of the revision that a change brought with those of the others that serve beside it."""
    errors, own = findings.onset.errors_by_revision if findings.onset else {}, revision_of(change)
    if not own:
        return
    inside = findings.health.inside.values() if findings.health else ()
    if inside and all(seen.revisions and not seen.revisions.get(own) for seen in inside):
        case.against(0.7, f"{own} serves nowhere any more")
    if own not in errors:
        return
    others = [ratio for name, ratio in errors.items() if name != own]
    if not others:
        return
    worst = max(others)
    if errors[own] >= HIT and errors[own] >= MUCH_WORSE * worst:
        case.for_(0.8, f"{own} fails {errors[own]:.1%} of its requests, the others at most {worst:.1%}")
    elif errors[own] <= 2 * worst:
        case.against(0.8, f"older revisions fail as often ({worst:.1%}) as {own} ({errors[own]:.1%})")


def _by_place(findings: TriageFindings, change: Change, case: _Case) -> None:
    """Compare the regions that are ill with those that are well, as far as both have the change."""
    ill = findings.hit_regions()
    well = frozenset(findings.errors_by_region()) - ill
    if not ill or not well or regions_of(change):
        return
    served = findings.serving(revision_of(change))
    if served and served <= ill:
        case.for_(0.6, f"only {listed(served)} has it, and is ill")
    elif not served or served & well:
        case.against(0.6, f"{listed(served & well or well)} is well with the same change")


def _artefacts(findings: TriageFindings, suspects: tuple[Suspect, ...]) -> list[_Case]:
    """A feed that several services read: bad in all of them at once, whatever each of them deployed."""
    cases = []
    for feed in sorted(findings.feeds.feeds if findings.feeds else (), key=lambda f: f.name):
        case, hit = _Case(Cause.ARTEFACT, feed.name, feed=feed), findings.hit_services()
        common = hit & set(feed.services)
        if feed.suspect:
            case.for_(0.75, f"version {feed.read} of {feed.name} is read, the last good one is {feed.last_good}")
        if len(common) > 1 and not _shared_change(suspects, common):
            case.for_(0.55, f"{listed(common)} fail alike, have no change in common, and all read {feed.name}")
        if findings.onset and findings.onset.shape is Shape.PERIODIC:
            case.for_(0.5, "the trouble comes back again and again, as a bad artefact does that is made anew")
        if case.doubt < 1 and hit - common:
            case.against(0.4, f"{listed(hit - common)} fails too and does not read it")
        if case.doubt < 1 and findings.radius and len(feed.services) > 1 and findings.radius.services and common < set(feed.services):
            case.against(0.4, f"{listed(set(feed.services) - common)} reads it too and is well")
        _everywhere_alike(findings, case)
        _not_in_front(findings, case)
        cases.append(case)
    return cases


def _shared_change(suspects: tuple[Suspect, ...], services: frozenset[str]) -> bool:
    """Whether some change near the start concerns all of these services."""
    return any(s.score >= 0.4 and services <= set(s.change.services) for s in suspects)


def _regional(findings: TriageFindings, suspects: tuple[Suspect, ...]) -> list[_Case]:
    """One region is ill and the others are well, on the same revisions."""
    errors, hit = findings.errors_by_region(), findings.hit_regions()
    inside = findings.health.inside if findings.health else {}
    cases = []
    for region in sorted(hit):
        if len(errors) < 2 or len(hit) == len(errors):
            continue
        case = _Case(Cause.REGION, region)
        rest = max((ratio for name, ratio in errors.items() if name not in hit), default=0.0)
        if errors[region] >= MUCH_WORSE * rest:
            case.for_(0.75, f"{errors[region]:.1%} of the requests fail in {region}, at most {rest:.1%} in the regions that are well")
        if region in inside and inside[region].ok is not True:
            case.for_(
                0.4, f"{region} says itself that it is ill" if inside[region].ok is False else f"{region} does not answer from inside"
            )
        if any(regions_of(s.change) == {region} and s.score >= 0.4 for s in suspects):
            case.against(0.6, f"something was changed in {region} alone")
        alone = sorted(name for name in (inside[region].revisions if region in inside else {}) if findings.serving(name) == {region})
        if alone:
            case.against(0.6, f"only {region} serves {listed(alone)}")
        cases.append(case)
    return cases


def _load(findings: TriageFindings) -> _Case:
    """More is asked than can be served."""
    case, capacity = _Case(Cause.LOAD), findings.capacity
    if capacity is None:
        return case
    used = capacity.utilisation()
    if used >= FULL:
        case.for_(0.85 if used > 1.2 else 0.6, f"{used:.0%} of the capacity is asked for")
        if findings.onset and findings.onset.shape is Shape.RAMP:
            case.for_(0.4, "the trouble came slowly, as load does")
        if findings.onset and findings.onset.slow:
            case.for_(0.2, "answers became slow before they became errors")
    elif findings.onset and findings.onset.shape is Shape.RAMP:
        case.for_(0.25, "the trouble came slowly, as load and leaks do")
        case.against(0.4, f"only {used:.0%} of the capacity is asked for")
    return case


def _dependent(findings: TriageFindings) -> list[_Case]:
    """What the service stands on is broken: inside (database, cache) or in front of it (balancer, names, certificate)."""
    inside = findings.health.inside if findings.health else {}
    overloaded = findings.capacity is not None and findings.capacity.utilisation() >= FULL
    names = {*(findings.dependencies.up if findings.dependencies else ()), *(n for seen in inside.values() for n in seen.dependencies)}
    names |= set(findings.capacity.saturation if findings.capacity else ())
    cases = []
    for name in sorted(names):
        case = _Case(Cause.DEPENDENCY, name)
        if findings.dependencies and findings.dependencies.up.get(name) is False:
            case.for_(
                0.85, f"{name} is down" + (f" ({findings.dependencies.detail[name]})" if findings.dependencies.detail.get(name) else "")
            )
        missed = sorted(region for region, seen in inside.items() if seen.dependencies.get(name) is False)
        if missed:
            case.for_(0.6, f"{listed(missed)} cannot use {name}")
        full = findings.capacity.saturation.get(name, 0.0) if findings.capacity else 0.0
        if full >= FULL and not overloaded:
            case.for_(0.5, f"{name} is {full:.0%} full, though no more is asked than usual")
        if case.doubt < 1 and findings.health and findings.health.believed and findings.health.in_front():
            case.for_(0.3, "every region is well inside, and none can be reached from outside")
        cases.append(case)
    if findings.health and findings.health.believed and findings.health.in_front() and not any(case.score >= 0.5 for case in cases):
        front = _Case(Cause.DEPENDENCY, "in front of the service")
        front.for_(0.6, "every region is well inside, and none can be reached from outside")
        cases.append(front)
    return cases


def _data(findings: TriageFindings, suspects: tuple[Suspect, ...]) -> _Case:
    """What is written does not fit together: never to be cured by a rollback alone."""
    case, gate = _Case(Cause.DATA, findings.service), findings.gate
    if gate is None or gate.safety is not WriteSafety.UNSAFE:
        return case
    for reason in gate.why_unsafe():
        case.for_(0.7, reason)
    moved = [s for s in suspects if s.change.kind == "migration" and s.score >= 0.4]
    if moved:
        case.for_(0.6, f"a migration stands near the start: {moved[0].change.in_words()}")
        case.which = moved[0].change.id
        case.change = moved[0].change
    return case


def _everywhere_alike(findings: TriageFindings, case: _Case) -> None:
    """An artefact is read everywhere: where regions differ much, it is something else."""
    errors, hit = findings.errors_by_region(), findings.hit_regions()
    if case.doubt < 1 and hit and len(hit) < len(errors):
        case.against(0.5, f"{listed(frozenset(errors) - hit)} is well")


def _not_in_front(findings: TriageFindings, case: _Case) -> None:
    down = findings.dependencies.down() if findings.dependencies else ()
    if case.doubt < 1 and down:
        case.against(0.5, f"{listed(down)} is down, which explains it by itself")


def _missing(findings: TriageFindings) -> tuple[str, ...]:
    """What could not be found out, in words."""
    found = []
    if findings.onset is None or findings.onset.blind:
        found.append("no fresh metrics say how it began")
    if findings.health is None:
        found.append("nobody looked from inside and outside")
    elif not findings.health.believed:
        found.append(f"only {findings.health.answered} of {findings.health.wanted} vantage points got an answer")
    if findings.changes is None:
        found.append("the change feed was not read")
    elif findings.changes.gaps:
        found.append(f"the change feed cannot see {listed(findings.changes.gaps)}")
    unread = (
        ("dependencies", findings.dependencies),
        ("capacity", findings.capacity),
        ("write gate", findings.gate),
        ("feeds", findings.feeds),
    )
    found.extend(f"{name} unknown" for name, value in unread if value is None)
    return tuple(found)
