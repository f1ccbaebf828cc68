"""Two incidents and one thing outside: ending one lifts nothing that the other needs, and a person decides who yields (spec §11, INV-12)."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.ledger.holders import RecordedHolders
from activities.values import Concern
from tests.stage.drill import Drill, drill
from tests.stage.organisation import brisk
from tests.stage.running import RunningIncident, until
from workflows.engine.contention import goes_first

FLAG = {"flag": "batch.enabled", "on": "false"}


async def asked_for(incident: RunningIncident, setting: str, fields: dict[str, str]) -> None:
    await incident.say("do", {"by": "lee", "procedure": setting, "fields": fields, "reason": "a drill"})


async def proven(incident: RunningIncident, verb: str, times: int = 1) -> None:
    async def there() -> bool:
        await incident.pass_time(timedelta(seconds=2))
        return len(incident.done(verb)) >= times

    await until(there, f"{verb} to be done {times} times")


async def stood_down(incident: RunningIncident) -> str:
    await incident.say("stand_down", {"by": "dana", "reason": "a drill"})
    await incident.ends()
    return "\n".join(await incident.timeline())


async def test_a_flag_that_two_incidents_need_is_switched_on_by_the_last(tmp_path: Path) -> None:
    """The second joins. The first one's end leaves it off and says for whom; the second's puts back what was before the first."""
    async with drill(tmp_path, policy=brisk()) as stage:
        first, second = await stage.declare("Triage"), await stage.declare("Triage")
        await asked_for(first, "flags.switch_off", FLAG)
        await proven(first, "flags.switch_off")
        await asked_for(second, "flags.switch_off", FLAG)
        await proven(second, "flags.switch_off")
        assert f"also held by {first.id}" in await incident_says(second, "adopted: flags.switch_off")
        assert (await second.status()).in_force[0].lifts_by.startswith("switch batch.enabled on again; while others hold it")
        said = await stood_down(first)
        assert f"is left as it is, for {second.id}" in said and "still in force" not in said
        assert not await flag(stage) and (await first.status()).in_force == []
        await stood_down(second)
        assert await flag(stage)
        assert [one["key"].split("/")[0] for one in await stage.wrote("unleash.feature.off")] == [first.id]
        assert [one["key"].split("/")[0] for one in await stage.wrote("unleash.feature.on")] == [second.id]


async def test_two_needs_that_nothing_serves_go_to_the_commander(tmp_path: Path) -> None:
    """Declined: nothing was written. Approved: the first yields until the second ends, and then has what it needs again."""
    async with drill(tmp_path, policy=brisk()) as stage:
        before = await attempts(stage)
        first, second = await stage.declare("Triage"), await stage.declare("Triage")
        await asked_for(first, "models.back_off", {"max_attempts": "3"})
        await proven(first, "models.back_off")
        for verdict, left in (("decline", 3), ("approve", 2)):
            await asked_for(second, "models.back_off", {"max_attempts": "2"})
            question = await second.question("is held by")
            assert first.id in question.asks and question.roles[0] == "incident_commander"
            facts = "\n".join(question.facts)
            assert f"held by {first.id} (availability)" in facts and "this incident (availability) needs" in facts
            assert "tenant isolation > data integrity" in facts and "does not say who goes first" in facts
            assert "let clients retry as before" in question.inverse
            await second.answer("is held by", verdict)
            await second.hears(f"{'declined' if verdict == 'decline' else 'done'}: models.back_off")
            assert await attempts(stage) == left
        assert any(line.startswith("contention: ") for line in await second.timeline())
        await stood_down(second)
        assert await attempts(stage) == 3
        await stood_down(first)
        assert await attempts(stage) == before


async def test_of_an_incident_that_was_terminated_others_lift_nothing_until_a_person_drops_it(tmp_path: Path) -> None:
    """Its hold remains: nobody knows better. A person who says that it is over makes the other one's lift the last."""
    async with drill(tmp_path, policy=brisk()) as stage:
        lost, second = await stage.declare("Triage"), await stage.declare("Triage")
        for one in (lost, second):
            await asked_for(one, "flags.switch_off", FLAG)
            await proven(one, "flags.switch_off")
        await lost.handle.terminate("a drill")
        holders = RecordedHolders(stage.fleet.ledger)
        assert [thing.target for thing in holders.drop(lost.id)] == ["flag/batch.enabled"]
        await stood_down(second)
        assert await flag(stage) and holders.read() == {}


async def incident_says(incident: RunningIncident, phrase: str) -> str:
    return next(line for line in await incident.timeline() if phrase in line)


async def flag(stage: Drill) -> bool:
    return bool((await stage.look())["flags"]["batch.enabled"])


async def attempts(stage: Drill) -> Any:
    return (await stage.look())["policy"]["max_attempts"]


@pytest.mark.parametrize(
    ("ours", "theirs", "says"),
    [
        (Concern.ISOLATION, Concern.AVAILABILITY, "by that this incident goes first"),
        (
            Concern.AVAILABILITY,
            Concern.EXFILTRATION,
            "stop active exfiltration goes before availability: by that the other incident keeps it",
        ),
        (Concern.COST, Concern.COST, "Both are about cost: that does not say who goes first"),
    ],
)
def test_the_priorities_are_stated_and_decide_nothing(ours: Concern, theirs: Concern, says: str) -> None:
    assert says in goes_first(ours, [theirs])
