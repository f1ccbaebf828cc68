"""2.2 LLM provider outage/degradation (OpenAI/Anthropic/etc.)

Triggers: upstream 5xx/429; latency > 5s; timeouts in orchestrator. Mitigation: failover via ModelSelector, degrade to retrieval-only answers,
back off retries. Recovery: canary a small % of traffic back to primary; watch quality and latency. Spec: §9.2, Annex A.2.
"""

from temporalio import workflow

from activities.action import Role
from activities.flags.flags import SWITCHED_OFF, switch_off
from activities.models.client_policy import BACKED_OFF, back_off
from activities.models.models import Models
from activities.models.modes import DEGRADED, degrade
from activities.models.routes import RouteOf
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook
from workflows.playbooks.llm_provider_outage.canary import CanaryBack
from workflows.playbooks.llm_provider_outage.findings import Seen, lowest_tier, reasons, tiers
from workflows.playbooks.llm_provider_outage.long_runs import checkpoint_long_runs
from workflows.playbooks.llm_provider_outage.traffic import RampResult, Traffic

HEAVY = ("tools.high_psu", "batch.enabled", "scheduler.enabled", "orchestrator.autonomy")


@workflow.defn
class LLMProviderOutage(Playbook):
    """§2.2: fail over, degrade, canary back."""

    card = Card(
        section="2.2",
        title="LLM provider outage/degradation",
        short="llm",
        floor=Severity.SEV3,
        lead=(Role.OPS_LEAD, Role.AI_ML_LEAD),
        triggers=("Upstream 5xx/429", "latency > 5s", "timeouts in orchestrator"),
        alerts_on_impact=False,  # they are about the provider, which may fail on for hours after the failover
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        numbers, service = self.policy.provider_outage, incident.service

        async with self.triage():
            route = await self.do(Models.route, RouteOf(route=service))
            traffic = Traffic(self, route.alias, incident.provider or route.primary())
            primary = traffic.primary
            seen = await traffic.survey()
            self.classify(seen.facts(numbers.log_window), seen.radius)
            elsewhere = await traffic.left_to_another(seen.calls)
            if seen.probed.ok and not elsewhere:
                self.task(f"{primary} answers from another network: check our own egress, DNS, key and quota", Role.OPS_LEAD)

        if elsewhere:
            async with self.recovery():
                await self.stable()
                await self.resolve()
            return

        async def move(seen: Seen) -> tuple[RampResult, tuple[str, ...]]:
            """Whoever may go to the fallback provider; those whom it cannot carry are degraded, the lowest tier first. And who went."""
            fallback, tenants, served = seen.fallback, seen.tenants, seen.served
            moved = await traffic.fail_over(served, fallback, facts=tiers(tenants, served))
            while moved.saturated and (shed := lowest_tier(tenants, served)) != served:
                await self.impose(DEGRADED, degrade(service, shed), facts=(f"{moved.to} cannot carry everybody",))
                served = tuple(tenant for tenant in served if tenant not in shed)
                moved = await traffic.fail_over(served, fallback)
            if not moved:
                why = (f"{moved.to} is down too",) if moved.down else ()
                await self.impose(DEGRADED, degrade(service, served), facts=why, authorised=moved.unanswered or moved.down)
            return moved, served

        while self.unresolved:
            async with self.mitigation():
                seen = await traffic.latest(seen)
                fallback = seen.fallback
                await self.impose(BACKED_OFF, back_off(numbers.back_off, service))
                (moved, served), *_ = await self.together(
                    move(seen),
                    *(self.impose(SWITCHED_OFF, switch_off(flag, f"{primary} is out", self.policy)) for flag in HEAVY),
                    self.impose(DEGRADED, degrade(service, seen.degraded), facts=reasons(seen.tenants, seen.no_room, fallback)),
                    traffic.serve_cached(),
                    checkpoint_long_runs(self, f"{primary} is out"),
                )

            async with self.recovery():
                canary = CanaryBack(self, traffic)
                while not await canary.back_on_the_primary(served, fallback) and canary.fallback_failed:
                    if await self.impose(DEGRADED, degrade(service, served), facts=(f"{moved.to} fails too",), authorised=True):
                        served = ()
                await self.rest(numbers.rest_before_restoring, "a rest on the primary before anything else is restored")
                await self.lift_measures(
                    asking=Role.OPS_LEAD,
                    resting=numbers.resting,
                    asks="Restore tools, batch, autonomy, agent runs and the degraded tenants?",
                )
                await self.stable()
                await self.resolve()

        async with self.post_incident():
            self.follow_up("Update Tool Specs with failover policy", Role.AI_ML_LEAD)
            self.follow_up("Add provider-health probes", Role.OPS_LEAD)
            self.follow_up("Run parity evals for the fallback provider", Role.AI_ML_LEAD)
            self.follow_up("Claim the provider's contract credits", Role.FINANCE)
            self.follow_up("Drill this failover", Role.OPS_LEAD)
