"""§2.10 under workers that die at every boundary: each activity is lost once, before it began or after its effect."""

from pathlib import Path

import pytest

from tests.playbooks.secret_compromise.stolen import NO_OVERLAP, ends, living, of, served_by, stolen
from tests.stage.mortal import Dies, Mortal
from tests.stage.outages import story
from workflows.incident import State

CHANGES = ("credentials.revoke", "credentials.mint", "deploys.pin_secret", "secrets.disable")


@pytest.mark.parametrize("dies", Dies, ids=lambda one: one.name)
@pytest.mark.parametrize(
    ("exposure", "order"),
    [("confirmed", CHANGES), ("suspected", ("credentials.mint", "deploys.pin_secret", "credentials.revoke", "secrets.disable"))],
)
async def test_it_is_revoked_once_replaced_once_and_in_the_same_order(
    tmp_path: Path, dies: Dies, exposure: str, order: tuple[str, ...]
) -> None:
    mortal = Mortal(dies)
    async with stolen(tmp_path, "database", thief=False, exposure=exposure, mortal=mortal) as (stage, incident):
        status = await ends(stage, incident, NO_OVERLAP)
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert set(CHANGES) <= set(mortal.deaths), "each of them was lost"
        ended = [row.verb for row in incident.book() if row.outcome in ("done", "adopted")]
        assert [ended.index(verb) for verb in order] == sorted(ended.index(verb) for verb in order), ended
        keys = [
            (one["route"], one["target"])
            for one in await stage.effects()
            if one["changed"] and one["route"].startswith("credentials.keys.")
        ]
        assert sorted(keys) == [("credentials.keys.make", "keys/app"), ("credentials.keys.revoke", "keys/db-3")]
        there = of(stage)
        assert len(living(stage, incident.id)) == 1 and there.keys["db-3"].revoked is not None
        assert len(there.store["DATABASE_URL"]) == 4 and there.store["DATABASE_URL"][3].state == "DISABLED"
        assert served_by(stage, "DATABASE_URL") == {"api": {4}, "orchestrator": {4}}
        gaps = [line for line in await incident.timeline() if line.startswith("gap: ")]
        assert bool(gaps) is (exposure == "confirmed"), "what stood still is measured, and nothing stands still where it is replaced first"
        assert stage.fleet.ledger.verify(incident.id).intact
