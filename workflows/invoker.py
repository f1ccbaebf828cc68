"""The one place that invokes activities, so that risk, approval, key, retries, summary and timeline cannot be forgotten (house rule 5)."""

import asyncio
from collections import defaultdict
from typing import Any, cast

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError, is_cancelled_exception

from activities.action import A, Action, Call, Effect, Grant, O, Order, Patience, Risk, Verb, action_of
from workflows.incident import Step, StepState
from workflows.situation import Situation


class RanOut(Exception):
    """Patience is over and the step is not done. `refused` tells a no from a cannot; `lapsed` says that looking again cures it."""

    def __init__(self, why: str, *, refused: bool = False, lapsed: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.refused = refused
        self.lapsed = lapsed


class Withheld(RanOut):
    """Shadow mode: a message of ours stayed unsaid, because its system was not granted write access. It is noted already."""


class NeedsApproval(Exception):
    """Automation may not do this alone. Nothing was invoked."""


class Invoker:
    """Invokes verbs for one incident."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._counts: dict[str, int] = defaultdict(int)
        self._unsaid: set[str] = set()
        # One change at a time per system: two of our own branches must not race for the same route or policy.
        self.one_at_a_time: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def risk(self, verb: Verb[O, Any], order: Order) -> Risk:
        """The class of this very order, raised to a question's when automation's own caps are used up (spec §2.4)."""
        situation, limits = self._situation, self._situation.policy.limits
        action = action_of(verb)
        risk = action.risk(order, limits)
        if risk is not Risk.C1 or action.patience is Patience.WATCH:
            return risk  # watching a step goes on under the grant of the plan that the step belongs to
        since = workflow.now() - situation.policy.paced(limits.narrow_actions_window)
        recent = sum(at > since for at in situation.narrow_actions)
        unsure = situation.incident.confidence < limits.trigger_confidence
        return Risk.C2 if unsure or recent >= limits.narrow_actions else Risk.C1

    def key(self, action: Action, order: Order) -> str:
        """`incident/verb/target/n`: one key per wanted effect, the same over retries and over a person's *retry*."""
        stem = f"{self._situation.id}/{action.name}/{order.target()}"
        self._counts[stem] += 1
        return f"{stem}/{self._counts[stem]}"

    async def step(self, verb: Verb[O, A], order: O, step: Step, *, grant: Grant | None = None, again: bool = False) -> A:
        """Invoke a verb as a step on the screen. Raises `RanOut` when patience is over, `NeedsApproval` when a grant is missing."""
        action = action_of(verb)
        if self.risk(verb, order) >= Risk.C2 and (grant is None or order.digest(action.name) not in grant.covers):
            raise NeedsApproval(f"{action.name} on {order.target()} is {step.risk.label} and was not granted")
        step.key = step.key or self.key(action, order)
        narrow = action.risk(order, self._situation.policy.limits) is Risk.C1 and action.patience is not Patience.WATCH
        if self._situation.assumes(action):
            self._situation.narrow_actions += [workflow.now()] if narrow and self._situation.shadow else []  # it would have counted
            return cast("A", self._assumed(order))
        await self._unpaused(step, action)
        if narrow:
            self._situation.narrow_actions.append(workflow.now())
        step.state = StepState.RUNNING
        return await self._invoke(verb, order, step.key, order.effect(), grant=grant, again=again)

    async def quietly(self, verb: Verb[O, A], order: O, *, key: str = "", grant: Grant | None = None) -> A:
        """Invoke a verb that is no step of the playbook: our own record, a page, a message. Raises `RanOut`; `Withheld` in shadow mode."""
        if self._situation.assumes(action_of(verb)):
            raise self._withheld(action_of(verb), order)
        return await self._invoke(verb, order, key or self.key(action_of(verb), order), order.effect(), grant=grant)

    def _assumed(self, order: Order) -> Effect:
        why = "not done: this is a plan" if self._situation.rehearsing else "not done: shadow mode"
        return Effect(target=order.target(), summary=order.effect(), proven_by=why, assumed=True)

    def _withheld(self, action: Action, order: Order) -> Withheld:
        """Nobody hears of it, and nobody may think that somebody did: what would have been said is noted once."""
        said = f"not said: {order.effect()}"
        if said not in self._unsaid:
            self._unsaid.add(said)
            self._situation.note("shadow", said)
        return Withheld(f"shadow mode: {action.system} was not granted write access")

    async def _unpaused(self, step: Step, action: Action) -> None:
        situation = self._situation
        if action.writes and situation.paused_by:
            step.state = StepState.HELD
            await workflow.wait_condition(lambda: not situation.paused_by)

    async def _invoke(self, verb: Verb[O, A], order: O, key: str, summary: str, *, grant: Grant | None = None, again: bool = False) -> A:
        situation, action = self._situation, action_of(verb)
        tries = situation.policy.patience[action.patience]
        call = Call(
            incident_id=situation.id, key=key, at=workflow.now(), pace=situation.policy.pace, again=again, grant=grant,
            limits=situation.policy.limits, observe_only=situation.policy.observe_only,
            write_access=situation.policy.may_write_to,
        )  # fmt: skip
        try:
            return await workflow.execute_activity(
                verb,
                args=[order, call],
                summary=summary[:200],
                start_to_close_timeout=tries.each_try,
                heartbeat_timeout=tries.heartbeat,
                retry_policy=RetryPolicy(
                    initial_interval=tries.first_pause, maximum_interval=tries.longest_pause, maximum_attempts=tries.tries
                ),
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                priority=Priority(priority_key=int(situation.severity)),
            )
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise asyncio.CancelledError from failure
            raise _ran_out(failure) from failure


def _ran_out(failure: ActivityError) -> RanOut:
    """Unwrap once: `str(ActivityError)` says only that an activity failed."""
    cause = failure.cause
    if isinstance(cause, ApplicationError):
        return RanOut(cause.message, refused=cause.type == "Refused", lapsed=cause.type == "Lapsed")
    if isinstance(cause, TimeoutError):
        return RanOut("no answer in time")
    return RanOut(str(cause or failure))
