"""Deploys on Cloud Run: what serves is read back in every region, whatever happens on the way, and nobody's change is overwritten."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from google.oauth2.credentials import Credentials
from temporalio.testing import ActivityEnvironment

from activities.action import Call, Effect, NotYet, Refused, Risk, Role, action_of
from activities.deploys.cloud_run import CloudRun
from activities.deploys.deploys import Deploys, NotKnown, RevisionsOf, Rollout, ServedBy, ToRevision
from activities.deploys.google_auth import GoogleAuth
from activities.edge.probe import EdgeProbe
from activities.kit.http import HttpClient
from activities.metrics.prometheus import Prometheus
from activities.metrics.telemetry import Surface, Telemetry
from activities.organisation.catalogue import Deployed
from practice.faces.cloud_run.changes import CloudRunRecords
from practice.services.deploying import deploy
from practice.services.fleet import Place
from practice.world.world import World
from tests.activities.conftest import MakeCall, MakeClient, effects, granted, inject, pass_time, until_done

EU, US = "eu-west", "us-east"
API = Deployed(name="api", platform="cloud_run", regions=(EU, US), project="acme", repository="acme/api")
PATCH, GET, OPERATION = "run.services.patch", "run.services.get", "run.operations.get"
MISHAPS: list[tuple[str, dict[str, Any]]] = [
    ("fail", {"times": 2}),
    ("latency", {"times": 1, "seconds": 1.5}),
    ("commit_then_drop", {"times": 1}),
    ("nothing_changed", {"times": 1}),
    ("partial", {"times": 1}),
    ("throttle", {"times": 2}),
    ("hang", {"times": 1}),
]
DONE_UNKNOWN = ("commit_then_drop", "partial")  # the first try did it, and could not know that; a late one is fenced off by its etag


@pytest.fixture
def deploys(door: MakeClient) -> Deploys:
    """The adapter; its client gives up after half a second."""
    cloud_run = CloudRun(door("/run", timeout=0.5), patience=0.8)
    return Deploys({"cloud_run": cloud_run}, EdgeProbe(door("/edge")), Prometheus(door("/prom")))


@pytest.fixture
async def rollout(deploys: Deploys, call: MakeCall) -> Rollout:
    """As it is when the decision is made."""
    return await deploys.survey(RevisionsOf(service=API), call())


def place(world: World, region: str = EU) -> Place:
    return world.state.fleet.services["api"].places[region]


def back_to(rollout: Rollout, revision: str = "api-00040", **more: Any) -> ToRevision:
    split = {region: {revision: 1.0} for region in API.regions}
    seen = {"before": rollout.splits(), "versions": rollout.versions()}
    return ToRevision.model_validate({"service": API, "split": split, "purpose": "roll back", **seen, **more})


def allowed(order: ToRevision, call: Call) -> Call:
    return granted(Deploys.shift, order, call)


async def shift(deploys: Deploys, order: ToRevision, call: Call) -> Effect:
    return await deploys.shift(order, allowed(order, call))


# ---- looking ----


async def test_the_survey_tells_what_serves_and_what_could(world: World, rollout: Rollout) -> None:
    assert {region: serving.split for region, serving in rollout.regions.items()} == {EU: {"LATEST": 1.0}, US: {"LATEST": 1.0}}
    assert rollout.regions[EU].resolved() == {"api-00041": 1.0}
    assert [one.id for one in rollout.revisions] == [f"api-{n:05d}" for n in range(41, 33, -1)]
    revisions = world.state.fleet.services["api"].revisions
    for one in rollout.revisions:
        theirs = revisions[one.id]
        assert (one.digest, one.secrets) == (theirs.digest, theirs.secrets)
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
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    order = back_to(rollout)
    zombie = ActivityEnvironment()
    late = datetime.now(UTC) - timedelta(seconds=11)
    zombie.info = dataclasses.replace(zombie.info, started_time=late, start_to_close_timeout=timedelta(seconds=10))
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


# ---- who may, and what is asked ----


async def test_nothing_happens_without_a_grant_for_this_very_order(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    order = back_to(rollout)
    with pytest.raises(Refused, match="needs an approval"):
        await deploys.shift(order, call())
    for other in (back_to(rollout, "api-00039"), back_to(rollout, before={EU: {}, US: {}}), back_to(rollout, purpose="restore")):
        with pytest.raises(Refused, match="something else"):
            await deploys.shift(order, allowed(other, call()))
    assert not effects(world, PATCH)
    assert await deploys.shift(order, allowed(back_to(rollout, versions={}), call()))  # from which version we act is not asked about


def test_a_shift_across_a_schema_change_is_hard_to_reverse() -> None:
    declared, limits = action_of(Deploys.shift), Call.model_fields["limits"].default
    plain = ToRevision(service=API, split={EU: {"api-00040": 1.0}}, purpose="roll back", before={EU: {"LATEST": 1.0}})
    assert declared.risk(plain, limits) is Risk.C2
    assert declared.risk(plain.model_copy(update={"schema_crossing": True}), limits) is Risk.C3
    assert declared.asks == (Role.INCIDENT_COMMANDER, Role.DEPUTY)
    assert action_of(Deploys.survey).risk(RevisionsOf(service=API), limits) is Risk.C0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"split": {}}, "must name its regions"),
        ({"split": {"ap-south": {"LATEST": 1.0}}}, "does not run in ap-south"),
        ({"split": {EU: {"api-00040": 0.9}}}, "sum to 100 %"),
        ({"split": {EU: {"api-00040": 0.995, "LATEST": 0.005}}}, "whole percents"),
        ({"before": {}}, "does not say what eu-west served before"),
        ({"split": {EU: {"api-00077": 1.0}}}, "api-00077.* was not found"),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall, change: dict[str, Any], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        await shift(deploys, back_to(rollout, **change), call())
    assert not effects(world, PATCH)


def test_orders_say_themselves() -> None:
    wanted = {EU: {"api-00041": 1.0}, US: {"api-00041": 1.0}}
    order = ToRevision(
        service=API, split=wanted, purpose="roll back", before={EU: {"LATEST": 1.0}, US: {"api-00039": 0.25, "LATEST": 0.75}}
    )
    assert order.effect() == "roll back: api serves api-00041 100 % in eu-west and us-east"
    assert order.inverse() == "let api serve LATEST 100 % in eu-west; api-00039 25 %, LATEST 75 % in us-east again"
    assert order.by_hand() == (
        "gcloud --quiet run services update-traffic api --region=eu-west --to-revisions=api-00041=100 --project=acme",
        "gcloud --quiet run services update-traffic api --region=us-east --to-revisions=api-00041=100 --project=acme",
    )
    assert order.undo().by_hand() == (
        "gcloud --quiet run services update-traffic api --region=eu-west --to-latest --project=acme",
        "gcloud --quiet run services update-traffic api --region=us-east --to-revisions=api-00039=25,LATEST=75 --project=acme",
    )
    assert order.undo().before == wanted
    assert "crosses a change of the database schema" in order.model_copy(update={"schema_crossing": True}).effect()
    orchestrator = Deployed(name="orchestrator", platform="kubernetes", regions=(EU,), namespace="agents")
    moved = ToRevision(
        service=orchestrator, split={EU: {"orchestrator-00039": 1.0}}, purpose="roll back", before={EU: {"orchestrator-00041": 1.0}}
    )
    (line,) = moved.by_hand()
    assert line.endswith('&& kubectl --context eu-west -n agents rollout undo deployment/orchestrator "--to-revision=$NUMBER"')
    assert "get replicaset/orchestrator-00039" in line, "its number is looked up: a name says nothing about it"
    assert moved.target() == "service/orchestrator"


# ---- the data plane ----


async def test_a_roll_back_mends_what_customers_meet(world: World, deploys: Deploys, telemetry: Telemetry, call: MakeCall) -> None:
    deploy(world, "api", actor="ci", what="a bad one", error_rate=0.5)
    pass_time(world, 300)
    ill = await telemetry.impact(Surface(service="api", window=timedelta(minutes=2)), call())
    order = back_to(await deploys.survey(RevisionsOf(service=API), call()), "api-00041")
    await shift(deploys, order, call())
    pass_time(world, 300)
    well = await telemetry.impact(Surface(service="api", window=timedelta(minutes=2)), call())
    assert ill.error_ratio is not None and ill.error_ratio > 0.3
    assert well.error_ratio is not None and well.error_ratio < 0.02


async def test_who_answers_is_asked_from_outside(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    asked = ServedBy(service=API, revision="api-00040", samples=40)
    before = await deploys.served_by(asked, call())
    assert before.by_region == {EU: 0.0, US: 0.0} and before.answered == {EU: 40, US: 40}
    await shift(deploys, back_to(rollout, split={EU: {"api-00040": 1.0}, US: {"api-00040": 0.5, "LATEST": 0.5}}), call())
    half = await deploys.served_by(asked, call())
    assert half.by_region[EU] == 1.0 and 0.1 < half.by_region[US] < 0.9
    assert not half.everywhere(0.99, least=20)
    rest = back_to(await deploys.survey(RevisionsOf(service=API), call()))
    await shift(deploys, rest, call(key="rest"))
    assert (await deploys.served_by(asked, call())).everywhere(0.99, least=20)


async def test_failing_answers_count_as_answers_of_their_build(world: World, deploys: Deploys, call: MakeCall) -> None:
    deploy(world, "api", actor="ci", what="a bad one", error_rate=1.0)
    pass_time(world, 30)
    sampled = await deploys.served_by(ServedBy(service=API, revision="api-00042", samples=10), call())
    assert sampled.by_region == {EU: 1.0, US: 1.0}


async def test_a_slow_region_cannot_use_up_the_try(world: World, deploys: Deploys, call: MakeCall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.deploys.deploys.SAMPLED_FOR", 0.5)
    inject(world, "edge.get", "hang", times=4)
    sampled = await deploys.served_by(ServedBy(service=API, revision="api-00041", samples=10), call())
    assert sum(sampled.answered.values()) == 16
    assert all(share == 1.0 for share in sampled.by_region.values())


async def test_a_region_that_does_not_answer_proves_nothing(world: World, deploys: Deploys, call: MakeCall) -> None:
    asked = ServedBy(service=API, revision="api-00041", samples=10)
    inject(world, "edge.get", "fail")
    sampled = await deploys.served_by(asked, call())
    assert (sampled.by_region, sampled.answered) == ({EU: 0.0, US: 0.0}, {EU: 0, US: 0})
    assert not sampled.everywhere(0.0, least=1)
    dead = Deploys({}, EdgeProbe(HttpClient("http://127.0.0.1:9", {})), Prometheus(HttpClient("http://127.0.0.1:9", {})))
    assert (await dead.served_by(asked, call())).answered == {EU: 0, US: 0}


# ---- credentials ----


async def test_googles_own_credentials_renew_themselves(practice_url: str, call: MakeCall) -> None:
    renewed: list[str] = []

    def renew(request: object, scopes: object = None) -> tuple[str, datetime]:
        renewed.append("practice-token")
        return renewed[-1], datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)

    old = Credentials(token="old", expiry=datetime(2020, 1, 1), refresh_handler=renew)  # type: ignore[no-untyped-call]
    async with HttpClient(f"{practice_url}/run", {}, auth=GoogleAuth(old)) as door:
        client = CloudRun(door)
        for _ in range(3):
            assert set(await client.regions(call(), API)) == {EU, US}
    assert renewed == ["practice-token"]
