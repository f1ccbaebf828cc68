"""The record is written in batches, as few as the screens allow: exact when the incident rests, a few seconds old at most while it does not."""

from datetime import timedelta
from pathlib import Path

from activities.ledger.record import Recorded
from tests.incident.mechanisms.outage import LOW_PARITY
from tests.playbooks.llm_provider_outage.outage import outage
from tests.stage.drill import Drill
from tests.stage.organisation import brisk
from tests.stage.running import RunningIncident, until
from workflows.status import Status, StepState

NEVER_BY_TIME = brisk(top='record_within = "PT24H"')  # what is written then is written for another reason


def recorded(stage: Drill, incident: RunningIncident) -> Status:
    """What a screen shows: the status as the ledger has it."""
    known: Recorded | None = stage.fleet.ledger.status(incident.id)
    assert known is not None
    return Status.model_validate(known.status)


async def exact(stage: Drill, incident: RunningIncident) -> bool:
    """Whether the ledger knows as much as the incident itself."""
    kept, now = recorded(stage, incident), await incident.status()
    times = {"updated_at", "version", "checklist"}  # the checklist's deadlines pass while nothing happens
    return kept.model_dump(exclude=times) == now.model_dump(exclude=times)


async def test_what_happened_stands_in_the_ledger_as_soon_as_the_incident_rests(tmp_path: Path) -> None:
    async with outage(tmp_path, providers=LOW_PARITY, lasts=None, policy=NEVER_BY_TIME) as (stage, incident):
        await incident.question("Fail")
        await until(lambda: exact(stage, incident), "the ledger to know what the incident knows")
        assert any("Fail" in q.asks for q in recorded(stage, incident).asking)
        await incident.say("note", {"by": "lee", "text": "nothing else happens"})
        await until(lambda: exact(stage, incident), "the note in the ledger")


async def test_while_a_vendor_does_not_answer_what_people_say_is_seen_within_seconds(tmp_path: Path) -> None:
    """Nothing rests meanwhile: the deadline alone writes it."""
    async with outage(tmp_path, lasts=None) as (stage, incident):
        await stage.inject("llm.routes.weights", "fail")

        def shifting() -> bool:
            steps = recorded(stage, incident).steps if stage.fleet.ledger.ids() else []
            return any(step.verb == "models.shift" and step.state is StepState.RUNNING for step in steps)

        async def seen() -> bool:
            await stage.env.sleep(timedelta(seconds=1))
            return any("aurora is slow" in line.text for line in stage.fleet.ledger.timeline(incident.id))

        async def begun() -> bool:
            await stage.env.sleep(timedelta(seconds=1))
            return shifting()

        await until(begun, "the shift, under way")
        await incident.say("note", {"by": "lee", "text": "aurora is slow"})
        await until(seen, "the note in the ledger")
        assert shifting(), "it was not written because the shift had ended"


async def test_standing_down_leaves_nothing_unwritten(tmp_path: Path) -> None:
    async with outage(tmp_path, providers=LOW_PARITY, lasts=None, policy=NEVER_BY_TIME) as (stage, incident):
        await incident.question("Fail")
        await incident.say("stand_down", {"by": "dana", "reason": "drill"})
        await incident.ends()
        ledger, told = stage.fleet.ledger, await incident.timeline()
        assert [f"{line.kind}: {line.text}" for line in ledger.timeline(incident.id)] == told and told[-1].startswith("closed")
        assert ledger.verify(incident.id).intact and recorded(stage, incident).entries == len(told)
