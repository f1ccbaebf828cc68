"""A plan and shadow mode: the same playbook says what it would do, and does nothing."""

from pathlib import Path
from typing import Any

from tests.playbooks.cost_runaway.runaway import BRISK, control, mended, pass_time
from tests.stage.drill import Drill, drill
from workflows.status import Outcome


async def written(stage: Drill) -> list[Any]:
    """What was changed of agents and limits."""
    return [one for one in await stage.effects() if one["changed"] and one["face"] in ("policy", "agents", "litellm")]


async def test_a_plan_names_the_clamp_and_the_end_of_the_runs_and_does_neither(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        await control(stage, "agent-troubles", kind="loop", factor=12.0)
        await pass_time(stage, 240)
        incident = await stage.declare("CostRunaway", rehearsal=True)
        outcome = Outcome.model_validate(await incident.handle.result())
        assert outcome.rehearsed is not None
        planned = [step.verb for step in outcome.rehearsed.steps]
        assert planned.index("budgets.clamp") < planned.index("agents.cancel") and "agents.pause_schedules" in planned
        assert all(step.by_hand for step in outcome.rehearsed.steps if step.verb in ("budgets.clamp", "agents.cancel"))
        assert not await written(stage)


async def test_in_shadow_mode_it_looks_and_people_mend_it(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK, mode="shadow") as stage:
        await control(stage, "agent-troubles", kind="loop", factor=12.0)
        await pass_time(stage, 240)
        incident = await stage.declare("CostRunaway")
        await incident.hears("budgets.clamp")
        await mended(stage)
        status = await incident.ends()
        assert status.resolved_at is not None and not await written(stage)
