"""A playbook imposes the freeze as a measure, and lifts it."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from temporalio import workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.action import Role
from activities.freeze.freezes import FROZEN
from tests.freeze.story import story
from tests.stage.running import RunningIncident
from workflows.freeze.change_freeze import ChangeFreeze
from workflows.incident import Card, Incident, Severity, State
from workflows.playbook import Playbook


class FreezeDrill(Playbook):
    """A playbook that does nothing of its own: the first minutes freeze, closing unfreezes."""

    card = Card(section="9.9", title="Freeze drill", short="frz", floor=Severity.SEV2, lead=(Role.OPS_LEAD,), triggers=())

    async def run(self, incident: Incident) -> None:
        async with self.triage():
            await workflow.wait_condition(lambda: any(imposed.certain for imposed in self.state.measures.of(FROZEN)))
        async with self.recovery():
            await self.resolve()


workflow.defn(FreezeDrill)


async def test_a_playbook_imposes_it_as_a_measure_and_lifts_it_on_the_commanders_word(tmp_path: Path) -> None:
    """The whole way: impose, look, question, code, release; the record has it all."""
    async with story(tmp_path) as freeze:
        stage = freeze.stage
        types: Sequence[type] = [FreezeDrill, ChangeFreeze]
        queue = "freeze-drill"
        served = Worker(
            stage.env.client, task_queue=queue, workflows=types, activities=[*stage.fleet.activities],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )  # fmt: skip
        async with served:
            handle = await stage.env.client.start_workflow(
                "FreezeDrill", {"service": "api"}, id="inc-20261123-frz-api", task_queue=queue, task_timeout=timedelta(hours=1)
            )
            incident = RunningIncident(stage, handle)
            await incident.question("Resolve")
            assert await freeze.push() == 422
            (measure,) = (await incident.status()).in_force
            assert (measure.name, measure.sticky, measure.certain) == ("change freeze", True, True)
            ended = await incident.ends()
            assert ended.state is State.RESOLVED and not ended.in_force
            assert [row.outcome for row in incident.book() if row.verb.startswith("freezes.")] == ["done", "done"]
            assert await freeze.push() == 200
