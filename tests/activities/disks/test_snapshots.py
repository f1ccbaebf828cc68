"""Copies of disks: begun is enough, twice is once, and a copy of something else is no evidence of this disk."""

import asyncio
from typing import Any

import pytest

from activities.action import Risk, action_of
from activities.disks.gce import ComputeDisks
from activities.disks.snapshots import At, DiskSnapshot, DiskSnapshots, DisksOf, SnapshotOf
from practice.containment.cast import there
from practice.containment.model import Containment, Disk
from practice.containment.model import Snapshot as Copied
from tests.activities.kit.stage import INCIDENT, Stage, attempt, refused, stage, tried

DISK = "projects/acme/zones/eu-west-b/disks/api-1"
ORDER = DiskSnapshot(disk=DISK, incident_id=INCIDENT, asset="api")
MAKE = "gce.disks.createSnapshot"


def system(played: Stage) -> DiskSnapshots:
    return DiskSnapshots(ComputeDisks(played.client("/gce"), "acme"))


def found(played: Stage) -> Containment:
    return there(played.world.state, played.world.clock.now())


async def begun(played: Stage, key: str = "k", order: DiskSnapshot = ORDER) -> Any:
    return (await tried(DiskSnapshots.create, system(played), order, played.call(key=key)))[0]


async def looked(played: Stage) -> Any:
    return await attempt(DiskSnapshots.shown, system(played), SnapshotOf(disk=DISK, incident_id=INCIDENT), played.call())


async def test_a_copy_that_takes_an_hour_is_begun_and_holds_nobody_up() -> None:
    played = stage()
    found(played).copied_in = 3600
    effect = await begun(played)
    assert effect.after["at"] == "CREATING" and effect.proven_by == "the store lists it" and "never deleted by us" in ORDER.inverse()
    seen = []
    for _ in range(3):
        seen.append((await looked(played)).at)
        played.pass_time(1900)
    assert seen == [At.CREATING, At.UPLOADING, At.READY]
    (copy,) = found(played).snapshots.values()
    assert copy.labels == {"incident": INCIDENT, "asset": "api"}


@pytest.mark.parametrize("key", ["k", "another"])
async def test_a_second_order_finds_what_is_there_whatever_its_key(key: str) -> None:
    played = stage()
    await begun(played)
    assert (await begun(played, key)).adopted and len(played.effects(MAKE)) == 1


async def test_a_reply_that_was_lost_is_found_again_by_its_request_also_before_the_name_shows() -> None:
    """The request id is the same in every attempt: Google answers with the operation that it has begun."""
    played = stage()
    http, name = played.client("/gce"), ORDER.name
    store = ComputeDisks(http, "acme")
    for _ in range(2):
        await store.begin(played.call(), ORDER, "b0f6e0f2-2c3c-5c0e-9a6e-2f3c52a7b1aa")
    assert list(found(played).snapshots) == [name] and len(played.effects(MAKE)) == 1


async def test_two_workers_at_once_begin_one() -> None:
    played = stage()
    done = await asyncio.gather(begun(played, "one"), begun(played, "two"))
    assert len(found(played).snapshots) == 1 and {one.after["snapshot"] for one in done} == {ORDER.name}


@pytest.mark.parametrize("broken", [True, False])
async def test_a_copy_that_failed_and_one_of_another_disk_are_no_evidence(broken: bool) -> None:
    played = stage()
    disk = "api-1" if broken else "main-1"
    found(played).snapshots[ORDER.name] = Copied(ORDER.name, disk, "zones/eu-west-b", 1, {}, played.world.clock.now(), failed=broken)
    why = await refused(lambda: begun(played))
    assert ("FAILED: begin one by hand" in why) is broken and ("is a copy of another disk" in why) is not broken
    assert not played.effects(MAKE)


async def test_what_google_begins_and_breaks_off_in_the_same_answer_is_refused() -> None:
    played = stage()
    missing = DiskSnapshot(disk=DISK.replace("api-1", "gone"), incident_id=INCIDENT)
    assert "was not found" in await refused(lambda: begun(played, order=missing))
    assert "there is no copy" in await refused(lambda: looked(played))


async def test_all_disks_of_an_asset_are_listed_and_no_others() -> None:
    played = stage()
    found(played).disks += [Disk(f"api-{n}", "us-east-b", "api") for n in range(10, 1210)]
    listed = await attempt(DiskSnapshots.of_asset, system(played), DisksOf(asset="api"), played.call())
    assert len(listed.disks) == 1202 and all("/disks/api-" in one for one in listed.disks) and DISK in listed.disks
    none = await attempt(DiskSnapshots.of_asset, system(played), DisksOf(asset='api" OR labels.asset="main'), played.call())
    assert none.disks == ()


async def test_a_disk_that_is_kept_in_two_zones_is_listed_and_copied_like_any() -> None:
    played = stage()
    found(played).disks.append(Disk("api-both", "eu-west", "api", regional=True))
    listed = await attempt(DiskSnapshots.of_asset, system(played), DisksOf(asset="api"), played.call())
    (both,) = (one for one in listed.disks if "/regions/" in one)
    assert (await begun(played, order=DiskSnapshot(disk=both, incident_id=INCIDENT))).after["at"] == "CREATING"


async def test_a_zone_that_nobody_can_ask_is_said() -> None:
    played = stage()
    found(played).away = ["us-east-b"]
    listed = await attempt(DiskSnapshots.of_asset, system(played), DisksOf(asset="api"), played.call())
    assert listed.disks == (DISK,) and listed.unreachable == ("us-east-b",) and "nobody can say what is in us-east-b" in listed.summary


@pytest.mark.parametrize("disk", ["", "api-1", "projects/acme/zones/eu-west-b/disks/../x", DISK + "/x", DISK.upper(), DISK + "\n"])
async def test_what_is_no_disk_is_refused(disk: str) -> None:
    played = stage()
    assert "is no disk" in await refused(lambda: begun(played, order=DiskSnapshot(disk=disk, incident_id=INCIDENT)))
    assert not played.effects("gce")


def test_names_are_of_one_incident_and_one_disk_and_it_is_narrow() -> None:
    names = {DiskSnapshot(disk=disk, incident_id=of).name for disk in (DISK, DISK + "2") for of in (INCIDENT, INCIDENT + "-2")}
    assert len(names) == 4 and all(len(one) <= 63 for one in names)
    assert action_of(DiskSnapshots.create).risk(ORDER, None) is Risk.C1  # type: ignore[arg-type]
