"""What automation may do without asking: on evidence, on a verified source's event, or by what two people signed beforehand (ADR 26)."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow

from activities.action import Action, Grant, O, Order, Risk, Verb, action_of
from activities.identity.codes import Identities, Sealed
from activities.organisation.standing import StandingOf, StandingPolicies, StandingPolicy
from activities.values import span
from workflows.engine.state import IncidentState
from workflows.errors import RetriesExhausted
from workflows.people.context import VerbInvoker


class Unasked:
    def __init__(self, state: IncidentState, invoker: VerbInvoker) -> None:
        self._state, self._invoker = state, invoker

    def has_evidence(self, action: Action, order: Order, *, named: bool = True) -> bool:
        """Automation acts alone on what it measured itself, or on a verified source's event that names this very object (spec §2.4)."""
        state = self._state
        if action.on_suspicion or order.puts_back():
            return True
        since = workflow.now() - state.policy.paced(state.policy.evidence.fresh_for)
        return bool(state.evidence.measured(state.about, since) or (named and state.evidence.named(order.target(), since)))

    def why_asked(self, verb: Verb[O, Any], order: O) -> str:
        """Why a person is asked about a narrow change; empty where the change itself is reason enough."""
        state, action = self._state, action_of(verb)
        if action.risk(order, state.policy.limits) is not Risk.C1 or self.has_evidence(action, order):
            return ""
        return f"asked because no reading of the last {span(state.policy.evidence.fresh_for)} shows that {' or '.join(state.about)} is ill"

    async def standing_grant(self, verb: Verb[O, Any], *orders: O, lasting: timedelta | None = None) -> Grant | None:
        """What two people signed beforehand for these orders (spec §2.5.6), where what we measured calls for it. None: people are asked."""
        state, action, now = self._state, action_of(verb), workflow.now()
        if action.name not in state.policy.standing or not all(order.within_limits(state.policy.limits) for order in orders):
            return None
        await self.measure_again(verb, orders[0])
        if state.confidence < state.policy.limits.trigger_confidence:
            return None
        if not all(self.has_evidence(action, order, named=False) for order in orders):
            state.note("not authorised", f"the standing policy for {action.name} holds only for what we have measured ourselves just now")
            return None
        if (policy := await self.standing_policy(verb)) is None:
            return None
        valid = state.policy.for_people(lasting or state.policy.approval_valid[Risk.C2])
        grant = state.approvals.standing(orders, policy, valid, now)
        said = policy.in_words if grant else f"the standing policy for {action.name} is not in force: {policy.why_not}"
        state.note("authorised" if grant else "not authorised", said)
        return grant

    async def standing_policy(self, verb: Verb[O, Any]) -> StandingPolicy | None:
        """The standing policy for a verb as it is now, in force or not. None: there is none, or nobody knows who signed it."""
        name = action_of(verb).name
        if name not in self._state.policy.standing:
            return None
        try:
            return await self._invoker.quietly(StandingPolicies.of, StandingOf(name=name))
        except RetriesExhausted as out:
            self._state.note("not authorised", f"it is not known who signed the standing policy for {name}: {out.why}")
            return None

    async def measure_again(self, verb: Verb[O, Any], order: O) -> None:
        """Where the evidence for a change has grown old, take the same readings once more, the newest first: the answers decide.

        An event that names the very object of a narrow change is as good, once its seal was looked at.
        """
        action, state = action_of(verb), self._state
        risk = action.risk(order, state.policy.limits)
        if risk is Risk.C0 or self.has_evidence(action, order, named=risk is Risk.C1):
            return
        if risk is Risk.C1 and await self._vouched(order):
            return
        for known in state.evidence.symptoms(state.about):
            if self.has_evidence(action, order, named=risk is Risk.C1):
                return
            with suppress(RetriesExhausted):
                await self._invoker.quietly(known.verb, known.order)

    async def _vouched(self, order: Order) -> bool:
        """Whether a verified source has named the object of an order. Who did, an alert only says; the receiver's seal shows it."""
        state = self._state
        told = state.evidence.told(order.target(), workflow.now() - state.policy.paced(state.policy.evidence.fresh_for))
        if told is None or (event := told.event).confidence < state.policy.limits.trigger_confidence:
            return False
        try:
            ours = await self._invoker.quietly(Identities.vouched, Sealed(said=event.sealed(state.incident.dedup_key), seal=event.seal))
        except RetriesExhausted:
            return False  # nobody can tell now: it is looked at again where it is needed next
        state.evidence.hear(told, ours=ours)
        said = f"a verified source says: {event.says}" if ours else "somebody says so who is not the receiver: the seal is not ours"
        state.note("evidence" if ours else "refused", f"{event.of}: {said}")
        return ours
