"""Telling people what they have to know or decide: questions, offers of a role, reminders, and the search for a second person (spec §2.5, §4)."""

from collections.abc import Sequence
from datetime import timedelta
from textwrap import shorten

from temporalio import workflow

from activities.action import Role, action_of
from activities.kit.words.shell import command
from activities.organisation.organisation import ReadAll
from activities.organisation.people import Person
from activities.organisation.rota import Rota
from activities.paging.orders import Ask, Page, Remind
from activities.paging.pager import Pager
from workflows.errors import NotAccepted
from workflows.incident import Question
from workflows.people.background import BackgroundTasks
from workflows.people.command_codes import Issued
from workflows.people.context import IncidentContext, VerbInvoker
from workflows.people.roster import COMMAND
from workflows.waiting import waited

# After this many pages about one unanswered question the pages come hourly: a pager that rings every five minutes for a week is switched off.
URGENT_PAGES = 6
SLOW_PAGE = timedelta(hours=1)
LONGEST_EFFECT = 400  # characters in a message; the whole of it is in the status


class Notices:
    def __init__(self, state: IncidentContext, invoker: VerbInvoker) -> None:
        self._state, self._quietly, self.background = state, invoker.quietly, BackgroundTasks(state)
        self._reminders = 0

    def send(self, question: Question, nth: int) -> None:
        """Send a question to whoever may answer it now."""
        self.background.run("nobody could be reached", self._ask(question, nth), question.number)

    def offer(self, role: Role, to: Person, by: str, *, vouched: bool = True) -> None:
        """Offer a role that somebody holds; it changes hands when it is accepted. The code to accept it with is sent along."""
        state = self._state
        state.assignments.offer(role, to, by, workflow.now(), vouched=vouched)
        holder = state.assignments.name(role) or "nobody"
        state.note("offered", f"{by} offers {role.title} to {to.id}; until it is accepted, {holder} has it", by=by)
        accept = command("incident", "ack", state.id, "--code", "CODE")
        text = f"{by} offers you {role.title} of {state.id} (now {holder}). To accept: {accept}"
        self.remind((to,), text, self._issue(to).digest)

    def send_code(self, person: Person) -> str:
        """Send somebody a code for commands. Never again within moments: whoever asks in another's name must not flood their phone."""
        state, policy, now = self._state, self._state.policy, workflow.now()
        if state.assumes(action_of(Pager.remind)):
            raise NotAccepted("shadow mode: nothing is sent to anybody, so that no code can be")
        sent = state.command_codes.of(person.id, now)
        if sent and now < (again := sent.sent_at + policy.for_people(policy.command_code_again)):
            return f"{person.id} was sent a code at {sent.sent_at:%H:%M:%S} UTC; it can be sent again from {again:%H:%M:%S} UTC"
        until = f"{(issued := self._issue(person)).until:%H:%M:%S} UTC"
        state.note("code", f"a code for commands is sent to {person.id}, good once, until {until}", by=person.id)
        text = f"A code for commands in {state.id} was asked for in your name. It is good until {until}. If that was not you, tell the commander"
        self.remind((person,), text, issued.digest)
        return f"a code for commands is sent to {person.id}, by direct message or else by page; it is good once, until {until}"

    def _issue(self, person: Person) -> Issued:
        policy = self._state.policy
        valid = policy.for_people(policy.command_code_valid)
        return self._state.command_codes.issue(person.id, workflow.now(), valid, str(workflow.uuid4()))

    def remind(self, people: Sequence[Person], text: str, code_digest: str = "") -> None:
        """Tell people something that is no question. `code_digest`: with a code for commands."""
        if people:
            self._reminders += 1
            people = self._reached(people)
            reminder = Remind(incident_id=self._state.id, people=people, text=text, nth=self._reminders, code_digest=code_digest)
            # Its key names this very code: another run under the same id sends codes of its own.
            key = f"{reminder.incident_id}/pager.remind/{reminder.target()}/{code_digest[:8]}-{reminder.nth}" if code_digest else ""
            self.background.run(", ".join(person.id for person in people), self._quietly(Pager.remind, reminder, key=key))

    async def tell(self, person: Person, text: str, *, code: bool = False) -> None:
        """Tell one person something, and wait until they are told. `code`: with a code for commands to answer with. Raises `RetriesExhausted`."""
        self._reminders += 1
        digest = self._issue(person).digest if code else ""
        reminder = Remind(incident_id=self._state.id, people=self._reached((person,)), text=text, nth=self._reminders, code_digest=digest)
        instant = f"{workflow.now():%Y%m%dT%H%M%S}"  # another run under the same id counts its reminders anew
        await self._quietly(
            Pager.remind, reminder, key=f"{reminder.incident_id}/pager.remind/{person.id}/{digest[:8] or instant}-{reminder.nth}"
        )

    def leave_chat(self) -> None:
        """Others may have read what was sent: codes that are out count no more, and open questions are put again, by page alone."""
        state = self._state
        state.command_codes.forget()
        for question in state.approvals.questions:
            question.read = question.sendings
            if question.open and not question.assumed:
                self.send(question, 2)

    def _reached(self, people: Sequence[Person]) -> tuple[Person, ...]:
        """How they are told: where others may read our chat, by their pager alone."""
        return tuple(one.model_copy(update={"slack": ""}) if self._state.chat_read else one for one in people)

    def renew(self, question: Question, person: Person, why: str) -> None:
        """Send somebody another code for a question that is still open, because theirs was used."""
        message = self._message(question, (person,), 1).model_copy(update={"wakes": False})
        fresh = message.model_copy(update={"lines": (why, *message.lines)})
        self.background.run(f"a new code for {person.id}", self._put(fresh), question.number)

    async def read_the_rota(self, *, fresh: bool = False) -> None:
        """Find out who is on duty, unless that was done within the last minute. Raises `RetriesExhausted` when the roster cannot be read."""
        state = self._state
        known = state.assignments.read_at
        if fresh or known is None or known < workflow.now() - state.policy.paced(state.policy.rota_fresh):
            for remark in state.assignments.read(await self._quietly(Rota.now, ReadAll()), workflow.now()):
                state.note("rota", remark)

    async def _ask(self, question: Question, nth: int) -> None:
        await self.read_the_rota()
        people = self._state.assignments.holders(question.roles)
        if not people:
            self._state.note("nobody", f"[{question.number}] nobody on the roster may answer this; assign a role")
            return
        await self._put(self._message(question, people, nth))
        question.told = tuple(dict.fromkeys((*question.told, *(person.id for person in people))))

    async def find_a_second(self, question: Question) -> None:
        """When one person is alone with a decision for two: page a second one, and only then let them decide alone."""
        state, policy = self._state, self._state.policy
        await workflow.wait_condition(lambda: not question.open or bool(question.answers and state.assignments.solo))
        if not question.open:
            return
        alone = question.answers[-1].by
        question.roles = tuple(dict.fromkeys((*question.roles, *COMMAND)))
        others = tuple(person for person in state.assignments.holders(question.roles) if person.id != alone)
        if others and await self._second_answered(question, alone, others):
            return
        question.alone_from = workflow.now()
        how = "policy does not allow break-glass: it waits for a second person"
        if policy.break_glass:
            how = "approve again with a reason that begins “break glass:” and says why; it is reviewed afterwards"
        state.note("alone", f"[{question.number}] nobody else can be reached; {how}", question=question.number)
        for person in state.assignments.reachable():
            if person.id == alone:
                self.renew(question, person, how)

    async def _second_answered(self, question: Question, alone: str, others: tuple[Person, ...]) -> bool:
        """Page them and wait. True when the question was closed meanwhile."""
        state, number, wait = self._state, question.number, self._state.policy.second_person
        paged = f"a second person is paged for {wait.total_seconds() / 60:g} min: {', '.join(person.id for person in others)}"
        state.note("alone", f"[{number}] {alone} is alone with a {question.risk.label} decision: {paged}", question=number)
        self.background.run("a second person could not be reached", self._page_others(question, others), number)
        return await waited(lambda: not question.open, state.policy.for_people(wait), "a second person")

    async def _page_others(self, question: Question, others: tuple[Person, ...]) -> None:
        text = f"{self._state.display_name} · a second person is needed for question {question.number}"
        await self._put(self._message(question, others, 1))
        page = Page(incident_id=self._state.id, people=others, summary=text[:500], severity=1, nth=100 + question.number)
        await self._quietly(Pager.page, page)

    async def _put(self, message: Ask) -> None:
        """Its key names this very question: another run under the same id asks its own, with codes of its own."""
        nth = f"{message.question_digest[:8]}-{message.sending}"
        await self._quietly(Pager.ask, message, key=f"{message.incident_id}/pager.ask/{message.target()}/{nth}")

    def _message(self, question: Question, people: tuple[Person, ...], nth: int) -> Ask:
        """With its head, the code and what to type it fits on a phone's screen: at most twelve lines (`wording.question`).

        Every message has a code of its own: whoever has used up the last one gets another with the next reminder.
        """
        question.sendings += 1
        expires = f" (from {question.expires_at:%H:%M:%S} UTC)" if question.expires_at else ""
        lines = (
            f"effect: {shorten(question.effect, LONGEST_EFFECT, placeholder='… (incident status --full)')}" if question.effect else "",
            f"undo: {question.inverse}",
            f"facts: {'; '.join(question.facts)}" if question.facts else "",
            f"no answer: {question.silence.means()}{expires}",
        )
        return Ask(
            incident_id=self._state.id, question=question.number, question_digest=question.digest, people=self._reached(people), title=question.asks,
            lines=tuple(filter(None, lines)), options=question.options, rung=question.escalation, nth=nth,
            sending=question.sendings,
        )  # fmt: skip
