"""Has the customers' impact ended, and what has it cost? The metrics say so, and no verb's word (design §4)."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from temporalio import workflow

from activities.action import action_of
from activities.metrics.telemetry import FOUR_WEEKS, ServiceHealth, Surface, Telemetry
from workflows.engine.invoker import Invoker
from workflows.engine.proof.shadow import Shadow
from workflows.engine.state import IncidentState
from workflows.errors import HandOver, RetriesExhausted
from workflows.incident import State
from workflows.people.questions import Questions

Look = Callable[[Surface], Awaitable[ServiceHealth]]


class Mitigation:
    """Waits until the impact has ended, and counts it."""

    def __init__(self, state: IncidentState, invoker: Invoker, questions: Questions, shadow: Shadow, look: Look) -> None:
        self._state = state
        self._invoker = invoker
        self._questions = questions
        self._shadow = shadow
        self._look = look

    async def until_mitigated(self) -> None:
        """Wait until the impact has ended; when that takes too long a person decides how to go on."""
        state, policy = self._state, self._state.policy
        if state.rehearsing:
            state.note("wait", "until the customers' impact has ended, by the metrics")
            return
        surface = Surface(service=state.incident.service, window=policy.mitigated_window)
        deadline = workflow.now() + policy.paced(policy.mitigated_within)
        state.waiting_for = "customer impact to end, by the metrics"
        while True:
            await workflow.sleep(policy.paced(policy.mitigated_window), summary="look whether the impact has ended")
            health = await self._look(surface)
            await self._shadow.look_sometimes()
            if health.at_most(policy.mitigated_error_ratio):
                break
            if workflow.now() >= deadline and not state.shadow:  # in shadow mode people repair it, and take the time they need
                if await self._continue_unmitigated(in_words(health)):
                    state.waiting_for = ""
                    return
                deadline = workflow.now() + policy.paced(policy.mitigated_within)
                state.waiting_for = "customer impact to end, by the metrics"
        await self._shadow.look()
        state.waiting_for = ""
        state.mitigated_at, state.run_state = workflow.now(), State.MITIGATED
        state.note("mitigated", in_words(health), error_ratio=health.error_ratio)
        await self._count_impact(workflow.now())

    async def _count_impact(self, ended: datetime) -> None:
        """What the impact has cost customers, from its onset: kept for the post-mortem while the metrics have it (seed §4.2)."""
        state, policy = self._state, self._state.policy
        lasted = (ended - (state.incident.started_at or state.declared_at)) * policy.pace
        over = Surface(service=state.incident.service, window=max(lasted, policy.mitigated_window))
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
            failed_requests=round(health.error_ratio * health.requests), tenants=len(radius.tenants), budget_share=round(share, 4),
        )  # fmt: skip

    async def _continue_unmitigated(self, impact: str) -> bool:
        decision = await self._questions.repair(
            action_of(Telemetry.impact), "The impact has not ended. Look again, continue without proof, or take over?", impact, order=None,
            may_skip=True,
        )  # fmt: skip
        if decision.verdict == "hand_over":
            raise HandOver(f"the impact has not ended ({impact}); {decision.by} takes over")
        return decision.verdict == "skip"


def in_words(health: ServiceHealth) -> str:
    """How a service does, in a few words."""
    if health.blind or health.error_ratio is None:
        return "no data: blind"
    return f"{health.error_ratio:.2%} of {health.requests:.0f} requests fail"
