"""Putting a question to people: who is asked, who is asked next, and what no answer means (spec §2.5)."""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

from activities.action import Action, Effect, Grant, O, Order, Risk, Role, Verb, action_of
from workflows.errors import HandOver
from workflows.incident import Question, QuestionDraft, QuestionKind, QuestionState, Silence
from workflows.people.approvals import enough_without
from workflows.people.context import IncidentContext, VerbInvoker
from workflows.people.ladder import Ladder
from workflows.people.notices import Notices
from workflows.people.permissions import vetoes
from workflows.people.roster import FURTHER_ROLES, RoleAssignments

# Who chose what the work at hand does: whoever asked for this procedure, or gave the latest value that it asked people for. At C3 they may
# not grant it too. Each procedure is a task of its own, and with it this.
PROPOSER: ContextVar[str] = ContextVar("proposer", default="")
# Which branch of mitigation the work at hand is; empty: none. What it asks people is withdrawn when the metrics show that the symptom has ended.
BRANCH: ContextVar[str] = ContextVar("branch", default="")


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
    def withdrawn(self) -> bool:
        """True when the metrics ended the symptom that it was about, before anybody answered."""
        return self.question.state is QuestionState.WITHDRAWN

    @property
    def verdict(self) -> str:
        """The last answer that counted."""
        return self.question.answers[-1].verdict if self.question.answers else ""

    @property
    def by(self) -> str:
        return " and ".join(answer.by for answer in self.question.answers)


@dataclass(frozen=True)
class GivenValue:
    """A value that only people know, and who gave it. `moot`: nobody gave one, and the symptom that it was about has ended."""

    value: Any = None
    by: str = ""
    moot: bool = False


