"""What may be the cause of an outage, what speaks for and against each hypothesis, and which one most (spec §8 S-CHANGES, §9.1).

Pure: the same evidence gives the same answer, in whatever order it comes. Our own change is tested like any other hypothesis; that something
was deployed last is a hint, and no more.
"""

from collections.abc import Container
from dataclasses import dataclass, field, replace
from enum import StrEnum

from activities.feeds.feeds import Feed
from activities.metrics.onset import Shape
from activities.metrics.telemetry import HIT
from activities.platform.change_feed import Change
from activities.write_gate.write_gate import WriteSafety
from workflows.playbooks.production_outage.findings import SuspectedChange, TriageFindings, listed, rank, regions_of, revision_of

LEAST = 0.4  # confidence below which we say that we do not know
NEAR = 0.4  # the score from which a change counts as near the start
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

    def supports(self, weight: float, reason: str, when: object = True) -> None:
        if when:
            self.doubt *= 1 - weight
            self.reasons.append(reason)

    def contradicts(self, weight: float, reason: str, when: object = True) -> None:
        if when:
            self.left *= 1 - weight
            self.reasons.append(f"against it: {reason}")

    def in_words(self) -> str:
        return f"{self.cause.value.lower()} {self.which}".rstrip() + f" ({self.score:.0%}): {'; '.join(self.reasons[:2])}"

    @property
    def score(self) -> float:
        """What its evidence amounts to: 0 to 1."""
        return round((1 - self.doubt) * self.left, 4)


@dataclass(frozen=True)
class Diagnosis:
    """The likeliest cause. `which` names the change, feed, region or dependency; `missing` what could not be found out."""

    cause: Cause = Cause.UNKNOWN
    which: str = ""
    confidence: float = 0.0
    reasons: tuple[str, ...] = ()
    change: Change | None = None
    feed: Feed | None = None
    hypothesis: Hypothesis | None = None
    others: tuple[Hypothesis, ...] = ()  # its rivals, the likeliest first
    suspects: tuple[SuspectedChange, ...] = ()
    missing: tuple[str, ...] = ()

    def in_words(self) -> str:
        what = self.cause.value.lower() + (f" {self.which}" if self.which else "")
        said = "the cause is unknown" if self.cause is Cause.UNKNOWN else f"the cause is probably {what} ({self.confidence:.0%})"
        return f"{said}: {'; '.join(self.reasons) or 'nothing is conspicuous'}"

    def without(self, ruled_out: Container[tuple[Cause, str]]) -> "Diagnosis":
        """The best hypothesis that is not ruled out; when none is left, the cause is unknown."""
        known = self.cause is not Cause.UNKNOWN
        if known and (self.cause, self.which) not in ruled_out:
            return self
        for other in self.others if known else ():
            if (other.cause, other.which) not in ruled_out and other.score >= LEAST:
                return self.of(other, other.score)
        rivals = (self.hypothesis, *self.others) if self.hypothesis else self.others
        return replace(self, cause=Cause.UNKNOWN, which="", change=None, feed=None, hypothesis=None, others=rivals)

    def of(self, found: Hypothesis, confidence: float) -> "Diagnosis":
        """The same evidence, and this hypothesis as the cause."""
        rivals = (self.hypothesis, *self.others) if self.hypothesis else self.others
        return replace(
            self, cause=found.cause, which=found.which, confidence=confidence, reasons=tuple(found.reasons), change=found.change,
            feed=found.feed, hypothesis=found, others=tuple(one for one in rivals if one is not found),
        )  # fmt: skip

    def facts(self) -> tuple[str, ...]:
        """What a question shows: the evidence, and the likeliest rival with its own."""
        rival = (f"its rival: {self.others[0].in_words()}",) if self.others else ()
        return (*self.reasons[:3], *rival)


