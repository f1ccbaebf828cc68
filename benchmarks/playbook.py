"""Thirteen steps as a playbook: on the whole engine, with its record, its communications, its first minutes and its approval."""

from temporalio import workflow

from activities.action import Role
from benchmarks.steps import APPROVED, MITIGATION, Approved, Steps, TakeStep
from workflows.incident import Card, Incident, Severity
from workflows.playbook import Playbook


@workflow.defn
class ThirteenSteps(Playbook):
    card = Card(section="0.0", title="Thirteen steps", short="bench", floor=Severity.SEV2, lead=(Role.OPS_LEAD,), public=False, triggers=())

    @workflow.run
    async def run(self, incident: Incident) -> None:
        async with self.triage():
            await self.together(self.do(Steps.take, TakeStep(name="freeze")), self._mitigate())
        async with self.recovery():
            canary = Approved(name=APPROVED[0])
            await self.propose(Steps.take_approved, canary)
            for name in APPROVED[1:]:
                await self.do(Steps.take, TakeStep(name=name))
            await self.finish("thirteen steps were taken")

    async def _mitigate(self) -> None:
        for name in MITIGATION:
            await self.do(Steps.take, TakeStep(name=name))
