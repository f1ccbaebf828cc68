"""A step on the screen: how it begins, how it ends, and what people decide when it cannot be done."""

from typing import Any

from activities.action import Effect, Order, Verb, action_of
from workflows.engine.invoker import Invoker
from workflows.engine.state import IncidentState
from workflows.errors import HandOver, RetriesExhausted
from workflows.people.questions import Questions
from workflows.status import Step, StepState


class Steps:
    def __init__(self, state: IncidentState, invoker: Invoker, questions: Questions) -> None:
        self._state = state
        self._invoker = invoker
        self._questions = questions

    def begin(self, verb: Verb[Any, Any], order: Order, state: StepState = StepState.RUNNING) -> Step:
        return self._state.begin(action_of(verb), order, self._invoker.risk(verb, order), state)

    def done(self, step: Step, answer: object) -> None:
        """It was carried out, found done already, or only noted (a plan, or shadow mode)."""
        if isinstance(answer, Effect):
            state = StepState.ASSUMED if answer.assumed else StepState.ADOPTED if answer.adopted else StepState.DONE
            self._state.end(step, state, f"{answer.summary} (proven by {answer.proven_by})")
        else:
            self._state.end(step, StepState.DONE, getattr(answer, "summary", "") or "looked")

    async def repair(self, step: Step, verb: Verb[Any, Any], order: Order, out: RetriesExhausted, *, may_skip: bool) -> bool:
        """Ask what to do about a step that cannot be done. True: skip it. False: try again. Raises `HandOver`."""
        state = self._state
        step.state, step.result = StepState.FAILED, out.why
        state.note("failed", f"{step.verb} {step.target}: {out.why}", step=step)
        decision = await self._questions.repair(
            action_of(verb), f"{step.verb} on {step.target} is not done", out.why, order=order, may_skip=may_skip
        )
        if decision.verdict == "hand_over":
            raise HandOver(f"{step.verb} on {step.target} failed ({out.why}); {decision.by} takes over")
        if decision.verdict == "skip":
            state.end(step, StepState.SKIPPED, f"skipped by {decision.by}")
            step.result = decision.by
        return decision.verdict == "skip"
