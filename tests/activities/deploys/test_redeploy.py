"""A service is started with another version of a secret, on Cloud Run and on Kubernetes: pinned by number, and nothing else changes."""

from collections.abc import Mapping
from typing import Any

import pytest

from activities.action import Refused
from activities.deploys.cloud_run import CloudRun
from activities.deploys.deploys import Deploys
from activities.deploys.kubernetes import Kubernetes
from activities.deploys.pins import PinSecret
from activities.deploys.redeploy import Redeploys
from activities.edge.probe import EdgeProbe
from activities.metrics.prometheus import Prometheus
from activities.organisation.catalogue import Deployed
from practice.services.fleet import Revision
from tests.activities.kit.stage import FollowingClock, Stage, attempt, stage, tried

REGIONS = ("eu-west", "us-east")
SERVICES = {
    "api": Deployed(name="api", platform="cloud_run", project="acme", regions=REGIONS),
    "orchestrator": Deployed(name="orchestrator", platform="kubernetes", regions=REGIONS),
}
WRITES = {"api": "run.services.patch", "orchestrator": "kubernetes.deployments.patch"}


class PassingClock(FollowingClock):
    """While it sleeps, rollouts go on."""

    def __init__(self, played: Stage) -> None:
        self._played = played

    async def sleep(self, duration: Any) -> None:
        self._played.pass_time(15)


def redeploys(played: Stage) -> Redeploys:
    platforms: Mapping[str, Any] = {
        "cloud_run": CloudRun(played.client("/run"), played.client("/iam"), patience=0.01),
        "kubernetes": Kubernetes(lambda region: played.client(f"/k8s/{region}")),
    }
    deploys = Deploys(platforms, EdgeProbe(played.client("/edge")), Prometheus(played.client("/prom")))
    return Redeploys(deploys, PassingClock(played))


def order(name: str, version: int = 4) -> PinSecret:
    return PinSecret(service=SERVICES[name], secret="DATABASE_URL", version=version)


def serving(played: Stage, name: str) -> list[Revision]:
    service = played.world.state.fleet.services[name]
    return [service.revisions[one] for region in service.places for one in service.serving(region)]


async def pinned(played: Stage, name: str, version: int = 4) -> Any:
    return (await tried(Redeploys.run, redeploys(played), order(name, version), played.call(key="k")))[0]


@pytest.mark.parametrize("name", SERVICES)
async def test_every_region_serves_by_the_new_version_and_by_the_same_image(name: str) -> None:
    played = stage()
    before = serving(played, name)[0]
    effect = await pinned(played, name)
    for after in serving(played, name):
        assert after.secrets == {**before.secrets, "DATABASE_URL": 4} and after.digest == before.digest
        assert (after.schema_min, after.schema_max) == (before.schema_min, before.schema_max)
    assert effect.proven_by == f"every revision of {name} that serves has version 4 of DATABASE_URL"


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("mode", ["fail", "hang", "commit_then_drop", "throttle"])
async def test_whatever_breaks_each_region_is_changed_once(name: str, mode: str) -> None:
    played = stage()
    played.inject(WRITES[name], mode, times=1, **({"retry_after": 7} if mode == "throttle" else {}))
    await pinned(played, name)
    assert len(played.effects(WRITES[name])) == 2
    assert (await pinned(played, name)).adopted and len(played.effects(WRITES[name])) == 2


async def test_traffic_that_is_pinned_elsewhere_is_said_and_never_called_done() -> None:
    played = stage()
    for place in played.world.state.fleet.services["api"].places.values():
        place.split = {"api-00040": 1.0}
    with pytest.raises(Refused, match="traffic is pinned in eu-west, us-east"):
        await pinned(played, "api")


async def test_a_service_that_does_not_use_it_is_left_alone() -> None:
    played = stage()
    wrong = order("api").model_copy(update={"secret": "OPENAI_API_KEY"})
    with pytest.raises(Refused, match="does not use OPENAI_API_KEY"):
        await attempt(Redeploys.run, redeploys(played), wrong, played.call(key="k"))
    assert not played.effects("run")


async def test_a_version_that_is_disabled_stops_no_instance_that_serves() -> None:
    """The platform gives the rollout up: what serves goes on, and it is said why."""
    played = stage()
    played.world.state.fleet.disabled_secrets.append("DATABASE_URL:4")
    with pytest.raises((Refused, AssertionError)):
        await pinned(played, "orchestrator")
    assert all(one.secrets["DATABASE_URL"] == 3 for one in serving(played, "orchestrator"))


def test_by_hand_it_is_the_seeds_own_command_with_a_number() -> None:
    (first, *_) = order("api").by_hand()
    assert "gcloud --quiet run services update api" in first and "--update-secrets=DATABASE_URL=DATABASE_URL:4" in first
    assert "latest" not in " ".join((*order("api").by_hand(), *order("orchestrator").by_hand()))