def diagnose(findings: TriageFindings) -> Diagnosis:
    suspects = rank(findings)
    hypotheses = [*_artefacts(findings, suspects), *_regions(findings, suspects), _load(findings), *_dependencies(findings)]
    hypotheses.append(_spoilt_data(findings, suspects))
    elsewhere = max(found.score for found in hypotheses)
    hypotheses += [_our_change(findings, suspect, elsewhere) for suspect in suspects]
    ranked = sorted((h for h in hypotheses if h.score > 0), key=lambda h: (-h.score, list(Cause).index(h.cause), h.which))
    nothing = Diagnosis(suspects=suspects, missing=findings.missing())
    if not ranked:
        return nothing
    best, rival = ranked[0], ranked[1].score if len(ranked) > 1 else 0.0
    confidence = round(best.score * (1 - 0.5 * (rival / best.score) ** 2), 4)
    if confidence >= LEAST:
        return replace(nothing, others=tuple(ranked[1:6])).of(best, confidence)
    reasons = (f"likeliest: {best.cause.value.lower()} {best.which}".strip(), *best.reasons)
    return replace(nothing, confidence=confidence, reasons=reasons, others=tuple(ranked[:6]))


def _our_change(findings: TriageFindings, suspect: SuspectedChange, elsewhere: float) -> Hypothesis:
    """Suspected by time and scope, convicted or cleared by what its revision does against the others."""
    change, untouched = suspect.change, findings.hit_services() - set(suspect.change.services)
    found = Hypothesis(Cause.CHANGE, change.id, change)
    found.supports(0.75 * suspect.score, f"{change.in_words()} ({'; '.join(suspect.reasons)})")
    found.supports(0.2, "the errors began suddenly, as after a change", findings.shape is Shape.STEP and suspect.score >= 0.5)
    _by_revision(findings, change, found)
    found.contradicts(0.6, f"{listed(untouched)} fails too, which it does not touch", change.services and untouched)
    _by_place(findings, change, found)
    found.contradicts(0.35, "another hypothesis explains it", elsewhere >= 0.5)
    return found


def _by_revision(findings: TriageFindings, change: Change, found: Hypothesis) -> None:
    """Compare the errors of the revision that a change brought with those of the others that serve beside it."""
    errors, own = findings.onset.errors_by_revision if findings.onset else {}, revision_of(change)
    gone = own and findings.inside and all(seen.revisions and not seen.revisions.get(own) for seen in findings.inside.values())
    found.contradicts(0.7, f"{own} serves nowhere any more", gone)
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


def _artefacts(findings: TriageFindings, suspects: tuple[SuspectedChange, ...]) -> list[Hypothesis]:
    """A feed that several services read: bad in all of them at once, and in every region, whatever each of them deployed."""
    hit, well, hypotheses = findings.hit_services(), findings.well_regions(), []
    alike = findings.radius.services if findings.radius else ()
    down = findings.dependencies.down() if findings.dependencies else ()
    for feed in sorted(findings.feeds.feeds if findings.feeds else (), key=lambda f: f.name):
        found, common = Hypothesis(Cause.ARTEFACT, feed.name, feed=feed), hit & set(feed.services)
        changed = any(s.score >= NEAR and common <= set(s.change.services) for s in suspects)
        spared = set(feed.services) - common if alike and len(feed.services) > 1 else ()
        found.supports(0.75, f"version {feed.read} of {feed.name} is read, the last good one is {feed.last_good}", feed.suspect)
        told = f"{listed(common)} fail alike, have no change in common, and all read {feed.name}"
        found.supports(0.55, told, len(common) > 1 and not changed)
        told = "the errors come back periodically, as with a bad artefact that is generated again"
        found.supports(0.5, told, findings.shape is Shape.PERIODIC)
        found.contradicts(0.4, f"{listed(hit - common)} fails too and does not read it", hit - common)
        found.contradicts(0.4, f"{listed(spared)} reads it too and is well", spared)
        found.contradicts(0.5, f"{listed(well)} is well", well)
        found.contradicts(0.5, f"{listed(down)} is down, which explains it", down)
        hypotheses.append(found)
    return hypotheses


