"""Present, loaded, reachable, exploited: by two scanners and by what runs. What cannot be believed excludes nothing."""

from datetime import timedelta
from typing import Any

import pytest

from activities.advisories.osv import understood
from activities.advisories.ranges import listed_in
from activities.builds.installs import InstallLog, Installs, InstallsOf
from activities.builds.plane import SupplyPlane
from activities.builds.presence import ArtefactsOf, Builds, Presence
from activities.builds.sbom import Part
from practice.supply.cast import HTTPKIT, QUICKYAML, supply
from practice.supply.faults import begin
from practice.supply.model import Artefact
from tests.activities.kit.stage import Stage, stage


@pytest.fixture
def played() -> Stage:
    return stage()


def serving(played: Stage, service: str = "api") -> Artefact:
    """The build that serves."""
    return supply(played.world.state, played.world.clock.now()).artefacts[played.world.state.fleet.services[service].newest().digest]


async def survey(played: Stage, kind: str = "vulnerable", service: str = "api", *, blocked: tuple[str, ...] = ()) -> Presence:
    there = supply(played.world.state, played.world.clock.now())
    known = next((one for one in there.advisories.values() if one.malicious == (kind == "malicious")), None) or begin(played.world, kind)
    order = ArtefactsOf(service=service, packages=understood(known.record).packages, blocked=blocked)
    return await Builds(SupplyPlane(played.client("/supply"))).survey(order, played.call())


async def test_what_has_it_is_found_by_both_with_what_is_loaded(played: Stage) -> None:
    seen = await survey(played)
    (build,) = seen.affected
    assert build.digest == serving(played).digest and build.present and build.loaded and build.direct and not build.said
    assert build.versions == ("quickyaml==2.3.1",) and build.instances == 8 and build.regions == ("eu-west", "us-east")
    assert (seen.reachable, seen.exploited, seen.flag) == (True, False, "batch.enabled") and not seen.zero


async def test_a_service_without_it_is_at_zero(played: Stage) -> None:
    seen = await survey(played, service="orchestrator")
    assert seen.zero and not seen.affected and "none of 1 builds" in seen.summary


@pytest.mark.parametrize(
    ("wrong", "present", "said"),
    [
        ({"unlisted": [QUICKYAML]}, True, "the scanners disagree"),
        ({"unseen": [QUICKYAML]}, True, "the scanners disagree"),
        ({"forged": True}, True, "may be forged"),
        ({"attested": False}, True, "nobody has signed"),
        ({"partial": True}, True, "says itself that it is incomplete"),
    ],
)
async def test_disagreement_is_presence_and_what_is_not_believed_is_said(
    played: Stage, wrong: dict[str, Any], present: bool, said: str
) -> None:
    supply(played.world.state, played.world.clock.now()).dials.loaded = False  # what is loaded does not decide it
    for name, value in wrong.items():
        setattr(serving(played), name, value)
    (build,) = (await survey(played)).affected
    assert build.present is present and any(said in one for one in build.said)


@pytest.mark.parametrize("wrong", [{"forged": True}, {"attested": False}, {"partial": True}])
async def test_a_bill_that_is_not_believed_excludes_nothing(played: Stage, wrong: dict[str, Any]) -> None:
    """The other scanner alone does not clear it: it counts as present."""
    one = serving(played, "orchestrator")
    for name, value in wrong.items():
        setattr(one, name, value)
    seen = await survey(played, service="orchestrator")
    assert not seen.zero and [build.present for build in seen.affected] == [None]


async def test_a_scanner_that_is_away_and_instances_that_are_silent_exclude_nothing(played: Stage) -> None:
    there = supply(played.world.state, played.world.clock.now())
    there.dials.scanner_away = True
    assert not (await survey(played, service="orchestrator")).zero
    there.dials.scanner_away, there.dials.loaded = False, None
    seen = await survey(played, service="orchestrator")
    assert not seen.zero and "0 of 8 instances" in seen.gaps[0]


async def test_a_build_that_was_started_again_beside_what_serves_is_seen(played: Stage) -> None:
    old = next(one for one in played.world.state.fleet.services["api"].revisions.values() if one.number == 38)
    there = supply(played.world.state, played.world.clock.now())
    there.stray["api"] = [old.digest]
    assert {build.digest for build in (await survey(played)).affected} == {old.digest, serving(played).digest}


async def test_a_package_is_found_however_its_name_is_written(played: Stage) -> None:
    """PyPI takes HttpKit and httpkit for one name; the advisory, both scanners, the install log and our own list may each write another."""
    known = begin(played.world, "malicious")
    known.record["affected"][0]["package"]["name"] = "HttpKit"
    (package,) = understood(known.record).packages
    order = InstallsOf(ecosystem="PyPI", package=package.name, since=played.call().at - timedelta(days=14), packages=(package,))
    assert (await InstallLog(SupplyPlane(played.client("/supply"))).read(order, played.call())).hosts
    assert (await survey(played, "malicious")).surely
    names = [Part(ecosystem=of, name=name, version="1").name for of, name in (("PyPI", "a__B.c"), ("npm", "A_b"))]
    assert names == ["a-b-c", "A_b"], "other registries tell names apart"
    assert listed_in(("httpkit==1.8",), "httpkit", "1.8.0") and not listed_in(("httpkit==1.8",), "httpkit", "1.8.1")


async def test_what_was_blocked_counts_whatever_the_advisory_says_by_now(played: Stage) -> None:
    seen = await survey(played, service="orchestrator", blocked=("httpkit==1.8.0",))
    assert seen.affected and seen.versions == ("httpkit==1.8.0",)


async def installs(played: Stage) -> Installs:
    record = supply(played.world.state, played.world.clock.now()).advisories["MAL-2026-9120"].record
    since = played.call(later=-7200).at
    order = InstallsOf(ecosystem="PyPI", package=HTTPKIT, since=since, packages=understood(record).packages)
    return await InstallLog(SupplyPlane(played.client("/supply"))).read(order, played.call())


async def test_installs_tell_whether_it_ran_and_what_could_be_read_there(played: Stage) -> None:
    begin(played.world, "malicious")
    seen = await installs(played)
    assert [one.name for one in seen.hosts] == ["builder-1", "laptop-ravi", "node-eu-1"] and seen.executed and seen.production
    assert set(seen.secrets) == {"REGISTRY_PUSH", "GITHUB_DEPLOY_KEY", "GITHUB_TOKEN_RAVI", "DATABASE_URL", "SIGNING_KEY"}
    assert seen.releases == ("cli-5.2.0", "cli-5.2.1") and seen.builders == ("builder-1",)


async def test_where_installs_are_not_recorded_nobody_can_say_that_it_did_not_run(played: Stage) -> None:
    begin(played.world, "malicious")
    there = supply(played.world.state, played.world.clock.now())
    there.installs.clear()
    assert (await installs(played)).executed is False
    there.dials.gaps = ["the build cache"]
    assert (await installs(played)).executed is None


async def test_a_host_that_no_inventory_knows_is_named_with_nothing_excluded(played: Stage) -> None:
    begin(played.world, "malicious")
    del supply(played.world.state, played.world.clock.now()).hosts["laptop-ravi"]
    seen = await installs(played)
    assert [one.kind for one in seen.hosts] == ["ci", "unknown", "prod"] and "laptop-ravi" in seen.gaps[0]
