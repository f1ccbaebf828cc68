"""Returning to the primary in small steps, each proven by a sequential test; and staying away from it in a person's name (spec §7.1)."""

from collections.abc import Sequence

from activities.action import Grant, Role
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
from workflows.playbooks.llm_provider_outage.traffic import Traffic


class CanaryBack:
    def __init__(self, verbs: Verbs, traffic: Traffic) -> None:
        self._verbs, self._traffic, self._policy = verbs, traffic, verbs.policy.provider_outage
        self.fallback_failed = False  # whether the latest return ended because the fallback provider fails

    async def back_on_the_primary(self, tenants: Sequence[str], fallback: Candidate | None) -> bool:
        """Wait for the primary and return to it. False: we stay on the fallback provider, or it has failed."""
        verbs, traffic = self._verbs, self._traffic
        self.fallback_failed = False
        if tenants and fallback is not None and traffic.imposed is not None:
            return await self._canary_back(tenants, fallback)
        if not await self._primary_healthy(None):
            verbs.hand_over(f"{traffic.primary} does not come back, and there is no fallback provider")
        if fallback is None or traffic.imposed is None:
            return True
        # Everybody is degraded, so no share of traffic could prove anything: the route returns first, the tenants when they are restored.
        back = Shift(route=traffic.route, tenants=EVERYBODY, weights={traffic.primary: 1.0}, purpose="return")
        facts = ("all are on retrieval only: no traffic moves by this",)
        return await self._returned(bool(await verbs.impose(FAILED_OVER, back, onto=traffic.imposed, facts=facts)), fallback)

    async def _primary_healthy(self, fallback: Candidate | None) -> bool:
        """Wait until the flap lock is over, and the primary was healthy long enough.

        False when it takes longer than policy waits, or when the fallback provider fails meanwhile (then `fallback_failed` says so).
        """
        verbs, policy, primary, over = self._verbs, self._policy, self._traffic.primary, self._traffic.no_return_before
        while verbs.clock() < over:
            look = min(over, verbs.clock() + verbs.policy.paced(policy.log_window))
            await verbs.until(look, f"flap lock: no return before {over:%H:%M:%S} UTC")
            if fallback is not None and await self._fallback_fails(fallback):
                return False
        return await verbs.holds(
            lambda start, end: verbs.read(
                Telemetry.provider_health, ProviderGate(provider=primary, start=start, end=end, most_errors=policy.healthy_error_ratio)
            ),
            Wait(
                f"{primary} healthy for {minutes(policy.healthy_for)}",
                policy.healthy_for,
                within=policy.longest_wait_for_primary,
                give_up=None if fallback is None else lambda: self._fallback_fails(fallback),
            ),
        )

    async def _fallback_fails(self, fallback: Candidate) -> bool:
        calls = await self._verbs.read(Models.calls, self._traffic.latest_calls())
        self.fallback_failed = self._traffic.failing(calls, fallback.id)
        if self.fallback_failed:
            self._verbs.note(f"{fallback.id} fails too")
        return self.fallback_failed

    async def _canary_back(self, tenants: Sequence[str], fallback: Candidate) -> bool:
        """False: we stay where we are, because a person decided so."""
        canary, climbed = self._policy.canary, None
        for attempt in range(canary.attempts):
            climbed = await self._climb(tenants, fallback) if await self._primary_healthy(fallback) else None
            if climbed is not False:
                break
            self._traffic.lock(min(canary.back_off * 2**attempt, canary.longest_back_off))
        return False if self.fallback_failed else await self._returned(bool(climbed), fallback)

    async def _returned(self, everything: bool, fallback: Candidate) -> bool:
        """Everything is back and the failover has ended; otherwise we stay on the fallback provider, when a named person takes it over."""
        verbs, primary = self._verbs, self._traffic.primary
        if everything:
            for imposed in verbs.in_force(FAILED_OVER):
                verbs.ended(imposed)
            return True
        decision = await verbs.confirm(
            QuestionDraft(
                asks=f"Stay on {fallback.id}? The return to {primary} has failed",
                roles=(Role.INCIDENT_COMMANDER, Role.AI_ML_LEAD),
                effect=f"the failover stays in force in your name, and so do the degraded tenants, which only {primary} can serve. "
                "This incident does not try again",
                inverse="declare again when the primary is well",
            )
        )  # fmt: skip
        if not decision.granted:
            verbs.hand_over(f"the traffic is on {fallback.id} and {decision.by} will not leave it there")
        for imposed in (*verbs.in_force(FAILED_OVER), *verbs.in_force(DEGRADED)):
            verbs.keep(imposed, decision.by)
        return False

    async def _climb(self, tenants: Sequence[str], fallback: Candidate) -> bool | None:
        """One attempt. True: everything is back. False: aborted. None: it was not approved."""
        verbs, policy, canary, traffic = self._verbs, self._policy, self._policy.canary, self._traffic
        load = await verbs.do(Models.calls, Log(route=traffic.route, window=policy.log_window))
        weights = ladder(canary, load.n(fallback.id) / policy.log_window.total_seconds())
        shifts = {weight: self._step_back(tenants, fallback, weight) for weight in weights if weight}
        terms = ApprovalTerms(
            asks=f"Canary back from {fallback.id} to {traffic.primary}?",
            facts=(
                f"steps: probes only, then {', '.join(f'{w:.1%}' for w in weights if w)}; at least {minutes(canary.min_dwell)} each",
                f"back at once when more than {canary.p_bad:.0%} of the answers are bad; a veto or no data stops it",
            ),
            lasting=(canary.max_dwell + canary.hold) * len(weights),
        )
        before = await verbs.read(Models.route, RouteOf(route=traffic.route))
        decision = await verbs.approve_all(Models.shift, [shift.given(before) for shift in shifts.values()], terms)
        if decision.grant is None:
            return None
        traffic.lock(policy.returns_apart)
        for n, weight in enumerate(weights, start=1):
            order = Watch(
                route=traffic.route, provider=traffic.primary, control=fallback.id, weight=weight, step=n, steps=len(weights),
                lease_ticks=canary.lease_ticks if weight < 1 else 0, policy=canary, cost_ratio=policy.cost_ratio,
                quality_drop=policy.quality_drop, epoch=0,
            )  # fmt: skip
            if not await self._stand_on(order, shifts.get(weight), decision.grant):
                await traffic.fall_back(tenants, {fallback.id: 1.0}, traffic.imposed)
                traffic.lock(policy.flap_lock)
                return False
        return True

    def _step_back(self, tenants: Sequence[str], fallback: Candidate, weight: float) -> Shift:
        route, primary, canary = self._traffic.route, self._traffic.primary, self._policy.canary
        if weight >= 1:
            return Shift(route=route, tenants=EVERYBODY, weights={primary: 1.0}, purpose="canary back")
        return Shift(
            route=route, tenants=tuple(tenants), weights={primary: weight, fallback.id: round(1 - weight, 6)}, purpose="canary back",
            lease_seconds=canary.lease_ticks * canary.tick.total_seconds(), safe_weights={fallback.id: 1.0},
        )  # fmt: skip

    async def _stand_on(self, order: Watch, shift: Shift | None, grant: Grant) -> bool:
        """Stand on one step until there is enough evidence. True: go to the next. False: fall back."""
        verbs = self._verbs
        while True:
            if verbs.clock() > grant.expires_at:
                verbs.note("Failback approval expired: falling back; another attempt is asked for again")
                return False
            if shift is not None and not await verbs.impose(FAILED_OVER, shift, under=grant, onto=self._traffic.imposed):
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
            if watched.verdict is Verdict.ABORT:
                return False
            # HOLD is a durable state with an owner and two exits: a named person goes on, or it is aborted (spec §7.1: never promote in doubt).
            decision = await verbs.confirm(
                QuestionDraft(
                    asks=f"The canary is undecided at {order.weight:.1%}: {watched.reason}. Watch on?",
                    roles=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER), effect="stay on this step and gather more evidence",
                    inverse="decline: return to the fallback provider", silence=Silence.ABORT,
                )
            )  # fmt: skip
            if not decision.granted:
                return False

    async def _watch(self, order: Watch) -> Watched | None:
        """The watching activity, stopped at once by an alarm in scope. None: vetoed."""
        route = await self._verbs.read(Models.route, RouteOf(route=order.route))
        return await self._verbs.until_alarmed(Models.watch, order.model_copy(update={"epoch": route.epoch}))
