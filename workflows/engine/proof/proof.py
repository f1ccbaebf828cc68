"""What counts as proof: the metrics, asked about whole windows. No verb's word, no missing data (design §4, Stability)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

from temporalio import workflow

from activities.action import A, O, Verb, action_of
from activities.metrics.curves import CurveGate, Curves
from activities.metrics.telemetry import Gate, StabilityVerdict, Telemetry
from workflows.engine.invoker import Invoker
from workflows.engine.measures import Imposed
from workflows.engine.proof.end_of_impact import EndOfImpact
from workflows.engine.proof.impact import Blindness, CustomerImpact
from workflows.engine.proof.rounds import Rounds
from workflows.engine.proof.shadow import Shadow
from workflows.engine.state import IncidentState
from workflows.errors import HandOver, RetriesExhausted
from workflows.incident import Phase
from workflows.people.context import Tells
from workflows.people.questions import Questions

AT_LEAST = timedelta(seconds=1)  # by so much a window moves on that starts again

AskWindow = Callable[[datetime, datetime], Awaitable[StabilityVerdict]]


@dataclass(frozen=True)
class Wait:
    """A wait for a window without any violation.

    `give_up`: asked at every violation or alarm, whether to stop waiting. `after`: what must have ended before a window counts as held.
    """

    what: str
    window: timedelta
    within: timedelta | None = None
    give_up: Callable[[], Awaitable[bool]] | None = None
    after: Callable[[], Awaitable[None]] | None = None


class Proof:
    """Waits for proof, and shows meanwhile what it waits for."""

    def __init__(self, state: IncidentState, invoker: Invoker, questions: Questions, announcer: Tells) -> None:
        self._state = state
        self._invoker = invoker
        self._questions = questions
        self._blind = Blindness(state, announcer)
        self.shadow, self.impact = Shadow(state, invoker), CustomerImpact(state, invoker)
        self.rounds = Rounds(state, self.impact, announcer, questions)
        self._end = EndOfImpact(state, invoker, questions, announcer, self.impact, self.shadow)
        self.until_mitigated = self._end.wait

    async def look(self, verb: Verb[O, A], order: O) -> A:
        """A reading that is part of a wait, not a step of its own."""
        while True:
            try:
                return await self._invoker.quietly(verb, order)
            except RetriesExhausted as out:
                self._state.note("blind", f"{order.effect()}: {out.why}")
                decision = await self._questions.repair(
                    action_of(verb), f"Cannot look: {order.effect()}", out.why, order=order, may_skip=False
                )
                if decision.verdict == "hand_over":
                    raise HandOver(f"cannot look ({out.why}); {decision.by} takes over") from out

    async def rest(self, duration: timedelta, why: str) -> None:
        if self._state.rehearsing:
            self._state.note("wait", f"{minutes(duration)}: {why}")
            return
        self._state.waiting_for = why
        await self.rounds.wait(self._state.policy.paced(duration), why)
        self._state.waiting_for = ""

    async def until(self, instant: datetime, why: str) -> None:
        """Let time pass until an instant; at once when it is over."""
        if instant > workflow.now() and not self._state.rehearsing:
            self._state.waiting_for = why or self._state.waiting_for
            await self.rounds.wait(instant - workflow.now(), why)

    async def stable(self, window: timedelta | None = None) -> None:
        """Wait until the service was stable for the whole window. A violation, a gap in the data or an alarm starts the window again.

        While a measure of ours is in force, a service may be slower than usual by it, up to where that is impact.
        """
        state, policy, service = self._state, self._state.policy, self._state.incident.service
        gate = policy.stability
        window = window or gate.window
        if state.measures.liftable():
            gate = gate.model_copy(update={"latency_ratio": max(gate.latency_ratio, policy.impact.latency_ratio)})
        before = state.incident.started_at or state.declared_at

        async def ask(start: datetime, end: datetime) -> StabilityVerdict:
            asked = Gate(
                service=service, start=start, end=end, stability=gate, proof=state.card.proof, impact=policy.impact, usual_before=before
            )
            served = await self.look(Telemetry.stability, asked)
            if state.card.curve is None:
                return served
            curve = CurveGate(curve=state.card.curve, service=service, start=start, end=end, numbers=policy.curves, stability=gate)
            return served.beside(await self.look(Curves.stable, curve))

        what = f"{service} stable" if state.card.curve is None else f"{service} stable, its {state.card.curve} as usual,"
        await self.holds(ask, Wait(f"{what} for {minutes(window)}", window, after=self._end.until_no_alert))
        state.stable_for = gate.window

    async def holds(self, ask: AskWindow, wait: Wait) -> bool:
        """Ask the metrics store about whole windows until one holds from end to end. False: not in time, or given up."""
        state = self._state
        if state.rehearsing:
            state.note("wait", f"{minutes(wait.window)}: until {wait.what}")
            return True
        usual = await self._hasten(wait.window)
        try:
            held = await self._held(ask, wait)
        except (Exception, asyncio.CancelledError):
            state.go_at(usual)
            raise
        state.go_at(usual)
        return held

    async def _hasten(self, window: timedelta) -> float:
        """A drill goes through long waits faster, once no other playbook of the incident contains anything any more. Returns the pace to go back
        to. The world outside is asked something: it goes along."""
        state = self._state
        if state.policy.long_wait_pace and window > state.policy.long_wait:
            await workflow.wait_condition(lambda: not self._others_at_work())
        policy = state.policy
        if policy.long_wait_pace and window > policy.long_wait:
            state.go_at(policy.long_wait_pace)
        if policy.paces or policy.long_wait_pace:
            await self.impact.now()
        return policy.pace

    def _others_at_work(self) -> bool:
        root: IncidentState = getattr(self._state, "root", self._state)
        return any(one is not self._state and one.phase in (Phase.TRIAGE, Phase.MITIGATION) for one in (root, *root.children))

    async def _held(self, ask: AskWindow, wait: Wait) -> bool:
        state, policy, start = self._state, self._state.policy, workflow.now()
        deadline = start + policy.paced(wait.within) if wait.within else None
        while deadline is None or workflow.now() < deadline:
            state.alarm, state.waiting_for = "", wait.what
            end = start + policy.paced(wait.window)
            await self.rounds.wait(self._left(end), wait.what, lambda: bool(state.alarm))
            verdict = await ask(start, workflow.now())
            if wait.give_up is not None and (state.alarm or not verdict.stable) and await wait.give_up():
                return False
            if state.alarm:
                state.note("alarm", f"{state.alarm}: the window starts again")
                start = workflow.now()
            elif not verdict.stable:
                again = max(await self._again_from(verdict, wait.what), start + AT_LEAST)  # what was wrong as it began is over
                start = min(again, workflow.now())  # a drill may look again sooner than that
            elif workflow.now() < end:
                self._blind.ended()  # there is data again
            elif state.firing and wait.after is not None:
                await wait.after()
            else:
                self._blind.ended()
                state.waiting_for = ""
                state.note("stable", wait.what)
                return True
        state.note("given up", f"{wait.what}: not within {minutes(wait.within or timedelta(0))}")
        return False

    async def look_after_lifting(self, imposed: Imposed) -> str:
        """What is wrong since a lift; empty when it was looked and nothing is. While nobody can see, nothing more is lifted."""
        state, policy = self._state, self._state.policy
        if state.rehearsing or imposed.assumed:
            return ""
        while True:
            await self.rounds.wait(policy.paced(policy.mitigated_window), f"watch after lifting {imposed.name}")
            verdict = await self.impact.now()
            if verdict.ended or verdict.impact:
                self._blind.ended()
                return verdict.why if verdict.impact else ""
            self._blind.goes_on(verdict.why, workflow.now())

    async def still_there(self) -> str:
        """The impact that the metrics show now; empty when they show none, or say nothing."""
        if self._state.rehearsing:
            return ""
        verdict = await self.impact.now()
        return verdict.why if verdict.impact else ""

    def returned(self, why: str) -> NoReturn:
        self.rounds.returned(why)

    async def _again_from(self, verdict: StabilityVerdict, what: str) -> datetime:
        blind = verdict.blind_at is not None and (verdict.violated_at is None or verdict.blind_at >= verdict.violated_at)
        self._state.note("blind" if blind else "violated", f"{what}: {verdict.why}; the window starts again")
        if blind:
            self._blind.goes_on(verdict.why, workflow.now())
        else:
            self._blind.ended()
            await self.rounds.look()
        at = verdict.blind_at if blind else verdict.violated_at
        return at or workflow.now()

    def _left(self, end: datetime) -> timedelta:
        """How long to sleep. While there is no data we look again sooner, so that people are paged in time."""
        left = end - workflow.now()
        return min(left, self._state.policy.paced(self._state.policy.stability.blind_page_after)) if self._blind.since else left


def minutes(duration: timedelta) -> str:
    """A duration as it is shown."""
    return f"{duration.total_seconds() / 60:g} min"
