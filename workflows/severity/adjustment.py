"""When the severity may be lowered, and when raising it is proposed (spec §3, escalation and de-escalation)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from activities.organisation.numbers import SeverityPolicy
from activities.values import Role, Value
from workflows.incident import SEV1, SEV2, SEV3, Severity
from workflows.severity.classify import classify
from workflows.severity.facts import Facts, Quality, YesNo
from workflows.severity.rules import DEFAULT

EXPOSURE = frozenset({"A1", "A2"})  # the rules about isolation failure and exposed data


class Proposal(NamedTuple):
    """A severity put to the commander, and why."""

    severity: Severity
    because: str


def raise_if_not_mitigated(
    severity: Severity, since: datetime, now: datetime, growing_radius: bool, policy: SeverityPolicy = DEFAULT
) -> Proposal | None:
    """Propose to raise what has gone unmitigated since then for too long (spec §3, escalation)."""
    if severity is SEV3 and now - since > policy.sev3_patience:
        return Proposal(SEV2, f"SEV-3 for more than {policy.sev3_patience}")
    if severity is SEV2 and growing_radius and now - since > policy.sev2_patience:
        return Proposal(SEV1, f"SEV-2 for more than {policy.sev2_patience}, and its radius grows")
    return None


class Observation(Value):
    """The facts as they stood at an instant."""

    at: datetime
    facts: Facts
    quality: Quality = Quality.UNKNOWN  # of the estimate of the blast radius
    whole: bool = (
        True  # false: only the errors were read, and not whom they hit: it may raise the severity, and never shows that it is quiet
    )


@dataclass
class SeverityHistory:
    """What was known of one incident over time, and when its severity changed."""

    since: datetime  # since when the severity is what it is
    observations: Sequence[Observation] = ()
    changes: Sequence[datetime] = ()
    fired: set[str] = field(default_factory=set)  # every rule that ever held

    def observe(self, seen: Observation, policy: SeverityPolicy) -> None:
        """Take in what is known now. What is older than lowering asks for is dropped; the rules that held are kept."""
        self.fired |= {rule.rule for rule in classify(seen.facts, policy).rules}
        old = [one for one in self.observations if one.at <= seen.at - policy.quiet]
        self.observations = [*[one for one in old if one.whole][-1:], *self.observations[len(old) :], seen]

    def changed(self, at: datetime) -> None:
        self.since, self.changes = at, [*self.changes, at]

    def lasted(self, now: datetime, begun: datetime, window: timedelta, failing_above: float) -> timedelta:
        """How long readings have shown that it fails, if the one of now does. `window`: what that one looks at; all in real time.

        As long as none has shown it well, it has failed since it began.
        """
        told = [(one.at, max(one.facts.err_ratio.values()) > failing_above) for one in self.observations if one.facts.err_ratio]
        well = max((at for at, failing in told if not failing), default=None)
        if well is None:
            return now - begun
        return now - min((at for at, _ in told if at > well), default=now) + window

    @property
    def quality(self) -> Quality:
        """Of the newest estimate of the blast radius."""
        return next((one.quality for one in reversed(self.observations) if one.whole), Quality.UNKNOWN)

    @property
    def exposure(self) -> bool:
        """Whether a rule about isolation failure or exposed data has ever held."""
        return not self.fired.isdisjoint(EXPOSURE)

    @property
    def growing(self) -> bool:
        """Whether more tenants are affected than when the severity became what it is."""
        seen = [(one.at, one.facts.tenant_count) for one in self.observations if one.facts.tenant_count is not None]
        earlier = [count for at, count in seen[:-1] if at >= self.since] or [count for _, count in seen[:1]]
        return bool(seen) and seen[-1][1] > min(earlier)


class LoweringRequest(Value):
    """A wish to lower the severity, with what is known when it is made."""

    current: Severity
    to: Severity
    at: datetime
    by_commander: bool
    mitigation_verified: bool
    comms_updated: bool
    signed: frozenset[Role] = frozenset()  # who has agreed to the scope of an exposure
    exfiltration_may_continue: YesNo = None
    radius_quality: Quality
    look_every: timedelta = timedelta(minutes=10)  # a longer gap between two observations is not quiet


class Lowering(NamedTuple):
    """Whether the severity may be lowered: the reasons against it, or all reasons for it."""

    allowed: bool
    reasons: tuple[str, ...]


def _quiet(wanted: LoweringRequest, history: Sequence[Observation], policy: SeverityPolicy) -> bool:
    """Whether no rule of this level or a worse one held; a gap in the record is not quiet."""
    seen = sorted((one for one in history if one.at <= wanted.at), key=lambda one: one.at)
    before = [one for one in seen if one.whole and one.at <= wanted.at - policy.quiet][-1:]
    window = before + [one for one in seen if one.at > wanted.at - policy.quiet]
    instants = [one.at for one in window if one.whole] + [wanted.at]
    unbroken = all(b - a <= wanted.look_every for a, b in pairwise(instants))
    return bool(before) and unbroken and all(classify(one.facts, policy).severity > wanted.current for one in window)


def may_lower(wanted: LoweringRequest, history: SeverityHistory, policy: SeverityPolicy = DEFAULT) -> Lowering:
    """Judge a commander's wish to lower (spec §3, de-escalation)."""
    current, to, now = wanted.current, wanted.to, wanted.at
    judged = (rule.rule for one in history.observations for rule in classify(one.facts, policy).rules)
    exposure = not EXPOSURE.isdisjoint({*history.fired, *judged})
    flapping = sum(now - policy.flap_window <= at <= now for at in history.changes) >= policy.flap_changes
    conditions = (
        (wanted.by_commander, "the incident commander decides it", "only the incident commander may lower"),
        (to == current + 1, "it is one level", f"{current.label} may become one level less, not {to.label}"),
        (_quiet(wanted, history.observations, policy), f"no rule of {current.label} held for {policy.quiet}",
         f"a rule of {current.label} held, or nobody looked, within {policy.quiet}"),
        (wanted.mitigation_verified, "mitigation is verified", "mitigation is not verified"),
        (wanted.radius_quality.at_least(Quality.MED), "the blast radius is known well enough",
         f"blast radius quality is {wanted.radius_quality}"),
        (wanted.comms_updated, "comms are updated", "comms are not updated"),
        (not exposure or to <= SEV2 or {Role.SECURITY_LEAD, Role.LEGAL} <= wanted.signed, "no signature is missing",
         "A1 or A2 fired: not below SEV-2 until Security and Legal sign the scope"),
        (not exposure or to <= SEV1 or wanted.exfiltration_may_continue is False, "nothing is being carried out",
         "A1 or A2 fired: not below SEV-1 while exfiltration may continue"),
        (not flapping, "it is not flapping", f"{policy.flap_changes} changes within {policy.flap_window}: hold the higher"),
    )  # fmt: skip
    against = tuple(no for holds, _, no in conditions if not holds)
    return Lowering(allowed=not against, reasons=against or tuple(yes for _, yes, _ in conditions))
