"""Evidence in Google Cloud Storage: write-once where the bucket can, and honest where it cannot."""

from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from activities.action import NotYet, Refused
from activities.evidence.gcs import Lock, refuse_unlockable
from practice.http.in_process import BASE_URL, InProcess
from tests.activities.evidence.stage import TRANSCRIPT, gcs, kept, ledger, stores
from tests.activities.kit.stage import BEARER, Stage, refused, stage


async def removed(played: Stage, location: str) -> httpx.Response:
    """Somebody with every right tries to remove it."""
    bucket, _, name = location.removeprefix("gs://").partition("#")[0].partition("/")
    async with httpx.AsyncClient(base_url=BASE_URL, transport=InProcess(played.world), headers=BEARER) as http:
        return await http.delete(f"/gcs/storage/v1/b/{bucket}/o/{name.replace('/', '%2F')}")


async def test_a_locked_retention_outlives_everybody_and_is_only_ever_made_longer(tmp_path: Path) -> None:
    played = stage()
    store, custody = stores(gcs(played), ledger(tmp_path))
    there = await kept(store, played.call())
    assert there.write_once and there.protection.startswith("write-once until ")
    assert "retention" in (await removed(played, there.location)).text
    longer, shorter = await kept(store, played.call(), days=800), await kept(store, played.call(), days=10)
    assert longer.adopted and longer.held_until - there.held_until == timedelta(days=434)
    assert shorter.held_until == longer.held_until
    assert [line.held_until for line in custody.lines(played.call().incident_id)] == [longer.held_until]
    assert [e["after"]["generation"] for e in played.effects("gcs")] == [int(there.location.partition("#")[2])] * 2


async def test_a_hold_keeps_it_and_is_not_called_write_once(tmp_path: Path) -> None:
    played = stage()
    store, _ = stores(gcs(played, "plain", Lock.HOLD), ledger(tmp_path))
    there = await kept(store, played.call())
    assert not there.write_once and "can end the hold" in there.protection
    assert "Event-Based hold" in (await removed(played, there.location)).text


async def test_a_bucket_without_object_retention_is_refused_with_what_to_do_and_nothing_lies_there(tmp_path: Path) -> None:
    played = stage()
    store, custody = stores(gcs(played, "plain"), ledger(tmp_path))
    assert "retention is not enabled" in await refused(lambda: kept(store, played.call()))
    assert not played.effects("gcs") and not custody.lines(played.call().incident_id)
    with pytest.raises(Refused, match="INCIDENT_GCS_LOCK=hold"):
        refuse_unlockable(await gcs(played, "plain").locks(played.call()), gcs(played, "plain"))
    assert "does not exist" in await refused(lambda: kept(stores(gcs(played, "none"), ledger(tmp_path))[0], played.call()))


@pytest.mark.parametrize("mode", ["fail", "commit_then_drop", "nothing_changed", "partial", "throttle", "hang"])
async def test_whatever_happens_on_the_way_it_lies_there_once(mode: str, tmp_path: Path) -> None:
    played = stage()
    store, _ = stores(gcs(played), ledger(tmp_path))
    played.inject("gcs.objects.insert", mode, times=1)
    for _ in range(3):
        try:
            there = await kept(store, played.call())
        except (NotYet, httpx.HTTPError):
            continue
    assert there.adopted and len(played.effects("gcs.objects.insert")) == 1


async def test_what_somebody_else_put_in_its_place_is_never_taken_for_ours(tmp_path: Path) -> None:
    played = stage()
    store, _ = stores(gcs(played), ledger(tmp_path))
    there = await kept(store, played.call())
    from practice.faces.gcs import Buckets

    (blob,) = played.world.state.part(Buckets).by_name["evidence"].objects.values()
    blob.content = TRANSCRIPT.replace(b"nobody", b"no one")
    with pytest.raises(NotYet, match="something else"):
        await kept(store, played.call())
    assert "was altered" in await refused(lambda: store.read(played.call(), there.sha256))


async def test_what_we_may_not_do_is_said_beforehand() -> None:
    played = stage()
    assert await gcs(played).may_keep(played.call()) == ()
    played.inject("gcs.objects.insert", "fail", status=403)
    assert await gcs(played).may_keep(played.call()) == ("storage.objects.create",)


def test_an_instant_is_read_as_google_writes_it() -> None:
    from activities.evidence.gcs import _retained

    found = {"retention": {"mode": "Locked", "retainUntilTime": "2027-11-30T12:00:00.000Z"}}
    assert _retained(found) == datetime.fromisoformat("2027-11-30T12:00:00+00:00") and _retained({}) is None
