"""What triage has found, and which change it points at: a ranking by nearness in time and by what the change concerns (spec §8 S-CHANGES).

Pure: the same evidence gives the same answer, in whatever order it comes.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from activities.action import Value
from activities.capacity.autoscaler import Capacity
from activities.edge.health import Dependencies, HealthMap
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

    def serving(self, revision: str) -> frozenset[str]:
        """The regions in which a revision serves at least half of the traffic."""
        inside = self.health.inside if self.health else {}
        return frozenset(region for region, seen in inside.items() if seen.revisions.get(revision, 0.0) >= HALF)

    def before(self, change: Change, instant: datetime) -> timedelta:
        """How long before an instant a change was made, in policy time."""
        return (instant - change.at) * self.pace

    def began(self) -> datetime | None:
        return self.onset.first_bad if self.onset else None


def rank(findings: TriageFindings) -> tuple[SuspectedChange, ...]:
    """Every change that may be the cause, the likeliest first: by how near it lies to the first bad sample, and by what it concerns."""
    found = [_suspect(findings, change) for change in _each(findings.changes.changes if findings.changes else ())]
    return tuple(sorted((s for s in found if s.score > 0), key=lambda s: (-s.score, -s.change.at.timestamp(), s.change.id)))


def _each(changes: Iterable[Change]) -> list[Change]:
    """Each change once, whatever the order in which they came."""
    return sorted({change.id: change for change in sorted(changes, key=lambda c: c.model_dump_json())}.values(), key=lambda c: (c.at, c.id))


def _suspect(findings: TriageFindings, change: Change) -> SuspectedChange:
    near, why_near = _nearness(findings, change)
    scope, why_scope = _scope(findings, change)
    return SuspectedChange(change=change, score=round(near * scope, 4), reasons=(why_near, why_scope))


def _nearness(findings: TriageFindings, change: Change) -> tuple[float, str]:
    """1 at the first bad sample, fading with the time before; hardly anything after it, because causes come first."""
    began = findings.began()
    if began is None:
        ago = findings.before(change, findings.at)
        return 0.5 / (1 + max(0.0, ago / FADES)), f"{_ago(ago)} ago; nobody knows when the errors began"
    before = findings.before(change, began)
    if before < -CLOCKS:
        near = 0.05 if -before <= findings.mitigation.around_onset else 0.0
        return near, f"{_ago(-before)} after the first bad sample: too late to be its cause"
    slow = findings.onset is not None and findings.onset.shape is Shape.RAMP
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
    told = change.details.get("revision")
    return told if isinstance(told, str) else ""


def listed(names: Iterable[str]) -> str:
    ordered = sorted(set(names))
    return " and ".join((", ".join(ordered[:-1]), ordered[-1])) if len(ordered) > 1 else "".join(ordered)


def _ago(span: timedelta) -> str:
    minutes = span.total_seconds() / 60
    return f"{minutes:.0f} min" if 1.5 <= minutes < 90 else f"{minutes / 60:.1f} h" if minutes >= 90 else f"{span.total_seconds():.0f} s"
