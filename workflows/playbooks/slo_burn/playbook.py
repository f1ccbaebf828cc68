"""3 Severity & SLO Matrix: declare SLO burn

"Declare SLO burn if error budget for the window is exhausted; engage Prod Review." Changes halt until the budget is positive again or the
commander waives it by name; the halt is the budget's own, and no other incident lifts it. Spec: §1 G22, §7.1.
"""

from temporalio import workflow

from activities.action import Role
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook
from workflows.playbooks.slo_burn.budget import SpentBudget


@workflow.defn
class SloBurn(Playbook):
    """§3: halt changes, engage Prod Review, and wait until there is a budget again."""

    card = Card(
        section="3",
        title="SLO burn: the error budget is exhausted",
        short="slo",
        floor=Severity.SEV3,
        lead=(Role.OPS_LEAD,),
        sure=True,
        public=False,
        triggers=("Error budget for the window is exhausted",),
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        async with self.triage():
            spent = SpentBudget(self, await self.deployed())
            budget = await spent.count()
            exhausted, said = budget.exhausted(self.policy.slo), budget.in_words(self.policy.slo)
            if exhausted is None:
                self.hand_over(f"nobody can say whether it is exhausted: {said}")
            if not exhausted:
                await self.finish(f"no SLO burn: {said}")
                return

        async with self.mitigation():
            self.task(f"Engage Prod Review: {said}. Which reliability work goes before features?", Role.DUTY_EXECUTIVE)
            self.task("Bring to Prod Review what spent the budget, and who repairs it", Role.INCIDENT_COMMANDER)
            await spent.halt_changes(budget)

        async with self.recovery():
            await spent.until_back_or_waived()
            await self.stable()
            await self.resolve()

        async with self.post_incident():
            self.follow_up(
                "Prod Review: which incidents and changes spent the error budget, and what is repaired first", Role.DUTY_EXECUTIVE
            )
            self.follow_up("Review the objective and its alerts with Prod Review", Role.OPS_LEAD)
