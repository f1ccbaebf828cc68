"""What may be the cause of an outage, and what speaks for and against each hypothesis (spec §8 S-CHANGES, §9.1).

Pure: the same evidence gives the same answer, in whatever order it comes. Our own change is tested like any other hypothesis; that something
was deployed last is a hint, and no more.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from activities.action import Value
from activities.feeds.feeds import Feed
from activities.metrics.onset import Shape
from activities.metrics.telemetry import HIT
from activities.platform.change_feed import Change
from activities.write_gate.write_gate import WriteSafety
from workflows.playbooks.production_outage.findings import SuspectedChange, TriageFindings, listed, regions_of, revision_of

MUCH_WORSE = 4.0  # a revision or region with so many times the errors of the others is suspicious
FULL = 0.95  # of the capacity, or of a dependency


class Cause(StrEnum):
    """What kind of thing is broken (spec §9.1, 3a to 3e)."""

    CHANGE = "CHANGE"
    ARTEFACT = "ARTEFACT"
    REGION = "REGION"
    LOAD = "LOAD"
    DEPENDENCY = "DEPENDENCY"
    DATA = "DATA"
    UNKNOWN = "UNKNOWN"


class Hypothesis(Value):
    """One hypothesis, and what its evidence amounts to: 0 to 1."""

    cause: Cause
    which: str
    score: float
    reasons: tuple[str, ...]


@dataclass
class Evidence:
    """What speaks for a hypothesis and against it."""

    cause: Cause
    which: str = ""
    change: Change | None = None
    feed: Feed | None = None
    doubt: float = 1.0  # the chance that it is not so, after what speaks for it
    left: float = 1.0  # what is left of it after what speaks against it
    reasons: list[str] = field(default_factory=list)

    def supports(self, weight: float, reason: str) -> None:
        self.doubt *= 1 - weight
        self.reasons.append(reason)

    def contradicts(self, weight: float, reason: str) -> None:
        self.left *= 1 - weight
        self.reasons.append(f"against it: {reason}")

    @property
    def score(self) -> float:
        return round((1 - self.doubt) * self.left, 4)

    @property
    def hypothesis(self) -> Hypothesis:
        return Hypothesis(cause=self.cause, which=self.which, score=self.score, reasons=tuple(self.reasons))


def change_evidence(findings: TriageFindings, suspect: SuspectedChange, elsewhere: float) -> Evidence:
    """Our own change: suspected by time and scope, convicted or cleared by what its revision does against the others."""
    change, hit = suspect.change, findings.hit_services()
    evidence = Evidence(Cause.CHANGE, change.id, change=change)
    evidence.supports(0.75 * suspect.score, f"{change.in_words()} ({'; '.join(suspect.reasons)})")
    if findings.onset and findings.onset.shape is Shape.STEP and suspect.score >= 0.5:
        evidence.supports(0.2, "the errors began suddenly, as after a change")
    _by_revision(findings, change, evidence)
    if change.services and hit - set(change.services):
        evidence.contradicts(0.6, f"{listed(hit - set(change.services))} fails too, which it does not touch")
    _by_place(findings, change, evidence)
    if elsewhere >= 0.5:
        evidence.contradicts(0.35, "another hypothesis explains it")
    return evidence


def _by_revision(findings: TriageFindings, change: Change, evidence: Evidence) -> None:
    """Compare the errors of the revision that a change brought with those of the others that serve beside it."""
    errors, own = findings.onset.errors_by_revision if findings.onset else {}, revision_of(change)
    if not own:
        return
    inside = findings.health.inside.values() if findings.health else ()
    if inside and all(seen.revisions and not seen.revisions.get(own) for seen in inside):
        evidence.contradicts(0.7, f"{own} serves nowhere any more")
    if own not in errors:
        return
    others = [ratio for name, ratio in errors.items() if name != own]
    if not others:
        return
    worst = max(others)
    if errors[own] >= HIT and errors[own] >= MUCH_WORSE * worst:
        evidence.supports(0.8, f"{own} fails {errors[own]:.1%} of its requests, the others at most {worst:.1%}")
    elif errors[own] <= 2 * worst:
        evidence.contradicts(0.8, f"older revisions fail as often ({worst:.1%}) as {own} ({errors[own]:.1%})")


def _by_place(findings: TriageFindings, change: Change, evidence: Evidence) -> None:
    """Compare the failing regions with the healthy ones, as far as both have the change."""
    ill = findings.hit_regions()
    well = frozenset(findings.errors_by_region()) - ill
    if not ill or not well or regions_of(change):
        return
    served = findings.serving(revision_of(change))
    if served and served <= ill:
        evidence.supports(0.6, f"only {listed(served)} has it, and fails")
    elif not served or served & well:
        evidence.contradicts(0.6, f"{listed(served & well or well)} is well with the same change")


def artefact_evidence(findings: TriageFindings, suspects: tuple[SuspectedChange, ...]) -> list[Evidence]:
    """A feed that several services read: bad in all of them at once, whatever each of them deployed."""
    found = []
    for feed in sorted(findings.feeds.feeds if findings.feeds else (), key=lambda f: f.name):
        evidence, hit = Evidence(Cause.ARTEFACT, feed.name, feed=feed), findings.hit_services()
        common = hit & set(feed.services)
        if feed.suspect:
            evidence.supports(0.75, f"version {feed.read} of {feed.name} is read, the last good one is {feed.last_good}")
        if len(common) > 1 and not _shared_change(suspects, common):
            evidence.supports(0.55, f"{listed(common)} fail alike, have no change in common, and all read {feed.name}")
        if findings.onset and findings.onset.shape is Shape.PERIODIC:
            evidence.supports(0.5, "the errors come back periodically, as with a bad artefact that is generated again")
        if evidence.doubt < 1 and hit - common:
            evidence.contradicts(0.4, f"{listed(hit - common)} fails too and does not read it")
        if evidence.doubt < 1 and findings.radius and len(feed.services) > 1 and findings.radius.services and common < set(feed.services):
            evidence.contradicts(0.4, f"{listed(set(feed.services) - common)} reads it too and is well")
        _everywhere_alike(findings, evidence)
        _not_in_front(findings, evidence)
        found.append(evidence)
    return found


def _shared_change(suspects: tuple[SuspectedChange, ...], services: frozenset[str]) -> bool:
    """Whether some change near the start concerns all of these services."""
    return any(s.score >= 0.4 and services <= set(s.change.services) for s in suspects)


def region_evidence(findings: TriageFindings, suspects: tuple[SuspectedChange, ...]) -> list[Evidence]:
    """One region fails and the others are healthy, on the same revisions."""
    errors, hit = findings.errors_by_region(), findings.hit_regions()
    inside = findings.health.inside if findings.health else {}
    found = []
    for region in sorted(hit):
        if len(errors) < 2 or len(hit) == len(errors):
            continue
        evidence = Evidence(Cause.REGION, region)
        rest = max((ratio for name, ratio in errors.items() if name not in hit), default=0.0)
        if errors[region] >= MUCH_WORSE * rest:
            evidence.supports(
                0.75, f"{errors[region]:.1%} of the requests fail in {region}, at most {rest:.1%} in the regions that are well"
            )
        if region in inside and inside[region].ok is not True:
            evidence.supports(
                0.4,
                f"{region} itself reports that it is unhealthy" if inside[region].ok is False else f"{region} does not answer from inside",
            )
        if any(regions_of(s.change) == {region} and s.score >= 0.4 for s in suspects):
            evidence.contradicts(0.6, f"something was changed in {region} alone")
        alone = sorted(name for name in (inside[region].revisions if region in inside else {}) if findings.serving(name) == {region})
        if alone:
            evidence.contradicts(0.6, f"only {region} serves {listed(alone)}")
        found.append(evidence)
    return found


def load_evidence(findings: TriageFindings) -> Evidence:
    """More is asked than can be served."""
    evidence, capacity = Evidence(Cause.LOAD), findings.capacity
    if capacity is None:
        return evidence
    used = capacity.utilisation()
    if used >= FULL:
        evidence.supports(0.85 if used > 1.2 else 0.6, f"{used:.0%} of the capacity is asked for")
        if findings.onset and findings.onset.shape is Shape.RAMP:
            evidence.supports(0.4, "the errors came slowly, as load does")
        if findings.onset and findings.onset.slow:
            evidence.supports(0.2, "answers became slow before they became errors")
    elif findings.onset and findings.onset.shape is Shape.RAMP:
        evidence.supports(0.25, "the errors came slowly, as load and leaks do")
        evidence.contradicts(0.4, f"only {used:.0%} of the capacity is asked for")
    return evidence


def dependency_evidence(findings: TriageFindings) -> list[Evidence]:
    """A dependency of the service is broken: inside (database, cache) or in front of it (balancer, names, certificate)."""
    inside = findings.health.inside if findings.health else {}
    overloaded = findings.capacity is not None and findings.capacity.utilisation() >= FULL
    names = {*(findings.dependencies.up if findings.dependencies else ()), *(n for seen in inside.values() for n in seen.dependencies)}
    names |= set(findings.capacity.saturation if findings.capacity else ())
    found = []
    for name in sorted(names):
        evidence = Evidence(Cause.DEPENDENCY, name)
        if findings.dependencies and findings.dependencies.up.get(name) is False:
            evidence.supports(
                0.85, f"{name} is down" + (f" ({findings.dependencies.detail[name]})" if findings.dependencies.detail.get(name) else "")
            )
        missed = sorted(region for region, seen in inside.items() if seen.dependencies.get(name) is False)
        if missed:
            evidence.supports(0.6, f"{listed(missed)} cannot use {name}")
        full = findings.capacity.saturation.get(name, 0.0) if findings.capacity else 0.0
        if full >= FULL and not overloaded:
            evidence.supports(0.5, f"{name} is {full:.0%} full, though no more is asked than usual")
        if evidence.doubt < 1 and findings.health and findings.health.believed and findings.health.in_front():
            evidence.supports(0.3, "every region is well inside, and none can be reached from outside")
        found.append(evidence)
    if findings.health and findings.health.believed and findings.health.in_front() and not any(evidence.score >= 0.5 for evidence in found):
        front = Evidence(Cause.DEPENDENCY, "in front of the service")
        front.supports(0.6, "every region is well inside, and none can be reached from outside")
        found.append(front)
    return found


def data_evidence(findings: TriageFindings, suspects: tuple[SuspectedChange, ...]) -> Evidence:
    """What is written does not fit together: never to be cured by a rollback alone."""
    evidence, gate = Evidence(Cause.DATA, findings.service), findings.gate
    if gate is None or gate.safety is not WriteSafety.UNSAFE:
        return evidence
    for reason in gate.why_unsafe():
        evidence.supports(0.7, reason)
    moved = [s for s in suspects if s.change.kind == "migration" and s.score >= 0.4]
    if moved:
        evidence.supports(0.6, f"a migration is near the start: {moved[0].change.in_words()}")
        evidence.which = moved[0].change.id
        evidence.change = moved[0].change
    return evidence


def _everywhere_alike(findings: TriageFindings, evidence: Evidence) -> None:
    """An artefact is read everywhere: where regions differ much, it is something else."""
    errors, hit = findings.errors_by_region(), findings.hit_regions()
    if evidence.doubt < 1 and hit and len(hit) < len(errors):
        evidence.contradicts(0.5, f"{listed(frozenset(errors) - hit)} is well")


def _not_in_front(findings: TriageFindings, evidence: Evidence) -> None:
    down = findings.dependencies.down() if findings.dependencies else ()
    if evidence.doubt < 1 and down:
        evidence.contradicts(0.5, f"{listed(down)} is down, which explains it")
