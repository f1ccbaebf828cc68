"""How an incident is steered and ends (design §4), on the drill."""

from datetime import timedelta
from pathlib import Path

from temporalio.client import WorkflowExecutionStatus

from activities.identity.codes import COMMANDS
from tests.incident.mechanisms.outage import FIVE, incident_of, signalled
from tests.stage.drill import Drill
from tests.stage.organisation import brisk
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
    """Latest first; the failover is sticky and stays in the commander's name. With C2 in force it takes a code, and every code is good once."""
    async with incident_of(tmp_path) as (stage, incident):
        await failed_over(incident)
        assert "Incident Commander's" in await incident.refused("stand_down", {"by": "noor", "reason": "x"})
        refused = await incident.refused("stand_down", {"by": "dana", "reason": "we do it by hand"})
        assert "must be verified (C2)" in refused and f"`incident code {incident.id}`" in refused
        assert not (await incident.status()).state.over and "reason" in await incident.refused(
            "stand_down", {"code": await incident.command_code("dana")}
        )
        code = await incident.command_code("dana")
        assert "false alarm" in await incident.refused("stand_down", {"code": code, "reason": "x", "false_alarm": True})
        assert "used already, for stand_down" in await incident.refused("stand_down", {"code": code, "reason": "we do it by hand"})
        await incident.verified("stand_down", "dana", reason="we do it by hand")
        status = await incident.ends()
        assert status.state is State.STOOD_DOWN
        assert "stand down: we do it by hand (verified)" in await incident.timeline()
        assert not [line for line in await incident.timeline() if code in line]
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
        await incident.verified("stand_down", "dana", reason="by hand")
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
        assert "must be verified" in await incident.refused("resume", {"by": "dana"})
        await signalled(incident, "code", "dana")  # as in the Temporal UI: one string, and one more
        await signalled(incident, "resume", await stage.code("dana", COMMANDS))
        await incident.hears("resumed: resumed (verified)", skip=timedelta(seconds=1))
        await incident.hears("done: models.shift")
        await incident.hears("done: models.degrade")


async def test_roles_are_given_by_the_commander(tmp_path: Path) -> None:
    """An assignment counts at once, and replaces the roster's."""
    async with incident_of(tmp_path) as (stage, incident):
        await incident.question("over from aurora")
        assert "Incident Commander's" in await incident.refused("assign", {"role": "ops_lead", "to": "noor", "by": "lee"})
        assert "there is no role" in await incident.refused("assign", {"role": "king", "to": "noor", "by": "dana"})
        unknown = {"role": "ops_lead", "to": "mallory", "code": await incident.command_code("dana")}
        assert "nobody called" in await incident.refused("assign", unknown)
        assert "must be verified" in await incident.refused("assign", {"role": "ai_ml_lead", "to": "noor", "by": "dana"})
        assert "noor is AI/ML Lead" in await incident.verified("assign", "dana", role="ai_ml_lead", to="noor")
        question = await incident.question("over from aurora")
        assert "ravi is not" in await incident.refused("approve", await stage.code("ravi", question.number))


async def test_anybody_may_raise_and_lowering_is_the_commanders_one_level_with_a_reason_after_a_quiet_time(tmp_path: Path) -> None:
    """Nobody lowers what has not been mitigated and quiet for half an hour (spec §3, de-escalation).

    The policy is the demo's, which trusts the local user: what is lowered by name counts, and is shown as self-declared.
    """
    async with incident_of(tmp_path, lasts=300, policy=brisk(top="verified_from = 3")) as (_, incident):
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
        assert "severity: SEV-1 → SEV-2: it is better (self-declared)" in await incident.timeline()
