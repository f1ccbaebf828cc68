"""2.5 Multi-tenant isolation failure (data crossed tenants)

Triggers: RLS violation alert; cross-tenant object ID observed; customer report. Mitigation: immediately disable suspect endpoints, set platform to
read-only for affected region; run tenant-scoped integrity checks, snapshot DB, identify leaked records; hotfix: enforce RLS/policy at service and
DB layer. Comms: proactive outreach to impacted tenants, incident letter with scope & remediation. Post-incident: contract tests for tenancy,
expand canaries, privacy postmortem. Spec: §9.5, Annex A.5.

Never by us: delete leaked copies in a tenant's space; look at tenants' content beyond ids; let anything in again because a hotfix was deployed;
purge a cache before it was sampled; go back to a revision that leaks. Rather down than leaking.
"""

from temporalio import workflow

from activities.action import Role
from activities.values import Concern, Curve
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook
from workflows.playbooks.tenant_isolation.containment import Containment
from workflows.playbooks.tenant_isolation.leak import Leak
from workflows.playbooks.tenant_isolation.letters import Letters
from workflows.playbooks.tenant_isolation.recovery import Recovery


@workflow.defn
class TenantIsolation(Playbook):
    """§2.5: disable, evidence, scope, hotfix, canary, tell."""

    card = Card(
        section="2.5",
        title="Multi-tenant isolation failure",
        short="isolation",
        floor=Severity.SEV2,
        lead=(Role.SECURITY_LEAD, Role.OPS_LEAD),
        triggers=("RLS violation alert", "cross-tenant object ID observed", "customer report"),
        curve=Curve.ISOLATION,
        proof=(),
        restricted=True,
        concern=Concern.ISOLATION,
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        numbers = self.policy.tenant_isolation

        async with self.triage():
            leak = await Leak.known(self, incident)
            await leak.suspects()
            containment, letters = Containment(self, leak), Letters(self, leak)
            recovery = Recovery(self, leak, containment)
            await containment.deny_suspects()
            await self.together(containment.keep_evidence(), leak.facts(), leak.reproduce(leak.found.siblings, behind=True))
            leak.judge()

        while self.unresolved:
            async with self.mitigation():
                await self.together(containment.read_only(), containment.until_stopped(), leak.scope())

            async with self.recovery():
                await leak.scope()
                await recovery.hotfix()
                await recovery.nothing_crosses()
                letters.begin()
                await recovery.reopen()
                await self.lift_measures(
                    asking=Role.SECURITY_LEAD, resting=numbers.reopen_step, asks="Let shared caches and the CDN answer again?"
                )
                await self.stable(numbers.watched)
                self.task(
                    f"Look through the access log of the first {numbers.log_review.total_seconds() / 3600:.0f} hours", Role.SECURITY_LEAD
                )
                await letters.ended()
                await self.resolve()

        async with self.post_incident():
            self.follow_up("Add contract tests of tenancy: every endpoint, every pair, as the application role", Role.OPS_LEAD)
            self.follow_up("Expand canaries: two tenants in every region, at every new endpoint and connector", Role.OPS_LEAD)
            self.follow_up("Run a privacy post-mortem, with Legal", Role.SECURITY_LEAD)
            self.follow_up("Let new connectors inherit the tests of tenancy, before they are let in", Role.SECURITY_LEAD)
