"""What people say to an incident, and what it does: answers, notes, roles, severity, pause, stand-down, cadence.

Who may do what is `permissions.py`. A role that somebody holds is handed over by offer and acceptance, both on the record.
"""

from dataclasses import dataclass, field

from temporalio import workflow

from activities.action import Role
from activities.codes import Identify, Identities, Identity
from activities.organisation import Person
from workflows import permissions
from workflows.approvals import NotAccepted
from workflows.comms import Comms
from workflows.doors import VERDICTS, Message, answer_of, message_of
from workflows.incident import QuestionState, State
from workflows.invoker import Invoker, RanOut
from workflows.permissions import Capability
from workflows.severity import Severity
from workflows.situation import Situation, worst_of

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


class Hearing:
    """Turns messages into decisions of one incident. Authority is looked up now, by an activity, for every message."""

    def __init__(self, situation: Situation, invoker: Invoker, comms: Comms) -> None:
        self._situation = situation
        self._invoker = invoker
        self._comms = comms
        self._consent: Consent | None = None
        self.stand_down: StandDown | None = None

    async def hear(self, name: str, given: tuple[object, ...]) -> str:
        """One message. Raises `NotAccepted` with the reason."""
        message = message_of(name, given)
        if self._situation.state.over:
            raise NotAccepted(f"{self._situation.id} is {self._situation.state}; nothing can be changed any more")
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
        if self._situation.state.over:
            raise NotAccepted(f"{self._situation.id} is {self._situation.state}; nothing can be changed any more")
        person = self._person(await self._identify(message))
        if self._situation.crew.role_of(person, roles) is None:
            raise NotAccepted(f"{person.id} may not do that: it is for {' or '.join(role.title for role in roles)}")
        return person, message

    async def _identify(self, message: Message) -> Identity:
        questions = tuple((q.number, q.digest) for q in self._situation.approvals.questions)
        try:
            identity = await self._invoker.quietly(
                Identities.identify,
                Identify(incident_id=self._situation.id, code=message.code.strip(), claims=message.by.strip(), questions=questions),
            )
        except RanOut as out:
            raise NotAccepted(f"cannot find out who you are just now ({out.why}); try again") from None
        self._situation.crew.roster = identity.roster
        if identity.person is not None:
            self._comms.heard(identity.person)
        return identity

    def _answer(self, name: str, message: Message, identity: Identity) -> str:
        situation = self._situation
        question = situation.approvals.take(answer_of(name, message), identity, situation.crew, situation.policy, workflow.now())
        if identity.person is not None and situation.acknowledged_at is None and situation.crew.may_command(identity.person):
            self._take_command(identity.person)  # whoever decides as commander has taken the page
        given = question.given[-1]
        if question.broke_glass:
            self._broke_the_glass(question.number, given.by, given.reason)
        how = "verified" if given.verified else "self-declared"
        kind = {"approve": "granted", "decline": "declined"}.get(name, "answered")
        reason = f": {given.reason}" if given.reason else ""
        situation.note(
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
        situation = self._situation
        limits = self._limits(person)
        if person.id != situation.crew.solo and not permissions.may(
            capability, situation.crew.roles_of(person), rights=rights, limits=limits
        ):
            whose = " or ".join(f"the {role.title}'s" for role in permissions.whose(capability, rights[0], limits=limits))
            raise NotAccepted(f"{person.id} may not {what}: that is {whose}")

    def _limits(self, person: Person) -> str:
        """The footnotes of the table that hold now: acting, vacant, restricted, exposure."""
        situation = self._situation
        commander = situation.commander()
        vacant = not situation.crew.can_reach(commander)
        return (
            ("1" if vacant or commander == person.id else "")
            + ("2" if vacant else "")
            + ("s" if situation.restricted else "")
            + ("d" if self._exposed() else "")
        )

    def _exposed(self) -> bool:
        """True when a rule of severity about isolation or exposure (A1, A2) has ever fired."""
        said = (*self._situation.because, *(entry.text for entry in self._situation.timeline.entries if entry.kind == "severity"))
        return any(f"{rule}:" in text for text in said for rule in ("A1", "A2"))

    def _broke_the_glass(self, question: int, who: str, reason: str) -> None:
        situation = self._situation
        situation.note("break-glass", f"[{question}] {who} decided alone: {reason}", by=who, question=question)
        situation.follow_up(f"Review the break-glass decision [{question}] by {who}: {reason}", Role.DUTY_EXECUTIVE, due="5 business days")
        self._comms.said(f"BREAK-GLASS: {who} decided question {question} alone: {reason}")

    def _note(self, message: Message) -> str:
        text = message.text or message.reason
        if not text:
            raise NotAccepted("a note needs a text")
        kind = message.about if message.about in ("hypothesis", "impact", "scope") else "note"
        situation, shown = self._situation, text[:SHOWN]
        match kind:
            case "hypothesis":
                situation.hypotheses = [*situation.hypotheses, shown][-HYPOTHESES:]
            case "impact":
                situation.impact = shown
            case "scope":
                situation.scope = shown
        situation.note(kind, text, by=message.by or "unnamed")
        return "noted"

    def _acknowledge(self, person: Person, message: Message) -> str:
        situation, crew = self._situation, self._situation.crew
        if offered := crew.offered_to(person):
            return " · ".join(self._accept(person, offer.role, offer.by) for offer in offered)
        if situation.acknowledged_at is None and crew.may_command(person):
            self._take_command(person)
            return f"{person.id} is the Incident Commander of {situation.id}"
        up = tuple(role for role in crew.takes_up(person) if not self._clash(role, person))
        crew.on_it.update({role: person.id for role in up})
        crew.taken = {**dict.fromkeys(up, workflow.now()), **crew.taken}
        as_what = f" as {' and '.join(role.title for role in up)}" if up else ""
        situation.note("acknowledged", f"{person.id} is on it{as_what}", by=person.id)
        return f"{person.id} is on {situation.id}{as_what}; commander: {situation.commander() or 'nobody yet'}"

    def _accept(self, person: Person, role: Role, by: str) -> str:
        self._check_fits(role, person)
        before = self._situation.crew.name(role)
        self._give(role, person)
        was = f" (was {before})" if before else ""
        self._situation.note("accepted", f"{person.id} is {role.title}{was}, offered by {by}", by=person.id)
        return f"{person.id} is {role.title} of {self._situation.id}"

    def _take_command(self, person: Person) -> None:
        self._give(Role.INCIDENT_COMMANDER, person)
        self._situation.note("acknowledged", f"{person.id} takes command", by=person.id)
        self._comms.crowded()

    def _give(self, role: Role, person: Person) -> None:
        situation = self._situation
        situation.crew.assign(role, person)
        situation.crew.taken.setdefault(role, workflow.now())
        if role is Role.INCIDENT_COMMANDER and situation.acknowledged_at is None:
            situation.acknowledged_at = workflow.now()

    def _assign(self, person: Person, message: Message) -> str:
        """Give a role. One that somebody holds and who can be reached is offered; it changes hands when it is accepted (spec §4)."""
        self._may(person, Capability.ASSIGN, "assign roles")
        if message.role not in set(Role):
            raise NotAccepted(f"there is no role {message.role!r}; there are {', '.join(Role)}")
        situation, crew, role = self._situation, self._situation.crew, Role(message.role)
        to = crew.roster.person(message.to)
        if to is None:
            raise NotAccepted(f"nobody called {message.to!r} is on the roster")
        self._check_fits(role, to)
        holder = crew.name(role)
        held = holder not in ("", to.id) and crew.can_reach(holder)
        if held and role is Role.INCIDENT_COMMANDER and person.id != holder:
            raise NotAccepted(f"{holder} commands and can be reached: command is {holder}'s to hand over")
        if held and to.id != person.id:
            self._comms.offered(role, to, person)
            return f"{role.title} of {situation.id} is offered to {to.id}; it stays with {holder} until {to.id} acknowledges"
        self._give(role, to)
        situation.note("assigned", f"{to.id} is {role.title}", by=person.id)
        self._comms.assigned(role, to, person)
        return f"{to.id} is {role.title} of {situation.id}"

    def _check_fits(self, role: Role, to: Person) -> None:
        if self._clash(role, to):
            raise NotAccepted("at SEV-1 the Incident Commander does not also lead operations")

    def _clash(self, role: Role, to: Person) -> bool:
        """At SEV-1 whoever commands delegates and does not resolve; alone there is nobody to delegate to (spec §4)."""
        crew = self._situation.crew
        other = {Role.OPS_LEAD: Role.INCIDENT_COMMANDER, Role.INCIDENT_COMMANDER: Role.OPS_LEAD}.get(role)
        if other is None or self._situation.severity is not Severity.SEV1 or crew.solo:
            return False
        return crew.name(other) == to.id

    def _reclassify(self, person: Person, message: Message) -> str:
        try:
            to = Severity.parse(message.severity)
        except ValueError as wrong:
            raise NotAccepted(str(wrong)) from None
        situation = self._situation
        before = situation.severity
        if to > before:
            self._may(person, Capability.LOWER, "lower the severity")
            if to - before > 1:
                raise NotAccepted("the severity is lowered one level at a time")
            if not message.reason:
                raise NotAccepted("lowering the severity needs a reason")
            if missing := self._consents(person, to):
                situation.note("consent", f"{person.id} would lower it to {to.label}: {message.reason}; {missing} is missing", by=person.id)
                return f"noted; {situation.id} stays {before.label} until {missing} says so too"
        situation.severity, situation.peak_severity = to, worst_of(situation.peak_severity, to)
        situation.note("severity", f"{before.label} → {to.label}: {message.reason or 'no reason given'}", by=person.id)
        if to < before:
            situation.alarm = f"severity raised to {to.label}"
        return f"{situation.id} is {to.label} (was {before.label})"

    def _consents(self, person: Person, to: Severity) -> str:
        """Whose word is missing: the commander's always; Security's where it is restricted; Legal's too where data may be exposed."""
        situation = self._situation
        if situation.crew.solo == person.id:
            return ""
        if self._consent is None or self._consent.to is not to:
            self._consent = Consent(to)
        signing = set(situation.crew.roles_of(person)) | ({Role.INCIDENT_COMMANDER} if "1" in self._limits(person) else set())
        self._consent.roles |= signing
        needed = (
            Role.INCIDENT_COMMANDER,
            *((Role.SECURITY_LEAD,) if situation.restricted or self._exposed() else ()),
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
        situation = self._situation
        situation.paused_by = person.id if holding else ""
        word = "paused" if holding else "resumed"
        situation.note(word, message.reason or word, by=person.id)
        if holding:
            return f"{situation.id} is paused: it looks and keeps people posted, and changes nothing until resumed"
        return f"{situation.id} goes on"

    def _stand_down(self, person: Person, identity: Identity, message: Message) -> str:
        self._may(person, Capability.STAND_DOWN, "stand down")
        if not message.reason:
            raise NotAccepted("standing down needs a reason")
        situation = self._situation
        if message.false_alarm and any(not imposed.measure.until_stable for imposed in situation.measures.standing):
            raise NotAccepted("this was no false alarm for the systems: measures are in force; stand down without false_alarm")
        if message.false_alarm and situation.breached:
            raise NotAccepted("this was no false alarm for customers: they were seen to be hit; stand down without false_alarm")
        self.stand_down = StandDown(person.id, identity.verified, message.reason, message.false_alarm)
        situation.note("stand down", message.reason, by=person.id)
        if situation.state is State.HANDED_OVER:
            return f"{situation.id} stands down; what may be lifted is lifted"
        return f"{situation.id} stands down: the playbook stops, what it imposed is lifted, latest first"
