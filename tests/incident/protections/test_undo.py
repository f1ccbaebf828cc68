"""`incident undo INCIDENT STEP`: what one step imposed is undone alone, with the approvals that a lift takes, and every notice says how."""

from pathlib import Path

from practice.egress.outbound import outbound
from tests.stage.drill import Drill, drill
from tests.stage.organisation import brisk
from tests.stage.running import RunningIncident, until

FLAG, EVIL = "flags.switch_off", "evil.example"


async def imposed(incident: RunningIncident, stage: Drill, procedure: str, by: str = "lee", **fields: str) -> int:
    """Have something changed; the number of the step that did it."""
    await incident.say("do", {"by": by, "procedure": procedure, "fields": fields})
    await incident.hears(f"done: {procedure} ")
    return next(step.number for step in reversed((await incident.status()).steps) if step.verb == procedure)


async def undone(incident: RunningIncident, step: int | str, by: str = "lee") -> str:
    return str(await incident.say("do", {"by": by, "procedure": "undo", "fields": {"step": str(step)}, "reason": "the wrong one"}))


async def test_a_narrow_step_is_undone_at_a_persons_word_and_the_others_stay(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk()) as stage:
        incident = await stage.declare()
        batch = await imposed(incident, stage, FLAG, flag="batch.enabled", on="false")
        await imposed(incident, stage, FLAG, flag="scheduler.enabled", on="false")
        assert "undo has begun" in await undone(incident, batch)
        await incident.hears(f"undone: step {batch}, switched off: flag/batch.enabled: the wrong one")
        flags = (await stage.look())["flags"]
        assert (flags["batch.enabled"], flags["scheduler.enabled"]) == (True, False)
        assert [one.target for one in (await incident.status()).in_force if one.target.startswith("flag/")] == ["flag/scheduler.enabled"]
        for wrong in (batch, 999, "x", ""):
            why = await incident.refused("do", {"by": "lee", "procedure": "undo", "fields": {"step": str(wrong)}})
            assert "say which step is undone; in force by a step of ours: " in why and "flag/scheduler.enabled" in why
        await incident.verified("stand_down", "dana", reason="a drill")
        await incident.ends()


async def test_a_lift_that_is_broad_is_asked_also_when_one_step_is_undone(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk()) as stage:
        incident = await stage.declare()
        step = await imposed(incident, stage, "egress.deny", name=EVIL, workload="agents", denied="true")
        there = outbound(stage.world.state)
        assert list(there.denied) == [f"host/{EVIL}"]
        await undone(incident, step)
        await incident.answer(f"Undo step {step}", "decline", "dana")
        await incident.hears(f"not undone: step {step}, denied: egress/host/{EVIL}")
        assert list(outbound(stage.world.state).denied) == [f"host/{EVIL}"]
        await undone(incident, step)
        await incident.answer(f"Undo step {step}", "approve", "dana")
        await incident.hears(f"undone: step {step}, denied: egress/host/{EVIL}: the wrong one")
        assert not outbound(stage.world.state).denied
        await incident.verified("stand_down", "dana", reason="a drill")
        await incident.ends()


async def test_every_notice_of_what_automation_did_alone_says_how_to_undo_it(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk(more='[policy.evidence]\nfresh_for = "PT1H"')) as stage:
        await stage.break_provider(provider="aurora", kind="overload", rate=0.9)
        incident = await stage.declare()
        done = await incident.hears("; nobody was asked, to undo it: incident undo ")
        number = int(done.rsplit(" ", 1)[1])
        assert done.endswith(f"incident undo {incident.id} {number}")
        step = next(one for one in (await incident.status()).steps if one.number == number)

        async def pinned() -> bool:
            pins = [e["after"] for e in await stage.effects() if e["route"].startswith("slack.chat")]
            return any(f"(to undo: incident undo {incident.id} {number})" in str(pin) for pin in pins)

        await until(pinned, "the room to say how it is undone")
        await undone(incident, number, by="dana")
        await incident.hears(f"undone: step {number}")
        assert step.target not in [one.target for one in (await incident.status()).in_force]
