"""What every evidence store does: content goes in once, comes back by its hash, and stands on the manifest with its custody."""

from collections.abc import Callable
from pathlib import Path

import pytest

from activities.action import NotYet
from activities.evidence.store import Shelf
from activities.ledger.custody import LOOKED, TAKEN
from activities.ledger.ledger import Ledger
from tests.activities.evidence.stage import TRANSCRIPT, folder, gcs, kept, ledger, s3, stores
from tests.activities.kit.stage import INCIDENT, Stage, refused, stage

SHELVES: dict[str, Callable[[Stage, Path], Shelf]] = {
    "folder": lambda _, tmp: folder(tmp),
    "gcs": lambda played, _: gcs(played),
    "s3": lambda played, _: s3(played),
}
each = pytest.mark.parametrize("shelf", SHELVES.values(), ids=SHELVES)


@each
async def test_it_is_kept_once_comes_back_by_its_hash_and_the_manifest_says_who_took_it_and_who_looked(
    shelf: Callable[[Stage, Path], Shelf], tmp_path: Path
) -> None:
    played = stage()
    store, custody = stores(shelf(played, tmp_path), ledger(tmp_path))
    call = played.call(key=f"{INCIDENT}/agents.export/session/s-17/1")
    first, again = await kept(store, call), await kept(store, call)
    assert (first.adopted, again.adopted, first.sha256) == (False, True, again.sha256)
    assert await store.read(played.call(later=60), first.sha256, by="sam") == TRANSCRIPT
    (line,) = custody.lines(INCIDENT)
    assert (line.asset, line.sha256, line.bytes, line.location) == ("session/s-17", first.sha256, len(TRANSCRIPT), first.location)
    assert [(one.act, one.who) for one in line.custody] == [(TAKEN, "automation (agents.export)"), (LOOKED, "sam")]
    assert first.listed and (await store.manifest(call)) == (line,)


@each
async def test_a_name_leads_nowhere_and_what_is_not_there_is_refused(shelf: Callable[[Stage, Path], Shelf], tmp_path: Path) -> None:
    played = stage()
    store, _ = stores(shelf(played, tmp_path), ledger(tmp_path))
    there = await kept(store, played.call(), name="../../etc/passwd; rm -rf $(id)")
    assert ".." not in there.location and await store.read(played.call(), there.sha256) == TRANSCRIPT
    assert "has nothing" in await refused(lambda: store.read(played.call(), "0" * 64))
    assert "64 hexadecimal" in await refused(lambda: store.read(played.call(), "../x"))
    elsewhere = played.call(incident_id="inc-20261123-other")
    assert "has nothing" in await refused(lambda: store.read(elsewhere, there.sha256))


async def test_without_a_ledger_evidence_is_kept_all_the_same_and_says_that_the_manifest_lacks_it(tmp_path: Path) -> None:
    played = stage()
    store, _ = stores(folder(tmp_path), Ledger(f"sqlite:///{tmp_path}/never-migrated.db"))
    there = await kept(store, played.call())
    assert not there.listed and "manifest could not be written" in there.summary
    assert await store.read(played.call(), there.sha256) == TRANSCRIPT
    with pytest.raises(NotYet, match="cannot be noted that sam"):
        await store.read(played.call(), there.sha256, by="sam")
    with pytest.raises(NotYet, match="cannot be read"):
        await store.manifest(played.call())
