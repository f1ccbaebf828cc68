"""What people say to an incident, and what it does: answers, notes, roles, severity, pause, stand-down, cadence.

Who may do what is `permissions.py`. A role that somebody holds is handed over by offer and acceptance, both on the record.
"""

from dataclasses import dataclass

from temporalio import workflow

from activities.action import Role
from activities.identity.codes import Identity
from activities.organisation.people import Person
from workflows.errors import NotAccepted
from workflows.incident import QuestionState, State
from workflows.people.access import AccessCheck, person_of
from workflows.people.context import Announcer, IncidentContext, VerbInvoker
from workflows.people.messages import VERDICTS, Message, answer_of, message_of
from workflows.people.permissions import Capability
from workflows.people.role_commands import RoleCommands
from workflows.people.severity_commands import SeverityCommands

HYPOTHESES, SHOWN = 20, 500  # how many of the newest the status shows, and how much of each; the timeline keeps every word


@dataclass(frozen=True)
class StandDown:
    """The commander's order to end it."""

    by: str
    verified: bool
    reason: str
    false_alarm: bool


class IncidentCommands:
    """Turns messages into decisions of one incident."""

    def __init__(self, state: IncidentContext, invoker: VerbInvoker, announcer: Announcer) -> None:
        self._state = state
        self._announcer = announcer
        self._access = AccessCheck(state, invoker, announcer)
        self._roles = RoleCommands(state, self._access, announcer)
        self._severity = SeverityCommands(state, self._access)
        self.stand_down: StandDown | None = None

    async def receive(self, name: str, given: tuple[object, ...]) -> str:
        """Act on one message. Raises `NotAccepted` with the reason."""
        message = message_of(name, given)
        if name == "note" and not self._state.run_state.over:
            return self._note(message)
        identity = await self._access.identify(message)
        if name in VERDICTS:
            return self._answer(name, message, identity)
        person = person_of(identity)
        match name:
            case "acknowledge":
                return self._roles.acknowledge(person)
            case "assign":
                return self._roles.assign(person, message)
            case "reclassify":
                return self._severity.reclassify(person, message)
            case "pause" | "resume":
                return self._pause(person, message, pausing=name == "pause")
            case "widen":
                self._access.require(person, Capability.WIDEN, "widen the public cadence")
                return self._announcer.widen(person, message.reason)
            case _:
                return self._stand_down(person, identity, message)

    async def holder(self, name: str, given: tuple[object, ...], roles: tuple[Role, ...]) -> tuple[Person, Message]:
        """Who sent a message, when they hold one of the roles now. Raises `NotAccepted`."""
        message = message_of(name, given)
        return await self._access.holder(message, roles), message

    def _answer(self, name: str, message: Message, identity: Identity) -> str:
        state = self._state
        question = state.approvals.take(answer_of(name, message), identity, state.assignments, state.policy, workflow.now())
        if identity.person is not None:
            self._roles.take_command(identity.person)  # a decision as commander also takes the page
        answer = question.answers[-1]
        if question.broke_glass:
            self._broke_the_glass(question.number, answer.by, answer.reason)
        how = "verified" if answer.verified else "self-declared"
        kind = {"approve": "granted", "decline": "declined"}.get(name, "answered")
        reason = f": {answer.reason}" if answer.reason else ""
        text = f"[{question.number}] {name} by {answer.by} ({how}){reason}"
        state.note(kind, text, by=answer.by, question=question.number, verified=answer.verified)
        if question.state is QuestionState.OPEN:
            return f"question {question.number}: {name} by {answer.by} counts; {question.quorum - len(question.answers)} more needed"
        return f"question {question.number}: {name} by {answer.by} ({how})"

    def _broke_the_glass(self, question: int, who: str, reason: str) -> None:
        state = self._state
        state.note("break-glass", f"[{question}] {who} decided alone: {reason}", by=who, question=question)
        state.follow_up(f"Review the break-glass decision [{question}] by {who}: {reason}", Role.DUTY_EXECUTIVE)
        self._announcer.say(f"BREAK-GLASS: {who} decided question {question} alone: {reason}")

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

    def _pause(self, person: Person, message: Message, *, pausing: bool) -> str:
        if pausing:
            self._access.require(person, Capability.PAUSE, "pause the playbook", rights="AV")
        else:
            self._access.require(person, Capability.RESUME, "resume the playbook")
        state = self._state
        state.paused_by = person.id if pausing else ""
        word = "paused" if pausing else "resumed"
        state.note(word, message.reason or word, by=person.id)
        if pausing:
            return f"{state.id} is paused: it looks and keeps people posted, and changes nothing until resumed"
        return f"{state.id} goes on"

    def _stand_down(self, person: Person, identity: Identity, message: Message) -> str:
        self._access.require(person, Capability.STAND_DOWN, "stand down")
        if not message.reason:
            raise NotAccepted("standing down needs a reason")
        state = self._state
        if message.false_alarm and state.lasting_measures:
            raise NotAccepted("this was no false alarm for the systems: measures are in force; stand down without false_alarm")
        if message.false_alarm and state.breached:
            raise NotAccepted("this was no false alarm for customers: they were affected; stand down without false_alarm")
        self.stand_down = StandDown(person.id, identity.verified, message.reason, message.false_alarm)
        state.note("stand down", message.reason, by=person.id)
        if state.run_state is State.HANDED_OVER:
            return f"{state.id} stands down; what may be lifted is lifted"
        return f"{state.id} stands down: the playbook stops, what it imposed is lifted, latest first"
