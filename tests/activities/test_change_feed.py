"""The change feed: everything of a day, data and permissions included; and a list with a hole says so."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.action import Call
from activities.kit.http import HttpClient
from activities.platform.change_feed import KINDS, Change, ChangeFeed, Changes, ChangesSince
from activities.platform.control_plane import ControlPlane
from practice.http.server import serve
from practice.services.deploying import change, deploy
from practice.world.world import World
from tests.activities.conftest import BEARER, INCIDENT, MakeCall, by_hand, inject, pass_time, tried


async def read(change_feed: ChangeFeed, call: Call, **order: timedelta) -> Changes:
    return await change_feed.since(ChangesSince(**order), call)


async def test_a_day_of_changes_of_every_kind(change_feed: ChangeFeed, call: MakeCall) -> None:
    said = await read(change_feed, call())
    assert said.complete and said.gaps == () and said.kinds == KINDS
    assert {one.kind for one in said.changes} == set(KINDS)
    assert list(said.changes) == sorted(said.changes, key=lambda one: one.at)
    assert said.until - said.since == timedelta(hours=24)
    deploys = [one for one in said.changes if one.kind == "deploy"]
    assert {one.details["revision"] for one in deploys} == {"api-00041", "orchestrator-00041"}
    assert all(one.digest.startswith("sha256:") for one in deploys)


async def test_only_the_window_is_read(world: World, change_feed: ChangeFeed, call: MakeCall) -> None:
    deploy(world, "api", actor="ci", what="a new thing")
    pass_time(world, 60)
    change(world, ["orchestrator"], "iam", "role widened", actor="sam")
    said = await read(change_feed, call(), look_back=timedelta(minutes=2))
    assert [(one.kind, one.actor, one.services) for one in said.changes] == [("deploy", "ci", ("api",)), ("iam", "sam", ("orchestrator",))]
    assert "by sam at" in said.changes[1].in_words()
    assert [one.kind for one in (await read(change_feed, call(), look_back=timedelta(seconds=30))).changes] == ["iam"]


async def test_a_hole_is_named(world: World, change_feed: ChangeFeed, call: MakeCall) -> None:
    world.state.fleet.gaps = ["iam", "vendor"]
    said = await read(change_feed, call())
    assert said.gaps == ("iam", "vendor") and not said.complete
    assert not {"iam", "vendor"} & ({one.kind for one in said.changes} | set(said.kinds))


@pytest.mark.parametrize("mode", ["fail", "throttle", "hang"])
async def test_a_feed_that_stumbles_is_asked_again(world: World, change_feed: ChangeFeed, call: MakeCall, mode: str) -> None:
    inject(world, "platform.changes", mode, times=2)
    said, broke = await tried(ChangeFeed.since, change_feed, ChangesSince(), call())  # type: ignore[arg-type]
    assert len(broke) == 2 and isinstance(said, Changes) and said.complete


async def test_at_another_pace_a_day_is_still_a_day(tmp_path: Path, call: MakeCall) -> None:
    world = World(seed=7, pace=60.0, state=tmp_path)
    async with serve(world) as url, HttpClient(f"{url}/platform", BEARER) as door:
        now = call().model_copy(update={"incident_id": INCIDENT, "pace": 60.0, "at": datetime.now(UTC)})
        said = await read(ChangeFeed(ControlPlane(door)), now)
    assert said.until - said.since == timedelta(minutes=24)
    assert {one.kind for one in said.changes} == set(KINDS)
    assert min(one.at for one in said.changes) >= said.since


async def test_by_hand_shows_the_same(practice_url: str) -> None:
    await by_hand(ChangesSince(), practice_url)
    assert Change(id="c", kind="flag", at="2026-11-23T10:00:00Z", actor="lee").services == ()
