"""§2.8: what only people may decide, as a plan, in shadow mode, and by hand."""

from datetime import timedelta
from pathlib import Path

from tests.playbooks.queue_backlog.piled import balanced, ends, piled, queue, quick, work
from tests.stage.outages import story
from workflows.incident import Phase, Silence, State
from workflows.status import Outcome

IMPATIENT = 'drains_within = "PT1S"\nscale_by = 1.0\n'


async def test_jobs_expire_only_on_the_word_of_two_after_an_export_and_are_kept(tmp_path: Path) -> None:
    """Old mail that nobody needs any more: C3, with the owner named; it is parked, and nothing is deleted."""
    async with piled(tmp_path, "dependency", policy=quick(IMPATIENT)) as (stage, incident):
        await incident.answer("requests per second in", "decline", by="lee")
        question = await incident.question("park what was enqueued before")
        assert question.risk.label == "C3" and question.quorum == 2 and question.silence is Silence.HOLD
        assert any("they belong to messaging" in fact for fact in question.facts)
        assert incident.done("evidence.jobs") and not work(stage).parked.get("email/expired")
        await incident.answer("park what was enqueued before", by="dana")
        await incident.pass_time(timedelta(minutes=2))
        assert not work(stage).parked.get("email/expired"), "one yes is not enough"
        await incident.answer("park what was enqueued before", by="lee")
        await incident.hears("done: queues.park")
        assert work(stage).parked["email/expired"].jobs
        assert any("messaging" in task.text for task in (await incident.status()).tasks)
        await balanced(stage)


async def test_who_declines_to_give_back_keeps_it_in_their_name(tmp_path: Path) -> None:
    async with piled(tmp_path, "hot_tenant") as (stage, incident):
        status = await ends(incident, {"Are the causes repaired": "decline"})
        assert {one.held_by for one in status.in_force} == {"lee"} and queue(stage, "reports").consumers == 0.0


async def test_background_work_that_comes_back_too_early_is_taken_back(tmp_path: Path) -> None:
    """The first quarter of the consumers is watched; while others are late, it stops there."""
    async with piled(tmp_path, "poison") as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        await incident.answer("Who keeps", by="lee")
        await incident.question("Are the causes repaired")
        await stage.http.post("/practice/job-faults", json={"kind": "hot_tenant", "queue": "interactive", "factor": 12})
        await incident.pass_time(timedelta(seconds=50))
        await incident.answer("Are the causes repaired", by="lee")
        await incident.hears("was taken back")
        assert queue(stage, "reports").consumers < 1.0, story(await incident.timeline())


async def test_a_plan_says_every_step_and_changes_nothing(tmp_path: Path) -> None:
    async with piled(tmp_path, "hot_tenant", "deadlock", {"kind": "poison", "queue": "email"}) as (stage, _):
        before = work(stage).imposed()
        plan = await stage.declare("QueueBacklog", service="api", rehearsal=True)
        outcome = Outcome.model_validate(await plan.handle.result())
        assert outcome.rehearsed is not None
        verbs = {step.verb for step in outcome.rehearsed.steps}
        for verb in ("queues.limit_intake", "queues.cap_tenant", "queues.pause", "queues.park", "queues.rebalance", "pools.scale",
                     "evidence.stacks", "queues.restart"):  # fmt: skip
            assert verb in verbs, f"{verb} is not in {sorted(verbs)}"
        assert not plan.book() and work(stage).imposed() in (before, work(stage).imposed())


async def test_in_shadow_mode_only_people_change_anything(tmp_path: Path) -> None:
    async with piled(tmp_path, "hot_tenant", mode="shadow") as (stage, incident):
        await incident.hears("queues.limit_intake")
        assert not work(stage).imposed() and not [e for e in await stage.effects() if e["face"] == "jobs" and e["changed"]]
        await incident.say("stand_down", {"by": "dana", "reason": "enough seen"})
        status = await ends(incident)
        assert status.state is State.STOOD_DOWN and status.in_force == []


async def test_everything_can_be_done_by_hand_and_nothing_is_purged(tmp_path: Path) -> None:
    async with piled(tmp_path, "hot_tenant", "poison") as (_, incident):
        await ends(incident, until=Phase.RECOVERY)
        steps = (await incident.status()).steps
        lines = {step.verb: step.by_hand for step in steps}
        assert any("/v1/queues/reports/consumers" in line for line in lines["queues.pause"])
        assert any("/v1/queues/interactive/parked/poison" in line for line in lines["queues.park"])
        assert not any("purge" in line.casefold() for hand in lines.values() for line in hand)