@dataclass(frozen=True)
class ApprovalTerms:
    """How an approval is asked for, beside its orders.

    `also`: digests of orders of other verbs that the same yes covers. `strict`: only these roles, whoever else is on the ladder; with `least`
    C3 each of two roles has to say yes. `stays`: it is still to be decided when the symptom has ended.
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
    stays: bool = False


class Questions:
    def __init__(self, state: IncidentContext, invoker: VerbInvoker) -> None:
        self._state, self._invoker, self.notices = state, invoker, Notices(state, invoker)
        self._ladder = Ladder(state, self.notices)
        self._by_branch: list[tuple[str, Question]] = []  # what mitigation asks
        self._about_symptom: list[Question] = []  # of these, what is withdrawn when the symptom has ended
        self._settled = False

    def about_symptom(self) -> bool:
        """Whether anybody is asked anything that need not be answered once the symptom has ended."""
        self._about_symptom = [question for question in self._about_symptom if question.open]
        return bool(self._about_symptom)

    def unanswered_since(self, branch: str) -> datetime | None:
        """Since when a branch of mitigation has waited for people. None: it does not."""
        self._by_branch = [(name, question) for name, question in self._by_branch if question.open]
        return next((question.asked_at for name, question in self._by_branch if name == branch), None)

    def _symptom_ended(self) -> str:
        return self._state.symptom_ended

    async def approval(self, verb: Verb[O, Effect], orders: Sequence[O], terms: ApprovalTerms) -> Decision:
        """May these orders be carried out? One question for a whole plan; its digest covers every order of it."""
        action, policy = action_of(verb), self._state.policy
        risk = max(terms.least, *(self._invoker.risk(verb, order) for order in orders))
        radius = (f"blast radius: {self._state.blast_radius}",) if self._state.blast_radius else ()
        why = dict.fromkeys(filter(None, (self._invoker.unasked.why_asked(verb, order) for order in orders)))
        question = self._open(_draft(action, orders, replace(terms, facts=(*terms.facts, *why, *radius)), risk))
        valid = policy.for_people(terms.lasting or policy.approval_valid[risk])
        return await self._decided(question, valid, assumed=self._state.assumes(action), stays=action.contains or terms.stays)

    async def confirmation(self, draft: QuestionDraft) -> Decision:
        """Something only a person may say (closing, lifting what was imposed)."""
        question, policy = self._open(draft), self._state.policy
        valid = policy.for_people(policy.approval_valid[Risk.C3])
        assumed = self._state.rehearsing or (self._state.shadow and not self._state.anything_in_force)
        return await self._decided(question, valid, assumed=assumed)

    async def _decided(self, question: Question, valid: timedelta, *, assumed: bool, stays: bool = False) -> Decision:
        """`stays`: it is still to be answered when the symptom has ended."""
        if assumed:
            return Decision(question, self._state.approvals.assume(question, valid, workflow.now()))
        await self._wait(question, stays=stays)
        if question.state is not QuestionState.GRANTED:
            return Decision(question)
        await self._until_commanded(question)
        return Decision(question, self._state.approvals.grant(question, valid))

    async def repair(
        self, action: Action, asks: str, why: str, *, order: Order | None, may_skip: bool, risk: Risk = Risk.C1,
        gone: Callable[[], str] = lambda: "",
    ) -> Decision:  # fmt: skip
        """All tries failed: retry, already done by hand, skip (only where nothing depends on it), or hand over. A plan ends here.

        `risk`: the step's own, for what was changed or is to be. What is said about it is verified like the yes to it. `gone`: why nobody
        need answer any more, once that is so.
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
        await self._wait(question, stays=not may_skip, gone=gone)  # what cannot be left out has to be told in any case
        return Decision(question)

    async def fact(self, asks: str, *, roles: tuple[Role, ...], example: str, facts: tuple[str, ...] = ()) -> Decision:
        """A value that only people know."""
        question = self._open(
            QuestionDraft(
                kind=QuestionKind.FACT, asks=asks, risk=Risk.C0, roles=roles, effect=f"for example {example}",
                inverse="ask to correct it with a note", options=("answer", "decline"), facts=facts,
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

    async def _wait(self, question: Question, *, stays: bool = False, gone: Callable[[], str] = lambda: "") -> None:
        """Climb the ladder until somebody answers; then hold and page again, or let silence mean what it means.

        What is about the symptom is withdrawn when that ends, unless it `stays`: the answer is not needed any more.
        """
        if BRANCH.get():
            self._by_branch.append((BRANCH.get(), question))
            if not stays:
                self._about_symptom.append(question)
                gone = self._symptom_ended
        if question.quorum > 1 and not question.strict:
            self.notices.background.run("a second person", self.notices.find_a_second(question), question.number)
        state, recovering = self._state, self._state.recovering is not None and self._state.recovering is asyncio.current_task()
        try:
            await self._ladder.climb(question, lambda: not question.open or (recovering and state.relapse is not None) or bool(gone()))
        except asyncio.CancelledError:
            state.approvals.close(question, QuestionState.WITHDRAWN, workflow.now())
            raise
        if recovering and state.relapse is not None:
            state.approvals.close(question, QuestionState.WITHDRAWN, workflow.now())
            raise state.relapse
        if question.open:
            state.approvals.close(question, QuestionState.WITHDRAWN, workflow.now())
            state.note("withdrawn", f"[{question.number}] need not be answered any more: {gone()}", question=question.number)
        if question.state is QuestionState.EXPIRED:
            self._state.note("silence", f"[{question.number}] nobody answered: {question.silence.means()}", question=question.number)

    async def _until_commanded(self, question: Question) -> None:
        """While nobody commands (IC_VACANT) a yes is kept and nothing broad is done (spec §4). Answering as commander takes command."""
        state = self._state
        if question.risk < Risk.C2 or state.acknowledged_at is not None:
            return
        text = f"[{question.number}] granted; not carried out yet: nobody is in command (IC_VACANT)"
        state.note("waiting for a commander", text, question=question.number)
        await workflow.wait_condition(lambda: state.acknowledged_at is not None or self._settled)


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
