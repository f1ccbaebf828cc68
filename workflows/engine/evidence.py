"""What automation may act on without a person's word: a symptom that it measured itself, above the trigger's threshold (spec §2.4); or a
verified source's event, for the one object that it names.

Readings are judged where they come in (`Invoker`), so that no playbook can forget it. A later reading of the same kind that shows no symptom
takes the evidence away; one that shows nothing at all lets it grow old. It counts for so long as policy says, and no longer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.action import Order, Value
from activities.edge.health import HealthMap
from activities.metrics.onset import Onset
from activities.metrics.telemetry import BlastRadius, EstimateQuality, ServiceHealth, Surface
from activities.models.candidates import Probed
from activities.models.logs import Calls, ErrorClass
from activities.organisation.policy import Policy
from activities.write_gate.write_gate import WriteGate, WriteGateOf, WriteSafety


class TriggerEvidence(Value):
    """One reading of one object (`service/chat`, `provider/aurora`), and whether it shows a symptom above the trigger's threshold."""

    of: str
    says: str
    shows: bool
    at: datetime


@dataclass(frozen=True)
class Taken:
    """A piece of evidence, and how to take the same reading once more."""

    evidence: TriggerEvidence
    verb: Any
    order: Order


class EvidenceBook:
    """The latest evidence of each kind and object. Evidence of anything else than the object that an incident is about counts for nothing."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], Taken] = {}
        self._event: TriggerEvidence | None = None  # what a verified source has said, about one object

    def take(self, verb: Any, order: Order, answer: object, policy: Policy, at: datetime) -> list[TriggerEvidence]:
        """Judge one reading. Returns the symptoms that it shows and that were not known before."""
        fresh = []
        for found in judged(order, answer, policy, at):
            name = (type(answer).__name__, found.of)
            if found.shows and not (name in self._latest and self._latest[name].evidence.shows):
                fresh.append(found)
            self._latest[name] = Taken(found, verb, order)
        return fresh

    def hear(self, event: TriggerEvidence) -> None:
        """A verified source has said something about one object."""
        self._event = event

    def newest(self, of: str) -> Taken | None:
        """The newest symptom of an object that no later reading of its kind has taken away, whatever its age."""
        shown = (one for (_, name), one in self._latest.items() if name == of and one.evidence.shows)
        return max(shown, key=lambda one: one.evidence.at, default=None)

    def measured(self, of: str, since: datetime) -> TriggerEvidence | None:
        """The newest symptom of an object, where it was measured since then."""
        newest = self.newest(of)
        return newest.evidence if newest is not None and newest.evidence.at >= since else None

    def named(self, target: str, since: datetime) -> TriggerEvidence | None:
        """What a verified source has said of this very object since then."""
        return self._event if self._event is not None and self._event.of == target and self._event.at >= since else None


def judged(order: Order, answer: object, policy: Policy, at: datetime) -> Iterator[TriggerEvidence]:
    """What a reading says about the triggers of §2.1 and §2.2. Nothing where it is blind, or counted too few: that is neither yes nor no."""
    numbers, provider = policy.evidence, policy.provider_outage
    match answer, order:
        case ServiceHealth(error_ratio=ratio, served=n), Surface(service=name, window=window) if (
            ratio is not None and n >= numbers.least_requests and window <= numbers.fresh_for  # a longer one says little of now
        ):
            says = f"{ratio:.1%} of {n:.0f} requests failed"
            yield TriggerEvidence(of=f"service/{name}", says=says, shows=ratio > numbers.error_ratio, at=answer.at)
        case BlastRadius(error_ratio_by_region=by_region), Surface(service=name) if answer.quality is EstimateQuality.HIGH:
            worst = max(by_region.values(), default=0.0)
            yield TriggerEvidence(
                of=f"service/{name}",
                says=f"{worst:.1%} of the requests of a region failed",
                shows=worst > numbers.error_ratio,
                at=answer.at,
            )
        case Onset(blind=False, service=name), _:
            shows = answer.slow and answer.first_bad is not None
            yield TriggerEvidence(of=f"service/{name}", says="it answers much slower than usual", shows=shows, at=answer.at)
        case HealthMap(believed=True, service=name), _:
            ill = answer.ill_outside()
            yield TriggerEvidence(of=f"service/{name}", says=f"{', '.join(ill)} cannot be used from outside", shows=bool(ill), at=answer.at)
        case WriteGate(safety=safety), _ if isinstance(of := getattr(order, "of", None), WriteGateOf) and safety is not WriteSafety.UNKNOWN:
            unsafe = safety is WriteSafety.UNSAFE
            yield TriggerEvidence(of=f"service/{of.service}", says="; ".join(answer.why_unsafe()), shows=unsafe, at=at)
        case Calls(), _:
            for name in dict.fromkeys(line.provider for line in answer.lines):
                if (n := answer.n(name)) >= provider.least_calls:
                    failed, slow = answer.failed_share(name), answer.slow(name)
                    says = f"{failed:.1%} of {n} calls failed" + (", and they are slow" if slow else "")
                    yield TriggerEvidence(of=f"provider/{name}", says=says, shows=failed > provider.error_ratio or slow, at=answer.at)
        case Probed(provider=name, n=n), _ if n >= numbers.least_probes:
            none = not answer.by_class.get(ErrorClass.OK, 0)
            yield TriggerEvidence(of=f"provider/{name}", says=f"none of {n} live probes was answered", shows=none, at=answer.at)
