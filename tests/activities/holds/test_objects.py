"""Holds on objects that lie there already: all of them at that moment, counted; holds of others stay; what is gone is seen."""

from typing import Any

import pytest

from activities.action import Risk, action_of
from activities.holds.gcs import GcsObjects
from activities.holds.objects import ObjectHolds, ObjectsOf, hold
from practice.faces.gcs import Blob, Bucket, Buckets
from tests.activities.kit.stage import Stage, attempt, refused, stage, tried

PATCH = "gcs.objects.patch"


def system(played: Stage) -> ObjectHolds:
    return ObjectHolds(GcsObjects(played.client("/gcs")))


def bucket(played: Stage) -> Bucket:
    return played.world.state.part(Buckets).by_name["logs"]


def held(played: Stage) -> set[str]:
    return {name for name, one in bucket(played).objects.items() if one.held or one.temporarily}


def names(kind: str) -> set[str]:
    return {f"{kind}/2026-11-{day:02}.jsonl" for day in range(1, 7)}


async def given(played: Stage, prefix: str = "audit/", **more: Any) -> Any:
    order = hold("logs", prefix, "a stolen key", **more)
    return order.given(await attempt(ObjectHolds.read, system(played), order.look(), played.call()))


async def placed(played: Stage, order: Any, key: str = "k") -> Any:
    return (await tried(ObjectHolds.change, system(played), order, played.call(key=key)))[0]


async def lifted(played: Stage, order: Any) -> Any:
    return (await tried(ObjectHolds.restore, system(played), order.undo(), played.call(key="lift")))[0]


@pytest.mark.parametrize("event_based", [True, False])
async def test_what_lies_there_is_held_nobody_deletes_it_and_nothing_else_is(event_based: bool) -> None:
    played = stage()
    order = await given(played, event_based=event_based)
    effect = await placed(played, order)
    assert "6 of 6 objects are held, 6 of them by us; what is written later is not" in effect.proven_by
    assert held(played) == names("audit")
    gone = await played.client("/gcs").ask(played.call(), "DELETE", "/storage/v1/b/logs/o/audit%2F2026-11-01.jsonl")
    assert gone.status_code == 403
    await lifted(played, order)
    assert not held(played) and not any(one.metadata for one in bucket(played).objects.values())


async def test_a_hold_of_somebody_else_stays() -> None:
    played = stage()
    theirs = bucket(played).objects["audit/2026-11-01.jsonl"]
    theirs.temporarily = True
    order = await given(played)
    assert "5 of them by us" in (await placed(played, order)).proven_by
    await lifted(played, order)
    assert held(played) == {"audit/2026-11-01.jsonl"} and not theirs.metadata


async def test_what_is_written_later_is_seen_and_another_order_holds_it_too() -> None:
    played = stage()
    order = await given(played)
    await placed(played, order)
    bucket(played).objects["audit/2026-11-09.jsonl"] = Blob(b"later", 99, "2026-11-09T00:00:00Z")
    now = await attempt(ObjectHolds.read, system(played), order.look(), played.call())
    assert (now.n, now.held_objects, now.value.partly) == (7, 6, True) and not order.met(now)
    more = await given(played)
    assert "7 of 7 objects" in (await placed(played, more, "more")).proven_by
    await lifted(played, more)
    assert not held(played)


async def test_pages_are_read_to_their_end() -> None:
    played = stage()
    bucket(played).objects |= {f"big/{n:05}": Blob(b"x", 1000 + n, "2026-11-01T00:00:00Z") for n in range(1200)}
    now = await attempt(ObjectHolds.read, system(played), hold("logs", "big/").look(), played.call())
    assert (now.n, now.held_objects) == (1200, 0)


async def test_a_half_that_broke_off_is_finished_and_each_object_is_held_once() -> None:
    played = stage()
    order = await given(played)
    played.inject(PATCH, "fail", times=4)
    played.inject(PATCH, "commit_then_drop", times=1)
    _, broke = await tried(ObjectHolds.change, system(played), order, played.call(key="k"))
    assert broke and held(played) == names("audit") and len(played.effects(PATCH)) == 6


async def test_an_empty_prefix_holds_nothing_and_says_so() -> None:
    played = stage()
    with pytest.raises(AssertionError, match="accepted, but"):
        await placed(played, await given(played, "nothing/"))
    assert "does not exist" in await refused(
        lambda: attempt(ObjectHolds.read, system(played), ObjectHolds.look(ObjectsOf(bucket="gone")), played.call())
    )


async def test_what_is_deleted_between_list_and_hold_is_seen_at_the_next_look() -> None:
    """It cannot be held any more; the rest is."""
    played = stage()
    order, there = await given(played), bucket(played)

    class Raced(GcsObjects):
        async def _all(self, call: Any, of: Any) -> Any:
            found = await super()._all(call, of)
            there.objects.pop("audit/2026-11-02.jsonl", None)
            return found

    effect, _ = await tried(ObjectHolds.change, ObjectHolds(Raced(played.client("/gcs"))), order, played.call(key="k"))
    assert "5 of 5 objects" in effect.proven_by


def test_to_hold_is_narrow_to_end_it_is_for_security_and_legal() -> None:
    change, back = action_of(ObjectHolds.change), action_of(ObjectHolds.restore)
    order = hold("logs", "audit/")
    assert change.risk(order, None) is Risk.C1 and back.risk(order, None) is Risk.C3 and {"security_lead", "legal"} <= set(back.asks)  # type: ignore[arg-type]
    assert ObjectsOf(bucket="logs", prefix="a*[b]?").read_by_hand()[0].split("'")[1] == "gs://logs/a[*][[]b][?]**"
