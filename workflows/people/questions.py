"""Putting a question to people: who is asked, who is asked next, and what no answer means (spec §2.5)."""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from textwrap import shorten

from temporalio import workflow

from activities.action import Action, Effect, Grant, O, Order, Risk, Role, Verb, action_of
from workflows.errors import HandOver, Relapse
from workflows.incident import Question, QuestionDraft, QuestionKind, QuestionState, Severity, Silence
from workflows.people.approvals import enough_without
from workflows.people.context import IncidentContext, VerbInvoker
from workflows.people.notices import SLOW_PAGE, URGENT_PAGES, Notices
from workflows.people.permissions import vetoes
from workflows.people.roster import FURTHER_ROLES, RoleAssignments
from workflows.waiting import waited

# Who chose what the work at hand does: whoever asked for this procedure, or gave the latest value that it asked people for. At C3 they may
# not grant it too. Each procedure is a task of its own, and with it this.
PROPOSER: ContextVar[str] = ContextVar("proposer", default="")


@dataclass(frozen=True)
class Decision:
    question: Question
    grant: Grant | None = None

    @property
    def granted(self) -> bool:
        return self.question.state is QuestionState.GRANTED

    @property
    def unanswered(self) -> bool:
        """True when nobody answered in time. Never a yes."""
        return self.question.state is QuestionState.EXPIRED

    @property
    def verdict(self) -> str:
        """The last answer that counted."""
        return self.question.answers[-1].verdict if self.question.answers else ""

    @property
    def by(self) -> str:
        return " and ".join(answer.by for answer in self.question.answers)


@dataclass(frozen=True)
class ApprovalTerms:
    """How an approval is asked for, beside its orders.

    `also`: digests of orders of other verbs that the same yes covers. `strict`: only these roles, whoever else is on the ladder; with `least`
    C3 each of two roles has to say yes.
    """

    asks: str = ""  # empty: the effect of the first order
    effect: str = ""  # empty: the effects of all orders
    facts: tuple[str, ...] = ()
    silence: Silence = Silence.HOLD
    lasting: timedelta | None = None  # how long the grant is valid; None: policy
    also: tuple[str, ...] = ()
    least: Risk = Risk.C2
    roles: tuple[Role, ...] = ()  # empty: whom the verb names
    strict: bool = False


