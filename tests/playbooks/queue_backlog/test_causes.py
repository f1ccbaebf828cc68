"""§2.8: what makes jobs pile up is told apart, and each is relieved by its own means."""

from pathlib import Path

from tests.playbooks.queue_backlog.piled import balanced, ends, piled, queue, work
from tests.stage.outages import story
from workflows.incident import Phase


async def test_a_poisoned_job_is_parked_alone_after_a_copy_and_stays_in_somebodys_name(tmp_path: Path) -> None:
    async with piled(tmp_path, "poison") as (stage, incident):
        status = await ends(incident)
        told = story(await incident.timeline())
        parking = work(stage).parked["interactive/poison"]
        assert len(parking.jobs) == 3 and all(job.poison for job in parking.jobs), told
        assert incident.done("evidence.jobs") and not incident.done("pools.scale"), "a copy was kept, and nothing else was needed"
        assert [(one.name, one.held_by) for one in status.in_force] == [("parked", "lee")]
        assert not incident.done("queues.requeue"), "automation puts nothing back that may not be done"
        await balanced(stage)


async def test_a_retry_storm_is_eased_and_no_job_is_taken_for_poison(tmp_path: Path) -> None:
    async with piled(tmp_path, "retry_storm") as (stage, incident):
        await incident.hears("retry storm")
        await ends(incident, until=Phase.RECOVERY)
        now = queue(stage)
        assert (now.max_attempts, now.backoff_seconds) == (3, 60.0) and not work(stage).parked, story(await incident.timeline())
        await ends(incident)
        assert (queue(stage).max_attempts, queue(stage).backoff_seconds) == (8, 15.0)
        await balanced(stage)


async def test_stuck_workers_are_restarted_one_first_and_only_after_their_stacks_were_kept(tmp_path: Path) -> None:
    async with piled(tmp_path, "deadlock") as (stage, incident):
        question = await incident.question("Restart worker-1, worker-2, worker-3")
        assert question.risk.label == "C2" and not incident.done("queues.restart")
        assert incident.done("evidence.stacks"), "what they were doing was kept before anybody was asked"
        await incident.answer("Restart worker-1", by="lee")
        await incident.hears("end worker-3 and start it anew")
        began = [row.target for row in incident.done("queues.restart")]
        assert began == ["worker/worker-1", "worker/worker-2", "worker/worker-3"]
        assert all(one.stuck_since is None for one in work(stage).workers.values())
        await balanced(stage)


async def test_nobodys_answer_restarts_nobody_and_other_levers_go_on(tmp_path: Path) -> None:
    async with piled(tmp_path, "deadlock") as (stage, incident):
        await ends(incident, {"Restart worker-1": ""}, until=Phase.RECOVERY)
        assert not incident.done("queues.restart") and incident.done("queues.rebalance") and incident.done("pools.scale")
        assert work(stage).workers["worker-1"].stuck_since is not None


async def test_nothing_is_scaled_into_a_dependency_that_is_full(tmp_path: Path) -> None:
    async with piled(tmp_path, "dependency") as (stage, incident):
        await incident.hears("not scaled: the database is")
        assert len(work(stage).workers) == work(stage).pool.workers == 8
        assert not [row for row in incident.book() if row.verb == "pools.scale"]
        assert any("workers are not scaled into it" in task.text for task in (await incident.status()).tasks)
        await incident.hears("it is not these jobs that fill it")
        assert queue(stage).rate is None, "what has not helped is taken back"


async def test_a_burst_of_many_tenants_holds_back_those_who_bring_most_and_scales(tmp_path: Path) -> None:
    async with piled(tmp_path, "burst") as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        now = work(stage)
        held = [name for name, rate in now.intake.items() if rate is not None]
        assert len(held) == 3, "no more than automation may by itself"
        assert now.pool.workers == 12 and now.shares["reports"] == 0.125, story(await incident.timeline())
        assert now.free_connections > 0 and now.saturation < 0.8
        await balanced(stage)


async def test_a_collapse_stops_the_intake_on_a_word_drains_and_lets_in_again_slowly(tmp_path: Path) -> None:
    async with piled(tmp_path, "collapse") as (stage, incident):
        await incident.hears("congestive collapse")
        question = await incident.question("requests per second in")
        assert question.silence.value == "safe" and question.risk.label == "C2"
        await ends(incident, until=Phase.RECOVERY)
        assert stage.world.state.fleet.services["api"].gateway.rate_limit_rps == 0.6
        status = await ends(incident)
        assert (len(incident.done("edge.loosen")) == 1 and "in 5 steps" in story(await incident.timeline())) or status.steps
        assert stage.world.state.fleet.services["api"].gateway.rate_limit_rps is None
        assert any("jobs expired while they waited" in task.text for task in status.tasks)
        await balanced(stage)


async def test_too_few_workers_are_joined_by_those_of_queues_that_can_wait(tmp_path: Path) -> None:
    async with piled(tmp_path, {"kind": "starved", "factor": 6}, seconds=420) as (stage, incident):
        await incident.hears("done: queues.rebalance")
        now = work(stage)
        assert now.shares["reports"] == 0.125 and sum(now.shares.values()) == 1.0, story(await incident.timeline())
        assert not [name for name, rate in now.intake.items() if rate], "nobody brings more than usual: nobody is held back"


async def test_a_quiet_day_changes_nothing(tmp_path: Path) -> None:
    async with piled(tmp_path) as (_, incident):
        await incident.hears("no queue is later than it may be")
        await ends(incident)
        assert not [row for row in incident.book() if row.verb.startswith(("queues.", "pools.", "edge."))]
