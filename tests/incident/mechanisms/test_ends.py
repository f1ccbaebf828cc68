"""How an incident is steered and ends (design §4), on the drill."""

from datetime import timedelta
from pathlib import Path

from temporalio.client import WorkflowExecutionStatus

from tests.incident.mechanisms.outage import FIVE, incident_of
from tests.stage.drill import Drill
from tests.stage.running import RunningIncident
from workflows.incident import Phase, State
from workflows.status import StepState


async def failed_over(incident: RunningIncident) -> None:
    """With the failover, the degradation and the flags in force."""
    await incident.is_in(Phase.RECOVERY)


def lifted_in_order(incident: RunningIncident) -> list[str]:
    """The verbs that lifted something, in the order of the record."""
    rows = [row for row in incident.book() if row.verb in ("flags.restore", "models.restore_modes", "models.restore_client_policy")]
    return [row.verb for row in sorted(rows, key=lambda row: row.first_at)]


async def at_rest_after_an_end(stage: Drill, incident: RunningIncident, who: str) -> None:
    """What may be lifted is; the failover stays in a name."""
    world = await stage.look()
    assert all(world["flags"].values())
    assert world["policy"]["max_attempts"] == 5
    assert not [m for m in world["route"]["modes"].values() if m == "retrieval_only"]
    status = await incident.status()
    assert [(m.name, who in m.held_by) for m in status.in_force] == [("failed over", True)]
    lifts = lifted_in_order(incident)
    assert lifts[0] == "models.restore_modes" and lifts[-1] == "models.restore_client_policy"
    assert len(lifts) == 6


async def test_standing_down_lifts_what_may_be_lifted_and_names_who_holds_the_rest(tmp_path: Path) -> None:
    """Latest first; the failover is sticky and stays in the commander's name."""
    async with incident_of(tmp_path) as (stage, incident):
        await failed_over(incident)
        assert "Incident Commander's" in await incident.refused("stand_down", {"by": "noor", "reason": "x"})
        assert "reason" in await incident.refused("stand_down", {"by": "dana"})
        assert "false alarm" in await incident.refused("stand_down", {"by": "dana", "reason": "x", "false_alarm": True})
        await incident.say("stand_down", {"by": "dana", "reason": "we do it by hand"})
        status = await incident.ends()
        assert status.state is State.STOOD_DOWN
        await at_rest_after_an_end(stage, incident, "dana")


async def test_a_temporal_cancel_does_the_same(tmp_path: Path) -> None:
    """Cancelling from the UI is a stand-down by its operator."""
    async with incident_of(tmp_path) as (stage, incident):
        await failed_over(incident)
        await incident.handle.cancel()
        await incident.ends()
        assert (await incident.handle.describe()).status is WorkflowExecutionStatus.CANCELED
        await at_rest_after_an_end(stage, incident, "Temporal operator")


async def test_a_stand_down_is_a_later_order_than_a_pause(tmp_path: Path) -> None:
    """A paused incident can be ended without being resumed first."""
    async with incident_of(tmp_path) as (stage, incident):
        await failed_over(incident)
        await incident.say("pause", {"by": "dana", "reason": "look"})
        await incident.say("stand_down", {"by": "dana", "reason": "by hand"})
        await incident.ends(patience=20)
        await at_rest_after_an_end(stage, incident, "dana")


async def test_a_pause_holds_the_next_change_and_resume_goes_on(tmp_path: Path) -> None:
    """It looks and keeps people posted, and changes nothing."""
    async with incident_of(tmp_path) as (stage, incident):
        await incident.question("over from aurora")
        assert "Incident Commander's" in await incident.refused("pause", {"by": "lee"})
        await incident.say("pause", {"by": "dana", "reason": "wait"})
        await incident.answer("over from aurora")
        await incident.answer("from retrieval only")
        await incident.pass_time(FIVE)
        assert await stage.wrote("llm.routes.weights") == [] and await stage.wrote("llm.routes.modes") == []
        assert StepState.PAUSED in {step.state for step in (await incident.status()).steps}
        await incident.say("resume", {"by": "dana"})
        await incident.hears("done: models.shift")
        await incident.hears("done: models.degrade")


async def test_roles_are_given_by_the_commander(tmp_path: Path) -> None:
    """An assignment counts at once, and replaces the roster's."""
    async with incident_of(tmp_path) as (stage, incident):
        await incident.question("over from aurora")
        assert "Incident Commander's" in await incident.refused("assign", {"role": "ops_lead", "to": "noor", "by": "lee"})
        assert "there is no role" in await incident.refused("assign", {"role": "king", "to": "noor", "by": "dana"})
        assert "nobody called" in await incident.refused("assign", {"role": "ops_lead", "to": "mallory", "by": "dana"})
        assert "noor is AI/ML Lead" in await incident.say("assign", {"role": "ai_ml_lead", "to": "noor", "by": "dana"})
        question = await incident.question("over from aurora")
        assert "ravi is not" in await incident.refused("approve", await stage.code("ravi", question.number))


async def test_anybody_may_raise_and_lowering_is_the_commanders_one_level_with_a_reason_after_a_quiet_time(tmp_path: Path) -> None:
    """Nobody lowers what has not been mitigated and quiet for half an hour (spec §3, de-escalation)."""
    async with incident_of(tmp_path, lasts=300) as (_, incident):
        await incident.question("over from aurora")
        assert (await incident.status()).severity == 2
        assert "Incident Commander's" in await incident.refused("reclassify", {"severity": "SEV-3", "by": "lee", "reason": "x"})
        assert "reason" in await incident.refused("reclassify", {"severity": "SEV-3", "by": "dana"})
        assert "one level" in await incident.refused("reclassify", {"severity": "SEV-4", "by": "dana", "reason": "x"})
        assert "mitigation is not verified" in await incident.refused("reclassify", {"severity": "SEV-3", "by": "dana", "reason": "x"})
        await incident.say("reclassify", {"severity": "SEV-1", "by": "lee", "reason": "it is worse"})
        assert (await incident.status()).severity == 1
        await incident.answer("standard wording")
        await incident.answer("over from aurora")
        await incident.answer("from retrieval only")
        await incident.hears("mitigated:", skip=timedelta(minutes=1))
        assert "nobody looked" in await incident.refused("reclassify", {"severity": "SEV-2", "by": "dana", "reason": "x"})
        await incident.pass_time(timedelta(minutes=45))
        assert "is SEV-2" in await incident.say("reclassify", {"severity": "SEV-2", "by": "dana", "reason": "it is better"})
        status = await incident.status()
        assert (status.severity, status.peak_severity) == (2, 1)