class Questions:
    def __init__(self, state: IncidentContext, invoker: VerbInvoker) -> None:
        self._state, self._invoker, self.notices = state, invoker, Notices(state, invoker)
        self._settled = False

    async def approval(self, verb: Verb[O, Effect], orders: Sequence[O], terms: ApprovalTerms) -> Decision:
        """May these orders be carried out? One question for a whole plan; its digest covers every order of it."""
        action, policy = action_of(verb), self._state.policy
        risk = max(terms.least, *(self._invoker.risk(verb, order) for order in orders))
        radius = (f"blast radius: {self._state.blast_radius}",) if self._state.blast_radius else ()
        why = dict.fromkeys(filter(None, (self._invoker.why_asked(verb, order) for order in orders)))
        question = self._open(_draft(action, orders, replace(terms, facts=(*terms.facts, *why, *radius)), risk))
        valid = policy.for_people(terms.lasting or policy.approval_valid[risk])
        return await self._decided(question, valid, assumed=self._state.assumes(action))

    async def confirmation(self, draft: QuestionDraft) -> Decision:
        """Something only a person may say (closing, lifting what was imposed)."""
        question, policy = self._open(draft), self._state.policy
        valid = policy.for_people(policy.approval_valid[Risk.C3])
        assumed = self._state.rehearsing or (self._state.shadow and not self._state.anything_in_force)
        return await self._decided(question, valid, assumed=assumed)

    async def _decided(self, question: Question, valid: timedelta, *, assumed: bool) -> Decision:
        if assumed:
            return Decision(question, self._state.approvals.assume(question, valid, workflow.now()))
        await self._wait(question)
        if question.state is not QuestionState.GRANTED:
            return Decision(question)
        await self._until_commanded(question)
        return Decision(question, self._state.approvals.grant(question, valid))

    async def repair(self, action: Action, asks: str, why: str, *, order: Order | None, may_skip: bool, risk: Risk = Risk.C1) -> Decision:
        """All tries failed: retry, already done by hand, skip (only where nothing depends on it), or hand over. A plan ends here.

        `risk`: the step's own, for what was changed or is to be. What is said about it is verified like the yes to it.
        """
        if self._state.rehearsing:
            raise HandOver(f"the plan ends here: {asks} ({why})")
        question = self._open(
            QuestionDraft(
                kind=QuestionKind.REPAIR, asks=asks, risk=max(Risk.C1, risk), roles=tuple(dict.fromkeys((*action.asks, Role.INCIDENT_COMMANDER))),
                effect=order.effect() if order else "", inverse=order.inverse() if order else "nothing to undo",
                by_hand=order.by_hand() if order else (), facts=(why,),
                options=("retry", "done_by_hand", *(("skip",) if may_skip else ()), "hand_over"),
            )
        )  # fmt: skip
        await self._wait(question)
        return Decision(question)

    async def fact(self, asks: str, *, roles: tuple[Role, ...], example: str, facts: tuple[str, ...] = ()) -> Decision:
        """A value that only people know."""
        question = self._open(
            QuestionDraft(
                kind=QuestionKind.FACT, asks=asks, risk=Risk.C0, roles=roles, effect=f"for example {example}",
                inverse="ask to correct it with a note", options=("answer",), facts=facts,
            )
        )  # fmt: skip
        if self._state.rehearsing:
            raise HandOver(f"the plan ends here: {asks}")
        await self._wait(question)
        return Decision(question)

    def withdraw(self) -> None:
        """Nobody need answer any more: a yes that comes now must not start anything."""
        for question in self._state.approvals.questions:
            self._state.approvals.close(question, QuestionState.WITHDRAWN, workflow.now())

    async def settle(self) -> None:
        """The incident is over: no answer is waited for any more, and every notice that was begun is sent."""
        self._settled = True
        self.withdraw()
        await self.notices.background.stop()

    def _open(self, draft: QuestionDraft) -> Question:
        state = self._state
        if draft.kind is QuestionKind.APPROVAL and PROPOSER.get():
            draft = proposed(draft, PROPOSER.get(), state.assignments)
        waits = sum((state.policy.for_people(wait) for wait in state.policy.rhythm(state.severity).ladder), timedelta(0))
        expires_at = None if draft.silence is Silence.HOLD else workflow.now() + waits
        question = state.approvals.open(draft, workflow.now(), expires_at, nonce=workflow.uuid4().hex)
        who = " or ".join(role.title for role in draft.roles)
        text = f"[{question.number}] {draft.asks} ({draft.risk.label}, for {who}; no answer: {draft.silence.means()})"
        state.note("asked", text, question=question.number)
        return question

    async def _wait(self, question: Question) -> None:
        """Climb the ladder until somebody answers; then hold and page again, or let silence mean what it means."""
        if question.quorum > 1 and not question.strict:
            self.notices.background.run("a second person", self.notices.find_a_second(question), question.number)
        state, recovering = self._state, self._state.recovering is not None and self._state.recovering is asyncio.current_task()
        try:
            await self._climb(question, lambda: not question.open or (recovering and bool(state.relapse)))
        except asyncio.CancelledError:
            state.approvals.close(question, QuestionState.WITHDRAWN, workflow.now())
            raise
        if recovering and state.relapse:
            state.approvals.close(question, QuestionState.WITHDRAWN, workflow.now())
            raise Relapse(state.relapse)
        if question.state is QuestionState.EXPIRED:
            self._state.note("silence", f"[{question.number}] nobody answered: {question.silence.means()}", question=question.number)

    async def _climb(self, question: Question, over: Callable[[], bool]) -> None:
        policy, severity = self._state.policy, self._state.severity
        ladder = policy.rhythm(severity).ladder
        for step, wait in enumerate(ladder):
            if step:
                self._escalate(question, step)
            if await self._sent_and_answered(question, step + 1, policy.for_people(wait), over):
                return
        if question.silence is not Silence.HOLD:
            self._state.approvals.close(question, QuestionState.EXPIRED, workflow.now())
            return
        for nth in count(len(ladder) + 1):
            pause = policy.repage if nth <= URGENT_PAGES else SLOW_PAGE
            if await self._sent_and_answered(question, nth, policy.for_people(pause), over):
                return
            self._check_that_the_commander_answers(question)

    def _escalate(self, question: Question, step: int) -> None:
        role = FURTHER_ROLES[min(step, len(FURTHER_ROLES)) - 1]
        question.escalation = step
        if role not in question.roles and not question.strict and self._state.assignments.holders((role,)):
            question.roles = (*question.roles, role)
            self._state.note("escalated", f"[{question.number}] {role.title} may answer now too", question=question.number)

    async def _sent_and_answered(self, question: Question, nth: int, wait: timedelta, over: Callable[[], bool]) -> bool:
        """Send it beside the wait: a chat that hangs must not delay an answer that comes another way."""
        self.notices.send(question, nth)
        summary = f"question {question.number}: {shorten(question.asks, 80, placeholder='…')}"
        return await waited(over, wait, summary)

    async def _until_commanded(self, question: Question) -> None:
        """While nobody commands (IC_VACANT) a yes is kept and nothing broad is done (spec §4). Answering as commander takes command."""
        state = self._state
        if question.risk < Risk.C2 or state.acknowledged_at is not None:
            return
        text = f"[{question.number}] granted; not carried out yet: nobody is in command (IC_VACANT)"
        state.note("waiting for a commander", text, question=question.number)
        await workflow.wait_condition(lambda: state.acknowledged_at is not None or self._settled)

    def _check_that_the_commander_answers(self, question: Question) -> None:
        """At SEV-1 a commander who leaves a decision open for too long is paged again, and command is offered to the deputy (spec §4)."""
        state, assignments = self._state, self._state.assignments
        commander = assignments.roster.people.get(state.commander())
        if commander is None or commander.id in assignments.unresponsive or state.severity is not Severity.SEV1:
            return
        since = max(question.asked_at, assignments.last_message.get(commander.id, question.asked_at))
        limit = state.policy.for_people(state.policy.commander_silent)
        if not assignments.role_of(commander, question.roles) or workflow.now() - since < limit:
            return
        assignments.unresponsive.add(commander.id)
        state.note("silent", f"{commander.id} commands and has not answered [{question.number}] since {since:%H:%M:%S} UTC: paged again")
        deputy = next((person for person in assignments.holders((Role.DEPUTY,)) if person.id != commander.id), None)
        if deputy is not None:
            self.notices.offer(Role.INCIDENT_COMMANDER, deputy, "automation")


