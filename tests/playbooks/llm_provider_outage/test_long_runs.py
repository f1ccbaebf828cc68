"""Long agent runs during an outage: they rest at a checkpoint, short ones do not, and they go on when everything is back."""

from pathlib import Path

from practice.agents.runtime import Run, Runtime
from tests.playbooks.llm_provider_outage.outage import outage, story
from tests.stage.drill import Drill, drill
from workflows.incident import Phase, State


def runs(stage: Drill) -> dict[str, Run]:
    return stage.world.state.part(Runtime).runs


async def test_long_runs_rest_at_a_checkpoint_and_go_on_when_everything_is_back(tmp_path: Path) -> None:
    async with outage(tmp_path) as (stage, incident):
        old = [run for run in runs(stage).values() if run.state == "running"][:2]
        for run in old:
            run.kind, run.started = "slow", run.started - 3600  # no ordinary one, which ends by itself
        await incident.is_in(Phase.RECOVERY)
        assert {runs(stage)[run.trace].state for run in old} == {"paused"}
        assert all(runs(stage)[run.trace].checkpoint for run in old)
        assert len(incident.done("agents.pause")) == 2, "only the long ones"
        status = await incident.ends()
        assert status.state is State.RESOLVED and status.in_force == [], story(await incident.timeline())
        assert {runs(stage)[run.trace].state for run in old} == {"running"}


async def test_a_runtime_that_does_not_answer_leaves_a_task(tmp_path: Path) -> None:
    async with drill(tmp_path) as stage:
        await stage.inject("agents.runs.list", "fail")
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6)
        incident = await stage.declare()
        await incident.hears("Checkpoint and pause long agent runs by hand")
