"""A playbook for stories about decisions that take two people: none of ours has a C3 verb yet. It is no part of the product."""

from temporalio import workflow

from activities.action import Risk, Role
from activities.flags.flags import Flags, switch_off
from workflows.incident import Card, Incident, Severity
from workflows.people.questions import ApprovalTerms
from workflows.playbook import Playbook


@workflow.defn
class Drastic(Playbook):
    """One C3 decision, and then it is over."""

    card = Card(
        section="9.9",
        title="Something drastic",
        short="drastic",
        floor=Severity.SEV2,
        lead=(Role.OPS_LEAD,),
        public=False,
        triggers=("a story",),
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        """Ask, and say what became of it. An incident with a title asks for a value first."""
        async with self.triage():
            if incident.title:
                await self.ask(incident.title, roles=(Role.OPS_LEAD,), example='"the left one"')
            terms = ApprovalTerms(asks="Do something drastic?", least=Risk.C3, roles=(Role.INCIDENT_COMMANDER, Role.OPS_LEAD))
            decision = await self.approve_all(Flags.change, [switch_off("batch.enabled", "", self.policy)], terms)
            self.note(f"decided: {decision.grant.basis if decision.grant else 'no'} by {decision.grant.by if decision.grant else ()}")
            await self.finish("decided")
