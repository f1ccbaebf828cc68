"""One region that says no, and changes of somebody else: nobody's change is overwritten."""

import asyncio
import dataclasses
from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.action import NotYet, Refused
from activities.deploys.deploys import Deploys, NotKnown
from activities.deploys.orders import RevisionsOf, Rollout
from activities.kit import fence
from practice.faces.cloud_run.changes import CloudRunRecords
from practice.services.deploying import deploy
from practice.world.world import World
from tests.activities.conftest import MakeCall, MakeClient, effects, inject
from tests.activities.deploys.cloud_run.conftest import API, EU, GET, PATCH, US, allowed, back_to, place, shift

# ---- one region says no ----


async def test_a_region_that_refuses_is_told_beside_the_one_that_obeyed_and_the_rest_can_be_repeated(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    order, made = back_to(rollout), call(key="the key")
    inject(world, PATCH, "fail", times=1, status=403)
    with pytest.raises(Refused, match=r"(eu-west|us-east): PATCH .*: 403 .*; (eu-west|us-east) serves api-00040 100 %, as wanted$"):
        await shift(deploys, order, made)
    done = [e["target"] for e in effects(world, PATCH)]
    assert len(done) == 1
    effect = await shift(deploys, order, made)
    assert not effect.adopted and effect.after == {EU: {"api-00040": 1.0}, US: {"api-00040": 1.0}}
    assert sorted(e["key"] for e in effects(world, PATCH)) == ["the key/eu-west", "the key/us-east"]


async def test_a_region_whose_control_plane_is_down_does_not_keep_the_other_one_from_rolling_back(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    order = back_to(rollout)
    inject(world, GET, "fail", times=1)
    with pytest.raises(NotKnown, match="as wanted"):
        await shift(deploys, order, call())
    assert len(effects(world, PATCH)) == 1
    assert (await shift(deploys, order, call())).after == {EU: {"api-00040": 1.0}, US: {"api-00040": 1.0}}


async def test_what_the_platform_gives_up_is_no_effect_and_can_be_asked_for_again(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    revision = world.state.fleet.services["api"].revisions["api-00040"]
    revision.ready = False
    order = back_to(rollout)
    with pytest.raises(Refused, match="Revision 'api-00040' is not ready"):
        await shift(deploys, order, call())
    assert place(world).split == {"LATEST": 1.0}
    with pytest.raises(Refused, match="the platform gave it up: Revision 'api-00040' is not ready"):
        await shift(deploys, order, call())
    revision.ready = True
    effect = await shift(deploys, order, call(again=True))
    assert not effect.adopted and place(world).split == {"api-00040": 1.0}


# ---- somebody else ----


async def test_what_somebody_else_changed_since_is_left_to_people(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    place(world, US).split = {"api-00039": 1.0}
    with pytest.raises(
        Refused, match=r"somebody else .*: api-00039 100 % in us-east now; it was LATEST 100 % in us-east when this was decided"
    ):
        await shift(deploys, back_to(rollout), call())
    assert not effects(world, PATCH), "nothing is written anywhere, not even where nobody was"


async def test_what_somebody_else_changed_between_two_tries_is_left_to_people(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    inject(world, PATCH, "fail", times=1, status=403)
    with pytest.raises(Refused):
        await shift(deploys, back_to(rollout), call())
    left = EU if place(world, US).split == {"api-00040": 1.0} else US
    place(world, left).split = {"api-00038": 1.0}
    with pytest.raises(Refused, match=f"api-00038 100 % in {left} now.* already serves as wanted"):
        await shift(deploys, back_to(rollout), call())
    assert place(world, left).split == {"api-00038": 1.0}


async def test_a_roll_back_made_by_hand_is_adopted(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    for region in API.regions:
        place(world, region).split = {"api-00040": 1.0}
    assert (await shift(deploys, back_to(rollout), call())).adopted
    assert not effects(world, PATCH)


async def test_another_version_with_the_same_split_does_not_stop_us(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    deploy(world, "api", actor="ci", what="a deploy between looking and acting")
    order = back_to(rollout)
    assert order.versions[EU] != (await deploys.survey(RevisionsOf(service=API), call())).regions[EU].version
    assert not (await shift(deploys, order, call())).adopted
    assert place(world).split == {"api-00040": 1.0}


async def test_a_write_that_comes_between_is_seen_before_ours_is_tried_again(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    """The etag: somebody scales while we are writing, so that our first write is stale; what serves is still as it was."""
    inject(world, PATCH, "latency", times=2, seconds=0.3)

    async def scale() -> None:
        await asyncio.sleep(0.15)
        place(world).most += 1

    effect, _ = await asyncio.gather(shift(deploys, back_to(rollout), call()), scale())
    assert not effect.adopted and place(world).split == {"api-00040": 1.0}
    statuses = [r["status"] for r in world.requests if r["route"] == PATCH]
    assert sorted(statuses) == [200, 200, 409]


async def test_an_attempt_that_is_over_time_does_not_write_any_more(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = back_to(rollout)
    zombie = ActivityEnvironment()
    zombie.info = dataclasses.replace(zombie.info, start_to_close_timeout=timedelta(seconds=10))
    monkeypatch.setattr(fence, "at_work", lambda: timedelta(seconds=11))
    with pytest.raises(NotYet, match="over time"):
        await zombie.run(deploys.shift, order, allowed(order, call()))
    assert not effects(world, PATCH)


async def test_a_tagged_address_survives_the_shift(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall, door: MakeClient
) -> None:
    world.state.part(CloudRunRecords)["api@eu-west"] = {"tags": {"before": "api-00039"}}
    await shift(deploys, back_to(rollout), call())
    said = (await door("/run").read(call(), "/v2/projects/acme/locations/eu-west/services/api")).json()
    assert {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "api-00039", "tag": "before"} in said["trafficStatuses"]
    assert place(world).split == {"api-00040": 1.0}
