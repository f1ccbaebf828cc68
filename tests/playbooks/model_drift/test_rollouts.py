"""§2.7: what was being rolled out goes on in steps that soak, and a fix too; what becomes worse is taken back."""

from pathlib import Path
from typing import Any

from tests.playbooks.model_drift.drift import bad, control, declared, faults, publish, registry, regression, serving, tasks, untouched
from tests.stage.drill import Drill
from workflows.incident import Phase, State


async def test_an_innocent_rollout_goes_on_when_everything_passes(tmp_path: Path) -> None:
    async with regression(tmp_path) as stage:
        await publish(stage, percent=20, spoils=None)
        await control(stage, "releases", triple="6/13/3", blessed=True)
        await control(stage, "moves", spoils={"context": "long"}, rate=0.8)
        incident = await declared(stage)
        status = await incident.ends()
        lines = "\n".join(await incident.timeline())
        assert status.state is State.RESOLVED and untouched(stage) and bad(stage) < 0.06, lines
        assert serving(stage) == "6/13/3" and (registry(stage).rollout.candidate, registry(stage).rollout.percent) == (None, 0)
        percents = [row.after["percent"] for row in incident.done("releases.roll_out")]
        assert percents == [0, 5, 50, 100, 0]
        assert sum(line.startswith("done: answers.watch") for line in lines.splitlines()) == 3


async def test_a_fix_that_was_blessed_meanwhile_is_rolled_out(tmp_path: Path) -> None:
    async with regression(tmp_path) as stage:
        await publish(stage)
        incident = await declared(stage)
        await incident.is_in(Phase.RECOVERY)
        await fixed(stage)
        status = await incident.ends()
        assert status.state is State.RESOLVED and serving(stage) == "6/14/3" and bad(stage) < 0.06, "\n".join(await incident.timeline())


async def test_a_fix_that_is_worse_where_no_eval_looks_is_taken_back(tmp_path: Path) -> None:
    """It passes its evals; customers meet it at 5 %, and the step is aborted: its share goes back to 0."""
    async with regression(tmp_path) as stage:
        await publish(stage)
        incident = await declared(stage)
        await incident.is_in(Phase.RECOVERY)
        await fixed(stage, spoils={}, rate=0.9, in_evals=False)
        status = await incident.ends()
        lines = "\n".join(await incident.timeline())
        assert status.state is State.RESOLVED and serving(stage) == "6/12/3" and registry(stage).rollout.percent == 0, lines
        assert "rollout abort at 5 %" in lines and tasks(status, "6/14/3 was taken back at 5 %")


async def test_a_fix_that_fails_its_evals_is_not_rolled_out(tmp_path: Path) -> None:
    async with regression(tmp_path) as stage:
        await publish(stage)
        incident = await declared(stage)
        await incident.is_in(Phase.RECOVERY)
        await fixed(stage, spoils={"language": "fr"}, rate=0.9)
        status = await incident.ends()
        lines = "\n".join(await incident.timeline())
        assert status.state is State.RESOLVED and serving(stage) == "6/12/3" and "6/14/3 is not rolled out: " in lines, lines
        assert len(faults(stage).spoilt) == 2


async def test_a_rollout_that_nobody_wants_does_not_begin(tmp_path: Path) -> None:
    async with regression(tmp_path) as stage:
        await publish(stage)
        incident = await declared(stage)
        await incident.is_in(Phase.RECOVERY)
        await fixed(stage)
        status = await incident.ends({"Roll 6/14/3 out": "decline"})
        assert status.state is State.RESOLVED and serving(stage) == "6/12/3" and not incident.done("releases.roll_out")


async def fixed(stage: Drill, **spoils: Any) -> None:
    """The team registers a fixed prompt, and blesses it; it does not serve."""
    await publish(stage, percent=1, **{"spoils": None, **spoils})
    registry(stage).rollout.candidate, registry(stage).rollout.percent = None, 0.0
    await control(stage, "releases", triple="6/14/3", blessed=True)
