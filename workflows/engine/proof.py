"""What counts as proof: the metrics, asked about whole windows. No verb's word, no missing data (design §4, Stability)."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from temporalio import workflow

from activities.action import A, O, Verb, action_of
from activities.metrics.telemetry import FOUR_WEEKS, Gate, ServiceHealth, StabilityVerdict, Surface, Telemetry
from workflows.comms.comms import Comms
from workflows.engine.invoker import Invoker
from workflows.engine.measures import Imposed
from workflows.engine.shadow import Shadow
from workflows.engine.state import IncidentState
from workflows.errors import HandOver, RetriesExhausted
from workflows.incident import State
from workflows.people.questions import Questions


class Proof:
    """Waits for proof, and says in between what it waits for."""

    def __init__(self, state: IncidentState, invoker: Invoker, questions: Questions, comms: Comms) -> None:
        self._state = state
        self._invoker = invoker
        self._questions = questions
        self._comms = comms
        self.shadow = Shadow(state, invoker)

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
        await workflow.sleep(self._state.policy.paced(duration), summary=why)
        self._state.waiting_for = ""

    async def until(self, instant: datetime, why: str) -> None:
        """Let time pass until an instant; at once when it is over."""
        if instant > workflow.now() and not self._state.rehearsing:
            self._state.waiting_for = why or self._state.waiting_for
            await workflow.sleep(instant - workflow.now(), summary=why or None)

    async def stable(self, for_: timedelta | None = None) -> None:
        """Wait until the service was stable for the whole window. A violation, a gap in the data or an alarm starts the window again."""
        gate = self._state.policy.stability
        window = for_ or gate.window
        await self.holds(
            lambda start, end: self.look(
                Telemetry.stability, Gate(service=self._state.incident.service, start=start, end=end, stability=gate)
            ),
            window,
            f"{self._state.incident.service} stable for {minutes(window)}",
        )
        self._state.stable_for = gate.window

    async def holds(
        self, gate: Callable[[datetime, datetime], Awaitable[StabilityVerdict]], window: timedelta, what: str, *,
        within: timedelta | None = None, give_up: Callable[[], Awaitable[bool]] | None = None,
    ) -> bool:  # fmt: skip
        """Ask the metrics store about whole windows until one holds from end to end. False: not `within` that time, or given up."""
        state, length = self._state, self._state.policy.paced(window)
        if state.rehearsing:
            state.note("wait", f"{minutes(window)}: until {what}")
            return True
        start = workflow.now()
        deadline = start + self._state.policy.paced(within) if within else None
        while deadline is None or workflow.now() < deadline:
            state.alarm = ""
            state.waiting_for = what
            await self._sleep_unless_alarmed(start + length - workflow.now(), what)
            verdict = await gate(start, workflow.now())
            if give_up is not None and (state.alarm or not verdict.stable) and await give_up():
                return False
            if state.alarm:
                state.note("alarm", f"{state.alarm}: the window starts again")
                start = workflow.now()
            elif verdict.stable:
                state.waiting_for = ""
                state.note("held", what)
                return True
            else:
                start = self._again_from(verdict, what)
        state.note("given up", f"{what}: not within {minutes(within or timedelta(0))}")
        return False

    def _again_from(self, verdict: StabilityVerdict, what: str) -> datetime:
        blind = verdict.blind_at is not None and (verdict.violated_at is None or verdict.blind_at >= verdict.violated_at)
        kind = "blind" if blind else "violated"
        self._state.note(kind, f"{what}: {verdict.why}; the window starts again")
        if blind:
            self._comms.said(f"BLIND: {verdict.why}. Nothing is called healthy on missing data.")
        at = verdict.blind_at if blind else verdict.violated_at
        return at or workflow.now()

    async def _sleep_unless_alarmed(self, left: timedelta, what: str) -> None:
        if left <= timedelta(0):
            return
        try:
            await workflow.wait_condition(lambda: bool(self._state.alarm), timeout=left, timeout_summary=what)
        except TimeoutError:
            return

    async def until_mitigated(self) -> None:
        """Wait until the customers' impact has ended, by the metrics and on no verb's word; in the end a person decides."""
        state, policy = self._state, self._state.policy
        if state.rehearsing:
            state.note("wait", "until the customers' impact has ended, by the metrics")
            return
        deadline = workflow.now() + policy.paced(policy.mitigated_within)
        surface = Surface(service=state.incident.service, window=policy.mitigated_window)
        while True:
            state.waiting_for = "customer impact to end, by the metrics"
            await workflow.sleep(policy.paced(policy.mitigated_window), summary="look whether the impact has ended")
            health = await self.look(Telemetry.impact, surface)
            await self.shadow.glance()
            if not health.blind and health.error_ratio is not None and health.error_ratio <= policy.mitigated_error_ratio:
                await self.shadow.look()
                break
            if workflow.now() < deadline or state.shadow:  # in shadow mode people mend it, in their own time
                continue
            if await self._carry_on_unmitigated(in_words(health)):
                state.waiting_for = ""
                return
            deadline = workflow.now() + policy.paced(policy.mitigated_within)
        state.waiting_for = ""
        state.mitigated_at, state.run_state = workflow.now(), State.MITIGATED
        state.note("mitigated", in_words(health), error_ratio=health.error_ratio)
        await self._toll(workflow.now())

    async def _toll(self, ended: datetime) -> None:
        """What the impact has cost customers, from its onset: kept for the post-mortem while the metrics have it (seed §4.2)."""
        state, policy = self._state, self._state.policy
        lasted = (ended - (state.incident.started_at or state.declared_at)) * policy.pace
        over = Surface(service=state.incident.service, window=max(lasted, policy.mitigated_window))
        try:
            met = await self._invoker.quietly(Telemetry.impact, over)
            radius = await self._invoker.quietly(Telemetry.blast_radius, over)
        except RetriesExhausted as out:
            state.note("impact", f"not measured: {out.why}")
            return
        if met.blind or met.error_ratio is None:
            state.note("impact", "not measured: the metrics are blind")
            return
        share = met.error_ratio / (1 - policy.stability.slo_target) * (over.window / FOUR_WEEKS)
        state.note(
            "impact",
            f"since its onset {in_words(met)}, {len(radius.tenants)} tenants were hit, {share:.1%} of four weeks' error budget is gone",
            failed_requests=round(met.error_ratio * met.requests), tenants=len(radius.tenants), budget_share=round(share, 4),
        )  # fmt: skip

    async def _carry_on_unmitigated(self, impact: str) -> bool:
        decision = await self._questions.repair(
            action_of(Telemetry.impact), "The impact has not ended. Look again, carry on without, or take over?", impact, order=None,
            may_skip=True,
        )  # fmt: skip
        if decision.verdict == "hand_over":
            raise HandOver(f"the impact has not ended ({impact}); {decision.by} takes over")
        return decision.verdict == "skip"

    async def stop_at_a_regression(self, imposed: Imposed) -> None:
        """Watch after a lift; the impact coming back stops everything (design §4). Raises `HandOver`."""
        policy = self._state.policy
        if self._state.rehearsing or imposed.assumed:
            return
        surface = Surface(service=self._state.incident.service, window=policy.mitigated_window)
        await workflow.sleep(policy.paced(policy.mitigated_window), summary=f"watch after lifting {imposed.measure.name}")
        health = await self.look(Telemetry.impact, surface)
        if health.blind or health.error_ratio is None or health.error_ratio > policy.mitigated_error_ratio:
            self._comms.regressed()
            raise HandOver(f"lifting {imposed.measure.name} brought the impact back ({in_words(health)}); the rest stays in force")


def minutes(duration: timedelta) -> str:
    """A duration as it stands on the screen."""
    return f"{duration.total_seconds() / 60:g} min"


def in_words(health: ServiceHealth) -> str:
    """How a service does, in a few words."""
    if health.blind or health.error_ratio is None:
        return "no data: blind"
    return f"{health.error_ratio:.2%} of {health.requests:.0f} requests fail"
