"""§2.8 from the alarm to the end: a tenant brings four times of what is usual, and everybody waits."""

from pathlib import Path

from tests.playbooks.queue_backlog.piled import balanced, ends, piled, queue, tenant, work
from tests.stage.outages import story
from workflows.incident import Phase, State


async def test_a_noisy_tenant_is_held_back_and_everything_is_given_back_in_steps(tmp_path: Path) -> None:
    async with piled(tmp_path, "hot_tenant") as (stage, incident):
        loud = tenant(stage)
        await ends(incident, until=Phase.RECOVERY)
        now, told = work(stage), story(await incident.timeline())
        assert now.intake[loud] and now.caps[loud] == 2 and queue(stage, "reports").consumers == 0, told
        assert not any(rate for name, rate in now.intake.items() if name != loud), "nobody else is held back"
        status = await ends(incident)
        told = story(await incident.timeline())
        assert status.state is State.RESOLVED and not status.in_force, told
        now = work(stage)
        assert now.intake[loud] is None and now.caps[loud] is None and queue(stage, "reports").consumers == 1.0, told
        shares = [row.after.get("share") for row in incident.done("queues.resume")]
        assert shares and "it balances" in told
        await balanced(stage)
