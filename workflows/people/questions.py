"""Putting a question to people: who is told, who is told next, and what silence means in the end (spec §2.5)."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from textwrap import shorten
from typing import Any

from temporalio import workflow

from activities.action import Action, Effect, Grant, O, Order, Risk, Role, Verb, action_of
from activities.organisation.organisation import ReadAll
from activities.organisation.people import Person
from activities.organisation.rota import Rota
from activities.paging.orders import Ask, Page, Remind
from activities.paging.pager import Pager
from workflows.engine.invoker import Invoker
from workflows.engine.state import IncidentState
from workflows.errors import HandOver, NotSentInShadow, RetriesExhausted
from workflows.incident import Question, QuestionKind, QuestionState, Severity, Silence
from workflows.people.permissions import vetoes
from workflows.people.roster import COMMAND, RUNGS

# After this many pages about one unanswered question the pages come hourly: a pager that cries every five minutes for a week is switched off.
URGENT_PAGES = 6
SLOW_PAGE = timedelta(hours=1)
LONGEST_EFFECT = 400  # characters in a letter; the whole of it stands in the status


@dataclass(frozen=True)
class Decision:
    question: Question
    grant: Grant | None = None

    @property
    def granted(self) -> bool:
        return self.question.state is QuestionState.GRANTED

    @property
    def silent(self) -> bool:
        """True when nobody answered in time. Never a yes."""
        return self.question.state is QuestionState.EXPIRED

    @property
    def verdict(self) -> str:
        """The last answer that counted."""
        return self.question.given[-1].verdict if self.question.given else ""

    @property
    def by(self) -> str:
        return " and ".join(given.by for given in self.question.given)


class Questions:
    """Asks, tells the people concerned, climbs the ladder and waits."""

    def __init__(self, state: IncidentState, invoker: Invoker) -> None:
        self._state = state
        self._invoker = invoker
        self._telling: list[asyncio.Task[None]] = []
        self._reminders = 0
        self._settled = False

    async def approval(
        self,
        verb: Verb[O, Effect],
        orders: Sequence[O],
        *,
        asks: str = "",
        effect: str = "",
        facts: tuple[str, ...] = (),
        silence: Silence = Silence.HOLD,
        lasting: timedelta | None = None,
        proposer: str = "",
        least: Risk = Risk.C2,
        also: tuple[str, ...] = (),
        roles: tuple[Role, ...] = (),
        strict: bool = False,
    ) -> Decision:
        """May these orders be carried out? One question for a whole plan; its digest covers every order of it.

        `strict`: only these roles, whoever else is on the ladder; with `least` C3 each of two roles has to say yes.
        """
        action, policy = action_of(verb), self._state.policy
        risk = max(least, *(self._invoker.risk(verb, order) for order in orders))
        first, last = orders[0], orders[-1]
        question = self._open(
            QuestionKind.APPROVAL,
            asks or f"{first.effect()[:1].upper()}{first.effect()[1:]}?",
            risk=risk,
            roles=roles or action.asks,
            silence=silence,
            effect=effect or "; then ".join(dict.fromkeys(order.effect() for order in orders)),
            inverse=last.inverse(),
            by_hand=tuple(dict.fromkeys(line for order in orders for line in order.by_hand())),
            facts=facts,
            covers=(*(order.digest(action.name) for order in orders), *also),
            proposer=proposer,
            strict=strict,
            vetoes=vetoes(action.name),
        )
        valid = policy.for_people(lasting or policy.approval_valid[risk])
        if self._state.assumes(action):
            return Decision(question, self._state.approvals.assume(question, valid, workflow.now()))
        await self._wait(question)
        granted = question.state is QuestionState.GRANTED
        if granted:
            await self._until_commanded(question)
        grant = self._state.approvals.grant(question, valid, workflow.now()) if granted else None
        return Decision(question, grant)

    async def confirmation(
        self, asks: str, *, roles: tuple[Role, ...], effect: str, covers: tuple[str, ...] = (), facts: tuple[str, ...] = (),
        inverse: str = "nothing to undo", by_hand: tuple[str, ...] = (), silence: Silence = Silence.HOLD, risk: Risk = Risk.C2,
    ) -> Decision:  # fmt: skip
        """Something only a person may say (closing, lifting what was imposed)."""
        question = self._open(
            QuestionKind.CONFIRMATION, asks, risk=risk, roles=roles, silence=silence, effect=effect, inverse=inverse, by_hand=by_hand,
            facts=facts, covers=covers,
        )  # fmt: skip
        policy = self._state.policy
        valid = policy.for_people(policy.approval_valid[Risk.C3])
        if self._state.rehearsing or (self._state.shadow and not self._state.measures.in_force()):
            return Decision(question, self._state.approvals.assume(question, valid, workflow.now()))
        await self._wait(question)
        granted = question.state is QuestionState.GRANTED
        if granted:
            await self._until_commanded(question)
        return Decision(question, self._state.approvals.grant(question, valid, workflow.now()) if granted else None)

    async def repair(self, action: Action, asks: str, why: str, *, order: Order | None, may_skip: bool) -> Decision:
        """Patience is over: retry, already done by hand, skip (only where nothing depends on it), or hand over. A plan ends here."""
        if self._state.rehearsing:
            raise HandOver(f"the plan ends here: {asks} ({why})")
        options = ("retry", "done_by_hand", *(("skip",) if may_skip else ()), "hand_over")
        question = self._open(
            QuestionKind.REPAIR,
            asks,
            risk=Risk.C1,
            roles=tuple(dict.fromkeys((*action.asks, Role.INCIDENT_COMMANDER))),
            silence=Silence.HOLD,
            effect=order.effect() if order else "",
            inverse=order.inverse() if order else "nothing to undo",
            by_hand=order.by_hand() if order else (),
            facts=(why,),
            options=options,
        )
        await self._wait(question)
        return Decision(question)

    async def fact(self, asks: str, *, roles: tuple[Role, ...], example: str) -> Decision:
        """A value that only people know."""
        question = self._open(
            QuestionKind.FACT, asks, risk=Risk.C0, roles=roles, silence=Silence.HOLD, effect=f"for example {example}",
            inverse="ask to correct it with a note", options=("answer",),
        )  # fmt: skip
        if self._state.rehearsing:
            raise HandOver(f"the plan ends here: {asks}")
        await self._wait(question)
        return Decision(question)

    def _open(
        self, kind: QuestionKind, asks: str, *, risk: Risk, roles: tuple[Role, ...], silence: Silence, effect: str, inverse: str,
        by_hand: tuple[str, ...] = (), facts: tuple[str, ...] = (), covers: tuple[str, ...] = (),
        options: tuple[str, ...] = ("approve", "decline"), proposer: str = "", strict: bool = False, vetoes: tuple[Role, ...] = (),
    ) -> Question:  # fmt: skip
        state = self._state
        ladder = state.policy.rhythm(state.severity).ladder
        waits = sum((state.policy.for_people(rung) for rung in ladder), timedelta(0))
        question = state.approvals.open(
            kind, asks, roles=roles, risk=risk, at=workflow.now(), effect=effect, inverse=inverse, by_hand=by_hand, facts=facts,
            covers=covers, options=options, silence=silence, proposer=proposer, strict=strict, vetoes=vetoes,
            expires_at=None if silence is Silence.HOLD else workflow.now() + waits,
        )  # fmt: skip
        who = " or ".join(role.title for role in roles)
        state.note("asked", f"[{question.number}] {asks} ({risk.label}, for {who}; silence: {silence.means()})", question=question.number)
        return question

    async def _wait(self, question: Question) -> None:
        """Climb the ladder until somebody answers; then hold and page again, or let silence mean what it means."""
        if question.quorum > 1 and not question.strict:
            self._background(self._find_a_second(question))
        try:
            await self._climb(question)
        except asyncio.CancelledError:
            self._state.approvals.withdraw(question, workflow.now())
            raise
        if question.state is QuestionState.EXPIRED:
            self._state.note("silence", f"[{question.number}] nobody answered: {question.silence.means()}", question=question.number)

    async def _climb(self, question: Question) -> None:
        policy, severity = self._state.policy, self._state.severity
        for rung, wait in enumerate(policy.rhythm(severity).ladder):
            if rung:
                self._add_rung(question, rung)
            if await self._told_and_answered(question, rung + 1, policy.for_people(wait)):
                return
        if question.silence is not Silence.HOLD:
            self._state.approvals.expire(question, workflow.now())
            return
        for nth in count(len(policy.rhythm(severity).ladder) + 1):
            pause = policy.repage if nth <= URGENT_PAGES else SLOW_PAGE
            if await self._told_and_answered(question, nth, policy.for_people(pause)):
                return
            self._has_the_commander_fallen_silent(question)

    def _add_rung(self, question: Question, rung: int) -> None:
        role = RUNGS[min(rung, len(RUNGS)) - 1]
        question.rung = rung
        if role not in question.roles and not question.strict and self._state.assignments.holders((role,)):
            question.roles = (*question.roles, role)
            self._state.note("escalated", f"[{question.number}] {role.title} may answer now too", question=question.number)

    async def _until_commanded(self, question: Question) -> None:
        """While nobody commands (IC_VACANT) a yes is kept and nothing broad is done (spec §4). Answering as commander takes command."""
        state = self._state
        if question.risk < Risk.C2 or state.acknowledged_at is not None:
            return
        state.note("held", f"[{question.number}] granted, and held: nobody is in command (IC_VACANT)", question=question.number)
        await workflow.wait_condition(lambda: state.acknowledged_at is not None or self._settled)

    def _has_the_commander_fallen_silent(self, question: Question) -> None:
        """At SEV-1 a commander who leaves a decision open for too long is paged again, and command is offered to the deputy (spec §4)."""
        state, assignments = self._state, self._state.assignments
        commander = assignments.roster.people.get(state.commander())
        if commander is None or commander.id in assignments.silent or state.severity is not Severity.SEV1:
            return
        since = max(question.asked_at, assignments.heard.get(commander.id, question.asked_at))
        if not assignments.role_of(commander, question.roles) or workflow.now() - since < state.policy.for_people(
            state.policy.commander_silent
        ):
            return
        assignments.silent.add(commander.id)
        state.note("silent", f"{commander.id} commands and has left [{question.number}] open since {since:%H:%M:%S} UTC: paged again")
        deputy = next((person for person in assignments.holders((Role.DEPUTY,)) if person.id != commander.id), None)
        if deputy is not None:
            self.offer(Role.INCIDENT_COMMANDER, deputy, "automation")

    def offer(self, role: Role, to: Person, by: str) -> None:
        """Offer a role that somebody holds; it changes hands when it is accepted."""
        state = self._state
        state.assignments.offer(role, to, by, workflow.now())
        holder = state.assignments.name(role) or "nobody"
        state.note("offered", f"{by} offers {role.title} to {to.id}; until it is accepted it is with {holder}", by=by)
        self.remind(
            (to,), f"{by} offers you {role.title} of {state.id} (now {holder}). To accept: incident ack {state.id}",
        )  # fmt: skip

    def remind(self, people: Sequence[Person], text: str) -> None:
        """Tell people something that is no question, beside everything else."""
        if people:
            self._reminders += 1
            self._background(self._remind(people, text, self._reminders))

    async def _remind(self, people: Sequence[Person], text: str, nth: int) -> None:
        try:
            await self._invoker.quietly(Pager.remind, Remind(incident_id=self._state.id, people=tuple(people), text=text, nth=nth))
        except NotSentInShadow:
            return
        except RetriesExhausted as out:
            self._state.note("not told", f"{', '.join(person.id for person in people)}: {out.why}")

    # -- alone with a decision for two ------------------------------------------------------------------------------------------------

    async def _find_a_second(self, question: Question) -> None:
        """Somebody is alone and has said yes to what takes two: page a second person, and only then let them break the glass."""
        state, policy = self._state, self._state.policy
        await workflow.wait_condition(lambda: not question.open or bool(question.given and state.assignments.solo))
        if not question.open:
            return
        alone = question.given[-1].by
        question.roles = tuple(dict.fromkeys((*question.roles, *COMMAND)))
        others = tuple(person for person in state.assignments.holders(question.roles) if person.id != alone)
        if others:
            minutes = policy.second_person.total_seconds() / 60
            said = (
                f"[{question.number}] {alone} is alone with a {question.risk.label} decision: a second person is paged for {minutes:g} min"
            )
            state.note("alone", f"{said}: {', '.join(person.id for person in others)}", question=question.number)
            self._background(self._page_a_second(question, others))
            try:
                await workflow.wait_condition(
                    lambda: not question.open, timeout=policy.for_people(policy.second_person), timeout_summary="a second person"
                )
            except TimeoutError:
                pass
            else:
                return
        question.alone_from = workflow.now()
        if policy.break_glass:
            how = "approve again with a reason that begins “break glass:” and says why; it is reviewed afterwards"
        else:
            how = "policy does not allow break-glass: it waits for a second person"
        state.note("alone", f"[{question.number}] nobody else can be reached; {how}", question=question.number)
        self.remind([person for person in state.assignments.reachable() if person.id == alone], f"Question {question.number}: {how}")

    async def _page_a_second(self, question: Question, others: tuple[Person, ...]) -> None:
        text = f"{self._state.called} · a second person is needed for question {question.number}"
        page = Page(incident_id=self._state.id, people=others, summary=text[:500], severity=1, nth=100 + question.number)
        try:
            await self._invoker.quietly(Pager.ask, self._letter(question, others, 1))
            await self._invoker.quietly(Pager.page, page)
        except NotSentInShadow:
            return
        except RetriesExhausted as out:
            self._state.note("not told", f"[{question.number}] could not reach a second person: {out.why}", question=question.number)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        self._telling = [*(task for task in self._telling if not task.done()), asyncio.create_task(work)]

    # -- telling ----------------------------------------------------------------------------------------------------------------------

    async def _told_and_answered(self, question: Question, nth: int, wait: timedelta) -> bool:
        """Tell people beside the wait: a chat that hangs must not delay an answer that comes by another door."""
        self._background(self._tell(question, nth))
        try:
            await workflow.wait_condition(
                lambda: not question.open,
                timeout=wait,
                timeout_summary=f"question {question.number}: {shorten(question.asks, 80, placeholder='…')}",
            )
        except TimeoutError:
            return False
        return True

    def withdraw(self) -> None:
        """Nobody need answer any more: a yes that comes now must not start anything."""
        for question in self._state.approvals.questions:
            self._state.approvals.withdraw(question, workflow.now())

    async def settle(self) -> None:
        """The incident is over: no answer is waited for any more, and what was being told is told to the end."""
        self._settled = True
        self.withdraw()
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def _tell(self, question: Question, nth: int) -> None:
        try:
            await self.read_the_rota()
            people = self._state.assignments.holders(question.roles)
            if not people:
                self._state.note("nobody", f"[{question.number}] nobody on the roster may answer this; assign a role")
                return
            await self._invoker.quietly(Pager.ask, self._letter(question, people, nth))
            question.told = tuple(dict.fromkeys((*question.told, *(p.id for p in people))))
        except NotSentInShadow:
            return
        except RetriesExhausted as out:
            self._state.note("not told", f"[{question.number}] could not reach anybody: {out.why}", question=question.number)

    async def read_the_rota(self, *, fresh: bool = False) -> None:
        """Find out who is on duty now, unless that was done within the last minute. Raises `RetriesExhausted` when the roster cannot be read."""
        state = self._state
        if fresh or not state.assignments.read_since(workflow.now() - state.policy.paced(state.policy.rota_fresh)):
            for remark in state.assignments.read(await self._invoker.quietly(Rota.now, ReadAll()), workflow.now()):
                state.note("rota", remark)

    def _letter(self, question: Question, people: tuple[Person, ...], nth: int) -> Ask:
        """With its head, the code and what to type it fits on a phone's screen: at most twelve lines (`questions.question`)."""
        lines = (
            f"effect: {shorten(question.effect, LONGEST_EFFECT, placeholder='… (incident status --full)')}" if question.effect else "",
            f"undo: {question.inverse}",
            f"facts: {'; '.join(question.facts)}" if question.facts else "",
            f"no answer: {question.silence.means()}" + _by(question.expires_at),
        )
        return Ask(
            incident_id=self._state.id, question=question.number, question_digest=question.digest, people=people, title=question.asks,
            lines=tuple(line for line in lines if line), options=question.options, rung=question.rung, nth=nth,
        )  # fmt: skip


def _by(instant: datetime | None) -> str:
    return f" (from {instant:%H:%M:%S} UTC)" if instant else ""
