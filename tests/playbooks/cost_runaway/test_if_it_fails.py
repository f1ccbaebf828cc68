"""If it fails: the limits cannot be reached, a run does not end, the meters are blind; and what is asked is really asked."""

from datetime import timedelta
from pathlib import Path

from tests.playbooks.cost_runaway.runaway import BRISK, autonomous, control, declared, limit, mended, pass_time, runs_away, runtime
from tests.stage.drill import drill
from tests.stage.organisation import OTHERS, brisk
from workflows.incident import Phase, State


async def test_where_the_limits_cannot_be_reached_the_providers_quota_is_asked_for(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        await stage.inject("policy.limits.*", "fail")
        incident = await runs_away(stage)
        await incident.hears("the limits cannot be reached")
        question = await incident.question("key-batch")
        assert {role.value for role in question.roles} == {"finance", "incident_commander"}
        await incident.answer("key-batch", by="fay")
        await incident.is_in(Phase.RECOVERY)
        assert not incident.done("budgets.clamp") and incident.done("provider_keys.lower")


async def test_a_declined_quota_leaves_a_task_for_the_gateway(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        await stage.inject("policy.limits.*", "fail")
        incident = await runs_away(stage)
        await incident.answer("key-batch", "decline", by="fay")
        await incident.hears("at the gateway: no limit can be set")
        assert not await stage.wrote("policy.key_quota.put")


async def test_children_that_call_on_lose_the_tokens_of_their_session(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        await control(stage, "agent-dials", children_call_on=True)
        incident = await runs_away(stage)
        await incident.hears("the tokens of its session are revoked instead")
        await incident.is_in(Phase.RECOVERY)
        looping = [run for run in runtime(stage).runs.values() if run.kind == "loop"]
        assert {run.state for run in looping} == {"cancelled"} and any(run.calls_on for run in looping)
        assert all(not run.usd_per_hour for run in looping), "without tokens nothing of it calls"
        assert incident.done("agents.revoke_tokens")


async def test_blind_meters_are_no_quiet_day(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        await stage.http.post("/practice/blind", json={"on": True})
        await pass_time(stage, 600)
        incident = await declared(stage)
        await incident.hears("no meter of ours says anything of the last minutes")
        assert (await incident.status()).state is State.HANDED_OVER and not incident.done("budgets.clamp")


async def test_everything_is_clamped_only_when_two_people_want_it(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        await control(stage, "prices", provider="aurora", factor=9.0)
        incident = await declared(stage)
        question = await incident.question("limit all all")
        assert question.risk.label == "C3" and any("USD in the next 24 hours" in fact for fact in question.facts)
        await incident.answer("limit all all", by="dana")
        await pass_time(stage, 300)
        assert limit(stage, "all", "all").spend_usd_per_hour is None, "one yes is not enough"
        await incident.answer("limit all all", by="fay")
        await incident.is_in(Phase.RECOVERY)
        assert limit(stage, "all", "all").spend_usd_per_hour
        await mended(stage)
        await incident.ends()
        assert limit(stage, "all", "all").spend_usd_per_hour is None


async def test_nobody_answers_about_everything_and_nothing_is_clamped(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        await control(stage, "prices", provider="aurora", factor=9.0)
        incident = await declared(stage)
        await incident.question("limit all all")
        await incident.pass_time(timedelta(hours=2))
        assert (await incident.question("limit all all")).open and not await stage.wrote("policy.limits.put")


async def test_a_stand_down_in_the_middle_gives_everything_back(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        incident = await runs_away(stage)
        await incident.hears("done: agents.pause_schedules")
        clamped = incident.done("budgets.clamp")[0].target.rpartition("/")[2]
        await mended(stage)
        await incident.verified("stand_down", "dana", reason="the team has repaired it")
        status = await incident.ends()
        assert status.state is State.STOOD_DOWN
        assert limit(stage, "run", clamped).spend_usd_per_hour is None
        assert not any(runtime(stage).paused_schedules.values())


async def test_litellm_limits_no_run_so_the_tenant_is_clamped(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk(top='systems = { budgets = "litellm" }', more=OTHERS)) as stage:
        incident = await runs_away(stage)
        await incident.is_in(Phase.RECOVERY)
        assert incident.done("budgets.clamp")[0].target == f"limits/tenant/{autonomous(stage).tenant}"
        assert await stage.wrote("litellm.team.update") and not await stage.wrote("policy.limits.put")


async def test_a_quiet_day_changes_nothing_and_is_resolved_by_the_curve(tmp_path: Path) -> None:
    """The alarm was a day's budget that is nearly used: nobody runs away."""
    async with drill(tmp_path, policy=BRISK) as stage:
        incident = await declared(stage)
        await incident.hears("speaks for a runaway: nothing is changed")
        status = await incident.ends()
        assert status.resolved_at is not None and not await stage.wrote("policy.limits.put")
        assert not [row for row in incident.book() if row.verb.startswith(("budgets.", "agents.", "provider_keys."))]


async def test_run_and_agent_of_one_name_in_two_tenants_are_not_mixed_up(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=BRISK) as stage:
        agent = autonomous(stage)
        others = [one for one in runtime(stage).agents.values() if one.name == agent.name and one.id != agent.id]
        incident = await runs_away(stage)
        await incident.is_in(Phase.RECOVERY)
        assert others and not any(one.id in row.target or one.tenant in row.target for one in others for row in incident.book())
        assert all(run.state in ("running", "done") for one in others for run in runtime(stage).of(one.id))
