"""2.6 Cost anomaly / token-spend runaway

Triggers: token usage > 3× baseline; PSU budget hit; sudden spike per tenant/agent. Mitigation: clamp budgets (policy router), disable autonomous
scheduler; identify runaway loop (trace IDs), kill long-running jobs; switch heavy tasks to batch/off-peak or cheaper models. Post-incident: add
budget alarms and kill-switch hooks; refine guardrails/prompt constraints. Never automatically: a cap of nothing for a tier that pays, a cap
raised, agents or jobs deleted, a refund, a contract suspended. Spec: §9.6, Annex A.6.
"""

from temporalio import workflow

from activities.action import Role
from activities.values import Concern, Curve
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook
from workflows.playbooks.cost_runaway.spending import ServiceSpending


@workflow.defn
class CostRunaway(Playbook):
    """§2.6: clamp the narrowest, end what runs away, find the cause."""

    card = Card(
        section="2.6",
        title="Cost anomaly / token-spend runaway",
        short="cost",
        floor=Severity.SEV3,
        lead=(Role.OPS_LEAD, Role.AI_ML_LEAD, Role.FINANCE),
        triggers=("Token usage > 3× baseline", "PSU budget hit", "sudden spike per tenant/agent"),
        proof=(),
        curve=Curve.SPEND,
        public=False,  # who is clamped is told; everybody, only where it degrades widely
        alerts_on_impact=False,  # a day's budget stays hit until midnight: the curve says whether it goes on
        concern=Concern.COST,
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        numbers = self.policy.cost_runaway

        async with self.triage():
            spending = ServiceSpending(self, [incident.labels.get(name, "") for name in ("tenant", "agent")])
            seen = await spending.survey()
            self.classify(seen.facts())
            if seen.reading.blind:
                self.hand_over("no meter of ours says anything of the last minutes: lower the quota of our keys at the provider by hand")
            self.task("Ask the tenant, or customer success, whether it is wanted: a launch, a migration, a batch", Role.OPS_LEAD)
            self.task("Follow the spending hourly, and say from which loss on everything is to be clamped", Role.FINANCE)

        while self.unresolved:
            async with self.mitigation():
                seen = await spending.latest(seen)
                await spending.contain(seen)

            async with self.recovery():
                self.task("Reconcile the provider's invoice with our own meters, from the onset on", Role.FINANCE)
                await self.stable()
                await self.lift_measures(
                    asking=Role.OPS_LEAD, resting=numbers.resting, asks="Is the root cause repaired? Give caps, quotas and schedules back?"
                )
                await self.stable(numbers.after_restoring)
                await self.resolve()

        async with self.post_incident():
            self.follow_up("Add budget alarms for the agents and keys concerned", Role.OPS_LEAD)
            self.follow_up("Add kill-switch hooks to the agent runtime, and drill them", Role.OPS_LEAD)
            self.follow_up("Refine guardrails and prompt constraints against what ran away", Role.AI_ML_LEAD)
            self.follow_up("Give every run a budget of its own by default", Role.AI_ML_LEAD)
            self.follow_up("Decide on refunds for the tenants concerned", Role.FINANCE)
