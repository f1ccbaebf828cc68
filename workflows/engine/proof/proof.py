"""What counts as proof: the metrics, asked about whole windows. No verb's word, no missing data (design §4, Stability)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow

from activities.action import A, O, Role, Verb, action_of
from activities.metrics.telemetry import FOUR_WEEKS, Gate, ServiceHealth, StabilityVerdict, Surface, Telemetry
from workflows.engine.invoker import Invoker
from workflows.engine.measures import Imposed
from workflows.engine.proof.shadow import Shadow
from workflows.engine.state import IncidentState
from workflows.errors import HandOver, RetriesExhausted
from workflows.incident import State
from workflows.people.context import Announcer
from workflows.people.questions import Questions

AskWindow = Callable[[datetime, datetime], Awaitable[StabilityVerdict]]


@dataclass(frozen=True)
class Wait:
    """A wait for a window without any violation. `give_up`: asked at every violation or alarm, whether to stop waiting."""

    what: str
    window: timedelta
    within: timedelta | None = None
    give_up: Callable[[], Awaitable[bool]] | None = None


class Proof:
    """Waits for proof, and shows meanwhile what it waits for."""

    def __init__(self, state: IncidentState, invoker: Invoker, questions: Questions, announcer: Announcer) -> None:
        self._state = state
        self._invoker = invoker
        self._questions = questions
        self._announcer = announcer
        self._blind_since: datetime | None = None
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
            health = await self._impact(surface)
            await self.shadow.look_sometimes()
            if health.at_most(policy.mitigated_error_ratio):
                break
            if workflow.now() >= deadline and not state.shadow:  # in shadow mode people repair it, and take the time they need
                if await self._continue_unmitigated(in_words(health)):
                    state.waiting_for = ""
                    return
                deadline = workflow.now() + policy.paced(policy.mitigated_within)
                state.waiting_for = "customer impact to end, by the metrics"
        await self.shadow.look()
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

    async def stable(self, window: timedelta | None = None) -> None:
        """Wait until the service was stable for the whole window. A violation, a gap in the data or an alarm starts the window again."""
        gate, service = self._state.policy.stability, self._state.incident.service
        window = window or gate.window
        await self.holds(
            lambda start, end: self.look(Telemetry.stability, Gate(service=service, start=start, end=end, stability=gate)),
            Wait(f"{service} stable for {minutes(window)}", window),
        )
        self._state.stable_for = gate.window

    async def holds(self, ask: AskWindow, wait: Wait) -> bool:
        """Ask the metrics store about whole windows until one holds from end to end. False: not in time, or given up."""
        state, policy = self._state, self._state.policy
        if state.rehearsing:
            state.note("wait", f"{minutes(wait.window)}: until {wait.what}")
            return True
        start = workflow.now()
        deadline = start + policy.paced(wait.within) if wait.within else None
        while deadline is None or workflow.now() < deadline:
            state.alarm, state.waiting_for = "", wait.what
            end = start + policy.paced(wait.window)
            await self._sleep_unless_alarmed(self._left(end), wait.what)
            verdict = await ask(start, workflow.now())
            if wait.give_up is not None and (state.alarm or not verdict.stable) and await wait.give_up():
                return False
            if state.alarm:
                state.note("alarm", f"{state.alarm}: the window starts again")
                start = workflow.now()
            elif verdict.stable and workflow.now() < end:
                self._blind_since = None  # there is data again
            elif verdict.stable:
                self._blind_since, state.waiting_for = None, ""
                state.note("stable", wait.what)
                return True
            else:
                start = self._again_from(verdict, wait.what)
        state.note("given up", f"{wait.what}: not within {minutes(wait.within or timedelta(0))}")
        return False

    async def stop_at_a_regression(self, imposed: Imposed) -> None:
        """Watch after a lift; the impact coming back stops everything (design §4). Raises `HandOver`."""
        policy = self._state.policy
        if self._state.rehearsing or imposed.assumed:
            return
        await workflow.sleep(policy.paced(policy.mitigated_window), summary=f"watch after lifting {imposed.name}")
        health = await self._impact(Surface(service=self._state.incident.service, window=policy.mitigated_window))
        if not health.at_most(policy.mitigated_error_ratio):
            self._announcer.impact_returned()
            raise HandOver(f"lifting {imposed.name} brought the impact back ({in_words(health)}); the rest stays in force")

    async def _impact(self, surface: Surface) -> ServiceHealth:
        return await self.look(Telemetry.impact, surface)

    def _again_from(self, verdict: StabilityVerdict, what: str) -> datetime:
        blind = verdict.blind_at is not None and (verdict.violated_at is None or verdict.blind_at >= verdict.violated_at)
        self._state.note("blind" if blind else "violated", f"{what}: {verdict.why}; the window starts again")
        if blind:
            self._say_blind(verdict.why)
        else:
            self._blind_since = None
        at = verdict.blind_at if blind else verdict.violated_at
        return at or workflow.now()

    def _left(self, end: datetime) -> timedelta:
        """How long to sleep. While there is no data we look again sooner, so that people are paged in time."""
        left = end - workflow.now()
        return min(left, self._state.policy.paced(self._state.policy.stability.blind_page_after)) if self._blind_since else left

    def _say_blind(self, why: str) -> None:
        """Missing data is a fault of its own: it is posted to the room, and when it lasts, people are paged (spec §2.3, §7.1)."""
        self._announcer.say(f"BLIND: {why}. Nothing is called healthy on missing data.")
        policy = self._state.policy
        if self._blind_since is None:
            self._blind_since = workflow.now()
        if workflow.now() - self._blind_since >= policy.paced(policy.stability.blind_page_after):
            self._announcer.page((Role.INCIDENT_COMMANDER, Role.OPS_LEAD), f"metrics are missing: {why}")

    async def _sleep_unless_alarmed(self, left: timedelta, what: str) -> None:
        if left <= timedelta(0):
            return
        try:
            await workflow.wait_condition(lambda: bool(self._state.alarm), timeout=left, timeout_summary=what)
        except TimeoutError:
            return


def minutes(duration: timedelta) -> str:
    """A duration as it is shown."""
    return f"{duration.total_seconds() / 60:g} min"


def in_words(health: ServiceHealth) -> str:
    """How a service does, in a few words."""
    if health.blind or health.error_ratio is None:
        return "no data: blind"
    return f"{health.error_ratio:.2%} of {health.requests:.0f} requests fail"
