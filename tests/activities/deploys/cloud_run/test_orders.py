"""Who may, what is asked, what customers meet, and whose credentials they are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.oauth2.credentials import Credentials

from activities.action import Call, Refused, Risk, Role, action_of
from activities.deploys.cloud_run import CloudRun
from activities.deploys.deploys import Deploys
from activities.deploys.google_auth import GoogleAuth
from activities.deploys.orders import RevisionsOf, Rollout, ServedBy, ToRevision
from activities.edge.probe import EdgeProbe
from activities.kit.http import HttpClient
from activities.metrics.prometheus import Prometheus
from activities.metrics.telemetry import Surface, Telemetry
from activities.organisation.catalogue import Deployed
from practice.services.deploying import deploy
from practice.world.world import World
from tests.activities.conftest import MakeCall, effects, inject, pass_time
from tests.activities.deploys.cloud_run.conftest import API, EU, PATCH, US, allowed, back_to, shift

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
        client = CloudRun(door, door)
        for _ in range(3):
            assert set(await client.regions(call(), API)) == {EU, US}
    assert renewed == ["practice-token"]
