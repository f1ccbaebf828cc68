"""What is done about a cause of runaway spending: clamp, pause, end, lower a key's quota. Each is narrow, or asked (spec §9.6, Mitigation)."""

from activities.action import Role
from activities.agents.cancelling import Cancellations, CancelRun
from activities.agents.exporting import ExportSession, SessionExports
from activities.agents.holding import (
    CHECKPOINTED,
    PAUSED_SCHEDULES,
    Paused,
    PauseOf,
    Pauses,
    Schedules,
    SchedulesOf,
    Scheduling,
)  # fmt: skip
from activities.agents.seen import Run
from activities.agents.sessions import RevokeTokens, SessionTokens
from activities.budgets.limit import Limit, Scope
from activities.budgets.limits import CLAMPED, Clamps, clamp
from activities.budgets.quotas import LOWERED, lower
from activities.registry.choices import CHEAPER, OFF_PEAK, BatchOf, BatchTime, BatchTimes, cheaper
from activities.registry.orders import OffersOf
from activities.registry.releases import ReleaseHistory
from activities.usage.spend_reading import KeyUse, Offender, SpendReading
from workflows.engine.changes import ChangeResult
from workflows.engine.measures import Imposed
from workflows.engine.verbs import Verbs
from workflows.incident import Silence
from workflows.playbooks.cost_runaway.causes import Found


