"""What automation may act on without a person's word: a symptom that it measured itself, above the trigger's threshold (spec §2.4); or a
verified source's event, for the one object that it names.

Readings are judged where they come in (`Invoker`), so that no playbook can forget it. A later reading of the same kind that shows no symptom
takes the evidence away; one that shows nothing at all lets it grow old. It counts for so long as policy says, and no longer.

Anybody can send an alert to an incident. What one says of an object counts only when somebody who has the key has seen that the receiver
sealed it; that is looked up where a change needs it (`Unasked.measure_again`).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.action import Order, Value
from activities.advisories.advisories import AdvisoryOf
from activities.advisories.seen import Advisory
from activities.agents.seen import SessionList
from activities.builds.installs import Installs
from activities.builds.presence import Presence
from activities.edge.health import HealthMap
from activities.metrics.curves import CurveReading
from activities.metrics.onset import Onset
from activities.metrics.telemetry import BlastRadius, EstimateQuality, ServiceHealth, Surface
from activities.models.candidates import Probed
from activities.models.logs import Calls, ErrorClass
from activities.organisation.policy import Policy
from activities.tenancy.matrix import Matrix, MatrixOf
from activities.values import Symptom
from activities.waf.traffic import Traffic
from activities.write_gate.write_gate import WriteGate, WriteGateOf, WriteSafety
from workflows.engine.proof.judge import judge
from workflows.incident import SourceEvent


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


@dataclass(frozen=True)
class Told:
    """What an alert says that its source has said, and what it is worth when its seal is ours."""

    event: SourceEvent
    evidence: TriggerEvidence


class EvidenceBook:
    """The latest evidence of each kind and object. Evidence of anything else than the object that an incident is about counts for nothing."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], Taken] = {}
        self._told: dict[str, Told] = {}  # by object: sealed, and nobody has looked at the seal yet
        self._heard: dict[str, TriggerEvidence] = {}  # by object: what a verified source has said of it

    def take(self, verb: Any, order: Order, answer: object, policy: Policy, at: datetime) -> list[TriggerEvidence]:
        """Judge one reading. Returns the symptoms that it shows and that were not known before."""
        fresh = []
        for found in judged(order, answer, policy, at):
            name = (type(answer).__name__, found.of)
            if found.shows and not (name in self._latest and self._latest[name].evidence.shows):
                fresh.append(found)
            self._latest[name] = Taken(found, verb, order)
        return fresh

    def tell(self, event: SourceEvent, at: datetime, *, firing: bool) -> None:
        """An alert came that names one object. One that is resolved takes away what was said of it, whoever sends it: then people are asked.

        `at`: now. A source's clock that is ahead of ours makes nothing last longer.
        """
        if not firing:
            self._told.pop(event.of, None)
            self._heard.pop(event.of, None)
        elif event.seal:
            self._told[event.of] = Told(event, TriggerEvidence(of=event.of, says=event.says, shows=True, at=min(event.at, at)))

    def told(self, target: str, since: datetime) -> Told | None:
        """What is said that a verified source has said of this very object since then."""
        told = self._told.get(target)
        return told if told is not None and told.evidence.at >= since else None

    def hear(self, told: Told, *, ours: bool) -> None:
        """Somebody with the key has looked at the seal. Where it is ours, a verified source has said so."""
        if self._told.get(told.event.of) is told:
            del self._told[told.event.of]
            if ours:
                self._heard[told.event.of] = told.evidence

    def symptoms(self, of: Collection[str]) -> list[Taken]:
        """The symptoms of these objects that no later reading of their kind has taken away, whatever their age: the newest first."""
        shown = (one for (_, name), one in self._latest.items() if name in of and one.evidence.shows)
        return sorted(shown, key=lambda one: one.evidence.at, reverse=True)

    def measured(self, of: Collection[str], since: datetime) -> TriggerEvidence | None:
        """The newest symptom of these objects, where it was measured since then."""
        newest = next(iter(self.symptoms(of)), None)
        return newest.evidence if newest is not None and newest.evidence.at >= since else None

    def named(self, target: str, since: datetime) -> TriggerEvidence | None:
        """What a verified source has said of this very object since then."""
        heard = self._heard.get(target)
        return heard if heard is not None and heard.at >= since else None


def judged(order: Order, answer: object, policy: Policy, at: datetime) -> Iterator[TriggerEvidence]:
    """What a reading says about the triggers of §2.1 and §2.2. Nothing where it is blind, or counted too few: that is neither yes nor no."""
    numbers, provider = policy.evidence, policy.provider_outage
    match answer, order:
        # A longer window says little of now.
        case ServiceHealth(error_ratio=ratio, served=n), Surface(service=name, window=window) if window <= numbers.fresh_for:
            lost = judge((Symptom.LOST_TRAFFIC,), answer, policy.impact)
            if lost.impact:
                yield TriggerEvidence(of=f"service/{name}", says=lost.why, shows=True, at=answer.at)
            elif ratio is not None and n >= numbers.least_requests:
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
        case CurveReading(), _ if answer.ill or answer.well:
            yield TriggerEvidence(of=f"curve/{answer.curve}/{answer.service}", says=answer.in_words, shows=bool(answer.ill), at=answer.at)
        case Matrix(), MatrixOf(service=name) if answer.leaks or answer.mixed or answer.clean:
            yield TriggerEvidence(of=f"tenancy/{name}", says=answer.summary, shows=not answer.clean, at=at)
        case Advisory(malicious=True), AdvisoryOf(id=name):
            yield TriggerEvidence(of=f"advisory/{name}", says=answer.in_words, shows=answer.withdrawn is None, at=at)
        case Presence(service=name), _ if answer.affected or answer.zero:
            yield TriggerEvidence(of=f"supply/{name}", says=answer.summary, shows=bool(answer.affected), at=at)
        case Installs(package=name), _ if answer.hosts:
            yield TriggerEvidence(of=f"installs/{name}", says=answer.summary, shows=answer.executed is not False, at=at)
        case Traffic(kept=True), _:
            yield TriggerEvidence(of="edge/sign-in", says=answer.summary, shows=answer.attacked, at=answer.at)
        case SessionList(), _:
            for one in answer.sessions:
                says = f"the guardrails gave a text in it {one.score:g} ({one.rule})"
                yield TriggerEvidence(of=f"session/{one.id}", says=says, shows=one.suspicious(policy.prompt_injection), at=at)
        case Calls(), _:
            for name in dict.fromkeys(line.provider for line in answer.lines):
                if (n := answer.n(name)) >= provider.least_calls:
                    failed, slow = answer.failed_share(name), answer.slow(name)
                    says = f"{failed:.1%} of {n} calls failed" + (", and they are slow" if slow else "")
                    yield TriggerEvidence(of=f"provider/{name}", says=says, shows=failed > provider.error_ratio or slow, at=answer.at)
        case Probed(provider=name, n=n), _ if n >= numbers.least_probes:
            none = not answer.by_class.get(ErrorClass.OK, 0)
            yield TriggerEvidence(of=f"provider/{name}", says=f"none of {n} live probes was answered", shows=none, at=answer.at)
