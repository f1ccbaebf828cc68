"""Two incidents want one thing, and no value serves both: a person decides, and the priorities are stated (spec §2.9 INV-12, §11).
Two playbooks of one incident take turns.
"""

import asyncio
from collections.abc import Sequence
from types import TracebackType

from activities.action import Effect, O, Role, Verb
from activities.kit.holding import NOT_KNOWN, Contender
from activities.kit.words.code_names import to_others
from activities.values import Concern
from workflows.engine.clock import answering
from workflows.engine.state import IncidentState
from workflows.people.questions import ApprovalTerms, Decision, Questions
from workflows.status import Step


class Contention(Exception):
    """Other incidents hold it and need it otherwise. Nothing was written."""

    def __init__(self, why: str, contenders: tuple[Contender, ...]) -> None:
        super().__init__(why)
        self.contenders = contenders

    def over(self, order: O) -> O:
        """The same order, to be carried out although they hold it. It needs a person's word: without one it is refused."""
        return order.model_copy(update={"over": (*getattr(order, "over", ()), *(one.incident for one in self.contenders))})


async def who_yields(
    state: IncidentState, questions: Questions, verb: Verb[O, Effect], order: O, found: Contention, step: Step
) -> Decision:  # fmt: skip
    """Ask the commander whether the others yield to this incident. A *no* leaves it to them."""
    names = " and ".join(to_others(one.incident) for one in found.contenders)
    state.note("contention", f"{order.target()}: {found}", step=step)
    terms = ApprovalTerms(
        asks=f"{order.target()} is held by {names}. Shall {'it' if len(found.contenders) == 1 else 'they'} yield to this incident?",
        effect=f"{order.effect()}; until this incident lets go of it, what {names} needs does not count. Tell its commander",
        facts=(
            *(f"held by {one.needs}" for one in found.contenders),
            f"this incident ({state.card.concern}) needs: {order.effect()}",
            goes_first(state.card.concern, [one.concern for one in found.contenders]),
            f"declined: it stays as {names} needs it, and this step is left out",
        ),
        roles=(Role.INCIDENT_COMMANDER,),
    )
    return await questions.approval(verb, [order], terms)


def held_by(found: object) -> tuple[str, ...]:
    """What a reading says of the other incidents that hold it, as facts of a question."""
    held: tuple[str, ...] = getattr(found, "held", ())
    return tuple(one if one == NOT_KNOWN else f"also held by {one}" for one in held)


def goes_first(ours: Concern, theirs: Sequence[Concern]) -> str:
    """What the stated priorities say. They do not decide: a person does."""
    order = f"Priority: {' > '.join(Concern)}."
    before = [one for one in theirs if one.before(ours)]
    if before:
        return f"{order} {before[0]} goes before {ours}: by that the other incident keeps it"
    if all(ours.before(one) for one in theirs):
        return f"{order} {ours} goes before {theirs[0]}: by that this incident goes first"
    return f"{order} Both are about {ours}: that does not say who goes first"


class Turn:
    """What several playbooks of one incident change is changed by one of them at a time: the builds and the traffic of a service.

    No generator, as `Beside` is none.
    """

    def __init__(self, state: IncidentState, target: str, what: str) -> None:
        self._state, self._target, self._what = state, target, what
        self._turns = state.turns.setdefault(target, asyncio.Lock())
        self._enter = answering(self._taken)

    async def __aenter__(self) -> None:
        await self._enter()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._turns.release()

    async def _taken(self) -> None:
        if self._turns.locked():
            self._state.note("waits", f"{self._what} waits: {self._state.at_work[self._target]} is under way")
        await self._turns.acquire()
        self._state.at_work[self._target] = self._what