class Remedies:
    """They decide nothing: who is clamped, how widely, and what comes next, is the playbook's."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs, self._numbers = verbs, verbs.policy.cost_runaway
        self.store = "litellm" if verbs.policy.systems.get("budgets") == "litellm" else "policy router"

    async def clamp(self, found: Found, scope: Scope, reading: SpendReading) -> list[Imposed]:
        """One run, one agent or one tenant: what was allowed before is read, and given back later (M1). What is in force now by us."""
        verbs, numbers, offender = self._verbs, self._numbers, found.offender
        assert offender is not None  # noqa: S101 - narrows the type
        narrower = {"run": found.roots[0].trace if found.roots else "", "agent": found.agent.id if found.agent else ""}
        name = narrower.get(scope, offender.tenant)
        usual = reading.usual_by_tenant.get(offender.tenant, 0.0) if scope == "tenant" else offender.usual or 0.0
        order = clamp(scope, {name: Limit()}, store=self.store)
        now = await verbs.look(Clamps.read, order.look())
        if now is None:
            await self._at_the_provider(found, offender, reading)
            return []
        usd = max(numbers.clamp_at_least_usd_per_h, round(numbers.clamp_multiple * usual, 2))
        before = now.value.each[name]
        limit = before.model_copy(update={"spend_usd_per_hour": min(usd, before.spend_usd_per_hour or usd)})
        order = clamp(scope, {name: limit}, store=self.store, usual={name: round(usual, 2)} if usual else {}, why=found.name)
        done = await verbs.impose(CLAMPED, order, facts=found.evidence)
        if done and done.imposed is not None:
            what = f"what is clamped ({order.of}: {limit}), why ({found.cause}), until the cause is repaired, and how to appeal"
            dispute = "If they dispute it, the commander and Finance agree on another cap for the time being, never on none"
            verbs.task(f"Tell {offender.tenant}: {what}. {dispute}", Role.COMMS_LEAD)
            return [done.imposed]
        return []

    async def _at_the_provider(self, found: Found, offender: Offender, reading: SpendReading) -> None:
        """The provider's own wall, or the gateway (if it fails)."""
        verbs = self._verbs
        verbs.note(f"the limits cannot be reached: {found.name} is held back at the provider instead, or at the gateway")
        usual = offender.tokens_per_minute / offender.multiple if offender.multiple else 0.0
        less = max(0.0, offender.tokens_per_minute - self._numbers.clamp_multiple * usual)
        lowered = [await self._lower(use, found.evidence, less) for use in reading.keys if use.key in offender.keys]
        if not any(lowered):
            verbs.task(f"Deny the model calls of {offender.agent} of {offender.tenant} at the gateway: no limit can be set", Role.OPS_LEAD)

    async def pause_schedules(self, found: Found) -> None:
        """No new runs of the offender; that of all agents is a switch that people ask for (M2)."""
        if found.agent is not None and found.agent.autonomous:
            order = Schedules.order(SchedulesOf(kind="agents", name=found.agent.id), Scheduling(running=False), why=found.name)
            await self._verbs.impose(PAUSED_SCHEDULES, order, facts=found.evidence)

    async def end_runs(self, found: Found) -> None:
        """By trace, with their children; what they have brought about outside is recorded before (M3)."""
        many = len(found.roots) > self._numbers.cancelled_unasked
        for run in found.roots:
            await self._record(run)
            if not await self._ended(run, found, many=many):
                await self._verbs.do(SessionTokens.revoke, RevokeTokens(session=run.session))

    async def _ended(self, run: Run, found: Found, *, many: bool) -> bool:
        """False: it was ended, and calls on."""
        verbs, numbers = self._verbs, self._numbers
        order = CancelRun(trace=run.trace, reason=found.name, grace=numbers.cancel_grace, quiet=numbers.cancel_quiet, many=many)
        if verbs.needs_approval(Cancellations.run, order):
            result: ChangeResult = await verbs.propose(Cancellations.run, order, facts=found.evidence, silence=Silence.SAFE)
            if result.unanswered:
                await verbs.impose(CHECKPOINTED, Pauses.order(PauseOf(trace=run.trace), Paused(paused=True), why=found.name))
            return True
        if await verbs.look(Cancellations.run, order) is not None:
            return True
        verbs.note(f"run {run.trace} does not end: the tokens of its session are revoked instead")
        return False

    async def _record(self, run: Run) -> None:
        lasting = [one for one in run.side_effects if not one.reversible]
        effects = "; ".join(f"{one.tool} {one.what} at {one.at:%H:%M:%S} UTC" for one in run.side_effects[:5]) or "none"
        self._verbs.note(
            f"run {run.trace}: {len(run.side_effects)} side effects, {len(lasting)} of them not reversible: {effects}", "side effects"
        )
        await self._verbs.look(SessionExports.export, ExportSession(incident_id=self._verbs.incident_id, session=run.session))

    async def stolen(self, found: Found, use: KeyUse) -> None:
        """Not our traffic: no limit of ours holds it. The provider's quota does, and the key is revoked (M4, X1)."""
        verbs, why = self._verbs, f"{found.name}; {found.evidence[0]}"

        async def revoked() -> None:
            await verbs.call_in("secret_compromise", why, {"credentials": use.key})

        await verbs.together(self._lower(use, found.evidence), revoked())

    async def _lower(self, use: KeyUse, facts: tuple[str, ...], less: float = 0.0) -> bool:
        """The quota of a key at its provider, to what our own agents use of it and a little more. `less`: tokens of a runaway, not counted."""
        tokens = max(1, round(self._numbers.quota_headroom * ((use.own or 0.0) - less)))
        if not use.own:
            self._verbs.task(f"Set the quota of {use.key} at its provider: nobody knows what our agents need of it", Role.OPS_LEAD)
            return False
        return bool(await self._verbs.impose(LOWERED, lower(use.key, tokens), facts=facts))

    async def dearer(self, found: Found) -> None:
        """Nobody runs away: nobody is clamped. Heavy work waits for cheaper hours, or goes to a cheaper model where evals show parity (M5)."""
        verbs, route = self._verbs, self._verbs.service
        verbs.task("Ask the provider about its prices, and say what of the budget they may take", Role.FINANCE)
        await verbs.impose(
            OFF_PEAK, BatchTimes.order(BatchOf(route=route), BatchTime(when="off_peak"), why=found.name), facts=found.evidence
        )
        offers = await verbs.look(ReleaseHistory.offers, OffersOf(route=route))
        equal = (
            [one for one in offers.offers if one.parity >= verbs.policy.limits.parity and one.price_ratio < 1 and one.permitted]
            if offers
            else []
        )
        if not equal:
            verbs.note("no cheaper model shows parity in its evals for tenants that permit it: everybody stays with the usual one")
            return
        best = min(equal, key=lambda one: (one.price_ratio, one.model))
        said = f"{best.model}: parity {best.parity:.0%}, price ×{best.price_ratio:g}, {len(best.permitted)} tenants permit it"
        await verbs.impose(CHEAPER, cheaper(route, best.permitted, best.model), facts=(*found.evidence, said), silence=Silence.SKIP)

    async def clamp_everything(self, reading: SpendReading) -> None:
        """Everybody's limit, when nothing else is left and the loss would be beyond what was set beforehand (M6)."""
        numbers, day = self._numbers, reading.projected_24h
        if day is None or day <= numbers.global_above_usd or reading.usual is None:
            return
        if self.store == "litellm":
            self._verbs.task("Lower the budget of the whole LiteLLM proxy in its own configuration: it has no call for that", Role.OPS_LEAD)
            return
        limit = Limit(spend_usd_per_hour=round(numbers.global_multiple * reading.usual, 2))
        order = clamp("all", {"all": limit}, store=self.store, usual={"all": reading.usual}, why=f"{day:,.0f} USD in 24 hours")
        loss = f"{day:,.0f} USD in the next 24 hours; everything is clamped from {numbers.global_above_usd:,.0f} on"
        await self._verbs.impose(CLAMPED, order, facts=(loss,))
