"""What people say to an incident, and what it does: answers, notes, roles, severity, pause, stand-down, cadence.

Who may do what, and verified how far, is `access.py`. A role that somebody holds is handed over by offer and acceptance, both on the record.
"""

from dataclasses import dataclass

from temporalio import workflow

from activities.action import Role
from activities.identity.codes import Identity
from activities.organisation.people import Person
from workflows.errors import NotAccepted
from workflows.incident import WAIT, Answer, QuestionState, Severity, State
from workflows.people.access import AccessCheck, Sender
from workflows.people.context import Announcer, IncidentContext, VerbInvoker
from workflows.people.messages import LONGEST, VERDICTS, Message, message_of
from workflows.people.notices import Notices
from workflows.people.roster import Offer
from workflows.severity.adjustment import LoweringRequest, may_lower

HYPOTHESES, SHOWN = 20, 500  # how many of the newest the status shows, and how much of each; the timeline keeps every word
CLASH = "at SEV-1 the Incident Commander does not also lead operations"
MOST_LATE = 1.5  # times the interval: so late an observation may come, and the record of observations has no gap


@dataclass(frozen=True)
class StandDown:
    """The commander's order to end it."""

    by: str
    verified: bool
    reason: str
    false_alarm: bool


class IncidentCommands:
    def __init__(self, state: IncidentContext, invoker: VerbInvoker, notices: Notices, announcer: Announcer) -> None:
        self._state, self._announcer = state, announcer
        self.access = AccessCheck(state, invoker, notices, announcer)
        self._lowering_to: Severity | None = None
        self._agreed: set[Role] = set()  # who has agreed so far that the severity is lowered to that
        self.stand_down: StandDown | None = None

    async def receive(self, name: str, given: tuple[object, ...]) -> str:
        """Act on one message. Raises `NotAccepted` with the reason."""
        message = message_of(name, given)
        if name == "note" and not self._state.run_state.over:
            return self._note(message)
        identity = await self.access.identify(name, message)
        try:
            return self._obey(name, message, identity)
        except NotAccepted as no:
            raise self.access.refused(no, identity) from None

    def _obey(self, name: str, message: Message, identity: Identity) -> str:
        if name in VERDICTS:
            return self._answer(name, message, identity)
        sender = self.access.check(name, message, identity)
        match name:
            case "code":
                return self._announcer.send_code(sender.person)
            case "acknowledge":
                return self._acknowledge(sender)
            case "assign":
                return self._assign(sender, message)
            case "reclassify":
                return self._reclassify(sender, message)
            case "done":
                return self._done(sender, message)
            case "pause" | "resume":
                return self._pause(sender, message, name)
            case "widen":
                return self._announcer.widen(sender.person, message.reason)
            case _:
                return self._stand_down(sender, message)

    async def sent(self, name: str, given: tuple[object, ...]) -> tuple[Sender, Message]:
        """Who sent a command that others carry out, and what it says. Raises `NotAccepted` when they may not."""
        message = message_of(name, given)
        identity = await self.access.identify(name, message)
        try:
            return self.access.check(name, message, identity), message
        except NotAccepted as no:
            raise self.access.refused(no, identity) from None

    def _answer(self, name: str, message: Message, identity: Identity) -> str:
        state, reason = self._state, (message.reason or message.text)[:LONGEST]
        sent = Answer(verdict=name, reason=reason, **message.model_dump(include={"question", "by", "code", "value"}))
        if name == WAIT:
            return self._keep_waiting(sent, identity)
        question = state.approvals.take(sent, identity, state.assignments, state.policy, workflow.now())
        answer = question.answers[-1]
        if identity.person is not None:
            self._take_command(Sender(identity.person, answer.verified, ()))  # a decision as commander also takes the page
        if question.broke_glass:
            by, number, why = answer.by, question.number, answer.reason
            state.note("break-glass", f"[{number}] {by} decided alone: {why}", by=by, question=number)
            state.follow_up(f"Review the break-glass decision [{number}] by {by}: {why}", Role.DUTY_EXECUTIVE)
            self._announcer.say(f"BREAK-GLASS: {by} decided question {number} alone: {why}")
        how = "verified" if answer.verified else "self-declared"
        kind = {"approve": "granted", "decline": "declined"}.get(name, "answered")
        text = f"[{question.number}] {name} by {answer.by} ({how}){f': {answer.reason}' if answer.reason else ''}"
        state.note(kind, text, by=answer.by, question=question.number, verified=answer.verified)
        if question.state is QuestionState.OPEN:
            return f"question {question.number}: {name} by {answer.by} counts; {question.quorum - len(question.answers)} more needed"
        return f"question {question.number}: {name} by {answer.by} ({how})"

    def _keep_waiting(self, sent: Answer, identity: Identity) -> str:
        state, now = self._state, workflow.now()
        question = state.approvals.keep_waiting(sent, identity, state.assignments, now, state.policy.for_people(state.policy.keep_waiting))
        number, until = question.number, f"stays open, and nobody is paged about it before {question.waits_until:%H:%M:%S} UTC"
        state.note("kept waiting", f"[{number}] {until}{f': {sent.reason}' if sent.reason else ''}", by=question.kept_by, question=number)
        return f"question {number} {until}"

    def _note(self, message: Message) -> str:
        text = message.text or message.reason
        if not text:
            raise NotAccepted("a note needs a text")
        state, shown, kind = self._state, text[:SHOWN], message.about
        if kind == "hypothesis":
            state.hypotheses = [*state.hypotheses, shown][-HYPOTHESES:]
        elif kind == "impact":
            state.impact = shown
        elif kind == "scope":
            state.scope = shown
        else:
            kind = "note"
        state.note(kind, text, by=message.by or "unnamed")
        return "noted"

    def _done(self, sender: Sender, message: Message) -> str:
        """Tick a task. Being on the roster is enough: it changes nothing but what is shown, and it says who said so."""
        state, number = self._state, message.task
        task = next((one for one in state.tasks if one.number == number), None)
        if task is None:
            given = f"tasks 1 to {len(state.tasks)} exist" if state.tasks else "there is no task"
            raise NotAccepted(f"say which task is done: {given}")
        if task.done_at is not None:
            raise NotAccepted(f"task {number} is done already: {task.done_by}, {task.done_at:%H:%M:%S} UTC")
        state.tick(task, sender.id, message.text or message.reason)
        left = sum(one.open for one in state.tasks)
        return f"task {number} of {state.id} is done, says {sender.id}; {left} {'is' if left == 1 else 'are'} open"

    def _pause(self, sender: Sender, message: Message, name: str) -> str:
        state, pausing = self._state, name == "pause"
        state.paused_by = sender.id if pausing else ""
        self._record(f"{name}d", message.reason or f"{name}d", sender)
        paused = "is paused: it looks and keeps people posted, and changes nothing until resumed"
        return f"{state.id} {paused if pausing else 'goes on'}"

    def _record(self, kind: str, text: str, sender: Sender) -> None:
        """A line on the timeline about something that changes authority: it says how its sender is known."""
        self._state.note(kind, f"{text} ({sender.how})", by=sender.id, verified=sender.verified)

    def _acknowledge(self, sender: Sender) -> str:
        """Accept what was offered; else take command, if nobody has; else take up the roles that the rota names."""
        state, assignments, person = self._state, self._state.assignments, sender.person
        if offered := assignments.offered_to(person):
            return " · ".join(self._accept(sender, offer) for offer in offered)
        claimed = Role.INCIDENT_COMMANDER in assignments.claims and state.commander() != person.id
        if self._take_command(sender, over=sender.verified and claimed):
            return f"{person.id} is the Incident Commander of {state.id}"
        roles = tuple(role for role in assignments.takes_up(person) if not self._clash(role, person))
        assignments.confirmed.update({role: person.id for role in roles})
        assignments.taken = {**dict.fromkeys(roles, workflow.now()), **assignments.taken}
        as_what = f" as {' and '.join(role.title for role in roles)}" if roles else ""
        state.note("acknowledged", f"{person.id} is on it{as_what}", by=person.id)
        return f"{person.id} is on {state.id}{as_what}; commander: {state.commander() or 'nobody yet'}"

    def _take_command(self, sender: Sender, *, over: bool = False) -> bool:
        """False when somebody commands already, or when this person may not. `over`: who commands does so by a self-declared message only."""
        state, before = self._state, self._state.commander()
        if (state.acknowledged_at is not None and not over) or not state.assignments.may_command(sender.person, sure=over):
            return False
        self._give(Role.INCIDENT_COMMANDER, sender.person, vouched=sender.verified, own=True)
        self._record("acknowledged", f"{sender.id} takes command{f' from {before}, who was self-declared' if over else ''}", sender)
        self._announcer.role_taken()
        return True

    def _assign(self, sender: Sender, message: Message) -> str:
        """Give a role. One that somebody holds and who can be reached is offered; it changes hands when it is accepted (spec §4)."""
        if message.role not in set(Role):
            raise NotAccepted(f"there is no role {message.role!r}; there are {', '.join(Role)}")
        state, assignments, role = self._state, self._state.assignments, Role(message.role)
        to = assignments.roster.person(message.to)
        if to is None:
            raise NotAccepted(f"nobody called {message.to!r} is on the roster")
        if self._clash(role, to):
            raise NotAccepted(CLASH)
        holder = assignments.name(role)
        taken = holder not in ("", to.id) and assignments.can_reach(holder)
        if taken and role is Role.INCIDENT_COMMANDER and sender.id != holder:
            raise NotAccepted(f"{holder} commands and can be reached: only {holder} may hand command over")
        if taken and to.id != sender.id:
            self._announcer.offer(role, to, sender.id, vouched=sender.verified)
            return f"{role.title} of {state.id} is offered to {to.id}; it stays with {holder} until {to.id} acknowledges"
        self._give(role, to, vouched=sender.verified)
        self._record("assigned", f"{to.id} is {role.title}", sender)
        if to.id != sender.id:
            self._announcer.remind((to,), f"{sender.id} made you {role.title} of {state.id}. Say that you are on it: incident ack")
        return f"{to.id} is {role.title} of {state.id}"

    def _accept(self, sender: Sender, offer: Offer) -> str:
        role = offer.role
        if self._clash(role, sender.person):
            raise NotAccepted(CLASH)
        before = self._state.assignments.name(role)
        self._give(role, sender.person, vouched=offer.vouched and sender.verified, own=offer.vouched)
        self._record("accepted", f"{sender.id} is {role.title}{f' (was {before})' if before else ''}, offered by {offer.by}", sender)
        return f"{sender.id} is {role.title} of {self._state.id}"

    def _give(self, role: Role, person: Person, *, vouched: bool, own: bool = False) -> None:
        state = self._state
        state.assignments.assign(role, person, vouched=vouched, own=own)
        state.assignments.taken.setdefault(role, workflow.now())
        if role is Role.INCIDENT_COMMANDER and state.acknowledged_at is None:
            state.acknowledged_at = workflow.now()

    def _clash(self, role: Role, to: Person) -> bool:
        """At SEV-1 the commander delegates and does not resolve; a person who is alone has nobody to delegate to (spec §4)."""
        assignments, exclusive = self._state.assignments, (Role.OPS_LEAD, Role.INCIDENT_COMMANDER)
        if role not in exclusive or self._state.severity is not Severity.SEV1 or assignments.solo:
            return False
        return any(assignments.name(other) == to.id for other in exclusive if other is not role)

    def _reclassify(self, sender: Sender, message: Message) -> str:
        """Anybody may raise it; lowering it takes the commander, a quiet time and sometimes signatures (spec §3)."""
        try:
            to = Severity.parse(message.severity)
        except ValueError as wrong:
            raise NotAccepted(str(wrong)) from None
        state, before = self._state, self._state.severity
        if to > before:
            if not message.reason:
                raise NotAccepted("lowering the severity needs a reason")
            if missing := self._missing_consent(sender, to):
                self._record("consent", f"{sender.id} would lower it to {to.label}: {message.reason}; {missing} is missing", sender)
                return f"noted; {state.id} stays {before.label} until {missing} says so too"
            self._check_lowering(to)
            self._lowering_to = None
        state.set_severity(to, f"{message.reason or 'no reason given'} ({sender.how})", sender.id)
        return f"{state.id} is {to.label} (was {before.label})"

    def _missing_consent(self, sender: Sender, to: Severity) -> str:
        """Whose word is missing yet: the commander's always; Security's where it is restricted; Legal's too where data may be exposed."""
        state, assignments, exposure = self._state, self._state.assignments, self._state.severity_history.exposure
        if self._lowering_to is not to:
            self._lowering_to, self._agreed = to, set()
        self._agreed |= set(Role if assignments.solo == sender.id else sender.roles)
        if "1" in self.access.footnotes(sender.person):
            self._agreed.add(Role.INCIDENT_COMMANDER)
        needed = {Role.INCIDENT_COMMANDER: True, Role.SECURITY_LEAD: state.restricted or exposure, Role.LEGAL: exposure}
        return " and ".join(role.title for role, wanted in needed.items() if wanted and role not in self._agreed)

    def _check_lowering(self, to: Severity) -> None:
        """Raises `NotAccepted` with all reasons against it."""
        state, policy, now, history = self._state, self._state.policy, workflow.now(), self._state.severity_history
        latest = history.observations[-1] if history.observations else None
        wanted = LoweringRequest(
            current=state.severity, to=to, at=now, by_commander=Role.INCIDENT_COMMANDER in self._agreed,
            mitigation_verified=state.mitigated_at is not None,
            comms_updated=state.next_update_due is None or state.next_update_due > now, signed=frozenset(self._agreed),
            exfiltration_may_continue=latest.facts.active_adversary if latest else None,
            radius_quality=history.quality,
            look_every=policy.paced(policy.rhythm(state.severity).reclassify) * MOST_LATE,
        )  # fmt: skip
        judged = may_lower(wanted, history, policy.severity.paced(policy.pace))
        if not judged.allowed:
            raise NotAccepted(f"{state.id} stays {state.severity.label}: {'; '.join(judged.reasons)}")

    def _stand_down(self, sender: Sender, message: Message) -> str:
        if not message.reason:
            raise NotAccepted("standing down needs a reason")
        state = self._state
        wrong = (
            "the systems: measures are in force" if state.lasting_measures else "customers: they were affected" if state.breached else ""
        )
        if message.false_alarm and wrong:
            raise NotAccepted(f"this was no false alarm for {wrong}; stand down without false_alarm")
        self.stand_down = StandDown(sender.id, sender.verified, message.reason, message.false_alarm)
        self._record("stand down", message.reason, sender)
        if state.run_state is State.HANDED_OVER:
            return f"{state.id} stands down; what may be lifted is lifted"
        return f"{state.id} stands down: the playbook stops, what it imposed is lifted, latest first"
