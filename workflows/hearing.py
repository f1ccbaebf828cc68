"""What people say to an incident, and what it does: answers, notes, roles, severity, pause, stand-down."""

from dataclasses import dataclass

from temporalio import workflow

from activities.action import Role
from activities.codes import Identify, Identities, Identity
from activities.organisation import Person
from workflows.approvals import NotAccepted
from workflows.doors import VERDICTS, Message, answer_of, message_of
from workflows.incident import QuestionState, State
from workflows.invoker import Invoker, RanOut
from workflows.severity import Severity
from workflows.situation import Situation, worst_of

HYPOTHESES, SHOWN = 20, 500  # how many of the newest the status shows, and how much of each; the timeline keeps every word
COMMAND = (Role.INCIDENT_COMMANDER, Role.DEPUTY)


@dataclass(frozen=True)
class StandDown:
    """The commander's order to end it."""

    by: str
    verified: bool
    reason: str
    false_alarm: bool


class Hearing:
    """Turns messages into decisions of one incident. Authority is looked up now, by an activity, for every message."""

    def __init__(self, situation: Situation, invoker: Invoker) -> None:
        self._situation = situation
        self._invoker = invoker
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
                return self._acknowledge(person)
            case "assign":
                return self._assign(person, message)
            case "reclassify":
                return self._reclassify(person, message)
            case "pause" | "resume":
                return self._hold(person, message, holding=name == "pause")
            case _:
                return self._stand_down(person, identity, message)

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
        return identity

    def _answer(self, name: str, message: Message, identity: Identity) -> str:
        situation = self._situation
        question = situation.approvals.take(answer_of(name, message), identity, situation.crew, situation.policy, workflow.now())
        if identity.person is not None and situation.acknowledged_at is None and situation.crew.role_of(identity.person, COMMAND):
            self._take_command(identity.person)  # whoever decides as commander has taken the page
        given = question.given[-1]
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

    def _command(self, person: Person, what: str) -> None:
        if self._situation.crew.role_of(person, COMMAND) is None:
            raise NotAccepted(f"{person.id} may not {what}: that is the Incident Commander's")

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

    def _acknowledge(self, person: Person) -> str:
        situation = self._situation
        if situation.acknowledged_at is None and situation.crew.role_of(person, (*COMMAND, Role.DUTY_EXECUTIVE)):
            self._take_command(person)
            return f"{person.id} is the Incident Commander of {situation.id}"
        situation.note("acknowledged", f"{person.id} is on it", by=person.id)
        return f"{person.id} is on {situation.id}; commander: {situation.commander() or 'nobody yet'}"

    def _take_command(self, person: Person) -> None:
        situation = self._situation
        situation.crew.assign(Role.INCIDENT_COMMANDER, person)
        situation.acknowledged_at = workflow.now()
        situation.note("acknowledged", f"{person.id} takes command", by=person.id)

    def _assign(self, person: Person, message: Message) -> str:
        self._command(person, "assign roles")
        if message.role not in set(Role):
            raise NotAccepted(f"there is no role {message.role!r}; there are {', '.join(Role)}")
        to = self._situation.crew.roster.person(message.to)
        if to is None:
            raise NotAccepted(f"nobody called {message.to!r} is on the roster")
        role = Role(message.role)
        if role is Role.OPS_LEAD and to.id == self._situation.commander() and self._situation.severity is Severity.SEV1:
            raise NotAccepted("at SEV-1 the Incident Commander does not also lead operations")
        self._situation.crew.assign(role, to)
        self._situation.note("assigned", f"{to.id} is {role.title}", by=person.id)
        return f"{to.id} is {role.title} of {self._situation.id}"

    def _reclassify(self, person: Person, message: Message) -> str:
        try:
            to = Severity.parse(message.severity)
        except ValueError as wrong:
            raise NotAccepted(str(wrong)) from None
        situation = self._situation
        before = situation.severity
        if to > before:
            self._command(person, "lower the severity")
            if to - before > 1:
                raise NotAccepted("the severity is lowered one level at a time")
            if not message.reason:
                raise NotAccepted("lowering the severity needs a reason")
        situation.severity, situation.peak_severity = to, worst_of(situation.peak_severity, to)
        situation.note("severity", f"{before.label} → {to.label}: {message.reason or 'no reason given'}", by=person.id)
        if to < before:
            situation.alarm = f"severity raised to {to.label}"
        return f"{situation.id} is {to.label} (was {before.label})"

    def _hold(self, person: Person, message: Message, *, holding: bool) -> str:
        self._command(person, "pause or resume the playbook")
        situation = self._situation
        situation.paused_by = person.id if holding else ""
        word = "paused" if holding else "resumed"
        situation.note(word, message.reason or word, by=person.id)
        if holding:
            return f"{situation.id} is paused: it looks and keeps people posted, and changes nothing until resumed"
        return f"{situation.id} goes on"

    def _stand_down(self, person: Person, identity: Identity, message: Message) -> str:
        self._command(person, "stand down")
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