def proposed(draft: QuestionDraft, by: str, assignments: RoleAssignments) -> QuestionDraft:
    """The question as it is put, when a person chose the option: shown, and at C3 for two others wherever there are two."""
    roles, said = draft.roles, f"proposed by {by}"
    if draft.risk >= Risk.C3:
        wider = roles if draft.strict else tuple(dict.fromkeys((*roles, *FURTHER_ROLES)))
        others = next((these for these in (roles, wider) if enough_without(by, these, assignments)), None)
        roles, said = others or roles, f"{said}, who may not grant it too" if others else f"{said}, who may answer because nobody else can"
    return draft.model_copy(update={"proposer": by, "roles": roles, "facts": (*draft.facts, said)})


def _draft(action: Action, orders: Sequence[Order], terms: ApprovalTerms, risk: Risk) -> QuestionDraft:
    first = orders[0]  # the undo of a plan leads back to before its first order
    return QuestionDraft(
        kind=QuestionKind.APPROVAL, asks=terms.asks or f"{first.effect()[:1].upper()}{first.effect()[1:]}?", risk=risk,
        roles=terms.roles or action.asks, silence=terms.silence, inverse=first.inverse(), facts=terms.facts, strict=terms.strict,
        effect=terms.effect or "; then ".join(dict.fromkeys(order.effect() for order in orders)),
        by_hand=tuple(dict.fromkeys(line for order in orders for line in order.by_hand())),
        covers=(*(order.digest(action.name) for order in orders), *terms.also), vetoes=vetoes(action.name),
    )  # fmt: skip
