"""Google's own Cloud Run client as the judge: it reads what our adapter did, and our adapter sees what it did."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, FailedPrecondition, NotFound
from google.auth.exceptions import RefreshError
from google.cloud import run_v2
from google.oauth2.credentials import Credentials

from activities.action import Call, Effect, Grant, Refused
from activities.deploys.cloud_run import CloudRun
from activities.deploys.deploys import Deploys
from activities.deploys.orders import RevisionsOf, ToRevision
from activities.edge.probe import EdgeProbe
from activities.kit.http import HttpClient
from activities.metrics.prometheus import Prometheus
from activities.organisation.catalogue import Deployed
from practice.http.server import serve
from practice.services.fleet import SideCar
from practice.world.world import World

REGION = "eu-west"
API = Deployed(name="api", platform="cloud_run", regions=(REGION, "us-east"), project="acme")
NAME = f"projects/acme/locations/{REGION}/services/api"
BY_REVISION = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
BY_LATEST = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST


class Judge:
    """The official client, whose calls block."""

    def __init__(self, url: str, token: str = "practice-token") -> None:
        options = {"api_endpoint": f"{url}/run"}
        credentials = Credentials(token=token)  # type: ignore[no-untyped-call]
        self._services = run_v2.ServicesClient(credentials=credentials, transport="rest", client_options=options)
        self._revisions = run_v2.RevisionsClient(credentials=credentials, transport="rest", client_options=options)

    async def service(self, name: str = NAME) -> Any:
        return await asyncio.to_thread(self._services.get_service, name=name)

    async def services(self) -> list[Any]:
        return await asyncio.to_thread(lambda: list(self._services.list_services(parent=f"projects/acme/locations/{REGION}")))

    async def revisions(self) -> list[Any]:
        asked = run_v2.ListRevisionsRequest(parent=NAME, page_size=3)
        return await asyncio.to_thread(lambda: list(self._revisions.list_revisions(request=asked)))

    async def revision(self, name: str) -> Any:
        return await asyncio.to_thread(self._revisions.get_revision, name=f"{NAME}/revisions/{name}")

    async def update(self, service: Any, *mask: str, validate_only: bool = False) -> Any:
        """Update and wait for the operation."""
        asked = run_v2.UpdateServiceRequest(service=service, update_mask={"paths": list(mask)}, validate_only=validate_only)
        return await asyncio.to_thread(self._update, asked)

    def _update(self, asked: Any) -> Any:
        operation: Any = self._services.update_service(request=asked)
        return operation.result(timeout=20)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(seed=7, following=True, state=tmp_path)


@pytest.fixture
async def url(world: World) -> AsyncIterator[str]:
    async with serve(world) as url:
        yield url


@pytest.fixture
def judge(url: str) -> Judge:
    return Judge(url)


@pytest.fixture
async def deploys(url: str) -> AsyncIterator[Deploys]:
    bearer = {"Authorization": "Bearer practice-token"}
    async with HttpClient(f"{url}/run", bearer) as run, HttpClient(f"{url}/edge", {}) as edge, HttpClient(f"{url}/prom", {}) as prom:
        yield Deploys({"cloud_run": CloudRun(run, run)}, EdgeProbe(edge), Prometheus(prom))


@pytest.fixture
def call(world: World) -> Callable[[], Call]:
    return lambda: Call(incident_id="inc-1", key="the key", at=datetime.fromtimestamp(world.clock.now(), UTC))


async def roll_back(deploys: Deploys, call: Call, to: str) -> Effect:
    rollout = await deploys.survey(RevisionsOf(service=API), call)
    split = {region: {to: 1.0} for region in API.regions}
    order = ToRevision(service=API, split=split, purpose="roll back", before=rollout.splits(), versions=rollout.versions())
    return await deploys.shift(order, granted(order, call))


def granted(order: ToRevision, call: Call) -> Call:
    covers = (order.digest("deploys.shift"),)
    grant = Grant(question=1, covers=covers, by=("dana",), verified=True, at=call.at, expires_at=call.at + timedelta(minutes=15))
    return call.model_copy(update={"grant": grant})


def percents(targets: Any) -> dict[str, int]:
    return {one.revision or "LATEST": one.percent for one in targets}


async def test_the_official_client_reads_back_what_our_adapter_did(deploys: Deploys, judge: Judge, call: Callable[[], Call]) -> None:
    await roll_back(deploys, call(), "api-00040")
    for region in API.regions:
        service = await judge.service(NAME.replace(REGION, region))
        assert percents(service.traffic_statuses) == percents(service.traffic) == {"api-00040": 100}
        assert service.traffic_statuses[0].type_ == BY_REVISION
        assert not service.reconciling and service.generation == service.observed_generation == 2
        assert service.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED
        assert service.latest_ready_revision.endswith("/api-00041")


async def test_our_adapter_sees_what_the_official_client_did(deploys: Deploys, judge: Judge, call: Callable[[], Call]) -> None:
    service = await judge.service()
    service.traffic = [
        run_v2.TrafficTarget(type_=BY_REVISION, revision="api-00039", percent=25),
        run_v2.TrafficTarget(type_=BY_LATEST, percent=75),
    ]
    updated = await judge.update(service, "traffic")  # the whole service that it read goes back, under its etag
    assert percents(updated.traffic_statuses) == {"api-00039": 25, "LATEST": 75}
    rollout = await deploys.survey(RevisionsOf(service=API), call())
    assert rollout.splits() == {REGION: {"api-00039": 0.25, "LATEST": 0.75}, "us-east": {"LATEST": 1.0}}
    assert rollout.versions()[REGION] == updated.etag
    assert rollout.regions[REGION].resolved() == {"api-00039": 0.25, "api-00041": 0.75}
    assert [(one.id, one.digest) for one in rollout.revisions] == [
        (one.name.rsplit("/", 1)[1], one.containers[0].image.partition("@")[2]) for one in await judge.revisions()
    ]


async def test_what_the_official_client_changes_meanwhile_is_not_overwritten(
    world: World, deploys: Deploys, judge: Judge, call: Callable[[], Call]
) -> None:
    rollout = await deploys.survey(RevisionsOf(service=API), call())
    await judge.update(_traffic(await judge.service(), "api-00038"), "traffic")
    split = {region: {"api-00040": 1.0} for region in API.regions}
    order = ToRevision(service=API, split=split, purpose="roll back", before=rollout.splits(), versions=rollout.versions())
    with pytest.raises(Refused, match="api-00038 100 % in eu-west now"):
        await deploys.shift(order, granted(order, call()))
    assert world.state.fleet.services["api"].places[REGION].split == {"api-00038": 1.0}


async def test_a_stale_etag_is_a_conflict_for_the_official_client_too(deploys: Deploys, judge: Judge, call: Callable[[], Call]) -> None:
    stale = await judge.service()
    await roll_back(deploys, call(), "api-00040")
    with pytest.raises(Conflict):
        await judge.update(_traffic(stale, "api-00039"), "traffic")


async def test_the_official_client_understands_every_refusal(url: str, judge: Judge) -> None:
    with pytest.raises(NotFound):
        await judge.service(NAME.replace("api", "nothing"))
    with pytest.raises(BadRequest, match="not found"):
        await judge.update(_traffic(await judge.service(), "api-00077"), "traffic")
    with pytest.raises(FailedPrecondition, match="not ready"):
        await judge.update(_traffic(await judge.service(), "api-00034"), "traffic")
    with pytest.raises(RefreshError):  # a token that is refused is first renewed, and this one cannot be
        await Judge(url, token="other").service()


async def test_the_official_client_reads_revisions_and_rotates_a_secret(world: World, judge: Judge) -> None:
    assert [one.name.rsplit("/", 1)[1] for one in await judge.services()] == ["api"]
    first = await judge.revision("api-00034")
    there = next(one for one in first.conditions if one.type_ == "ContainerReady")
    assert there.reason == run_v2.Condition.CommonReason.CONTAINER_MISSING
    service = await judge.service()
    key = next(env for env in service.template.containers[0].env if env.name == "SIGNING_KEY")
    assert key.value_source.secret_key_ref.version == "2"
    key.value_source.secret_key_ref.version = "3"
    kept = await judge.update(service, "template", validate_only=True)
    assert kept.latest_created_revision.endswith("/api-00042")
    assert world.state.fleet.services["api"].newest().name == "api-00041", "a dry run changes nothing"
    await judge.update(service, "template")
    newest = world.state.fleet.services["api"].newest()
    assert (newest.name, newest.secrets["SIGNING_KEY"], newest.digest) == ("api-00042", 3, (await _digest(judge, "api-00041")))


async def test_the_official_client_and_we_see_the_same_containers_secrets_and_account(
    world: World, deploys: Deploys, judge: Judge, call: Callable[[], Call]
) -> None:
    """Side-cars first: the application is the container that takes the requests."""
    for one in world.state.fleet.services["api"].revisions.values():
        one.side_cars, one.mounted = [SideCar("mesh", f"sha256:{'a' * 64}", {"MESH_KEY": 7})], {"CERTIFICATE": 5}
    shown = await judge.revision("api-00040")
    beside, app = shown.containers
    assert (beside.name, [port.container_port for port in app.ports], app.name) == ("mesh", [8080], "")
    found = (await deploys.survey(RevisionsOf(service=API), call())).revision("api-00040")
    assert found is not None and found.digest == app.image.partition("@")[2] == (await _digest(judge, "api-00040"))
    keys = [env.value_source.secret_key_ref for one in shown.containers for env in one.env]
    items = [(volume.secret.secret, item.version) for volume in shown.volumes for item in volume.secret.items]
    assert set(found.secrets) == {f"{name}:{version}" for name, version in [*((key.secret, key.version) for key in keys), *items]}
    service = await judge.service()
    assert service.template.service_account == "api@acme.iam.gserviceaccount.com"
    service.template.containers[0].image = "images.example.com/mesh@sha256:" + "b" * 64
    await judge.update(service, "template")
    newest = world.state.fleet.services["api"].newest()
    assert (newest.name, newest.side_cars[0].digest, newest.needs()) == ("api-00042", f"sha256:{'b' * 64}", {*found.secrets})


async def _digest(judge: Judge, revision: str) -> str:
    image: str = (await judge.revision(revision)).containers[-1].image
    return image.partition("@")[2]


def _traffic(service: Any, revision: str) -> Any:
    return run_v2.Service(
        name=service.name, etag=service.etag, traffic=[run_v2.TrafficTarget(type_=BY_REVISION, revision=revision, percent=100)]
    )