def _regions(findings: TriageFindings, suspects: tuple[SuspectedChange, ...]) -> list[Hypothesis]:
    """One region fails and the others are healthy, on the same revisions."""
    errors, well, hypotheses = findings.errors_by_region(), findings.well_regions(), []
    rest = max((errors[region] for region in well), default=0.0)
    for region in sorted(findings.hit_regions()) if well else ():
        found, seen = Hypothesis(Cause.REGION, region), findings.inside.get(region)
        share = f"{errors[region]:.1%} of the requests fail in {region}"
        alone = [name for name in (seen.revisions if seen else ()) if findings.serving(name) == {region}]
        changed = any(regions_of(s.change) == {region} and s.score >= NEAR for s in suspects)
        found.supports(0.75, f"{share}, at most {rest:.1%} in the regions that are well", errors[region] >= MUCH_WORSE * rest)
        found.supports(0.4, f"{region} itself reports that it is unhealthy", seen and seen.ok is False)
        found.supports(0.4, f"{region} does not answer from inside", seen and seen.ok is None)
        found.contradicts(0.6, f"something was changed in {region} alone", changed)
        found.contradicts(0.6, f"only {region} serves {listed(alone)}", alone)
        hypotheses.append(found)
    return hypotheses


def _load(findings: TriageFindings) -> Hypothesis:
    """More is asked than can be served."""
    found, slowly = Hypothesis(Cause.LOAD), findings.shape is Shape.RAMP
    if findings.capacity is None:
        return found
    used = findings.capacity.utilisation()
    if used >= FULL:
        found.supports(0.85 if used > 1.2 else 0.6, f"{used:.0%} of the capacity is asked for")
        found.supports(0.4, "the errors came slowly, as load does", slowly)
        found.supports(0.2, "answers became slow before they became errors", findings.onset and findings.onset.slow)
    elif slowly:
        found.supports(0.25, "the errors came slowly, as load and leaks do")
        found.contradicts(0.4, f"only {used:.0%} of the capacity is asked for")
    return found


def _dependencies(findings: TriageFindings) -> list[Hypothesis]:
    """A dependency of the service is broken: inside (database, cache) or in front of it (balancer, names, certificate)."""
    capacity, inside, hypotheses = findings.capacity, findings.inside, []
    up, detail = (findings.dependencies.up, findings.dependencies.detail) if findings.dependencies else ({}, {})
    saturation = capacity.saturation if capacity else {}
    overloaded = capacity is not None and capacity.utilisation() >= FULL
    in_front = findings.health is not None and findings.health.believed and findings.health.in_front()
    for name in sorted({*up, *saturation, *(name for seen in inside.values() for name in seen.dependencies)}):
        found, full = Hypothesis(Cause.DEPENDENCY, name), saturation.get(name, 0.0)
        missed = [region for region, seen in inside.items() if seen.dependencies.get(name) is False]
        found.supports(0.85, f"{name} is down" + (f" ({detail[name]})" if detail.get(name) else ""), up.get(name) is False)
        found.supports(0.6, f"{listed(missed)} cannot use {name}", missed)
        found.supports(0.5, f"{name} is {full:.0%} full, though no more is asked than usual", full >= FULL and not overloaded)
        found.supports(0.3, IN_FRONT, found.reasons and in_front)
        hypotheses.append(found)
    if in_front and not any(found.score >= 0.5 for found in hypotheses):
        hypotheses.append(Hypothesis(Cause.DEPENDENCY, "in front of the service"))
        hypotheses[-1].supports(0.6, IN_FRONT)
    return hypotheses


def _spoilt_data(findings: TriageFindings, suspects: tuple[SuspectedChange, ...]) -> Hypothesis:
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
