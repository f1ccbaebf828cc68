"""What triage has found, and which change it points at: a ranking by nearness in time and by what the change concerns (spec §8 S-CHANGES).

Pure: the same evidence gives the same answer, in whatever order it comes.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from activities.action import Value
from activities.capacity.autoscaler import Capacity
from activities.edge.health import Dependencies, HealthMap, Inside
from activities.feeds.feeds import FeedList
from activities.metrics.onset import Onset, Shape
from activities.metrics.telemetry import HIT, BlastRadius
from activities.organisation.numbers import MitigationSettings
from activities.platform.change_feed import Change, Changes
from activities.write_gate.write_gate import WriteGate

CLOCKS = timedelta(seconds=60)  # so far behind the first bad sample a change may stand, and still be its cause: samples are coarse
FADES = timedelta(minutes=15)  # a change so long before the start is half as suspect
CREEPS = 4  # times as long, where the errors came slowly
HALF = 0.5  # of a region's traffic: a revision that serves so much is to be judged by that region


class SuspectedChange(Value):
    """A change, and how far it is suspected: 0 to 1."""

    change: Change
    score: float
    reasons: tuple[str, ...]


class TriageFindings(Value):
    """Everything that triage has found. What nobody could find out is None; it speaks neither for nor against anything.

    Instants are real; `pace` says how many policy seconds lie in a real one.
    """

    service: str
    at: datetime
    pace: float = 1.0
    onset: Onset | None = None
    health: HealthMap | None = None
    radius: BlastRadius | None = None
    changes: Changes | None = None
    dependencies: Dependencies | None = None
    capacity: Capacity | None = None
    gate: WriteGate | None = None
    feeds: FeedList | None = None
    mitigation: MitigationSettings = MitigationSettings()

    @property
    def shape(self) -> Shape | None:
        return self.onset.shape if self.onset else None

    @property
    def inside(self) -> dict[str, Inside]:
        return self.health.inside if self.health else {}

    def began(self) -> datetime | None:
        return self.onset.first_bad if self.onset else None

    def hit_services(self) -> frozenset[str]:
        """The services that fail; ours is always among them."""
        return frozenset({self.service, *(self.radius.services if self.radius else ())})

    def errors_by_region(self) -> dict[str, float]:
        """The share of errors in every region, as far as anything says so."""
        found = dict(self.radius.error_ratio_by_region) if self.radius else {}
        if self.onset:
            found.update(self.onset.errors_by_region)
        for region, share in (self.health.outside if self.health else {}).items():
            if share is not None and region not in found:
                found[region] = 1 - share
        return found

    def hit_regions(self) -> frozenset[str]:
        return frozenset(region for region, share in self.errors_by_region().items() if share >= HIT)

    def well_regions(self) -> frozenset[str]:
        """The regions that are well while others fail."""
        hit = self.hit_regions()
        return frozenset(self.errors_by_region()) - hit if hit else hit

    def serving(self, revision: str) -> frozenset[str]:
        """The regions in which a revision serves at least half of the traffic."""
        return frozenset(region for region, seen in self.inside.items() if seen.revisions.get(revision, 0.0) >= HALF)

    def missing(self) -> tuple[str, ...]:
        onset, health, changes, found = self.onset, self.health, self.changes, []
        if onset is None or onset.blind:
            found.append("no fresh metrics say how it began")
        if health is None:
            found.append("nobody looked from inside and outside")
        elif not health.believed:
            found.append(f"only {health.answered} of {health.wanted} vantage points got an answer")
        if changes is None:
            found.append("the change feed was not read")
        elif changes.gaps:
            found.append(f"the change feed cannot see {listed(changes.gaps)}")
        rest = {"dependencies": self.dependencies, "capacity": self.capacity, "write gate": self.gate, "feeds": self.feeds}
        return (*found, *(f"{name} unknown" for name, value in rest.items() if value is None))


def rank(findings: TriageFindings) -> tuple[SuspectedChange, ...]:
    """Every change that may be the cause, the likeliest first: by how near it lies to the first bad sample, and by what it concerns."""
    found, changes = [], findings.changes.changes if findings.changes else ()
    for change in {c.id: c for c in sorted(changes, key=lambda c: c.model_dump_json())}.values():  # each once, in whatever order they came
        (near, why_near), (scope, why_scope) = _nearness(findings, change), _scope(findings, change)
        found.append(SuspectedChange(change=change, score=round(near * scope, 4), reasons=(why_near, why_scope)))
    return tuple(sorted((s for s in found if s.score > 0), key=lambda s: (-s.score, -s.change.at.timestamp(), s.change.id)))


def _nearness(findings: TriageFindings, change: Change) -> tuple[float, str]:
    """1 at the first bad sample, fading with the time before; hardly anything after it, because causes come first."""
    began, slow = findings.began(), findings.shape is Shape.RAMP
    before = ((began or findings.at) - change.at) * findings.pace
    if began is None:
        return 0.5 / (1 + max(0.0, before / FADES)), f"{_ago(before)} ago; nobody knows when the errors began"
    if before < -CLOCKS:
        near = 0.05 if -before <= findings.mitigation.around_onset else 0.0
        return near, f"{_ago(-before)} after the first bad sample: too late to be its cause"
    near = 1 / (1 + max(0.0, before / (FADES * (CREEPS if slow else 1))))
    where = "at the first bad sample" if before < CLOCKS else f"{_ago(before)} before the first bad sample"
    if before > findings.mitigation.around_onset and not slow:
        near /= 2
    return near, where


def _scope(findings: TriageFindings, change: Change) -> tuple[float, str]:
    """The part of what fails that the change concerns."""
    hit, regions = findings.hit_services(), findings.hit_regions()
    told = regions_of(change)
    away = bool(told and regions and not told & regions)
    if not change.services:
        return (0.05 if away else 0.6), "it concerns everything"
    shared = hit & set(change.services)
    if not shared:
        return 0.05, f"it concerns {listed(change.services)}, which do not fail" if hit else "it concerns nothing that fails"
    share = len(shared) / len(hit)
    if away:
        return 0.05, f"it concerns {listed(told)}, and {listed(regions)} fails"
    if share == 1:
        return 1.0, f"it concerns {listed(shared)}: all that fails"
    return 0.3 + 0.4 * share, f"it concerns {listed(shared)}, but {listed(hit - shared)} fails too"


def regions_of(change: Change) -> frozenset[str]:
    """The regions that a change says it is for; none: all of them."""
    told = change.details.get("region") or change.details.get("regions")
    named = told if isinstance(told, list | tuple) else [told]
    return frozenset(region for region in named if region and isinstance(region, str))


def revision_of(change: Change) -> str:
    """The revision that a change brought; empty where it does not say."""
    return told if isinstance(told := change.details.get("revision"), str) else ""


def listed(names: Iterable[str]) -> str:
    ordered = sorted(set(names))
    return " and ".join((", ".join(ordered[:-1]), ordered[-1])) if len(ordered) > 1 else "".join(ordered)


def _ago(span: timedelta) -> str:
    minutes = span.total_seconds() / 60
    return f"{minutes:.0f} min" if 1.5 <= minutes < 90 else f"{minutes / 60:.1f} h" if minutes >= 90 else f"{span.total_seconds():.0f} s"
