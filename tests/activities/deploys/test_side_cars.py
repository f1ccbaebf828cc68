"""The first container is not the whole: side-cars stand before the application, and secrets and images are wherever they are."""

from datetime import UTC, datetime
from typing import Any

import pytest

from activities.deploys.cloud_run import CloudRun
from activities.deploys.deploys import Platform
from activities.deploys.kubernetes import Kubernetes
from activities.deploys.orders import Revision, merged
from activities.organisation.catalogue import Deployed
from activities.organisation.numbers import RollBack
from practice.services.fleet import SideCar
from practice.services.rollouts import reconcile
from practice.world.world import World
from tests.activities.conftest import MakeCall, MakeClient
from workflows.procedures.eligibility import roll_back_targets

EU = "eu-west"
SERVICES = {
    "cloud_run": Deployed(name="api", platform="cloud_run", regions=(EU,), project="acme"),
    "kubernetes": Deployed(name="orchestrator", platform="kubernetes", regions=(EU,)),
}
MESH, LOGS = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest, world: World) -> Deployed:
    """One with two side-cars before its own container, and a secret in a volume, in every revision."""
    found = SERVICES[request.param]
    for one in world.state.fleet.services[found.name].revisions.values():
        one.side_cars = [SideCar("mesh", MESH, {"MESH_KEY": 7}), SideCar("logs", LOGS, {"SIGNING_KEY": 9})]
        one.mounted = {"CERTIFICATE": 5}
    world.state.clusters.clear()
    reconcile(world.state, world.clock.now())
    return found


@pytest.fixture
def platform(service: Deployed, door: MakeClient) -> Platform:
    return opened(service, door)


def opened(service: Deployed, door: MakeClient) -> Platform:
    if service.platform == "cloud_run":
        return CloudRun(door("/run"), door("/iam"))
    return Kubernetes(lambda region: door(f"/k8s/{region}"))


async def revision(platform: Platform, service: Deployed, call: MakeCall, number: int = 40) -> Revision:
    found = (await platform.survey(call(), service)).revision(f"{service.name}-{number:05d}")
    assert found is not None
    return found


def template_of(world: World, number: int = 40) -> Any:
    return world.state.clusters[EU].replica_sets[f"orchestrator-{number:05d}"]["spec"]["template"]


async def test_the_image_is_that_of_the_application_and_secrets_are_those_of_all(
    world: World, platform: Platform, service: Deployed, call: MakeCall
) -> None:
    found = await revision(platform, service, call)
    theirs = world.state.fleet.services[service.name].revisions[found.id]
    assert found.digest == theirs.digest
    assert set(found.images) == {theirs.digest, MESH, LOGS}
    assert (found.schema_min, found.schema_max, found.image_present) == (theirs.schema_min, theirs.schema_max, True)
    assert {"DATABASE_URL:3", "SIGNING_KEY:2", "CERTIFICATE:5"} <= set(found.secrets)
    if service.platform == "cloud_run":
        assert set(found.secrets) == theirs.needs(), "the same secret in another version counts as well"
    else:
        assert "mesh-key:" in found.secrets, "no annotation says which version the side-car takes"


@pytest.mark.parametrize(
    ("against", "why"),
    [
        ({"blocked": [MESH]}, "a container beside the application's is on the blocklist"),
        ({"blocked": [LOGS]}, "a container beside the application's is on the blocklist"),
        ({"disabled_secrets": ["MESH_KEY:7"]}, "needs MESH_KEY:7, which is disabled"),
        ({"disabled_secrets": ["CERTIFICATE:5"]}, "it needs CERTIFICATE:5, which is disabled"),
    ],
)
async def test_what_is_wrong_with_any_container_blocks_the_revision(
    platform: Platform, service: Deployed, call: MakeCall, against: dict[str, list[str]], why: str
) -> None:
    rollout = await platform.survey(call(), service)
    well = {one.id: one.model_copy(update={"green_minutes": 9_000.0}) for one in rollout.revisions}
    rollout = rollout.model_copy(update={"revisions": tuple(well.values())})
    assert roll_back_targets(rollout, rule=RollBack(), schema=5).eligible
    found = roll_back_targets(
        rollout, rule=RollBack(), schema=5, blocked=against.get("blocked", ()), disabled_secrets=against.get("disabled_secrets", ())
    )
    assert not found.eligible and why in " ".join(found.ineligible[f"{service.name}-00040"])


async def test_the_application_may_be_named_in_organisation_toml_and_is_unknown_where_nothing_tells(
    world: World, service: Deployed, door: MakeClient, call: MakeCall
) -> None:
    named = service.model_copy(update={"container": "mesh"})
    assert (await revision(opened(named, door), named, call)).digest == MESH
    strange = service.model_copy(update={"container": "not-there"})
    found = await revision(opened(strange, door), strange, call)
    assert found.digest == "" and MESH in found.images, "what is not there under its name is not guessed"


async def test_kubectls_annotation_names_the_application_where_it_is_not_called_like_the_service(
    world: World, door: MakeClient, call: MakeCall
) -> None:
    service = SERVICES["kubernetes"]
    template = template_of(world)
    template["spec"]["containers"].insert(0, {"name": "mesh", "image": f"registry.example.com/mesh@{MESH}"})
    template["spec"]["containers"][1]["name"] = "application"
    kubernetes = opened(service, door)
    assert (await revision(kubernetes, service, call)).digest == "", "two containers, and none is called like the service"
    template["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] = "application"
    assert (await revision(kubernetes, service, call)).digest == world.state.fleet.services["orchestrator"].revisions[
        "orchestrator-00040"
    ].digest


def test_a_revision_is_as_good_as_where_it_is_worst() -> None:
    """Nothing of one region is taken for all: not its database schemas, not its containers, not its secrets."""
    one = Revision(
        id="api-00040", digest="sha256:1", created_at=datetime(2026, 11, 23, tzinfo=UTC), ready=True,
        images=("sha256:1", "sha256:2"), secrets=("A:1",), schema_min=3, schema_max=9, image_present=True,
    )  # fmt: skip
    other = one.model_copy(update={"images": ("sha256:1", MESH), "secrets": ("A:2",), "schema_min": 4, "schema_max": 5})
    (found,) = merged([[one], [other]])
    assert (found.schema_min, found.schema_max) == (4, 5)
    assert found.images == ("sha256:1", "sha256:2", MESH) and found.secrets == ("A:1", "A:2")
    (found,) = merged([[one], [other.model_copy(update={"schema_max": None})]])
    assert (found.schema_min, found.schema_max) == (4, None)


async def test_a_cluster_names_secrets_in_many_places(world: World, door: MakeClient, call: MakeCall) -> None:
    service, spec = SERVICES["kubernetes"], template_of(world)["spec"]
    spec["initContainers"] = [
        {"name": "migrate", "image": f"registry.example.com/migrate@{LOGS}", "envFrom": [{"secretRef": {"name": "migration"}}]}
    ]
    projected = {"sources": [{"configMap": {"name": "settings"}}, {"secret": {"name": "ca-bundle"}}]}
    spec["volumes"] = [{"name": "a", "secret": {"secretName": "tls"}}, {"name": "b", "projected": projected}]
    found = await revision(opened(service, door), service, call)
    assert {one for one in found.secrets if one.endswith(":")} == {"migration:", "tls:", "ca-bundle:"}
    assert LOGS in found.images and found.image_present is None, "no node holds the image of the container that starts first"
