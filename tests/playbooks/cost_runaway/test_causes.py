"""What makes the spending run away is told apart, and each cause has its own remedy; an innocent agent's clamp is not the end of it."""

from datetime import timedelta
from pathlib import Path

import pytest

from practice.agents.runtime import Trouble
from practice.quality.registry import Registry
from tests.playbooks.cost_runaway.runaway import BRISK, autonomous, control, declared, limit, mended, pass_time, runs_away, runtime
from tests.stage.drill import Drill, drill
from tests.stage.running import RunningIncident
from workflows.incident import Phase
from workflows.status import ItemState


async def suspected(incident: RunningIncident) -> list[str]:
    return [one.what for one in (await incident.status()).suspects]


@pytest.mark.parametrize(("kind", "named"), [("retries", "retry storm"), ("bloat", "context bloat"), ("loop", "runaway loop")])
async def test_what_runs_away_is_named_by_what_its_runs_do(tmp_path: Path, kind: str, named: str) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        incident = await runs_away(stage, kind)
        agent = autonomous(stage)
        await incident.is_in(Phase.RECOVERY)
        assert await suspected(incident) == [f"{named}: {agent.name} of {agent.tenant}"]
        assert incident.done("budgets.clamp") and incident.done("agents.cancel")


async def test_a_radius_that_only_the_severity_watch_has_read_ticks_the_first_minutes_too(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        incident = await runs_away(stage, "loop")
        await incident.hears("blast radius: ")
        ticks = {one.key: one for one in (await incident.status()).checklist}
        assert ticks["blast_radius"].state is ItemState.DONE and "quality is HIGH" in ticks["blast_radius"].evidence


async def test_a_launch_that_people_vouch_for_is_not_clamped(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        incident = await runs_away(stage, "launch")
        question = await incident.question("Is it a launch")
        assert any("opens" in fact for fact in question.facts) and any("active users" in fact for fact in question.facts)
        await incident.answer("Is it a launch")
        await incident.hears("automation never raises one")
        assert not incident.done("budgets.clamp") and not await stage.wrote("policy.limits.put")


async def test_a_launch_that_nobody_wants_is_clamped_to_what_is_usual_of_the_agent(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        incident = await runs_away(stage, "launch", factor=8.0)
        agent = autonomous(stage)
        await incident.answer("Is it a launch", "decline")
        await incident.is_in(Phase.RECOVERY)
        (clamped,) = incident.done("budgets.clamp")
        assert clamped.target == f"limits/agent/{agent.id}" and not incident.done("agents.cancel")
        await mended(stage)
        await incident.ends()
        assert limit(stage, "agent", agent.id).spend_usd_per_hour is None


async def test_silence_about_a_launch_is_no_yes(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        incident = await runs_away(stage, "launch", factor=8.0)
        await incident.is_in(Phase.RECOVERY, {"Is it a launch": ""})
        assert incident.done("budgets.clamp")


async def dear(stage: Drill, factor: float = 4.5) -> RunningIncident:
    """The primary takes so many times of what it took."""
    await control(stage, "prices", provider="aurora", factor=factor)
    return await declared(stage)


async def test_a_price_change_clamps_nobody_and_a_cheaper_model_with_parity_answers(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        incident = await dear(stage)
        question = await incident.question("cheaper models")
        assert any("aurora-mini-4: parity 96%" in fact for fact in question.facts) and question.roles[0].value == "ai_ml_lead"
        await incident.answer("cheaper models")
        await incident.is_in(Phase.RECOVERY)
        assert await suspected(incident) == ["price change"]
        assert not incident.done("budgets.clamp") and incident.done("releases.off_peak")
        assert set(stage.world.state.part(Registry).models.values()) == {"aurora-mini-4"}
        await mended(stage)
        await incident.ends()
        assert not stage.world.state.part(Registry).models, "everybody is back on the usual model"


async def test_nobody_answers_about_the_cheaper_model_and_nobody_is_moved(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        incident = await dear(stage)
        await incident.hears("price change is not the whole of it", skip=timedelta(minutes=5))
        assert not stage.world.state.part(Registry).models and not incident.done("budgets.clamp")


async def busy_and_stolen(stage: Drill) -> RunningIncident:
    """An agent works harder than usual; what costs is a key that others use."""
    agent = autonomous(stage)
    runtime(stage).troubles.append(Trouble("busy", agent.id, 2.6, stage.world.clock.now()))
    await control(stage, "stolen-keys", key="key-batch", tokens_per_minute=400_000)
    return await declared(stage)


async def test_clamping_the_innocent_leaves_the_curve_high_and_the_playbook_goes_on_to_the_stolen_key(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        incident = await busy_and_stolen(stage)
        agent = autonomous(stage)
        await incident.hears(f"unknown: {agent.name} of {agent.tenant} is not the whole of it")
        await incident.hears(f"Apologise to {agent.tenant}")
        assert limit(stage, "agent", agent.id).spend_usd_per_hour is None, "given back at once"
        await incident.hears("§2.10 Secret/API-key compromise")
        question = await incident.question("key-batch")
        assert any("AS64666" in fact for fact in question.facts), "used from a network that is not ours"
        await incident.answer("key-batch", by="fay")
        await incident.hears("provider_keys.lower")
        await control(stage, "stolen-keys", key="key-batch", tokens_per_minute=None)  # revoked at its issuer, by hand
        await incident.is_in(Phase.RECOVERY, {"has not ended": "retry"})
        assert "stolen key: key-batch" in await suspected(incident)


async def test_a_loop_whose_schedule_begins_it_anew_is_stopped_at_its_schedule(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        incident = await runs_away(stage)
        await incident.is_in(Phase.RECOVERY)
        await pass_time(stage, 900)
        assert not [run for run in runtime(stage).runs.values() if run.kind == "loop" and run.live]


async def test_a_slow_burn_that_no_curve_shows_is_ended_on_a_persons_word(tmp_path: Path) -> None:
    """A loop of eleven days at two and a half times of usual: automation has no evidence to act on alone."""
    async with drill(tmp_path, policy=BRISK) as stage:
        incident = await runs_away(stage, "slow", factor=2.6)
        question = await incident.question("USD per hour")
        assert any("asked because no reading" in fact for fact in question.facts) and any("steps" in fact for fact in question.facts)
        await incident.is_in(Phase.RECOVERY)
        assert {run.state for run in runtime(stage).runs.values() if run.kind == "slow"} == {"cancelled"}
