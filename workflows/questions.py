"""Putting a question to people: who is told, who is told next, and what silence means in the end (spec §2.5)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from textwrap import shorten

from temporalio import workflow

from activities.action import Action, Effect, Grant, O, Order, Risk, Role, Verb, action_of
from activities.organisation import Organisation, Person, Whole
from activities.pager import Ask, Pager
from workflows.incident import Question, QuestionKind, QuestionState, Silence
from workflows.invoker import Invoker, RanOut, Withheld
from workflows.roster import RUNGS
from workflows.situation import HandOver, Situation

# After this many pages about one unanswered question the pages come hourly: a pager that cries every five minutes for a week is switched off.
URGENT_PAGES = 6
SLOW_PAGE = timedelta(hours=1)


@dataclass(frozen=True)
class Decision:
    """What became of a question."""

    question: Question
    grant: Grant | None = None

    @property
    def granted(self) -> bool:
        """True when a person said yes."""
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
        """Who answered."""
        return " and ".join(given.by for given in self.question.given)


class Questions:
    """Asks, tells the people concerned, climbs the ladder and waits."""

    def __init__(self, situation: Situation, invoker: Invoker) -> None:
        self._situation = situation
        self._invoker = invoker
        self._telling: list[asyncio.Task[None]] = []

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
        roles: tuple[Role, ...] = (),
    ) -> Decision:
        """May these orders be carried out? One question for a whole plan; its digest covers every order of it."""
        action, policy = action_of(verb), self._situation.policy
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
            covers=tuple(order.digest(action.name) for order in orders),
            proposer=proposer,
        )
        valid = policy.for_people(lasting or policy.approval_valid[risk])
        if self._situation.assumes(action):
            return Decision(question, self._situation.approvals.assume(question, valid, workflow.now()))
        await self._wait(question)
        granted = question.state is QuestionState.GRANTED
        grant = self._situation.approvals.grant(question, valid, workflow.now()) if granted else None
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
        policy = self._situation.policy
        valid = policy.for_people(policy.approval_valid[Risk.C3])
        if self._situation.rehearsing or (self._situation.shadow and not self._situation.measures.in_force()):
            return Decision(question, self._situation.approvals.assume(question, valid, workflow.now()))
        await self._wait(question)
        granted = question.state is QuestionState.GRANTED
        return Decision(question, self._situation.approvals.grant(question, valid, workflow.now()) if granted else None)

    async def repair(self, action: Action, asks: str, why: str, *, order: Order | None, may_skip: bool) -> Decision:
        """Patience is over: retry, already done by hand, skip (only where nothing depends on it), or hand over. A plan ends here."""
        if self._situation.rehearsing:
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
        if self._situation.rehearsing:
            raise HandOver(f"the plan ends here: {asks}")
        await self._wait(question)
        return Decision(question)

    def _open(
        self, kind: QuestionKind, asks: str, *, risk: Risk, roles: tuple[Role, ...], silence: Silence, effect: str, inverse: str,
        by_hand: tuple[str, ...] = (), facts: tuple[str, ...] = (), covers: tuple[str, ...] = (),
        options: tuple[str, ...] = ("approve", "decline"), proposer: str = "",
    ) -> Question:  # fmt: skip
        situation = self._situation
        ladder = situation.policy.rhythm(situation.severity).ladder
        waits = sum((situation.policy.for_people(rung) for rung in ladder), timedelta(0))
        question = situation.approvals.open(
            kind, asks, roles=roles, risk=risk, at=workflow.now(), effect=effect, inverse=inverse, by_hand=by_hand, facts=facts,
            covers=covers, options=options, silence=silence, proposer=proposer,
            expires_at=None if silence is Silence.HOLD else workflow.now() + waits,
        )  # fmt: skip
        who = " or ".join(role.title for role in roles)
        situation.note(
            "asked", f"[{question.number}] {asks} ({risk.label}, for {who}; silence: {silence.means()})", question=question.number
        )
        return question

    async def _wait(self, question: Question) -> None:
        """Climb the ladder until somebody answers; then hold and page again, or let silence mean what it means."""
        try:
            await self._climb(question)
        except asyncio.CancelledError:
            self._situation.approvals.withdraw(question, workflow.now())
            raise
        if question.state is QuestionState.EXPIRED:
            self._situation.note("silence", f"[{question.number}] nobody answered: {question.silence.means()}", question=question.number)

    async def _climb(self, question: Question) -> None:
        policy, severity = self._situation.policy, self._situation.severity
        for rung, wait in enumerate(policy.rhythm(severity).ladder):
            if rung:
                self._add_rung(question, rung)
            if await self._told_and_answered(question, rung + 1, policy.for_people(wait)):
                return
        if question.silence is not Silence.HOLD:
            self._situation.approvals.expire(question, workflow.now())
            return
        for nth in count(len(policy.rhythm(severity).ladder) + 1):
            pause = policy.repage if nth <= URGENT_PAGES else SLOW_PAGE
            if await self._told_and_answered(question, nth, policy.for_people(pause)):
                return

    def _add_rung(self, question: Question, rung: int) -> None:
        role = RUNGS[min(rung, len(RUNGS)) - 1]
        question.rung = rung
        if role not in question.roles and self._situation.crew.holders((role,)):
            question.roles = (*question.roles, role)
            self._situation.note("escalated", f"[{question.number}] {role.title} may answer now too", question=question.number)

    async def _told_and_answered(self, question: Question, nth: int, wait: timedelta) -> bool:
        """Tell people beside the wait: a chat that hangs must not delay an answer that comes by another door."""
        self._telling = [*(task for task in self._telling if not task.done()), asyncio.create_task(self._tell(question, nth))]
        try:
            await workflow.wait_condition(
                lambda: not question.open,
                timeout=wait,
                timeout_summary=f"question {question.number}: {shorten(question.asks, 80, placeholder='…')}",
            )
        except TimeoutError:
            return False
        return True

    async def settle(self) -> None:
        """The incident is over: no answer is waited for any more, and what was being told is told to the end."""
        for question in self._situation.approvals.questions:
            self._situation.approvals.withdraw(question, workflow.now())
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def _tell(self, question: Question, nth: int) -> None:
        try:
            roster = await self._invoker.quietly(Organisation.roster, Whole())
            self._situation.crew.roster = roster
            people = self._situation.crew.holders(question.roles)
            if not people:
                self._situation.note("nobody", f"[{question.number}] nobody on the roster may answer this; assign a role")
                return
            await self._invoker.quietly(Pager.ask, self._letter(question, people, nth))
            question.told = tuple(dict.fromkeys((*question.told, *(p.id for p in people))))
        except Withheld:
            return
        except RanOut as out:
            self._situation.note("not told", f"[{question.number}] could not reach anybody: {out.why}", question=question.number)

    def _letter(self, question: Question, people: tuple[Person, ...], nth: int) -> Ask:
        lines = (
            f"effect: {question.effect}" if question.effect else "",
            f"undo: {question.inverse}",
            *question.facts,
            f"no answer: {question.silence.means()}" + _by(question.expires_at),
        )
        return Ask(
            incident_id=self._situation.id, question=question.number, question_digest=question.digest, people=people, title=question.asks,
            lines=tuple(line for line in lines if line), options=question.options, rung=question.rung, nth=nth,
        )  # fmt: skip


def _by(instant: datetime | None) -> str:
    return f" (from {instant:%H:%M:%S} UTC)" if instant else ""
