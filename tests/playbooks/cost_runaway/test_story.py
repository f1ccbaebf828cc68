"""§2.6 as it should go: an agent that loops is clamped, ended and paused without a question, and everything comes back when it is repaired."""

from pathlib import Path

from tests.playbooks.cost_runaway.runaway import BRISK, autonomous, limit, mended, runs_away, runtime
from tests.stage.drill import drill
from workflows.incident import Phase, Severity


async def test_a_loop_is_clamped_ended_and_paused_and_everything_comes_back(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        incident = await runs_away(stage)
        agent = autonomous(stage)
        status = await incident.is_in(Phase.RECOVERY)
        assert status.severity is Severity.SEV2, "more than three times of usual, and more than the floor"
        book = [row.verb for row in incident.book() if row.outcome in ("done", "adopted")]
        assert book.index("budgets.clamp") < book.index("agents.cancel"), "clamp, cancel, root cause"
        (clamped,) = incident.done("budgets.clamp")
        assert clamped.target.startswith("limits/run/tr-"), "the narrowest"
        assert incident.done("agents.pause_schedules")[0].target == f"schedules/agents/{agent.id}"
        assert {run.state for run in runtime(stage).runs.values() if run.kind == "loop"} == {"cancelled"}
        await mended(stage)
        ended = await incident.ends()
        assert ended.resolved_at is not None
        assert runtime(stage).paused_schedules[agent.id] is False
        assert limit(stage, "run", clamped.target.rpartition("/")[2]).spend_usd_per_hour is None
        lines = await incident.timeline()
        assert any("side effects:" in line and "not reversible" in line for line in lines), "recorded before it was ended"
        assert any(task.text.startswith("Reconcile the provider's invoice") for task in ended.tasks)
        assert any("Tell " in task.text and "how to appeal" in task.text for task in ended.tasks)
