"""What may be the cause of an outage, and what speaks for and against each hypothesis (spec §8 S-CHANGES, §9.1).

Pure: the same evidence gives the same answer, in whatever order it comes. Our own change is tested like any other hypothesis; that something
was deployed last is a hint, and no more.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from activities.feeds.feeds import Feed
from activities.metrics.onset import Shape
from activities.metrics.telemetry import HIT
from activities.platform.change_feed import Change
from activities.write_gate.values import WriteSafety
from workflows.playbooks.production_outage.findings import NEAR, SuspectedChange, TriageFindings, listed, regions_of, revision_of

MUCH_WORSE = 4.0  # a revision or region with so many times the errors of the others is suspicious
FULL = 0.95  # of the capacity, or of a dependency
IN_FRONT = "every region is well inside, and none can be reached from outside"


class Cause(StrEnum):
    """What kind of thing is broken (spec §9.1, 3a to 3e)."""

    CHANGE = "CHANGE"
    ARTEFACT = "ARTEFACT"
    REGION = "REGION"
    LOAD = "LOAD"
    DEPENDENCY = "DEPENDENCY"
    DATA = "DATA"
    UNKNOWN = "UNKNOWN"


@dataclass
class Hypothesis:
    """A possible cause, with what speaks for it and against it."""

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
        """What its evidence amounts to: 0 to 1."""
        return round((1 - self.doubt) * self.left, 4)


def by_change(findings: TriageFindings, suspect: SuspectedChange, elsewhere: float) -> Hypothesis:
    """Our own change: suspected by time and scope, convicted or cleared by what its revision does against the others."""
    change, untouched = suspect.change, findings.hit_services() - set(suspect.change.services)
    found = Hypothesis(Cause.CHANGE, change.id, change)
    found.supports(0.75 * suspect.score, f"{change.in_words()} ({'; '.join(suspect.reasons)})")
    if findings.shape is Shape.STEP and suspect.score >= 0.5:
        found.supports(0.2, "the errors began suddenly, as after a change")
    _by_revision(findings, change, found)
    if change.services and untouched:
        found.contradicts(0.6, f"{listed(untouched)} fails too, which it does not touch")
    _by_place(findings, change, found)
    if elsewhere >= 0.5:
        found.contradicts(0.35, "another hypothesis explains it")
    return found


def _by_revision(findings: TriageFindings, change: Change, found: Hypothesis) -> None:
    """Compare the errors of the revision that a change brought with those of the others that serve beside it."""
    errors, own = findings.onset.errors_by_revision if findings.onset else {}, revision_of(change)
    inside = findings.inside.values()
    if own and inside and all(seen.revisions and not seen.revisions.get(own) for seen in inside):
        found.contradicts(0.7, f"{own} serves nowhere any more")
    others = [ratio for name, ratio in errors.items() if name != own]
    if own not in errors or not others:
        return
    worst = max(others)
    if errors[own] >= HIT and errors[own] >= MUCH_WORSE * worst:
        found.supports(0.8, f"{own} fails {errors[own]:.1%} of its requests, the others at most {worst:.1%}")
    elif errors[own] <= 2 * worst:
        found.contradicts(0.8, f"older revisions fail as often ({worst:.1%}) as {own} ({errors[own]:.1%})")


def _by_place(findings: TriageFindings, change: Change, found: Hypothesis) -> None:
    """Compare the failing regions with the healthy ones, as far as both have the change."""
    well, served = findings.well_regions(), findings.serving(revision_of(change))
    if not well or regions_of(change):
        return
    if served and served <= findings.hit_regions():
        found.supports(0.6, f"only {listed(served)} has it, and fails")
    elif not served or served & well:
        found.contradicts(0.6, f"{listed(served & well or well)} is well with the same change")


def by_artefact(findings: TriageFindings, suspects: tuple[SuspectedChange, ...]) -> list[Hypothesis]:
    """A feed that several services read: bad in all of them at once, and in every region, whatever each of them deployed."""
    hit, well, hypotheses = findings.hit_services(), findings.well_regions(), []
    down = findings.dependencies.down() if findings.dependencies else ()
    for feed in sorted(findings.feeds.feeds if findings.feeds else (), key=lambda f: f.name):
        found, common = Hypothesis(Cause.ARTEFACT, feed.name, feed=feed), hit & set(feed.services)
        if feed.suspect:
            found.supports(0.75, f"version {feed.read} of {feed.name} is read, the last good one is {feed.last_good}")
        if len(common) > 1 and not any(s.score >= NEAR and common <= set(s.change.services) for s in suspects):
            found.supports(0.55, f"{listed(common)} fail alike, have no change in common, and all read {feed.name}")
        if findings.shape is Shape.PERIODIC:
            found.supports(0.5, "the errors come back periodically, as with a bad artefact that is generated again")
        if hit - common:
            found.contradicts(0.4, f"{listed(hit - common)} fails too and does not read it")
        if findings.radius and findings.radius.services and len(feed.services) > 1 and common < set(feed.services):
            found.contradicts(0.4, f"{listed(set(feed.services) - common)} reads it too and is well")
        if well:
            found.contradicts(0.5, f"{listed(well)} is well")
        if down:
            found.contradicts(0.5, f"{listed(down)} is down, which explains it")
        hypotheses.append(found)
    return hypotheses


def by_region(findings: TriageFindings, suspects: tuple[SuspectedChange, ...]) -> list[Hypothesis]:
    """One region fails and the others are healthy, on the same revisions."""
    errors, well, hypotheses = findings.errors_by_region(), findings.well_regions(), []
    rest = max((errors[region] for region in well), default=0.0)
    for region in sorted(findings.hit_regions()) if well else ():
        found, seen = Hypothesis(Cause.REGION, region), findings.inside.get(region)
        if errors[region] >= MUCH_WORSE * rest:
            share = f"{errors[region]:.1%} of the requests fail in {region}"
            found.supports(0.75, f"{share}, at most {rest:.1%} in the regions that are well")
        if seen is not None and seen.ok is not True:
            found.supports(
                0.4, f"{region} itself reports that it is unhealthy" if seen.ok is False else f"{region} does not answer from inside"
            )
        if any(regions_of(s.change) == {region} and s.score >= NEAR for s in suspects):
            found.contradicts(0.6, f"something was changed in {region} alone")
        if alone := [name for name in (seen.revisions if seen else ()) if findings.serving(name) == {region}]:
            found.contradicts(0.6, f"only {region} serves {listed(alone)}")
        hypotheses.append(found)
    return hypotheses


def by_load(findings: TriageFindings) -> Hypothesis:
    """More is asked than can be served."""
    found, slowly = Hypothesis(Cause.LOAD), findings.shape is Shape.RAMP
    if findings.capacity is None:
        return found
    used = findings.capacity.utilisation()
    if used >= FULL:
        found.supports(0.85 if used > 1.2 else 0.6, f"{used:.0%} of the capacity is asked for")
        if slowly:
            found.supports(0.4, "the errors came slowly, as load does")
        if findings.onset and findings.onset.slow:
            found.supports(0.2, "answers became slow before they became errors")
    elif slowly:
        found.supports(0.25, "the errors came slowly, as load and leaks do")
        found.contradicts(0.4, f"only {used:.0%} of the capacity is asked for")
    return found


def by_dependency(findings: TriageFindings) -> list[Hypothesis]:
    """A dependency of the service is broken: inside (database, cache) or in front of it (balancer, names, certificate)."""
    capacity, inside = findings.capacity, findings.inside
    up, detail = (findings.dependencies.up, findings.dependencies.detail) if findings.dependencies else ({}, {})
    saturation = capacity.saturation if capacity else {}
    overloaded = capacity is not None and capacity.utilisation() >= FULL
    in_front = findings.health is not None and findings.health.believed and findings.health.in_front()
    hypotheses = []
    for name in sorted({*up, *saturation, *(name for seen in inside.values() for name in seen.dependencies)}):
        found = Hypothesis(Cause.DEPENDENCY, name)
        if up.get(name) is False:
            found.supports(0.85, f"{name} is down" + (f" ({detail[name]})" if detail.get(name) else ""))
        if missed := [region for region, seen in inside.items() if seen.dependencies.get(name) is False]:
            found.supports(0.6, f"{listed(missed)} cannot use {name}")
        if (full := saturation.get(name, 0.0)) >= FULL and not overloaded:
            found.supports(0.5, f"{name} is {full:.0%} full, though no more is asked than usual")
        if found.reasons and in_front:
            found.supports(0.3, IN_FRONT)
        hypotheses.append(found)
    if in_front and not any(found.score >= 0.5 for found in hypotheses):
        hypotheses.append(Hypothesis(Cause.DEPENDENCY, "in front of the service"))
        hypotheses[-1].supports(0.6, IN_FRONT)
    return hypotheses


def by_data(findings: TriageFindings, suspects: tuple[SuspectedChange, ...]) -> Hypothesis:
    """What is written does not fit together: never to be cured by a rollback alone."""
    found, gate = Hypothesis(Cause.DATA, findings.service), findings.gate
    if gate is None or gate.safety is not WriteSafety.UNSAFE:
        return found
    for reason in gate.why_unsafe():
        found.supports(0.7, reason)
    moved = next((s.change for s in suspects if s.change.kind == "migration" and s.score >= NEAR), None)
    if moved is not None:
        found.supports(0.6, f"a migration is near the start: {moved.in_words()}")
        found.which, found.change = moved.id, moved
    return found
