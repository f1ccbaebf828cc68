"""The one place that invokes activities, so that risk, approval, key, retries, summary and timeline cannot be forgotten (house rule 5)."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from temporalio import workflow
from temporalio.common import Priority, RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError

from activities.action import A, Action, Call, Effect, Grant, Limits, O, Order, Patience, Risk, Verb, action_of, answer_of
from activities.kit.holding import Contender
from activities.metrics.curves import CurveReading
from activities.metrics.orders import BlastRadius, Surface
from workflows.engine.state import IncidentState
from workflows.engine.unasked import Unasked
from workflows.errors import ApprovalEnded, NeedsApproval, NotSentInShadow, RetriesExhausted
from workflows.people.background import settled, shared
from workflows.severity.readings import Reading
from workflows.status import Step, StepState


@dataclass
class Pulse:
    """What is under way of an incident, whichever of its playbooks began it."""

    short: int = 0  # activities that end in a moment
    began_at: datetime | None = None


class Invoker:
    """Invokes verbs on account of an incident, or of a freeze.

    `counts`: how often each was invoked before, when this is not the first run of the workflow.
    `keys`: what keys begin with, where the account's id is used again later.
    """

    def __init__(self, state: IncidentState, counts: Mapping[str, int] | None = None, keys: str = "") -> None:
        self._state = state
        self._keys = keys or state.id
        self.counts: dict[str, int] = defaultdict(int, counts or {})
        self.unasked = Unasked(state, self)
        self._pulse = Pulse()
        # One change at a time per system: two of our own branches must not race for the same route or policy.
        self.one_at_a_time: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        # While a plan is made beside the incident: every reading that was begun, by verb and order.
        self.readings: dict[tuple[str, str], asyncio.Task[Any]] | None = None
        self.shares: Invoker | None = None  # a plan: whose readings are as good as its own

    def beside(self, state: IncidentState) -> "Invoker":
        """The same, for a playbook that was called in: it counts on, and takes turns with us."""
        other = Invoker(state, keys=self._keys)
        other.counts, other._pulse, other.one_at_a_time = self.counts, self._pulse, self.one_at_a_time
        other.readings, other.shares = self.readings, self.shares
        return other

    @property
    def at_rest(self) -> bool:
        """Whether nothing is under way but waits: timers, people, and activities that may take minutes."""
        return not self._pulse.short

    @property
    def began_at(self) -> datetime | None:
        """The latest workflow task in which an activity was begun."""
        return self._pulse.began_at

    def risk(self, verb: Verb[O, Any], order: Order) -> Risk:
        """The class of this very order; a question's, when automation's caps are used up or nothing shows that it is needed (spec §2.4)."""
        state, limits = self._state, self._state.policy.limits
        action = action_of(verb)
        risk = action.risk(order, limits)
        if risk is not Risk.C1 or action.patience is Patience.WATCH:
            return risk  # watching a step goes on under the grant of the plan that the step belongs to
        since = workflow.now() - state.policy.paced(limits.narrow_actions_window)
        recent = sum(at > since for at in state.narrow_actions)
        unsure = state.confidence < limits.trigger_confidence
        return Risk.C2 if unsure or recent >= limits.narrow_actions or not self.unasked.has_evidence(action, order) else Risk.C1

    def key(self, action: Action, order: Order) -> str:
        """`incident/verb/target/n`: one key per wanted effect, the same over retries and over a person's *retry*."""
        stem = f"{self._keys}/{action.name}/{order.target()}"
        self.counts[stem] += 1
        return f"{stem}/{self.counts[stem]}"

    async def step(self, verb: Verb[O, A], order: O, step: Step, *, grant: Grant | None = None, again: bool = False) -> A:
        """Invoke a verb as a step on the screen. Raises `RetriesExhausted` when patience is over, `NeedsApproval` when a grant is missing."""
        action = action_of(verb)
        self._check(verb, order, grant)
        step.key = step.key or self.key(action, order)
        narrow = action.risk(order, self._state.policy.limits) is Risk.C1 and action.patience is not Patience.WATCH
        if self._state.assumes(action):
            if narrow and not self._state.rehearsing:
                self._state.narrow_actions.append(workflow.now())  # it would have counted
            why = "not done: this is a plan" if self._state.rehearsing else "not done: shadow mode"
            return cast("A", Effect(target=order.target(), summary=order.effect(), proven_by=why, assumed=True))
        if action.writes and self._state.paused_by:
            step.state = StepState.PAUSED
            await workflow.wait_condition(lambda: not self._state.paused_by)
        if narrow:
            self._state.narrow_actions.append(workflow.now())
        step.state, step.tried_at = StepState.RUNNING, workflow.now()
        return await self._invoke(verb, order, step.key, order.effect(), grant=grant, again=again, step=step)

    async def act(self, verb: Verb[O, A], order: O, *, grant: Grant | None = None) -> A:
        """Invoke a change that is no step of a playbook, under the same rules. Raises `RetriesExhausted`, and `NeedsApproval`."""
        self._check(verb, order, grant)
        return await self._invoke(verb, order, self.key(action_of(verb), order), order.effect(), grant=grant)

    async def quietly(self, verb: Verb[O, A], order: O, *, key: str = "", grant: Grant | None = None) -> A:
        """Invoke a verb that is no step of the playbook: our own record, a page, a message. Raises `RetriesExhausted`, `NotSentInShadow`."""
        action = action_of(verb)
        if self._state.assumes(action):  # nothing is sent, and the caller must know that
            self._state.note_suppressed(order.effect())
            raise NotSentInShadow(f"shadow mode: {action.system} was not granted write access")
        return await self._invoke(verb, order, key or self.key(action_of(verb), order), order.effect(), grant=grant)

    def _check(self, verb: Verb[O, Any], order: Order, grant: Grant | None) -> None:
        name, risk = action_of(verb).name, self.risk(verb, order)
        if risk >= Risk.C2 and (grant is None or order.digest(name) not in grant.covers):
            raise NeedsApproval(f"{name} on {order.target()} is {risk.label} and was not granted")

    async def _invoke(
        self, verb: Verb[O, A], order: O, key: str, summary: str, *, grant: Grant | None = None, again: bool = False, step: Step | None = None
    ) -> A:  # fmt: skip
        state, action = self._state, action_of(verb)
        call = Call(
            incident_id=state.id, key=key, at=workflow.now(), pace=state.policy.pace, again=again, grant=grant,
            limits=state.policy.limits if action.writes else Limits(), observe_only=state.policy.observe_only,
            write_access=state.policy.may_write_to, concern=state.card.concern,
        )  # fmt: skip
        short = action.patience in (Patience.READ, Patience.CHANGE)
        self._pulse.short += short
        reading = (action.name, order.digest(action.name))
        known = (self.shares.readings or {}).get(reading) if self.shares and not action.writes else None
        work = known or self._begin(action, order, call, summary)
        if self.readings is not None and action.patience is Patience.READ:
            self.readings[reading] = work
        try:
            answer = as_answer(await (shared(work) if known else settled(work)), answer_of(verb), action.name)
        except asyncio.CancelledError:
            if step is not None and work.done() and not work.cancelled() and work.exception() is None:
                with suppress(RetriesExhausted):  # whoever waited for it was stopped: it was done all the same
                    state.done(step, as_answer(work.result(), answer_of(verb), action.name))
            raise
        except ActivityError as failure:
            raise _retries_exhausted(failure) from failure
        finally:
            self._pulse.short -= short
        self._learn(verb, order, answer, call.at)
        return answer

    def _learn(self, verb: Verb[O, A], order: O, answer: A, at: datetime) -> None:
        """What a reading says of the severity, of who is hit, and of whether automation may act alone: whoever made it, for whatever."""
        state = self._state
        if isinstance(order, Surface) and isinstance(answer, Reading) and order.service == state.incident.service:
            if isinstance(answer, BlastRadius):
                state.measured(answer)
            state.judge(answer, order.window)
        if isinstance(answer, CurveReading) and answer.curve is state.card.curve and answer.service == state.incident.service:
            state.draw(answer)
        for symptom in state.evidence.take(verb, order, answer, state.policy, at):
            state.note("evidence", f"{symptom.of}: {symptom.says}")

    def _begin(self, action: Action, order: Order, call: Call, summary: str) -> asyncio.Task[RawValue]:
        tries = self._state.policy.patience[action.patience]
        self._pulse.began_at = workflow.now()
        work: asyncio.Task[RawValue] = workflow.start_activity(
            action.name,
            args=[order, call],
            result_type=RawValue,
            summary=summary[:200],
            start_to_close_timeout=tries.each_try,
            heartbeat_timeout=tries.heartbeat,
            retry_policy=RetryPolicy(
                initial_interval=tries.first_pause, maximum_interval=tries.longest_pause, maximum_attempts=tries.tries
            ),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            priority=Priority(priority_key=int(self._state.severity)),
        )
        return work


def as_answer(said: RawValue, answer: type[A], whose: str) -> A:
    """What an activity or a child said. Raises `RetriesExhausted` when that cannot be read: it fails this step, and not the workflow task."""
    with suppress(Exception):
        read = workflow.payload_converter().from_payload(said.payload, answer)
        if isinstance(read, answer):  # "nothing" can be read as anything
            return read
    raise RetriesExhausted(f"what {whose} answered is no {answer.__name__}: whether it was done is not known")


def _retries_exhausted(failure: ActivityError) -> RetriesExhausted:
    """Unwrap once: `str(ActivityError)` says only that an activity failed."""
    cause = failure.cause
    if isinstance(cause, ApplicationError):
        if cause.type == "Expired":
            return ApprovalEnded(cause.message, tried=any(cause.details))
        others = tuple(map(Contender.model_validate, cause.details)) if cause.type == "Contended" else ()
        return RetriesExhausted(
            cause.message, refused=cause.type in ("Refused", "Contended"), lapsed=cause.type == "Lapsed", contenders=others
        )
    if isinstance(cause, TimeoutError):
        return RetriesExhausted("no answer in time")
    return RetriesExhausted(str(cause or failure))
