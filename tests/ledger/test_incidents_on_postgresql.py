"""Incidents whose record is a real PostgreSQL: who holds what, what was done, and that nobody altered it, as with a file."""

from pathlib import Path

from activities.ledger.holders import RecordedHolders
from tests.incident.mechanisms.test_two_incidents import FLAG, asked_for, flag, proven, stood_down
from tests.ledger.conftest import on_postgresql
from tests.stage.drill import drill
from tests.stage.organisation import brisk
from workflows.incident import State


async def test_two_incidents_share_a_measure_and_their_record_is_whole(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk(), ledger_url=on_postgresql()) as stage:
        first, second = await stage.declare("Triage"), await stage.declare("Triage")
        for incident in (first, second):
            await asked_for(incident, "flags.switch_off", FLAG)
            await proven(incident, "flags.switch_off")
        book = stage.fleet.ledger
        assert {known.incident_id for known in book.holding()} == {first.id, second.id}
        said = await stood_down(first)
        assert f"is left as it is, for {second.id}" in said and not await flag(stage)
        await stood_down(second)
        assert await flag(stage)
        assert RecordedHolders(book).read() == {} and book.holding() == []
        for incident in (first, second):
            known, chain = book.status(incident.id), book.verify(incident.id)
            assert known is not None and (known.status["state"], chain.intact) == (State.STOOD_DOWN, True) and chain.entries > 5
            assert {one.outcome for one in book.effects(incident.id)} <= {"done", "adopted"}
