"""What serves is read back in every region, whatever happens on the way."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from temporalio.testing import ActivityEnvironment

from activities.action import NotYet, Refused
from activities.deploys.deploys import Deploys, NotKnown
from activities.deploys.orders import RevisionsOf, Rollout
from practice.services.deploying import deploy
from practice.world.world import World
from tests.activities.conftest import MakeCall, effects, inject, until_done
from tests.activities.deploys.cloud_run.conftest import API, DONE_UNKNOWN, EU, GET, MISHAPS, OPERATION, PATCH, US, back_to, place, shift

# ---- looking ----


async def test_the_survey_tells_what_serves_and_what_could(world: World, rollout: Rollout) -> None:
    assert {region: serving.split for region, serving in rollout.regions.items()} == {EU: {"LATEST": 1.0}, US: {"LATEST": 1.0}}
    assert rollout.regions[EU].resolved() == {"api-00041": 1.0}
    assert [one.id for one in rollout.revisions] == [f"api-{n:05d}" for n in range(41, 33, -1)]
    revisions = world.state.fleet.services["api"].revisions
    for one in rollout.revisions:
        theirs = revisions[one.id]
        assert (one.digest, one.images, set(one.secrets)) == (theirs.digest, (theirs.digest,), theirs.needs())
        assert (one.schema_min, one.schema_max, one.image_present) == (theirs.schema_min, theirs.schema_max, theirs.image_present)
        assert one.created_at == pytest.approx(datetime.fromtimestamp(theirs.created, UTC), abs=timedelta(seconds=1))
        assert one.green_minutes == pytest.approx(theirs.green_minutes, abs=0.5)


async def test_a_revision_is_as_good_as_where_it_is_worst(world: World, deploys: Deploys, call: MakeCall) -> None:
    place(world, US).history.remove("api-00040")
    rollout = await deploys.survey(RevisionsOf(service=API), call())
    missing, whole = rollout.revision("api-00040"), rollout.revision("api-00039")
    assert missing is not None and not missing.ready
    assert whole is not None and whole.ready


async def test_a_metrics_store_that_stays_silent_leaves_the_green_minutes_unknown(world: World, deploys: Deploys, call: MakeCall) -> None:
    inject(world, "prometheus.query", "fail")
    with pytest.raises(httpx.HTTPStatusError):
        await deploys.survey(RevisionsOf(service=API), call())
    third = ActivityEnvironment()
    third.info = dataclasses.replace(third.info, attempt=3)
    rollout = await third.run(deploys.survey, RevisionsOf(service=API), call())
    assert {one.green_minutes for one in rollout.revisions} == {None}


async def test_a_service_that_nobody_runs_here_is_refused(deploys: Deploys, call: MakeCall) -> None:
    for wrong, why in (
        ({"name": "nothing"}, "does not exist"),
        ({"platform": "kubernetes"}, "no adapter"),
        ({"project": ""}, "set project"),
        ({"regions": ("ap-south",)}, "does not exist"),
    ):
        with pytest.raises(Refused, match=why):
            await deploys.survey(RevisionsOf(service=API.model_copy(update=wrong)), call())


# ---- shifting ----


async def test_a_roll_back_is_read_back_in_every_region_and_can_be_undone(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    order = back_to(rollout)
    effect = await shift(deploys, order, call(key="back"))
    assert effect.proven_by == "cloud run shows api-00040 100 % in eu-west and us-east in force"
    assert (effect.target, effect.adopted) == ("service/api", False)
    assert effect.before == {EU: {"LATEST": 1.0}, US: {"LATEST": 1.0}}
    assert effect.after == {EU: {"api-00040": 1.0}, US: {"api-00040": 1.0}}
    assert (await shift(deploys, order, call(key="back"))).adopted
    assert [(e["key"], e["target"]) for e in effects(world, PATCH)] == [
        ("back/eu-west", "services/api/eu-west"),
        ("back/us-east", "services/api/us-east"),
    ]
    await shift(deploys, order.undo(), call(key="restore"))
    assert place(world).split == place(world, US).split == {"LATEST": 1.0}
    assert len(effects(world, PATCH)) == 4


async def test_pinning_the_latest_is_not_the_same_as_following_it(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    effect = await shift(deploys, back_to(rollout, "api-00041"), call())
    assert not effect.adopted
    deploy(world, "api", actor="ci", what="another one")
    assert world.state.fleet.services["api"].serving(EU) == {"api-00041": 1.0}


async def test_a_canary_takes_a_share_in_one_region_only(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    order = back_to(rollout, split={EU: {"LATEST": 0.9, "api-00040": 0.1}}, purpose="canary")
    effect = await shift(deploys, order, call())
    assert effect.after == {EU: {"LATEST": 0.9, "api-00040": 0.1}}
    assert (place(world).split, place(world, US).split) == ({"LATEST": 0.9, "api-00040": 0.1}, {"LATEST": 1.0})


@pytest.mark.parametrize(("mode", "settings"), MISHAPS, ids=[mode for mode, _ in MISHAPS])
async def test_whatever_happens_to_a_shift_it_is_done_once_in_every_region(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall, mode: str, settings: dict[str, Any]
) -> None:
    order, made = back_to(rollout), call(key="the key")
    inject(world, PATCH, mode, **settings)
    effect, broke = await until_done(lambda: shift(deploys, order, made), tries=5)
    assert broke and effect.after == {EU: {"api-00040": 1.0}, US: {"api-00040": 1.0}}
    assert sorted(e["key"] for e in effects(world, PATCH)) == ["the key/eu-west", "the key/us-east"]
    assert effect.adopted == (mode in DONE_UNKNOWN)
    again = await shift(deploys, order, made)
    assert again.adopted and len(effects(world, PATCH)) == 2


async def test_a_200_that_changed_nothing_is_never_an_effect(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    order = back_to(rollout)
    inject(world, PATCH, "nothing_changed")
    for _ in range(3):
        with pytest.raises(NotYet, match=r"eu-west: .*accepted, but LATEST 100 % still serves"):
            await shift(deploys, order, call())
    assert not effects(world, PATCH)


@pytest.mark.parametrize("times", [1, 2, 3, 4])
async def test_a_stale_reading_is_read_again(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall, times: int) -> None:
    order, made = back_to(rollout), call(key="the key")
    with pytest.raises(NotKnown):
        inject(world, PATCH, "commit_then_drop", times=2)
        await shift(deploys, order, made)
    inject(world, GET, "stale_read", times=times)
    effect, _ = await until_done(lambda: shift(deploys, order, made))
    assert effect.after == {EU: {"api-00040": 1.0}, US: {"api-00040": 1.0}}
    assert sorted(e["key"] for e in effects(world, PATCH)) == ["the key/eu-west", "the key/us-east"]


async def test_a_lost_reply_is_adopted_while_the_change_is_still_under_way(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    order, made = back_to(rollout), call()
    inject(world, PATCH, "commit_then_drop", times=2)
    with pytest.raises(NotKnown, match=r"eu-west: .*; us-east: "):
        await shift(deploys, order, made)
    effect, _ = await until_done(lambda: shift(deploys, order, made))
    assert effect.adopted and len(effects(world, PATCH)) == 2


@pytest.mark.parametrize("mode", ["fail", "hang", "throttle"])
async def test_an_operation_that_cannot_be_read_does_not_matter(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall, mode: str
) -> None:
    inject(world, OPERATION, mode)
    effect, _ = await until_done(lambda: shift(deploys, back_to(rollout), call()))
    assert effect.after == {EU: {"api-00040": 1.0}, US: {"api-00040": 1.0}} and len(effects(world, PATCH)) == 2


async def test_asked_to_slow_down_we_wait_as_long_as_they_say(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    inject(world, PATCH, "throttle", times=2, retry_after=7)
    with pytest.raises(NotYet, match="asked to slow down") as said:
        await shift(deploys, back_to(rollout), call())
    assert said.value.next_retry_delay == timedelta(seconds=7)
