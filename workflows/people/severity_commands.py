"""A person changes the severity. Anybody may raise it; lowering it takes the commander, a quiet time and sometimes signatures (spec §3)."""

from dataclasses import dataclass, field

from temporalio import workflow

from activities.action import Role
from activities.organisation.people import Person
from workflows.errors import NotAccepted
from workflows.incident import Severity
from workflows.people.access import AccessCheck
from workflows.people.context import IncidentContext
from workflows.people.messages import Message
from workflows.people.permissions import Capability
from workflows.severity.adjustment import LoweringRequest, may_lower
from workflows.severity.facts import Quality

MOST_LATE = 1.5  # times the interval: so late an observation may come, and the record of observations has no gap


@dataclass
class Consent:
    """Who has agreed so far that the severity is lowered to this level."""

    to: Severity
    roles: set[Role] = field(default_factory=set)


class SeverityCommands:
    def __init__(self, state: IncidentContext, access: AccessCheck) -> None:
        self._state = state
        self._access = access
        self._consent: Consent | None = None

    def reclassify(self, person: Person, message: Message) -> str:
        """Raises `NotAccepted` with all reasons against it."""
        try:
            to = Severity.parse(message.severity)
        except ValueError as wrong:
            raise NotAccepted(str(wrong)) from None
        state, before = self._state, self._state.severity
        if to > before:
            self._access.require(person, Capability.LOWER, "lower the severity")
            if not message.reason:
                raise NotAccepted("lowering the severity needs a reason")
            consent = self._agreed(person, to)
            if missing := self._missing(consent):
                text = f"{person.id} would lower it to {to.label}: {message.reason}; {missing} is missing"
                state.note("consent", text, by=person.id)
                return f"noted; {state.id} stays {before.label} until {missing} says so too"
            self._check(to, consent)
            self._consent = None
        state.set_severity(to, message.reason or "no reason given", person.id)
        return f"{state.id} is {to.label} (was {before.label})"

    def _agreed(self, person: Person, to: Severity) -> Consent:
        if self._consent is None or self._consent.to is not to:
            self._consent = Consent(to)
        assignments = self._state.assignments
        signing = set(Role) if assignments.solo == person.id else set(assignments.roles_of(person))
        self._consent.roles |= signing | ({Role.INCIDENT_COMMANDER} if "1" in self._access.footnotes(person) else set())
        return self._consent

    def _missing(self, consent: Consent) -> str:
        """Whose word is missing: the commander's always; Security's where it is restricted; Legal's too where data may be exposed."""
        exposure = self._state.severity_history.exposure
        needed = (
            Role.INCIDENT_COMMANDER,
            *((Role.SECURITY_LEAD,) if self._state.restricted or exposure else ()),
            *((Role.LEGAL,) if exposure else ()),
        )
        return " and ".join(role.title for role in needed if role not in consent.roles)

    def _check(self, to: Severity, consent: Consent) -> None:
        state, policy, now = self._state, self._state.policy, workflow.now()
        history = state.severity_history
        latest = history.observations[-1] if history.observations else None
        wanted = LoweringRequest(
            current=state.severity, to=to, at=now, by_commander=Role.INCIDENT_COMMANDER in consent.roles,
            mitigation_verified=state.mitigated_at is not None,
            comms_updated=state.next_update_due is None or state.next_update_due > now, signed=frozenset(consent.roles),
            exfiltration_may_continue=latest.facts.active_adversary if latest else None,
            radius_quality=latest.quality if latest else Quality.UNKNOWN,
            look_every=policy.paced(policy.rhythm(state.severity).reclassify) * MOST_LATE,
        )  # fmt: skip
        judged = may_lower(wanted, history, policy.severity.paced(policy.pace))
        if not judged.allowed:
            raise NotAccepted(f"{state.id} stays {state.severity.label}: {'; '.join(judged.reasons)}")
