"""How anything is changed: asked where automation may not decide, carried out once, read back (design §4)."""

from dataclasses import dataclass, replace
from typing import Any, cast

from temporalio import workflow

from activities.action import A, Effect, Grant, O, Order, Risk, Verb, action_of
from workflows.engine.contention import Contention, who_yields
from workflows.engine.invoker import Invoker
from workflows.engine.measures import Imposed
from workflows.engine.state import IncidentState
from workflows.errors import ApprovalEnded, HandOver, NeedsApproval, RetriesExhausted
from workflows.incident import Silence
from workflows.people.questions import ApprovalTerms, Decision, Questions
from workflows.status import Step, StepState


@dataclass(frozen=True)
class ChangeResult:
    """What became of a change that was proposed. True when it is in force, read back."""

    effect: Effect | None = None
    unanswered: bool = False
    declined: bool = False
    withdrawn: bool = False  # the symptom ended before anybody answered
    imposed: Imposed | None = None

    def __bool__(self) -> bool:
        return self.effect is not None


@dataclass
class Steps:
    """What every step needs: its line on the screen, and people to ask when it cannot be done."""

    state: IncidentState
    invoker: Invoker
    questions: Questions

    def begin(self, verb: Verb[Any, Any], order: Order, state: StepState = StepState.RUNNING) -> Step:
        """A step appears on the screen."""
        action, steps = action_of(verb), self.state.steps
        step = Step(
            number=len(steps) + 1, phase=self.state.phase, verb=action.name, target=order.target(), says=order.effect(),
            risk=self.invoker.risk(verb, order), state=state, started_at=workflow.now(), by_hand=order.by_hand(), owner=action.asks[0],
        )  # fmt: skip
        steps.append(step)
        return step

    async def repair(self, step: Step, verb: Verb[Any, Any], order: Order, out: RetriesExhausted, *, may_skip: bool) -> bool:
        """Ask what to do about a step that cannot be done. True: skip it. False: try again. Raises `HandOver`."""
        state = self.state
        step.state, step.result = StepState.FAILED, out.why
        state.note("failed", f"{step.verb} {step.target}: {out.why}", step=step)
        decision = await self.questions.repair(
            action_of(verb), f"{step.verb} on {step.target} is not done", out.why, order=order, may_skip=may_skip, risk=step.risk
        )
        if decision.verdict == "hand_over":
            raise HandOver(f"{step.verb} on {step.target} failed ({out.why}); {decision.by} takes over")
        if decision.withdrawn:
            state.end(step, StepState.SKIPPED, "not needed any more: the symptom has ended")
            step.result = state.commander()
        elif decision.verdict == "skip":
            state.end(step, StepState.SKIPPED, f"skipped by {decision.by}")
            step.result = decision.by
        return decision.withdrawn or decision.verdict == "skip"

    def not_granted(self, step: Step, decision: Decision) -> ChangeResult:
        withdrawn = "not needed any more: the symptom has ended" if decision.withdrawn else ""
        why = withdrawn or ("nobody answered" if decision.unanswered else f"declined by {decision.by}")
        self.state.end(step, StepState.DECLINED, why)
        declined = not (decision.unanswered or decision.withdrawn)
        return ChangeResult(unanswered=decision.unanswered, declined=declined, withdrawn=decision.withdrawn)


class Changes(Steps):
    """Readings and changes that are no temporary measures."""

    async def do(self, verb: Verb[O, A], order: O) -> A:
        """Look at something (C0), or make a change that automation may make alone. Anything graver goes through `propose` or `impose`."""
        return cast("A", await self._carry_out(verb, order, self.begin(verb, order), may_skip=False))

    async def look(self, verb: Verb[O, A], order: O) -> A | None:
        """A reading that can be done without: None, and not a question, when it cannot be done."""
        step = self.begin(verb, order)
        try:
            answer = await self.invoker.step(verb, order, step)
        except RetriesExhausted as out:
            self.state.end(step, StepState.FAILED, f"unknown: {out.why}")
            return None
        self.state.done(step, answer)
        return answer

    async def propose(
        self, verb: Verb[O, Effect], order: O, *, facts: tuple[str, ...] = (), silence: Silence = Silence.HOLD, under: Grant | None = None
    ) -> ChangeResult:
        """Make a change that is no temporary measure. `under`: the grant of a plan that it belongs to."""
        step, grant, terms = self.begin(verb, order, StepState.ASKING), under, ApprovalTerms(facts=facts, silence=silence)
        tried = False
        while True:
            step.risk = self.invoker.risk(verb, order)
            if step.risk >= Risk.C2 and grant is None:
                step.state = StepState.ASKING
                decision = await self.questions.approval(verb, [order], terms)
                if decision.grant is None:
                    return self.not_granted(step, decision)
                grant = decision.grant
            try:
                return ChangeResult(await self._carry_out(verb, order, step, grant, may_skip=True, again=tried))
            except (NeedsApproval, ApprovalEnded) as ended:
                self.state.note("changed meanwhile", f"{order.target()}: {ended}; asking again", step=step)
                grant, terms = None, replace(terms, facts=(*facts, f"asked again: {ended}"))
                tried |= isinstance(ended, ApprovalEnded) and ended.tried
            except Contention as contention:
                order = contention.over(order)
                decision = await who_yields(self.state, self.questions, verb, order, contention, step)
                if decision.grant is None:
                    return self.not_granted(step, decision)
                grant = decision.grant

    async def _carry_out(
        self, verb: Verb[O, A], order: O, step: Step, grant: Grant | None = None, *, may_skip: bool, again: bool = False
    ) -> A | None:
        """Try until it is done. None: a person has skipped it."""
        while True:
            try:
                answer = await self.invoker.step(verb, order, step, grant=grant, again=again)
            except ApprovalEnded:
                raise
            except RetriesExhausted as out:
                if out.contenders and may_skip:
                    raise Contention(out.why, out.contenders) from out
                if await self.repair(step, verb, order, out, may_skip=may_skip):
                    return None
                again = True
            else:
                self.state.done(step, answer)
                return answer

    def needs_approval(self, verb: Verb[O, Any], order: O) -> bool:
        """True when automation may not do this alone."""
        return self.invoker.risk(verb, order) >= Risk.C2
