"""When the customers' impact has ended, by the symptoms of the card, and what it has cost them."""

from datetime import datetime

from temporalio import workflow

from activities.action import action_of
from activities.metrics.telemetry import FOUR_WEEKS, Telemetry
from workflows.engine.invoker import Invoker
from workflows.engine.proof.impact import Blindness, CustomerImpact
from workflows.engine.proof.judge import Verdict, in_words
from workflows.engine.proof.shadow import Shadow
from workflows.engine.state import IncidentState
from workflows.errors import HandOver, RetriesExhausted
from workflows.incident import State
from workflows.people.context import Tells
from workflows.people.questions import Questions
from workflows.waiting import waited

WAITS = "customer impact to end, by the metrics"


class EndOfImpact:
    def __init__(
        self, state: IncidentState, invoker: Invoker, questions: Questions, announcer: Tells, impact: CustomerImpact, shadow: Shadow
    ) -> None:
        self._state, self._invoker, self._questions, self._impact, self._shadow = state, invoker, questions, impact, shadow
        self._blind = Blindness(state, announcer)

    async def wait(self) -> None:
        """Wait until the impact has ended and no alert of ours says otherwise; when that takes too long a person decides how to go on."""
        state, policy = self._state, self._state.policy
        if state.rehearsing:
            state.note("wait", "until the customers' impact has ended, by the metrics")
            return
        deadline, ended = workflow.now() + policy.paced(policy.mitigated_within), None
        state.waiting_for = WAITS
        while True:
            await workflow.sleep(policy.paced(policy.mitigated_window), summary="look whether the impact has ended")
            verdict = await self._look()
            ended = (ended or workflow.now()) if verdict.ended else None
            if ended and not state.firing:
                break
            if ended:
                deadline = max(deadline, ended + policy.paced(policy.alert_clears_within))
                state.waiting_for = f"its alert to clear: {state.firing_names()}"
            else:
                state.waiting_for = WAITS
            if workflow.now() < deadline or state.shadow:  # in shadow mode people repair it, and take the time they need
                continue
            if await self._go_on_all_the_same(verdict, ended):
                state.waiting_for = ""
                if ended is None:
                    return
                break
            deadline = workflow.now() + policy.paced(policy.mitigated_within)
        await self._shadow.look()
        self._claim(verdict, ended)
        await self._count(ended)

    async def _look(self) -> Verdict:
        verdict = await self._impact.now()
        if verdict.ended or verdict.impact:
            self._blind.ended()
        else:
            self._blind.goes_on(verdict.why, workflow.now())
        await self._shadow.look_sometimes()
        return verdict

    def _claim(self, verdict: Verdict, ended: datetime) -> None:
        """Mitigated: since it ended, which may be some time ago where an alert lingered."""
        state = self._state
        state.waiting_for, state.mitigated_at, state.run_state = "", ended, State.MITIGATED
        since = f", since {ended:%H:%M:%S} UTC" if ended < workflow.now() else ""
        state.note("mitigated", verdict.why + since, round=state.relapses + 1)

    async def _go_on_all_the_same(self, verdict: Verdict, ended: datetime | None) -> bool:
        """What a person says: look again (False), or go on without this proof."""
        state, asks = self._state, "The impact has not ended. Look again, continue without proof, or take over?"
        if ended:
            asks = f"The impact has ended by the metrics, but {state.firing_names()} is still firing. Look again, go on, or take over?"

        def cleared() -> str:
            return "" if state.firing or ended is None else "its alerts have cleared"

        decision = await self._questions.repair(action_of(Telemetry.impact), asks, verdict.why, order=None, may_skip=True, gone=cleared)
        if decision.verdict == "hand_over":
            raise HandOver(
                f"{'an alert is still firing' if ended else 'the impact has not ended'} ({verdict.why}); {decision.by} takes over"
            )
        if decision.verdict == "skip":
            state.forget_alerts(decision.by)
        return decision.verdict == "skip"

    async def until_no_alert(self) -> None:
        """Wait until none of our alerts fires; one that lingers on healthy metrics is put to a person."""
        state, policy = self._state, self._state.policy
        while state.firing:
            state.waiting_for, asked = f"its alert to clear: {state.firing_names()}", "our alerts to clear"
            if not await waited(lambda: not state.firing, policy.paced(policy.alert_clears_within), asked) and not state.shadow:
                await self._go_on_all_the_same(await self._impact.now(), workflow.now())

    async def _count(self, ended: datetime) -> None:
        """What the impact has cost customers, from its onset: kept for the post-mortem while the metrics have it (seed §4.2)."""
        state, policy = self._state, self._state.policy
        lasted = state.policy_time(state.incident.started_at or state.declared_at, ended)
        over = self._impact.surface(max(lasted, policy.mitigated_window))
        try:
            health = await self._invoker.quietly(Telemetry.impact, over)
            radius = await self._invoker.quietly(Telemetry.blast_radius, over)
        except RetriesExhausted as out:
            state.note("impact", f"not measured: {out.why}")
            return
        if health.blind or health.error_ratio is None:
            state.note("impact", "not measured: the metrics are blind")
            return
        share = health.error_ratio / (1 - policy.stability.slo_target) * (over.window / FOUR_WEEKS)
        state.note(
            "impact",
            f"since its onset {in_words(health)}, {len(radius.tenants)} tenants were affected, "
            f"{share:.1%} of four weeks' error budget is used up",
            failed_requests=round(health.error_ratio * health.served), tenants=len(radius.tenants), budget_share=round(share, 4),
        )  # fmt: skip
