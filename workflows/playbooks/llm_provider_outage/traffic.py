"""Moving traffic between providers: a ramp there, a canary back. The decisions stay in the playbook; how a ramp climbs is written here once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from temporalio import workflow

from activities.action import Grant, Role, action_of
from activities.metrics.telemetry import BlastRadius, ProviderGate, Telemetry
from activities.models.canary_core import Verdict, ladder
from activities.models.models import DEGRADED, FAILED_OVER, Models
from activities.models.orders import SHED_FIRST, Calls, Candidate, ErrorClass, Log, Probed, Served, TenantSplit, Watch, Watched
from activities.models.route_orders import EVERYBODY, RouteOf, Shift
from workflows.engine.measures import Imposed
from workflows.incident import Silence
from workflows.severity.facts import Facts, Scope, Slo
from workflows.status import StepState

if TYPE_CHECKING:
    from workflows.playbook import Playbook


@dataclass(frozen=True)
class Ramped:
    """How far a ramp came: the share it reached, and what stopped it."""

    reached: float = 0.0
    to: str = ""
    silent: bool = False
    declined: bool = False
    saturated: bool = False

    def __bool__(self) -> bool:
        return self.reached >= 1.0


class Traffic:
    """The traffic of one route, between its primary and its fallback provider."""

    def __init__(self, playbook: "Playbook", route: str, primary: str) -> None:
        self._playbook = playbook
        self._policy = playbook.policy.provider_outage
        self.route = route
        self.primary = primary
        self._not_before = workflow.now()  # no return to the primary earlier than this
        self.fallback_failed = False

    def not_an_outage(self, calls: Calls) -> str:
        """Why this is another playbook's incident (spec §9.2, error classes), or "" when the provider itself is failing."""
        meant = {
            ErrorClass.SPEND_CAP: "our spend cap is hit, the provider is well: §2.6 cost runaway",
            ErrorClass.AUTH: "our key is refused: §2.10 secret compromise",
            ErrorClass.BAD_REQUEST: "our requests are refused as malformed: §2.7, roll the prompt back",
            ErrorClass.CONTENT_FILTER: "the provider's content filter trips: §2.3 prompt injection",
        }
        return meant.get(calls.dominant(self.primary), "") if calls.failed_share(self.primary) > self._policy.error_ratio else ""

    def carried(self, tenants: TenantSplit, by: Candidate | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Who the fallback provider takes: all who permit it, or as many as it has room for, by priority tier (A.2 M3); and who is crowded out."""
        headroom = self._policy.headroom
        return (tenants.movable, ()) if by is None or by.carries(headroom) >= 1 else tenants.by_priority(by.free_rps / headroom)

    def facts(self, probed: Probed, fallback: Candidate | None, degraded: Sequence[str], radius: BlastRadius) -> Facts:
        """What triage found, in the words of the severity function. A fallback that some tenants cannot use is not adequate."""
        return Facts(
            provider_down=not probed.ok,
            fallback_adequate=fallback is not None and not degraded,
            provider_spend_cap=probed.spend_capped,
            err_ratio=radius.error_ratio_by_region,
            duration_s=self._policy.log_window.total_seconds(),
            regions_total=len(radius.error_ratio_by_region) or None,
            scope=Scope.FEATURE,
            tenant_ratio=radius.tenant_ratio,
            tenant_count=len(radius.tenants),
            slo=Slo.LIKELY,
        )

    def tiers(self, tenants: TenantSplit, moving: Sequence[str]) -> tuple[str, ...]:
        counted = {tier: sum(tenants.tiers.get(t) == tier for t in moving) for tier in reversed(SHED_FIRST)}
        return ("tenants: " + ", ".join(f"{n} {tier}" for tier, n in counted.items() if n),) if any(counted.values()) else ()

    def reasons(self, tenants: TenantSplit, crowded: Sequence[str], by: Candidate | None) -> tuple[str, ...]:
        said = sorted({tenants.reasons.get(t, "not permitted") for t in tenants.stuck})
        no_room = (f"{', '.join(crowded)}: {by.id} has room for {by.free_rps:g} requests/s only",) if by and crowded else ()
        return ((f"{', '.join(tenants.stuck)}: {'; '.join(said)[:200]}",) if tenants.stuck else ()) + no_room

    async def fail_over(self, tenants: Sequence[str], to: Candidate | None, facts: tuple[str, ...] = ()) -> Ramped:
        """Ramp these tenants to a candidate in steps, because a step change can topple it. One question for the whole ramp, unless within limits."""
        playbook, policy = self._playbook, self._policy
        if to is None or not tenants:
            playbook.note("no provider can take over: nobody healthy, evaluated, permitted and large enough")
            return Ramped(reached=0.0 if tenants else 1.0)
        shifts = [self._shift(tenants, to, share) for share in policy.ramp]
        grant: Grant | None = None
        if playbook.changes.needs_asking(Models.shift, shifts[-1]):
            decision = await playbook.changes.plan(
                Models.shift,
                shifts,
                asks=f"Fail {len(tenants)} tenants over from {self.primary} to {to.id}?",
                facts=(
                    *facts,
                    f"parity {to.parity:.0%}, price ×{to.price_ratio:g}",
                    f"room for {to.carries(policy.headroom):.0%} of the load with ×{policy.headroom:g} to spare",
                    f"in steps of {', '.join(f'{share:.0%}' for share in policy.ramp)}, {_minutes(policy.ramp_step)} each",
                ),
                silence=Silence.SAFE,
                lasting=timedelta(hours=2),
            )
            if decision.grant is None:
                return Ramped(to=to.id, silent=decision.silent, declined=not decision.silent)
            grant = decision.grant
        return await self._ramp(tenants, to, shifts, grant)

    async def _ramp(self, tenants: Sequence[str], to: Candidate, shifts: Sequence[Shift], grant: Grant | None) -> Ramped:
        playbook, policy = self._playbook, self._policy
        reached, imposed = 0.0, self.imposed
        for share, shift in zip(policy.ramp, shifts, strict=True):
            proposed = await playbook.impose(FAILED_OVER, shift, under=grant, onto=imposed)
            if not proposed:
                return Ramped(reached, to.id)
            imposed = proposed.imposed
            self._lock(policy.flap_lock)
            await playbook.rest(policy.ramp_step, f"watch {to.id} carry {share:.0%}")
            await playbook.do(Models.served, Served(route=self.route, window=policy.ramp_step))
            if await self._failing(to.id):
                await self._fall_back(tenants, {to.id: reached, self.primary: 1 - reached} if reached else {self.primary: 1.0}, imposed)
                return Ramped(reached, to.id, saturated=True)
            reached = share
        return Ramped(reached, to.id)

    def lowest_tier(self, split: TenantSplit, among: Sequence[str]) -> tuple[str, ...]:
        """The tenants to degrade first so that the rest may be served."""
        for tier in SHED_FIRST:
            found = tuple(t for t in among if split.tiers.get(t) == tier)
            if found and len(found) < len(among):
                return found
        return tuple(among)

    @property
    def imposed(self) -> Imposed | None:
        """The failover that is in force."""
        return next(iter(self._playbook.state.measures.of(FAILED_OVER)), None)

    async def primary_healthy(self, fallback: Candidate | None) -> bool:
        """Wait until the primary was healthy long enough, and the flap lock is over.

        False when it takes longer than we would wait, or when the fallback provider fails meanwhile (then `fallback_failed` says so).
        """
        playbook, policy = self._playbook, self._policy
        if not await self._lock_over(fallback):
            return False
        return await playbook.proof.holds(
            lambda start, end: playbook.proof.look(
                Telemetry.provider_health,
                ProviderGate(provider=self.primary, start=start, end=end, most_errors=policy.healthy_error_ratio),
            ),
            policy.healthy_for,
            f"{self.primary} healthy for {_minutes(policy.healthy_for)}",
            within=policy.longest_wait_for_primary,
            give_up=None if fallback is None else lambda: self._fallback_fails(fallback),
        )

    async def _lock_over(self, fallback: Candidate | None) -> bool:
        """Wait until a return is allowed again, with an eye on the fallback provider. False: it fails."""
        playbook, over = self._playbook, self._not_before
        while workflow.now() < over:
            look = min(over, workflow.now() + playbook.policy.paced(self._policy.log_window))
            await playbook.proof.until(look, f"flap lock: no return before {over:%H:%M:%S} UTC")
            if fallback is not None and await self._fallback_fails(fallback):
                return False
        return True

    def _lock(self, duration: timedelta) -> None:
        """No return for so long from now: a provider that comes and goes must not take the traffic with it."""
        if self._playbook.state.rehearsing:
            return
        self._not_before = max(self._not_before, workflow.now() + self._playbook.policy.paced(duration))

    async def _fallback_fails(self, fallback: Candidate) -> bool:
        order = Log(route=self.route, window=self._policy.ramp_step)
        calls = await self._playbook.proof.look(Models.calls, order)
        self.fallback_failed = calls.failed_share(fallback.id) > self._policy.error_ratio
        if self.fallback_failed:
            self._playbook.note(f"{fallback.id} fails too")
        return self.fallback_failed

    async def back_on_the_primary(self, tenants: Sequence[str], fallback: Candidate | None) -> bool:
        """Wait for the primary and return to it. Without traffic on a fallback provider there is nothing to canary, only to wait for."""
        self.fallback_failed = False
        if tenants and fallback is not None and self.imposed is not None:
            return await self._canary_back(tenants, fallback)
        if not await self.primary_healthy(None):
            self._playbook.hand_over(f"{self.primary} does not come back, and there is no fallback provider")
        return fallback is None or self.imposed is None or await self._return_without_traffic(fallback)

    async def _return_without_traffic(self, fallback: Candidate) -> bool:
        """Everybody is degraded, so no share of traffic could prove anything: the route returns first, the tenants when they are restored."""
        playbook = self._playbook
        back = Shift(route=self.route, tenants=EVERYBODY, weights={self.primary: 1.0}, purpose="return")
        if not await playbook.impose(FAILED_OVER, back, onto=self.imposed, facts=("all are on retrieval only: no traffic moves by this",)):
            return await self._stay(fallback)
        playbook.changes.discharge(FAILED_OVER)
        return True

    async def _canary_back(self, tenants: Sequence[str], fallback: Candidate) -> bool:
        """Return to the primary in small steps, each proven by a sequential test. False: we stay where we are, by a person's word."""
        canary = self._policy.canary
        for attempt in range(canary.attempts):
            if not await self.primary_healthy(fallback):
                break
            climbed = await self._climb(tenants, fallback)
            if climbed is None:
                break
            if climbed:
                self._playbook.changes.discharge(FAILED_OVER)
                return True
            self._lock(min(canary.back_off * 2**attempt, canary.longest_back_off))
        return False if self.fallback_failed else await self._stay(fallback)

    async def _climb(self, tenants: Sequence[str], fallback: Candidate) -> bool | None:
        """One attempt. True: everything is back. False: aborted. None: nobody wants it."""
        playbook, canary = self._playbook, self._policy.canary
        load = await playbook.do(Models.calls, Log(route=self.route, window=self._policy.log_window))
        per_second = load.n(fallback.id) / self._policy.log_window.total_seconds()
        weights = ladder(canary, per_second)
        shifts = {weight: self._step_back(tenants, fallback, weight) for weight in weights if weight}
        decision = await playbook.changes.plan(
            Models.shift,
            list(shifts.values()),
            asks=f"Canary back from {fallback.id} to {self.primary}?",
            facts=(
                f"steps: probes only, then {', '.join(f'{w:.1%}' for w in weights if w)}; at least {_minutes(canary.min_dwell)} each",
                f"back at once when more than {canary.p_bad:.0%} of the answers are bad; a veto or no data stops it",
            ),
            lasting=(canary.max_dwell + canary.hold) * len(weights),
        )
        if decision.grant is None:
            return None
        self._lock(self._policy.returns_apart)
        for step, weight in enumerate(weights):
            if not await self._hold_step(tenants, fallback, shifts.get(weight), weight, (step + 1, len(weights)), decision.grant):
                return False
        return True

    async def _hold_step(
        self, tenants: Sequence[str], fallback: Candidate, shift: Shift | None, weight: float, step: tuple[int, int], grant: Grant
    ) -> bool:
        """Stand on one step until the evidence is in. True: climb on. False: we fell back."""
        playbook = self._playbook
        while True:
            if workflow.now() > grant.expires_at:
                playbook.note("the approval of this return is over: falling back; another attempt is asked for again")
                return await self._fell_back(tenants, fallback)
            if shift is not None and not await playbook.impose(FAILED_OVER, shift, under=grant, onto=self.imposed):
                return await self._fell_back(tenants, fallback)
            if playbook.state.assumes(action_of(Models.watch)):
                return True
            watched = await self._watch(fallback, weight, step)
            if watched is None:
                return await self._fell_back(tenants, fallback)
            await playbook.proof.until(watched.ended_at, "")
            if watched.lapsed:
                playbook.note(f"the lease lapsed while nobody watched: everything is on {fallback.id}; standing on the step again")
                continue
            if watched.verdict is Verdict.ADVANCE:
                return True
            playbook.note(f"canary {watched.verdict}: {watched.reason}")
            if watched.verdict is Verdict.ABORT or not await self._go_on(weight, watched):
                return await self._fell_back(tenants, fallback)

    async def _watch(self, fallback: Candidate, weight: float, step: tuple[int, int]) -> Watched | None:
        """The watching activity, stopped at once by an alarm in scope. None: vetoed."""
        playbook, state, policy = self._playbook, self._playbook.state, self._policy
        route = await playbook.proof.look(Models.route, RouteOf(route=self.route))
        order = Watch(
            route=self.route, provider=self.primary, control=fallback.id, weight=weight, step=step[0], steps=step[1], epoch=route.epoch,
            lease_ticks=policy.canary.lease_ticks if weight < 1 else 0, policy=policy.canary, cost_ratio=policy.cost_ratio,
            quality_drop=policy.quality_drop,
        )  # fmt: skip
        state.alarm = ""
        watch = asyncio.create_task(playbook.do(Models.watch, order))
        await workflow.wait_condition(lambda: watch.done() or bool(state.alarm))
        if watch.done():
            return await watch
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        watching = next(s for s in reversed(state.steps) if s.verb == action_of(Models.watch).name)
        state.end(watching, StepState.FAILED, f"vetoed: {state.alarm}")
        return None

    async def _go_on(self, weight: float, watched: Watched) -> bool:
        """HOLD is a durable state with an owner and two exits: a named person goes on, or it is aborted (spec §7.1: never promote in doubt)."""
        decision = await self._playbook.questions.confirmation(
            f"The canary is undecided at {weight:.1%}: {watched.reason}. Watch on?",
            roles=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER),
            effect="stay on this step and gather more evidence",
            inverse="decline: return to the fallback provider",
            silence=Silence.ABORT,
        )
        return decision.granted

    async def _fell_back(self, tenants: Sequence[str], fallback: Candidate) -> bool:
        await self._fall_back(tenants, {fallback.id: 1.0}, self.imposed)
        self._lock(self._policy.flap_lock)
        return False

    async def _fall_back(self, tenants: Sequence[str], weights: dict[str, float], onto: Imposed | None) -> None:
        back = Shift(route=self.route, tenants=tuple(tenants), weights=weights, purpose="fall back")
        await self._playbook.impose(FAILED_OVER, back, onto=onto)

    async def _stay(self, fallback: Candidate) -> bool:
        """Stay on the fallback provider: allowed, when a named person takes it over."""
        playbook = self._playbook
        decision = await playbook.questions.confirmation(
            f"Stay on {fallback.id}? The return to {self.primary} did not work out",
            roles=(Role.INCIDENT_COMMANDER, Role.AI_ML_LEAD),
            effect=f"the failover stays in force in your name, and so does what only {self.primary} can end: the degraded tenants. "
            "It is not tried again by this incident",
            inverse="declare again when the primary is well",
        )
        if not decision.granted:
            playbook.hand_over(f"the traffic is on {fallback.id} and {decision.by} will not leave it there")
        measures = playbook.state.measures
        for imposed in (*measures.of(FAILED_OVER), *measures.of(DEGRADED)):
            measures.take_over(imposed, decision.by)
            playbook.state.note("held", f"{imposed.measure.name}: {imposed.order.target()} stays in force", by=decision.by)
        return False

    async def _failing(self, provider: str) -> bool:
        calls = await self._playbook.do(Models.calls, Log(route=self.route, window=self._policy.ramp_step))
        return calls.failed_share(provider) > self._policy.error_ratio

    def _shift(self, tenants: Sequence[str], to: Candidate, share: float) -> Shift:
        weights = {to.id: share, self.primary: round(1 - share, 6)} if share < 1 else {to.id: 1.0}
        return Shift(
            route=self.route, tenants=tuple(tenants), weights=weights, purpose="fail over", parity=to.parity, price_ratio=to.price_ratio
        )

    def _step_back(self, tenants: Sequence[str], fallback: Candidate, weight: float) -> Shift:
        if weight >= 1:
            return Shift(route=self.route, tenants=EVERYBODY, weights={self.primary: 1.0}, purpose="canary back")
        canary = self._policy.canary
        return Shift(
            route=self.route, tenants=tuple(tenants), weights={self.primary: weight, fallback.id: round(1 - weight, 6)},
            purpose="canary back", lease_seconds=canary.lease_ticks * canary.tick.total_seconds(), safe_weights={fallback.id: 1.0},
        )  # fmt: skip


def _minutes(duration: timedelta) -> str:
    return f"{duration.total_seconds() / 60:g} min"
