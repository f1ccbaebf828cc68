"""Returning to the primary in small steps, each proven by a sequential test; and staying away from it in a person's name (spec §7.1)."""

import asyncio
from collections.abc import Sequence

from temporalio import workflow

from activities.action import Grant, Role, action_of
from activities.metrics.telemetry import ProviderGate, Telemetry
from activities.models.canary_core import Verdict, ladder
from activities.models.candidates import Candidate
from activities.models.logs import Log
from activities.models.models import FAILED_OVER, Models
from activities.models.modes import DEGRADED
from activities.models.routes import EVERYBODY, RouteOf, Shift, Watch, Watched
from workflows.engine.proof.proof import Wait, minutes
from workflows.engine.verbs import Verbs
from workflows.incident import QuestionDraft, Silence
from workflows.people.questions import ApprovalTerms
from workflows.playbooks.llm_provider_outage.route import Route
from workflows.status import StepState


class CanaryBack:
    def __init__(self, verbs: Verbs, route: Route) -> None:
        self._verbs = verbs
        self._policy = verbs.policy.provider_outage
        self._route = route
        self._primary = route.primary
        self.fallback_failed = False

    async def back_on_the_primary(self, tenants: Sequence[str], fallback: Candidate | None) -> bool:
        """Without traffic on a fallback provider there is nothing to canary, only to wait for."""
        self.fallback_failed = False
        if tenants and fallback is not None and self._route.imposed is not None:
            return await self._canary_back(tenants, fallback)
        if not await self._primary_healthy(None):
            self._verbs.hand_over(f"{self._primary} does not come back, and there is no fallback provider")
        return fallback is None or self._route.imposed is None or await self._return_without_traffic(fallback)

    # -- waiting for the primary ------------------------------------------------------------------------------------------------------

    async def _primary_healthy(self, fallback: Candidate | None) -> bool:
        """Wait until the primary was healthy long enough, and the flap lock is over.

        False when it takes longer than policy waits, or when the fallback provider fails meanwhile (then `fallback_failed` says so).
        """
        verbs, policy = self._verbs, self._policy
        if not await self._lock_over(fallback):
            return False
        return await verbs.holds(
            lambda start, end: verbs.read(
                Telemetry.provider_health,
                ProviderGate(provider=self._primary, start=start, end=end, most_errors=policy.healthy_error_ratio),
            ),
            Wait(
                f"{self._primary} healthy for {minutes(policy.healthy_for)}",
                policy.healthy_for,
                within=policy.longest_wait_for_primary,
                give_up=None if fallback is None else lambda: self._fallback_fails(fallback),
            ),
        )

    async def _lock_over(self, fallback: Candidate | None) -> bool:
        """Wait until a return is allowed again, and look at the fallback provider meanwhile. False: it fails."""
        verbs, over = self._verbs, self._route.no_return_before
        while workflow.now() < over:
            look = min(over, workflow.now() + verbs.policy.paced(self._policy.log_window))
            await verbs.until(look, f"flap lock: no return before {over:%H:%M:%S} UTC")
            if fallback is not None and await self._fallback_fails(fallback):
                return False
        return True

    async def _fallback_fails(self, fallback: Candidate) -> bool:
        calls = await self._verbs.read(Models.calls, self._route.log())
        self.fallback_failed = calls.failed_share(fallback.id) > self._policy.error_ratio
        if self.fallback_failed:
            self._verbs.note(f"{fallback.id} fails too")
        return self.fallback_failed

    # -- the return -------------------------------------------------------------------------------------------------------------------

    async def _return_without_traffic(self, fallback: Candidate) -> bool:
        """Everybody is degraded, so no share of traffic could prove anything: the route returns first, the tenants when they are restored."""
        route = self._route
        back = Shift(route=route.name, tenants=EVERYBODY, weights={self._primary: 1.0}, purpose="return")
        facts = ("all are on retrieval only: no traffic moves by this",)
        if not await self._verbs.impose(FAILED_OVER, back, onto=route.imposed, facts=facts):
            return await self._stay(fallback)
        self._discharge()
        return True

    async def _canary_back(self, tenants: Sequence[str], fallback: Candidate) -> bool:
        """False: we stay where we are, because a person decided so."""
        canary = self._policy.canary
        for attempt in range(canary.attempts):
            if not await self._primary_healthy(fallback):
                break
            climbed = await self._climb(tenants, fallback)
            if climbed is None:
                break
            if climbed:
                self._discharge()
                return True
            self._route.lock(min(canary.back_off * 2**attempt, canary.longest_back_off))
        return False if self.fallback_failed else await self._stay(fallback)

    def _discharge(self) -> None:
        for imposed in self._verbs.in_force(FAILED_OVER):
            self._verbs.ended(imposed)

    async def _climb(self, tenants: Sequence[str], fallback: Candidate) -> bool | None:
        """One attempt. True: everything is back. False: aborted. None: it was not approved."""
        verbs, canary, route = self._verbs, self._policy.canary, self._route
        load = await verbs.do(Models.calls, Log(route=route.name, window=self._policy.log_window))
        weights = ladder(canary, load.n(fallback.id) / self._policy.log_window.total_seconds())
        shifts = {weight: self._step_back(tenants, fallback, weight) for weight in weights if weight}
        terms = ApprovalTerms(
            asks=f"Canary back from {fallback.id} to {self._primary}?",
            facts=(
                f"steps: probes only, then {', '.join(f'{w:.1%}' for w in weights if w)}; at least {minutes(canary.min_dwell)} each",
                f"back at once when more than {canary.p_bad:.0%} of the answers are bad; a veto or no data stops it",
            ),
            lasting=(canary.max_dwell + canary.hold) * len(weights),
        )
        decision = await verbs.approve_all(Models.shift, list(shifts.values()), terms)
        if decision.grant is None:
            return None
        route.lock(self._policy.returns_apart)
        for n, weight in enumerate(weights):
            order = self._watch_order(fallback, weight, (n + 1, len(weights)))
            if not await self._stand_on(order, shifts.get(weight), decision.grant):
                await route.fall_back(tenants, {fallback.id: 1.0}, route.imposed)
                route.lock(self._policy.flap_lock)
                return False
        return True

    async def _stand_on(self, order: Watch, shift: Shift | None, grant: Grant) -> bool:
        """Stand on one step until there is enough evidence. True: go to the next. False: fall back."""
        verbs = self._verbs
        while True:
            if workflow.now() > grant.expires_at:
                verbs.note("Failback approval expired: falling back; another attempt is asked for again")
                return False
            if shift is not None and not await verbs.impose(FAILED_OVER, shift, under=grant, onto=self._route.imposed):
                return False
            if verbs.assumes(Models.watch):
                return True
            watched = await self._watch(order)
            if watched is None:
                return False
            await verbs.until(watched.ended_at, "")
            if watched.lapsed:
                verbs.note(f"the lease expired while nobody watched: everything is on {order.control}; the step is repeated")
                continue
            if watched.verdict is Verdict.ADVANCE:
                return True
            verbs.note(f"canary {watched.verdict}: {watched.reason}")
            if watched.verdict is Verdict.ABORT or not await self._watch_on(order.weight, watched):
                return False

    def _watch_order(self, fallback: Candidate, weight: float, step: tuple[int, int]) -> Watch:
        policy = self._policy
        return Watch(
            route=self._route.name, provider=self._primary, control=fallback.id, weight=weight, step=step[0], steps=step[1],
            lease_ticks=policy.canary.lease_ticks if weight < 1 else 0, policy=policy.canary, cost_ratio=policy.cost_ratio,
            quality_drop=policy.quality_drop, epoch=0,
        )  # fmt: skip

    async def _watch(self, order: Watch) -> Watched | None:
        """The watching activity, stopped at once by an alarm in scope. None: vetoed."""
        verbs, state = self._verbs, self._verbs.state
        route = await verbs.read(Models.route, RouteOf(route=self._route.name))
        state.alarm = ""
        watch = asyncio.create_task(verbs.do(Models.watch, order.model_copy(update={"epoch": route.epoch})))
        await workflow.wait_condition(lambda: watch.done() or bool(state.alarm))
        if watch.done():
            return await watch
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        watching = next(s for s in reversed(state.steps) if s.verb == action_of(Models.watch).name)
        state.end(watching, StepState.FAILED, f"vetoed: {state.alarm}")
        return None

    async def _watch_on(self, weight: float, watched: Watched) -> bool:
        """HOLD is a durable state with an owner and two exits: a named person goes on, or it is aborted (spec §7.1: never promote in doubt)."""
        decision = await self._verbs.confirm(
            QuestionDraft(
                asks=f"The canary is undecided at {weight:.1%}: {watched.reason}. Watch on?",
                roles=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER), effect="stay on this step and gather more evidence",
                inverse="decline: return to the fallback provider", silence=Silence.ABORT,
            )
        )  # fmt: skip
        return decision.granted

    async def _stay(self, fallback: Candidate) -> bool:
        """Stay on the fallback provider: allowed, when a named person takes it over."""
        verbs = self._verbs
        decision = await verbs.confirm(
            QuestionDraft(
                asks=f"Stay on {fallback.id}? The return to {self._primary} has failed",
                roles=(Role.INCIDENT_COMMANDER, Role.AI_ML_LEAD),
                effect=f"the failover stays in force in your name, and so do the degraded tenants, which only {self._primary} can serve. "
                "This incident does not try again",
                inverse="declare again when the primary is well",
            )
        )  # fmt: skip
        if not decision.granted:
            verbs.hand_over(f"the traffic is on {fallback.id} and {decision.by} will not leave it there")
        for imposed in (*verbs.in_force(FAILED_OVER), *verbs.in_force(DEGRADED)):
            verbs.keep(imposed, decision.by)
        return False

    def _step_back(self, tenants: Sequence[str], fallback: Candidate, weight: float) -> Shift:
        if weight >= 1:
            return Shift(route=self._route.name, tenants=EVERYBODY, weights={self._primary: 1.0}, purpose="canary back")
        canary = self._policy.canary
        return Shift(
            route=self._route.name, tenants=tuple(tenants), weights={self._primary: weight, fallback.id: round(1 - weight, 6)},
            purpose="canary back", lease_seconds=canary.lease_ticks * canary.tick.total_seconds(), safe_weights={fallback.id: 1.0},
        )  # fmt: skip
