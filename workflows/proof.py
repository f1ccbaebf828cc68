"""What counts as proof: the metrics, asked about whole windows. No verb's word, no missing data (design §4, Stability)."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from temporalio import workflow

from activities.action import A, O, Verb, action_of
from activities.telemetry import FOUR_WEEKS, Gate, ServiceHealth, StabilityVerdict, Surface, Telemetry
from workflows.comms import Comms
from workflows.incident import State
from workflows.invoker import Invoker, RanOut
from workflows.measures import Imposed
from workflows.questions import Questions
from workflows.shadow import Shadow
from workflows.situation import HandOver, Situation


class Proof:
    """Waits for proof, and says in between what it waits for."""

    def __init__(self, situation: Situation, invoker: Invoker, questions: Questions, comms: Comms) -> None:
        self._situation = situation
        self._invoker = invoker
        self._questions = questions
        self._comms = comms
        self.shadow = Shadow(situation, invoker)

    async def look(self, verb: Verb[O, A], order: O) -> A:
        """A reading that is part of a wait, not a step of its own."""
        while True:
            try:
                return await self._invoker.quietly(verb, order)
            except RanOut as out:
                self._situation.note("blind", f"{order.effect()}: {out.why}")
                decision = await self._questions.repair(
                    action_of(verb), f"Cannot look: {order.effect()}", out.why, order=order, may_skip=False
                )
                if decision.verdict == "hand_over":
                    raise HandOver(f"cannot look ({out.why}); {decision.by} takes over") from out

    async def rest(self, duration: timedelta, why: str) -> None:
        """Let policy time pass."""
        if self._situation.rehearsing:
            self._situation.note("wait", f"{minutes(duration)}: {why}")
            return
        self._situation.waiting_for = why
        await workflow.sleep(self._situation.policy.paced(duration), summary=why)
        self._situation.waiting_for = ""

    async def until(self, instant: datetime, why: str) -> None:
        """Let time pass until an instant; at once when it is over."""
        if instant > workflow.now() and not self._situation.rehearsing:
            self._situation.waiting_for = why or self._situation.waiting_for
            await workflow.sleep(instant - workflow.now(), summary=why or None)

    async def stable(self, for_: timedelta | None = None) -> None:
        """Wait until the service was stable for the whole window. A violation, a gap in the data or an alarm starts the window again."""
        gate = self._situation.policy.stability
        window = for_ or gate.window
        await self.holds(
            lambda start, end: self.look(
                Telemetry.stability, Gate(service=self._situation.incident.service, start=start, end=end, stability=gate)
            ),
            window,
            f"{self._situation.incident.service} stable for {minutes(window)}",
        )
        self._situation.stable_for = gate.window

    async def holds(
        self, gate: Callable[[datetime, datetime], Awaitable[StabilityVerdict]], window: timedelta, what: str, *,
        within: timedelta | None = None, give_up: Callable[[], Awaitable[bool]] | None = None,
    ) -> bool:  # fmt: skip
        """Ask the metrics store about whole windows until one holds from end to end. False: not `within` that time, or given up."""
        situation, length = self._situation, self._situation.policy.paced(window)
        if situation.rehearsing:
            situation.note("wait", f"{minutes(window)}: until {what}")
            return True
        start = workflow.now()
        deadline = start + self._situation.policy.paced(within) if within else None
        while deadline is None or workflow.now() < deadline:
            situation.alarm = ""
            situation.waiting_for = what
            await self._sleep_unless_alarmed(start + length - workflow.now(), what)
            verdict = await gate(start, workflow.now())
            if give_up is not None and (situation.alarm or not verdict.stable) and await give_up():
                return False
            if situation.alarm:
                situation.note("alarm", f"{situation.alarm}: the window starts again")
                start = workflow.now()
            elif verdict.stable:
                situation.waiting_for = ""
                situation.note("held", what)
                return True
            else:
                start = self._again_from(verdict, what)
        situation.note("given up", f"{what}: not within {minutes(within or timedelta(0))}")
        return False

    def _again_from(self, verdict: StabilityVerdict, what: str) -> datetime:
        blind = verdict.blind_at is not None and (verdict.violated_at is None or verdict.blind_at >= verdict.violated_at)
        kind = "blind" if blind else "violated"
        self._situation.note(kind, f"{what}: {verdict.why}; the window starts again")
        if blind:
            self._comms.said(f"BLIND: {verdict.why}. Nothing is called healthy on missing data.")
        at = verdict.blind_at if blind else verdict.violated_at
        return at or workflow.now()

    async def _sleep_unless_alarmed(self, left: timedelta, what: str) -> None:
        if left <= timedelta(0):
            return
        try:
            await workflow.wait_condition(lambda: bool(self._situation.alarm), timeout=left, timeout_summary=what)
        except TimeoutError:
            return

    async def until_mitigated(self) -> None:
        """Wait until the customers' impact has ended, by the metrics and on no verb's word; in the end a person decides."""
        situation, policy = self._situation, self._situation.policy
        if situation.rehearsing:
            situation.note("wait", "until the customers' impact has ended, by the metrics")
            return
        deadline = workflow.now() + policy.paced(policy.mitigated_within)
        surface = Surface(service=situation.incident.service, window=policy.mitigated_window)
        while True:
            situation.waiting_for = "customer impact to end, by the metrics"
            await workflow.sleep(policy.paced(policy.mitigated_window), summary="look whether the impact has ended")
            health = await self.look(Telemetry.impact, surface)
            await self.shadow.glance()
            if not health.blind and health.error_ratio is not None and health.error_ratio <= policy.mitigated_error_ratio:
                await self.shadow.look()
                break
            if workflow.now() < deadline or situation.shadow:  # in shadow mode people mend it, in their own time
                continue
            if await self._carry_on_unmitigated(in_words(health)):
                situation.waiting_for = ""
                return
            deadline = workflow.now() + policy.paced(policy.mitigated_within)
        situation.waiting_for = ""
        situation.mitigated_at, situation.state = workflow.now(), State.MITIGATED
        situation.note("mitigated", in_words(health), error_ratio=health.error_ratio)
        await self._toll(workflow.now())

    async def _toll(self, ended: datetime) -> None:
        """What the impact has cost customers, from its onset: kept for the post-mortem while the metrics have it (seed §4.2)."""
        situation, policy = self._situation, self._situation.policy
        lasted = (ended - (situation.incident.started_at or situation.declared_at)) * policy.pace
        over = Surface(service=situation.incident.service, window=max(lasted, policy.mitigated_window))
        try:
            met = await self._invoker.quietly(Telemetry.impact, over)
            radius = await self._invoker.quietly(Telemetry.blast_radius, over)
        except RanOut as out:
            situation.note("impact", f"not measured: {out.why}")
            return
        if met.blind or met.error_ratio is None:
            situation.note("impact", "not measured: the metrics are blind")
            return
        share = met.error_ratio / (1 - policy.stability.slo_target) * (over.window / FOUR_WEEKS)
        situation.note(
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
        policy = self._situation.policy
        if self._situation.rehearsing or imposed.assumed:
            return
        surface = Surface(service=self._situation.incident.service, window=policy.mitigated_window)
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
