"""Mitigation and recovery, and once more when the impact comes back (design §4, There and back).

While a playbook is in recovery it is looked at the customers' impact beside it, at every alarm and every few minutes. Impact that is proven
interrupts whatever the playbook waits for (a rest, a window, a person) by `Relapse`, which the recovery block takes: the playbook's
`while self.unresolved` leads back to mitigation.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import NoReturn

from temporalio import workflow

from activities.action import Role
from workflows.engine.proof.impact import Blindness, CustomerImpact
from workflows.engine.state import IncidentState
from workflows.errors import CalledAgain, HandOver, Relapse
from workflows.incident import State
from workflows.people.background import begun, stopped
from workflows.people.context import Tells
from workflows.people.questions import BRANCH, Questions
from workflows.waiting import waited


class Rounds:
    def __init__(self, state: IncidentState, impact: CustomerImpact, announcer: Tells, questions: Questions) -> None:
        self._state, self._impact, self._announcer, self._questions = state, impact, announcer, questions
        self._over = self._counted = False
        self._watch: asyncio.Task[None] | None = None

    @property
    def unresolved(self) -> bool:
        """Whether a round is (still) to be gone. Asking makes the playbook one that goes in rounds: only those can go back."""
        self._counted = True
        return not self._over

    @property
    def watching(self) -> bool:
        """Whether whoever asks is the playbook itself, in recovery."""
        return self._state.recovering is not None and self._state.recovering is asyncio.current_task()

    def begin_mitigation(self) -> None:
        """Until its end, what is asked is asked about the symptom, and beside it is looked whether it still needs an answer."""
        BRANCH.set("mitigation")
        self._state.symptom_ended = ""
        if not self._state.rehearsing:
            self._watch = begun(self._look_for_the_end())

    async def end_mitigation(self, error: BaseException | None) -> None:
        BRANCH.set("")
        watch, self._watch, self._state.symptom_ended = self._watch, None, ""
        if watch is not None and not isinstance(error, GeneratorExit):
            await stopped(watch)

    def begin_recovery(self) -> None:
        if self._counted and not self._state.rehearsing:
            self._state.recovering, self._state.relapse = asyncio.current_task(), None
            self._state.told_in_recovery()
            self._watch = begun(self._look_beside())

    async def end_recovery(self, error: BaseException | None) -> bool:
        """True: the impact is back, and another round begins. Raises `HandOver` when there were enough of them."""
        state, watch, self._watch = self._state, self._watch, None
        state.recovering, state.relapse = None, None
        if watch is not None and not isinstance(error, GeneratorExit):
            await stopped(watch)
        if not isinstance(error, Relapse):
            self._over = error is None
            return False
        if isinstance(error, CalledAgain):
            self._goes_on(str(error))
            return True
        self._went_back(str(error))
        if state.relapses > state.policy.relapses:
            raise HandOver(f"the impact has come back {state.relapses} times: {error}") from error
        return True

    def _went_back(self, why: str) -> None:
        """Nothing of what was claimed holds any more; everybody who was told so is told."""
        state, announcer = self._state, self._announcer
        state.relapses += 1
        state.mitigated_at = state.stable_for = None
        state.run_state, state.waiting_for = State.OPEN, ""
        state.note("relapse", why, relapses=state.relapses)
        announcer.say(f"The impact is back: {why}")
        announcer.page((Role.INCIDENT_COMMANDER, *state.card.lead), f"the impact is back: {why}")
        announcer.impact_returned()

    def _goes_on(self, why: str) -> None:
        """There is more to do than was known. Nothing that was claimed is wrong by that."""
        state = self._state
        state.mitigated_at = state.stable_for = None
        state.run_state, state.waiting_for = State.OPEN, ""
        state.note("called in", why)
        self._announcer.page(state.card.lead, why)

    async def told(self, until: Callable[[], bool]) -> Mapping[str, str] | None:
        """Wait for what whoever calls this playbook in once more says. None: `until` came first."""
        state = self._state
        state.listens = True
        await workflow.wait_condition(lambda: bool(state.told) or until())
        return state.told.pop(0) if state.told else None

    def returned(self, why: str) -> NoReturn:
        """The impact is back by what was just seen: back to mitigation, or, where no round can be gone, to people."""
        if self.watching:
            raise Relapse(why)
        self._announcer.impact_returned()
        raise HandOver(why)

    async def wait(self, at_most: timedelta, what: str, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, until a condition holds. Raises `Relapse` when the impact comes back meanwhile."""
        state, mine = self._state, self.watching
        if at_most > timedelta(0):
            await waited(lambda: until() or (mine and state.relapse is not None), at_most, what)
        if mine and state.relapse is not None:
            raise state.relapse

    async def look(self) -> None:
        """Look now whether the impact is back. Raises `Relapse`."""
        if self.watching:
            verdict = await self._impact.now()
            if verdict.impact:
                raise Relapse(verdict.why)

    async def _look_for_the_end(self) -> None:
        """Beside mitigation, while an answer is waited for: impact that was seen, and that the metrics have ended without it.

        Blind is no end, nor is a reading while an alert about what customers meet still fires.
        """
        state, policy, questions = self._state, self._state.policy, self._questions
        seen, pause = False, policy.mitigated_window
        while True:
            await workflow.wait_condition(lambda: questions.about_symptom() or bool(state.symptom_ended))
            await workflow.sleep(policy.paced(pause), summary="whether the impact has ended while people are asked")
            pause = policy.impact_looked_at
            seen = seen or state.breached or bool(state.evidence.symptoms(state.about))
            verdict = await self._impact.now()
            seen = seen or verdict.impact
            ended = seen and verdict.ended and not state.firing
            state.symptom_ended = f"the impact has ended by the metrics: {verdict.why}" if ended else ""

    async def _look_beside(self) -> None:
        """Beside recovery: at every alarm, and every few minutes. Blind is not back, and it is said."""
        state, policy, blind = self._state, self._state.policy, Blindness(self._state, self._announcer)
        while state.relapse is None:
            seen = state.alarms
            await waited(lambda seen=seen: state.alarms != seen, policy.paced(policy.impact_looked_at), "whether the impact is back")  # type: ignore[misc]
            verdict = await self._impact.now()
            if verdict.impact:
                state.relapse = Relapse(verdict.why)
            elif verdict.ended:
                blind.ended()
            else:
                blind.goes_on(verdict.why, workflow.now())
