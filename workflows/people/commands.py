"""What people say to an incident, and what it does: answers, notes, roles, severity, pause, stand-down, cadence.

Who may do what is `permissions.py`. A role that somebody holds is handed over by offer and acceptance, both on the record.
"""

from dataclasses import dataclass, field

from temporalio import workflow

from activities.action import Role
from activities.identity.codes import Identify, Identities, Identity
from activities.organisation.people import Person
from workflows.comms.comms import Comms
from workflows.engine.invoker import Invoker
from workflows.engine.state import IncidentState
from workflows.errors import NotAccepted, RetriesExhausted
from workflows.incident import QuestionState, Severity, State, worst
from workflows.people import permissions
from workflows.people.messages import VERDICTS, Message, answer_of, message_of
from workflows.people.permissions import Capability

HYPOTHESES, SHOWN = 20, 500  # how many of the newest the status shows, and how much of each; the timeline keeps every word


@dataclass(frozen=True)
class StandDown:
    """The commander's order to end it."""

    by: str
    verified: bool
    reason: str
    false_alarm: bool


@dataclass
class Consent:
    """Who has said so far that the severity may be lowered, where that takes more than the commander (spec §3, de-escalation)."""

    to: Severity
    roles: set[Role] = field(default_factory=set)


class IncidentCommands:
    """Turns messages into decisions of one incident. Authority is looked up now, by an activity, for every message."""

    def __init__(self, state: IncidentState, invoker: Invoker, comms: Comms) -> None:
        self._state = state
        self._invoker = invoker
        self._comms = comms
        self._consent: Consent | None = None
        self.stand_down: StandDown | None = None

    async def hear(self, name: str, given: tuple[object, ...]) -> str:
        """One message. Raises `NotAccepted` with the reason."""
        message = message_of(name, given)
        if self._state.run_state.over:
            raise NotAccepted(f"{self._state.id} is {self._state.run_state}; nothing can be changed any more")
        if name == "note":
            return self._note(message)
        identity = await self._identify(message)
        if name in VERDICTS:
            return self._answer(name, message, identity)
        person = self._person(identity)
        match name:
            case "acknowledge":
                return self._acknowledge(person, message)
            case "assign":
                return self._assign(person, message)
            case "reclassify":
                return self._reclassify(person, message)
            case "pause" | "resume":
                return self._hold(person, message, holding=name == "pause")
            case "widen":
                return self._widen(person, message)
            case _:
                return self._stand_down(person, identity, message)

    async def somebody(self, name: str, given: tuple[object, ...], roles: tuple[Role, ...]) -> tuple[Person, Message]:
        """Who sent a message, when they hold one of the roles now. Raises `NotAccepted`."""
        message = message_of(name, given)
        if self._state.run_state.over:
            raise NotAccepted(f"{self._state.id} is {self._state.run_state}; nothing can be changed any more")
        person = self._person(await self._identify(message))
        if self._state.assignments.role_of(person, roles) is None:
            raise NotAccepted(f"{person.id} may not do that: it is for {' or '.join(role.title for role in roles)}")
        return person, message

    async def _identify(self, message: Message) -> Identity:
        questions = tuple((q.number, q.digest) for q in self._state.approvals.questions)
        try:
            identity = await self._invoker.quietly(
                Identities.identify,
                Identify(incident_id=self._state.id, code=message.code.strip(), claims=message.by.strip(), questions=questions),
            )
        except RetriesExhausted as out:
            raise NotAccepted(f"cannot find out who you are just now ({out.why}); try again") from None
        self._state.assignments.roster = identity.roster
        if identity.person is not None:
            self._comms.heard(identity.person)
        return identity

    def _answer(self, name: str, message: Message, identity: Identity) -> str:
        state = self._state
        question = state.approvals.take(answer_of(name, message), identity, state.assignments, state.policy, workflow.now())
        if identity.person is not None and state.acknowledged_at is None and state.assignments.may_command(identity.person):
            self._take_command(identity.person)  # whoever decides as commander has taken the page
        given = question.given[-1]
        if question.broke_glass:
            self._broke_the_glass(question.number, given.by, given.reason)
        how = "verified" if given.verified else "self-declared"
        kind = {"approve": "granted", "decline": "declined"}.get(name, "answered")
        reason = f": {given.reason}" if given.reason else ""
        state.note(
            kind,
            f"[{question.number}] {name} by {given.by} ({how}){reason}",
            by=given.by,
            question=question.number,
            verified=given.verified,
        )
        if question.state is QuestionState.OPEN:
            return f"question {question.number}: {name} by {given.by} counts; {question.quorum - len(question.given)} more needed"
        return f"question {question.number}: {name} by {given.by} ({how})"

    def _person(self, identity: Identity) -> Person:
        if identity.person is None:
            raise NotAccepted(identity.why or "say who you are: by")
        return identity.person

    def _may(self, person: Person, capability: Capability, what: str, rights: str = "A") -> None:
        """Raises `NotAccepted` unless the table of permissions lets this person do it now."""
        state = self._state
        limits = self._limits(person)
        if person.id != state.assignments.solo and not permissions.may(
            capability, state.assignments.roles_of(person), rights=rights, limits=limits
        ):
            whose = " or ".join(f"the {role.title}'s" for role in permissions.whose(capability, rights[0], limits=limits))
            raise NotAccepted(f"{person.id} may not {what}: that is {whose}")

    def _limits(self, person: Person) -> str:
        """The footnotes of the table that hold now: acting, vacant, restricted, exposure."""
        state = self._state
        commander = state.commander()
        vacant = not state.assignments.can_reach(commander)
        return (
            ("1" if vacant or commander == person.id else "")
            + ("2" if vacant else "")
            + ("s" if state.restricted else "")
            + ("d" if self._exposed() else "")
        )

    def _exposed(self) -> bool:
        """True when a rule of severity about isolation or exposure (A1, A2) has ever fired."""
        said = (*self._state.because, *(entry.text for entry in self._state.timeline.entries if entry.kind == "severity"))
        return any(f"{rule}:" in text for text in said for rule in ("A1", "A2"))

    def _broke_the_glass(self, question: int, who: str, reason: str) -> None:
        state = self._state
        state.note("break-glass", f"[{question}] {who} decided alone: {reason}", by=who, question=question)
        state.follow_up(f"Review the break-glass decision [{question}] by {who}: {reason}", Role.DUTY_EXECUTIVE, due="5 business days")
        self._comms.said(f"BREAK-GLASS: {who} decided question {question} alone: {reason}")

    def _note(self, message: Message) -> str:
        text = message.text or message.reason
        if not text:
            raise NotAccepted("a note needs a text")
        kind = message.about if message.about in ("hypothesis", "impact", "scope") else "note"
        state, shown = self._state, text[:SHOWN]
        match kind:
            case "hypothesis":
                state.hypotheses = [*state.hypotheses, shown][-HYPOTHESES:]
            case "impact":
                state.impact = shown
            case "scope":
                state.scope = shown
        state.note(kind, text, by=message.by or "unnamed")
        return "noted"

    def _acknowledge(self, person: Person, message: Message) -> str:
        state, assignments = self._state, self._state.assignments
        if offered := assignments.offered_to(person):
            return " · ".join(self._accept(person, offer.role, offer.by) for offer in offered)
        if state.acknowledged_at is None and assignments.may_command(person):
            self._take_command(person)
            return f"{person.id} is the Incident Commander of {state.id}"
        up = tuple(role for role in assignments.takes_up(person) if not self._clash(role, person))
        assignments.on_it.update({role: person.id for role in up})
        assignments.taken = {**dict.fromkeys(up, workflow.now()), **assignments.taken}
        as_what = f" as {' and '.join(role.title for role in up)}" if up else ""
        state.note("acknowledged", f"{person.id} is on it{as_what}", by=person.id)
        return f"{person.id} is on {state.id}{as_what}; commander: {state.commander() or 'nobody yet'}"

    def _accept(self, person: Person, role: Role, by: str) -> str:
        self._check_fits(role, person)
        before = self._state.assignments.name(role)
        self._give(role, person)
        was = f" (was {before})" if before else ""
        self._state.note("accepted", f"{person.id} is {role.title}{was}, offered by {by}", by=person.id)
        return f"{person.id} is {role.title} of {self._state.id}"

    def _take_command(self, person: Person) -> None:
        self._give(Role.INCIDENT_COMMANDER, person)
        self._state.note("acknowledged", f"{person.id} takes command", by=person.id)
        self._comms.crowded()

    def _give(self, role: Role, person: Person) -> None:
        state = self._state
        state.assignments.assign(role, person)
        state.assignments.taken.setdefault(role, workflow.now())
        if role is Role.INCIDENT_COMMANDER and state.acknowledged_at is None:
            state.acknowledged_at = workflow.now()

    def _assign(self, person: Person, message: Message) -> str:
        """Give a role. One that somebody holds and who can be reached is offered; it changes hands when it is accepted (spec §4)."""
        self._may(person, Capability.ASSIGN, "assign roles")
        if message.role not in set(Role):
            raise NotAccepted(f"there is no role {message.role!r}; there are {', '.join(Role)}")
        state, assignments, role = self._state, self._state.assignments, Role(message.role)
        to = assignments.roster.person(message.to)
        if to is None:
            raise NotAccepted(f"nobody called {message.to!r} is on the roster")
        self._check_fits(role, to)
        holder = assignments.name(role)
        held = holder not in ("", to.id) and assignments.can_reach(holder)
        if held and role is Role.INCIDENT_COMMANDER and person.id != holder:
            raise NotAccepted(f"{holder} commands and can be reached: command is {holder}'s to hand over")
        if held and to.id != person.id:
            self._comms.offered(role, to, person)
            return f"{role.title} of {state.id} is offered to {to.id}; it stays with {holder} until {to.id} acknowledges"
        self._give(role, to)
        state.note("assigned", f"{to.id} is {role.title}", by=person.id)
        self._comms.assigned(role, to, person)
        return f"{to.id} is {role.title} of {state.id}"

    def _check_fits(self, role: Role, to: Person) -> None:
        if self._clash(role, to):
            raise NotAccepted("at SEV-1 the Incident Commander does not also lead operations")

    def _clash(self, role: Role, to: Person) -> bool:
        """At SEV-1 whoever commands delegates and does not resolve; alone there is nobody to delegate to (spec §4)."""
        assignments = self._state.assignments
        other = {Role.OPS_LEAD: Role.INCIDENT_COMMANDER, Role.INCIDENT_COMMANDER: Role.OPS_LEAD}.get(role)
        if other is None or self._state.severity is not Severity.SEV1 or assignments.solo:
            return False
        return assignments.name(other) == to.id

    def _reclassify(self, person: Person, message: Message) -> str:
        try:
            to = Severity.parse(message.severity)
        except ValueError as wrong:
            raise NotAccepted(str(wrong)) from None
        state = self._state
        before = state.severity
        if to > before:
            self._may(person, Capability.LOWER, "lower the severity")
            if to - before > 1:
                raise NotAccepted("the severity is lowered one level at a time")
            if not message.reason:
                raise NotAccepted("lowering the severity needs a reason")
            if missing := self._consents(person, to):
                state.note("consent", f"{person.id} would lower it to {to.label}: {message.reason}; {missing} is missing", by=person.id)
                return f"noted; {state.id} stays {before.label} until {missing} says so too"
        state.severity, state.peak_severity = to, worst(state.peak_severity, to)
        state.note("severity", f"{before.label} → {to.label}: {message.reason or 'no reason given'}", by=person.id)
        if to < before:
            state.alarm = f"severity raised to {to.label}"
        return f"{state.id} is {to.label} (was {before.label})"

    def _consents(self, person: Person, to: Severity) -> str:
        """Whose word is missing: the commander's always; Security's where it is restricted; Legal's too where data may be exposed."""
        state = self._state
        if state.assignments.solo == person.id:
            return ""
        if self._consent is None or self._consent.to is not to:
            self._consent = Consent(to)
        signing = set(state.assignments.roles_of(person)) | ({Role.INCIDENT_COMMANDER} if "1" in self._limits(person) else set())
        self._consent.roles |= signing
        needed = (
            Role.INCIDENT_COMMANDER,
            *((Role.SECURITY_LEAD,) if state.restricted or self._exposed() else ()),
            *((Role.LEGAL,) if self._exposed() else ()),
        )
        missing = [role.title for role in needed if role not in self._consent.roles]
        if not missing:
            self._consent = None
        return " and ".join(missing)

    def _widen(self, person: Person, message: Message) -> str:
        self._may(person, Capability.WIDEN, "widen the public cadence")
        return self._comms.widen(person, message.reason)

    def _hold(self, person: Person, message: Message, *, holding: bool) -> str:
        if holding:
            self._may(person, Capability.PAUSE, "pause the playbook", rights="AV")
        else:
            self._may(person, Capability.RESUME, "resume the playbook")
        state = self._state
        state.paused_by = person.id if holding else ""
        word = "paused" if holding else "resumed"
        state.note(word, message.reason or word, by=person.id)
        if holding:
            return f"{state.id} is paused: it looks and keeps people posted, and changes nothing until resumed"
        return f"{state.id} goes on"

    def _stand_down(self, person: Person, identity: Identity, message: Message) -> str:
        self._may(person, Capability.STAND_DOWN, "stand down")
        if not message.reason:
            raise NotAccepted("standing down needs a reason")
        state = self._state
        if message.false_alarm and any(not imposed.measure.until_stable for imposed in state.measures.standing):
            raise NotAccepted("this was no false alarm for the systems: measures are in force; stand down without false_alarm")
        if message.false_alarm and state.breached:
            raise NotAccepted("this was no false alarm for customers: they were seen to be hit; stand down without false_alarm")
        self.stand_down = StandDown(person.id, identity.verified, message.reason, message.false_alarm)
        state.note("stand down", message.reason, by=person.id)
        if state.run_state is State.HANDED_OVER:
            return f"{state.id} stands down; what may be lifted is lifted"
        return f"{state.id} stands down: the playbook stops, what it imposed is lifted, latest first"
