"""Triage: an alert that no playbook knows. Nothing is changed until a person says which playbook it is (spec §2.3, design §4).

Seed §0.1: "If you're unsure, page as SEV-2 and adjust after triage"; §0.3: "Choose playbook below and begin mitigation".
"""

from temporalio import workflow

from activities.action import Role
from activities.metrics.telemetry import Surface, Telemetry
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook


@workflow.defn
class Triage(Playbook):
    card = Card(
        section="0.3",
        title="Unknown alert: which playbook?",
        short="triage",
        floor=Severity.SEV2,
        lead=(Role.OPS_LEAD,),
        public=False,
        triggers=("An alert that no playbook knows", "An alert that could not be read"),
    )

    @workflow.run
    async def run(self, incident: Incident) -> None:
        async with self.triage():
            self.note(f"received: {incident.title or incident.refused_input or incident.service}")
            if incident.service != "unknown":
                await self.do(Telemetry.blast_radius, Surface(service=incident.service))
            which = await self.ask(
                "Which playbook is it? Declare it (`incident declare PLAYBOOK --service …`) and answer with its incident id, or with none",
                roles=(Role.INCIDENT_COMMANDER, Role.OPS_LEAD),
                example='"inc-20261123-llm-chat" or "none"',
                facts=incident.as_received(),
            )
            if which is None:
                self.hand_over("nobody says which playbook it is")
            await self.finish(f"triaged: {which.value}")
