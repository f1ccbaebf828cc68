"""§2.8, if it fails: the autoscaler, the broker, the meters, a drain that harms; and input that nobody can believe."""

from datetime import timedelta
from pathlib import Path

from tests.playbooks.queue_backlog.piled import balanced, ends, mended, piled, queue, quick, tenant, work
from tests.stage.outages import makes, story
from workflows.incident import Phase, State


async def test_workers_that_do_not_come_are_told_and_more_is_shed(tmp_path: Path) -> None:
    async with piled(tmp_path, "burst", "no_launch") as (stage, incident):
        await incident.hears("the platform does not start them: 8 of 12 workers run")
        assert any("Find out why the platform starts no workers" in task.text for task in (await incident.status()).tasks)
        await incident.question("requests per second in")
        assert work(stage).shares["reports"] == 0.125, "workers were borrowed from what can wait"


async def test_where_the_gateway_is_declined_those_who_bring_most_are_held_back_further(tmp_path: Path) -> None:
    async with piled(tmp_path, "burst", "no_launch") as (stage, incident):
        await incident.hears("done: queues.limit_intake")
        first = {name: rate for name, rate in work(stage).intake.items() if rate}
        await incident.answer("requests per second in", "decline", by="lee")
        await incident.hears("declined: edge.limit")
        await incident.pass_time(timedelta(minutes=4))
        later = {name: rate for name, rate in work(stage).intake.items() if rate}
        assert later.keys() == first.keys() and all(later[name] <= first[name] for name in first)
        assert stage.world.state.fleet.services["api"].gateway.rate_limit_rps is None


async def test_no_room_in_the_database_scales_nothing(tmp_path: Path) -> None:
    async with piled(tmp_path, "burst", {"kind": "connections", "factor": 1}) as (stage, incident):
        await incident.hears("connections free, and a worker takes 2")
        assert work(stage).pool.workers == 8


async def test_a_broker_that_does_not_answer_stops_producers_and_restarts_nothing(tmp_path: Path) -> None:
    async with piled(tmp_path, "poison") as (stage, incident):
        await stage.inject("jobs.*", "fail")
        await incident.hears("the broker does not answer")
        question = await incident.question("requests per second in")
        assert any("the broker does not answer" in fact for fact in question.facts)
        status = await incident.status()
        assert any("restarted only on the word of the DB Lead" in task.text for task in status.tasks)
        assert not [row for row in incident.book() if row.verb == "queues.restart"]
        await incident.answer("requests per second in", by="lee")
        await stage.stop_injecting()
        await incident.hears("the broker answers again")
        await ends(incident, until=Phase.RECOVERY)
        await balanced(stage)


async def test_where_no_depth_can_be_read_ages_are_sampled(tmp_path: Path) -> None:
    async with piled(tmp_path, "poison", "blind_depth") as (stage, incident):
        await incident.hears("the ages of the oldest jobs are sampled")
        await incident.hears("done: queues.park")
        assert work(stage).parked["interactive/poison"].jobs, story(await incident.timeline())


async def test_a_drain_that_fills_what_it_stands_on_is_halved(tmp_path: Path) -> None:
    """A slow dependency that jobs do fill: with half as many it empties, and the rate goes back with the rest."""
    async with piled(tmp_path, "hot_tenant", policy=quick(more="\n[policy.curves]\n")) as (stage, incident):
        await incident.hears("done: queues.limit_intake")
        await makes(stage, "job-faults", kind="dependency", factor=0.42, for_seconds=900)
        await incident.hears("is drained at half of the rate")
        assert queue(stage).rate is not None
        await mended(stage)
        await ends(incident)
        assert queue(stage).rate is None
        await balanced(stage)


async def test_a_queue_of_no_known_class_is_not_paused_and_its_owner_is_asked(tmp_path: Path) -> None:
    async with piled(tmp_path, "poison") as (stage, incident):
        await makes(stage, "job-faults", kind="unknown_class", queue="reports")
        await incident.hears("done: queues.park")
        assert queue(stage, "reports").consumers == 1.0
        assert any(task.text.startswith("Say of which class reports is") for task in (await incident.status()).tasks)


async def test_a_worker_that_does_not_answer_is_unknown_and_not_idle(tmp_path: Path) -> None:
    async with piled(tmp_path, "deadlock", "silent") as (_, incident):
        await incident.hears("worker-1 did not answer: what they do is unknown")
        question = await incident.question("Restart")
        assert "worker-1" not in question.asks and "worker-2" in question.asks


async def test_workers_that_were_restarted_past_us_are_told_again_to_pause(tmp_path: Path) -> None:
    """Celery forgets it on a restart."""
    async with piled(tmp_path, "hot_tenant") as (stage, incident):
        await incident.hears("done: queues.pause")
        await makes(stage, "job-restarts", queue="reports")
        assert queue(stage, "reports").consumers == 1.0
        await incident.hears("its workers have forgotten it")
        await incident.pass_time(timedelta(minutes=1))
        assert queue(stage, "reports").consumers == 0.0


async def test_paused_jobs_that_are_delivered_again_are_counted_and_told(tmp_path: Path) -> None:
    """Workers that prefetch keep what they hold; after the visibility timeout it is done twice. The census says which."""
    kept, piles = {"kind": "prefetch", "queue": "reports"}, {"kind": "burst", "queue": "reports", "factor": 4}
    async with piled(tmp_path, "hot_tenant", kept, piles) as (_, incident):
        await ends(incident)
        told = story(await incident.timeline())
        assert "it does not balance" in told and "doubled" in told, told
        assert any(task.text.startswith("Look at what was done twice") for task in (await incident.status()).tasks)


async def test_a_wait_between_attempts_stays_below_the_visibility_timeout(tmp_path: Path) -> None:
    async with piled(tmp_path, "retry_storm") as (stage, incident):
        queue(stage).visibility_seconds = 40.0
        await incident.hears("done: queues.ease_retries")
        assert queue(stage).backoff_seconds == 20.0


async def test_a_stand_down_in_the_middle_gives_back_what_does_no_harm_and_keeps_the_rest_in_a_name(tmp_path: Path) -> None:
    async with piled(tmp_path, "hot_tenant", "poison") as (stage, incident):
        await incident.hears("done: queues.park")
        await mended(stage)
        await incident.commanded()
        await incident.verified("stand_down", "dana", reason="by hand from here")
        status = await incident.ends()
        now = work(stage)
        assert status.state is State.STOOD_DOWN and {one.held_by for one in status.in_force} == {"dana"}, story(await incident.timeline())
        assert now.caps[tenant(stage)] is None, "what does no harm is given back"
        assert now.intake[tenant(stage)] and queue(stage, "reports").consumers == 0.0, "others wait still: these steps were taken back"
        assert now.parked["interactive/poison"].jobs, "what is sticky is never lifted on abort"
        await balanced(stage)
