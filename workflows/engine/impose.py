"""Putting a temporary measure in force: its state before is read first, and its lift is registered before the call (design §4)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, cast

from temporalio import workflow

from activities.action import Effect, Grant, I, Measure, Order, Risk, action_of
from activities.kit.setting import Change
from workflows.engine.changes import ChangeResult, Steps
from workflows.engine.contention import Contention, held_by, who_yields
from workflows.engine.measures import Imposed
from workflows.engine.proof.proof import Proof
from workflows.engine.undo import unasked, undo_command
from workflows.errors import ApprovalEnded, NeedsApproval, RetriesExhausted
from workflows.incident import Silence
from workflows.people.questions import ApprovalTerms, Decision
from workflows.status import Step, StepState


class PriorStateChanged(Exception):
    """The system changed between the question and the act, so that the undo would be another one: the answer is void."""


@dataclass
class _Attempt(Generic[I]):
    """One imposition over all its tries, under the latest grant."""

    measure: Measure[I]
    order: I
    step: Step
    onto: Imposed | None
    imposed: Imposed | None
    grant: Grant | None = None
    undo: str = ""  # the digest of the undo that was shown with the question; empty: nobody was asked
    again: bool = False

    @property
    def new(self) -> Imposed | None:
        """What this attempt has registered itself."""
        return self.imposed if self.imposed is not self.onto else None

    def nothing_done(self, at: datetime) -> None:
        """What it has registered is not in force, unless an earlier try may have reached the system."""
        if self.new is not None and not self.again:
            self.new.lifted_at, self.imposed = at, self.onto


@dataclass
class Impositions(Steps):
    proof: Proof

    async def impose(
        self, measure: Measure[I], order: I, *, facts: tuple[str, ...] = (), silence: Silence = Silence.HOLD, under: Grant | None = None,
        onto: Imposed | None = None, authorised: bool = False,
    ) -> ChangeResult:  # fmt: skip
        """Put a temporary measure in force.

        `onto`: change a measure that is in force already (the next step of a ramp), keeping the state from before the first step.
        `authorised`: this is the safe action after silence; a signed standing policy for the verb allows it without asking again (spec §2.5.5).
        """
        if order.concerns_nobody():
            return ChangeResult()
        step = self.begin(measure.impose, order)
        if onto is None and (onto := self._ours(measure, order)) and await self._still_so(measure, order, onto, step):
            effect = order.done("our own measure, in force since an earlier step", adopted=True)
            self.state.done(step, effect)
            return ChangeResult(effect, imposed=onto)
        attempt, told = _Attempt(measure, order, step, onto, onto), facts
        while True:
            if under is None:
                await self.invoker.unasked.measure_again(measure.impose, order)
            step.risk = self.invoker.risk(measure.impose, order)
            attempt.grant, attempt.undo = under, ""
            if authorised and under is None:
                attempt.grant = await self.invoker.unasked.standing_grant(measure.impose, order)
            if step.risk >= Risk.C2 and attempt.grant is None:
                decision = await self._asked(attempt, told, silence)
                if decision.grant is None:
                    return self.not_granted(step, decision)
                attempt.grant = decision.grant
            try:
                return await self._carry_out(attempt)
            except (PriorStateChanged, NeedsApproval, ApprovalEnded) as changed:
                self.state.note("changed meanwhile", f"{order.target()}: {changed}; asking again", step=step)
                under, authorised, told = None, False, (*facts, f"asked again: {changed}")
            except Contention as contention:
                attempt.order = order = contention.over(order)
                asked = order.given(await self._look(measure, order, step))
                decision = await who_yields(self.state, self.questions, measure.impose, asked, contention, step)
                if decision.grant is None:
                    return self.not_granted(step, decision)
                under = decision.grant

    async def _asked(self, attempt: _Attempt[I], facts: tuple[str, ...], silence: Silence) -> Decision:
        """May it be put in force? The undo that is shown is the state before, as it is now."""
        measure, order, step = attempt.measure, attempt.order, attempt.step
        found = await self._look(measure, order, step)
        asked = _from_before(order.given(found), attempt.imposed)
        attempt.undo = asked.undo().digest(measure.name)
        step.state = StepState.ASKING
        # The same yes covers the way back: what makes it clearly worse is undone at once.
        back = action_of(measure.lift).name
        also = asked.undo().digest(back), asked.undo_at_once().digest(back)
        terms = ApprovalTerms(facts=(*facts, *held_by(found)), silence=silence, also=also)
        return await self.questions.approval(measure.impose, [asked], terms)

    def _ours(self, measure: Measure[I], order: I) -> Imposed | None:
        """What we have in force of the same setting, from an earlier step or round: it is not registered twice, and keeps the state before."""
        if not isinstance(order, Change):
            return None
        standing = [imposed for imposed in self.state.measures.of(measure) if not imposed.assumed and isinstance(imposed.order, Change)]
        return next((imposed for imposed in standing if cast("Change[Any, Any]", imposed.order).of == order.of), None)

    async def _still_so(self, measure: Measure[I], order: I, ours: Imposed, step: Step) -> bool:
        """Whether what is wanted is in force by us, and nobody has changed it."""
        if not cast("Any", ours.order).wanted.same(cast("Any", order).wanted):
            return False
        return order.met(await self._look(measure, order, step)) is True

    async def _carry_out(self, attempt: _Attempt[I]) -> ChangeResult:
        while True:
            try:
                effect, wanted, found = await self._once(attempt)
            except (NeedsApproval, ApprovalEnded) as ended:
                attempt.again |= isinstance(ended, ApprovalEnded) and ended.tried
                attempt.nothing_done(workflow.now())
                raise
            except RetriesExhausted as out:
                if out.contenders:
                    attempt.nothing_done(workflow.now())
                    raise Contention(out.why, out.contenders) from out
                if await self._give_up(attempt, out):
                    return ChangeResult(imposed=attempt.imposed)
                continue
            assert attempt.imposed is not None  # noqa: S101 - narrows the type; the try has registered it
            attempt.imposed.certain, attempt.imposed.assumed, attempt.imposed.grant = True, effect.assumed, attempt.grant
            if attempt.onto is not None and isinstance(wanted, Change):
                attempt.imposed.order = _from_before(wanted, attempt.onto)
            if effect.late_until:
                attempt.imposed.order = attempt.imposed.order.late_until_known(effect.late_until)
            if effect.assumed:
                self.proof.shadow.expect(attempt.measure, wanted, found, attempt.step)
            alone = unasked(attempt.grant) and not effect.assumed and not attempt.measure.own_end
            self.state.done(attempt.step, effect, undo_command(self.state, attempt.step.number) if alone else "")
            return ChangeResult(effect, imposed=attempt.imposed)

    async def _once(self, attempt: _Attempt[I]) -> tuple[Effect, I, object]:
        """One try: look, register, act."""
        measure, order = attempt.measure, attempt.order
        async with self.invoker.one_at_a_time[action_of(measure.impose).system]:
            found = await self.invoker.quietly(measure.look, order.look())
            wanted = order.given(found)
            if attempt.imposed is None:
                if attempt.undo and wanted.undo().digest(measure.name) != attempt.undo:
                    raise PriorStateChanged("it is not as it was when the question was put")
                attempt.imposed = self.state.measures.register(measure, wanted, workflow.now())
            elif attempt.again:
                # A lost try may have worked: what we see now may be our own doing, not the state before.
                wanted = wanted.model_copy(update={"prior": cast("Any", attempt.imposed.order).prior})
            return await self.invoker.step(measure.impose, wanted, attempt.step, grant=attempt.grant, again=attempt.again), wanted, found

    async def _give_up(self, attempt: _Attempt[I], out: RetriesExhausted) -> bool:
        """What comes after a try that failed. True: a person has skipped the step."""
        if out.lapsed:
            self.state.note("lapsed", out.why, step=attempt.step)
            attempt.again = True
            return False
        if out.refused and attempt.new is not None and not attempt.new.certain:
            attempt.new.lifted_at = workflow.now()
        if await self.repair(attempt.step, attempt.measure.impose, attempt.order, out, may_skip=True):
            return True
        if attempt.imposed is not None and attempt.imposed.lifted_at is not None:
            attempt.imposed = None
        attempt.again = attempt.imposed is not None
        return False

    async def _look(self, measure: Measure[I], order: I, step: Step) -> Any:
        looking: Order = order.look()
        while True:
            try:
                return await self.invoker.quietly(measure.look, looking)
            except RetriesExhausted as out:
                await self.repair(step, measure.look, order, out, may_skip=False)


def _from_before(order: I, onto: Imposed | None) -> I:
    """The same order, with the state from before the first step of what it changes further."""
    if onto is None or not isinstance(order, Change):
        return order
    return cast("I", order.model_copy(update={"prior": cast("Any", onto.order).prior}))
