"""Which version is taken instead; a build with a bad one is really refused; a cluster does not start it."""

from typing import Any

import pytest

from activities.action import Call, NotYet, Refused
from activities.admission.admission import Admission, AdmissionOf, refuse_builds
from activities.admission.cluster import NAME, Clusters
from activities.advisories.osv import Osv, understood
from activities.builds.blocklist import BlocklistOf, Blocklists, block
from activities.builds.fixes import FixChoice, Fixes, FixOf
from activities.builds.plane import SupplyPlane
from activities.builds.rebuild import Actions, Rebuild, Rebuilds, Release, Releases
from practice.services.admission import Admission as Stored
from practice.supply.cast import HTTPKIT, QUICKYAML, supply
from practice.supply.faults import begin
from tests.activities.advisories.test_advisories import API
from tests.activities.kit.rows.supply.settings import ORCHESTRATOR
from tests.activities.kit.stage import FollowingClock, Stage, attempt, stage, tried


@pytest.fixture
def played() -> Stage:
    return stage()


async def fixes(played: Stage, record: dict[str, Any], package: str = QUICKYAML, current: str = "2.3.1", **more: Any) -> Fixes:
    order = FixOf(ecosystem="PyPI", package=package, current=current, affected=understood(record).packages, **more)
    return await FixChoice(SupplyPlane(played.client("/supply")), Osv(played.client("/osv"))).choose(order, played.call())


async def test_the_lowest_cleared_version_of_the_same_major_is_taken(played: Stage) -> None:
    found = await fixes(played, begin(played.world, "vulnerable").record)
    assert (found.upgrade, found.downgrade, found.beyond) == ("2.3.4", "", ())


async def test_a_fix_that_is_vulnerable_itself_is_passed_over(played: Stage) -> None:
    record = begin(played.world, "vulnerable").record
    begin(played.world, "superseded")
    found = await fixes(played, record)
    assert found.upgrade == "2.3.5" and found.passed_over == ("not 2.3.4: GHSA-8wvj-c3h6-2f9r concerns it",)


async def test_never_across_a_major_version(played: Stage) -> None:
    record = begin(played.world, "vulnerable").record
    record["affected"][0]["ranges"][0]["events"][1] = {"fixed": "3.0.0"}
    record["affected"][0]["versions"] += ["2.3.4", "2.3.5"]
    found = await fixes(played, record)
    assert (found.best, found.beyond) == ("", ("3.0.0",))


async def test_without_a_newer_one_the_last_good_one_is_taken(played: Stage) -> None:
    record = begin(played.world, "malicious").record
    supply(played.world.state, 0).packages[HTTPKIT].versions = supply(played.world.state, 0).packages[HTTPKIT].versions[:3]
    found = await fixes(played, record, HTTPKIT, "1.8.1")
    assert (found.upgrade, found.downgrade) == ("", "1.8.0")


async def test_what_is_blocked_or_cannot_be_cleared_is_not_taken(played: Stage) -> None:
    record = begin(played.world, "vulnerable").record
    assert (await fixes(played, record, blocked=("quickyaml==2.3.4",))).upgrade == "2.3.5"
    record["affected"][0]["ranges"][0]["events"] = [{"introduced": "9.0"}, {"fixed": "2.3.4"}]
    found = await fixes(played, record)
    assert found.best == "" and "the advisory's range cannot be read" in found.passed_over[0]


async def blocked(played: Stage, *versions: str, package: str = QUICKYAML) -> None:
    system = Blocklists(SupplyPlane(played.client("/supply")))
    of = BlocklistOf(place="ci", ecosystem="PyPI", package=package)
    order = block(of, await system.look_at(played.call(), of), versions)
    await tried(Blocklists.change, system, order, played.call())


def rebuilds(played: Stage) -> Rebuilds:
    return Rebuilds(Actions(played.client("/github")), SupplyPlane(played.client("/supply")), FollowingClock())


async def test_a_build_with_a_blocked_version_is_really_refused(played: Stage) -> None:
    await blocked(played, "2.3.1")
    with pytest.raises(Refused, match=r"quickyaml==2.3.1 is on the blocklist \(ci\)"):
        await attempt(Rebuilds.run, rebuilds(played), Rebuild(service=API, package=HTTPKIT, version="1.8.0"), played.call())


async def test_a_push_of_the_old_lockfile_is_no_deploy_any_more(played: Stage) -> None:
    await blocked(played, "2.3.1")
    before, github = len(played.world.state.fleet.services["api"].revisions), played.client("/github")
    head = (await github.read(played.call(), "/repos/acme/api/branches/main")).json()["commit"]
    commit = {"message": "m", "tree": head["commit"]["tree"]["sha"], "parents": [head["sha"]]}
    sha = (await github.write(played.call(), "POST", "/repos/acme/api/git/commits", json=commit)).json()["sha"]
    await github.write(played.call(), "PATCH", "/repos/acme/api/git/refs/heads/main", json={"sha": sha})
    assert len(played.world.state.fleet.services["api"].revisions) == before


async def test_a_place_that_shows_a_block_and_does_not_enforce_it_has_none(played: Stage) -> None:
    supply(played.world.state, 0).dials.leaky = ["ci"]
    with pytest.raises(AssertionError, match=r"still gives quickyaml 2\.3\.1"):
        await blocked(played, "2.3.1")


async def test_what_others_have_blocked_stays_blocked(played: Stage) -> None:
    await blocked(played, "2.3.0")
    await blocked(played, "2.3.1")
    assert supply(played.world.state, 0).blocked["ci/PyPI/quickyaml"].versions == ["2.3.0", "2.3.1"]


@pytest.mark.parametrize("lost", [True, False])
async def test_a_run_that_is_listed_late_is_not_dispatched_twice(played: Stage, lost: bool) -> None:
    """GitHub lists a run some seconds after it was dispatched: the next attempt looks twice, and waits between."""
    record = begin(played.world, "vulnerable").record
    if lost:
        played.inject("github.actions.dispatch", "commit_then_drop", times=1)
    listed: list[int] = []

    class Late(Actions):
        async def run_of(self, call: Call, order: Rebuild | Release, workflow: str) -> str | None:
            listed.append(len(supply(played.world.state, 0).runs))
            return None if len(listed) <= 3 else await super().run_of(call, order, workflow)

    system = Rebuilds(Late(played.client("/github")), SupplyPlane(played.client("/supply")), FollowingClock())
    order = Rebuild(service=API, package=QUICKYAML, version="2.3.4", builder="builder-2", affected=understood(record).packages)
    _, broke = await tried(Rebuilds.run, system, order, played.call())
    assert broke and len(supply(played.world.state, 0).runs) == 1


async def test_a_clean_build_is_believed_by_two_scanners_and_serves_nobody_yet(played: Stage) -> None:
    record = begin(played.world, "vulnerable").record
    order = Rebuild(service=API, package=QUICKYAML, version="2.3.4", builder="builder-2", affected=understood(record).packages)
    effect = await attempt(Rebuilds.run, rebuilds(played), order, played.call())
    digest = effect.after["digest"]
    service = played.world.state.fleet.services["api"]
    assert "two scanners" in effect.proven_by and not [one for one in service.revisions.values() if one.digest == digest]
    await attempt(
        Releases.run, Releases(Actions(played.client("/github")), FollowingClock()), Release(service=API, image=digest), played.call()
    )
    made = next(one for one in service.revisions.values() if one.digest == digest)
    assert all(made.name not in service.serving(region) for region in service.places)


@pytest.mark.parametrize(
    ("wrong", "said"), [({"forged": True}, "may be forged"), ({"attested": False}, "nobody has signed"), ({"unseen": ["quickyaml"]}, None)]
)
async def test_a_build_whose_bill_is_not_believed_is_refused(played: Stage, wrong: dict[str, Any], said: str | None) -> None:
    record = begin(played.world, "vulnerable").record
    order = Rebuild(service=API, package=QUICKYAML, version="2.3.4", affected=understood(record).packages)
    first = await attempt(Rebuilds.run, rebuilds(played), order, played.call())
    for name, value in wrong.items():
        setattr(supply(played.world.state, 0).artefacts[first.after["digest"]], name, value)
    if said is None:  # the scan of layers does not find what the signed bill lists: nothing affected is in it
        assert (await attempt(Rebuilds.run, rebuilds(played), order, played.call())).adopted
        return
    with pytest.raises(Refused, match=said):
        await attempt(Rebuilds.run, rebuilds(played), order, played.call())


async def test_a_build_that_has_something_else_that_is_blocked_is_refused(played: Stage) -> None:
    record = begin(played.world, "vulnerable").record
    blocked = ("httpkit==1.8.0",)
    order = Rebuild(service=API, package=QUICKYAML, version="2.3.4", affected=understood(record).packages, blocked=blocked)
    with pytest.raises(Refused, match=r"is not clean: httpkit==1\.8\.0"):
        await attempt(Rebuilds.run, rebuilds(played), order, played.call())


async def test_a_blocked_version_is_never_built_with(played: Stage) -> None:
    order = Rebuild(service=API, package=QUICKYAML, version="2.3.4", blocked=("quickyaml==2.3.4",))
    with pytest.raises(Refused, match="on the blocklist"):
        await attempt(Rebuilds.run, rebuilds(played), order, played.call())
    assert not supply(played.world.state, 0).runs


def admission(played: Stage) -> Admission:
    return Admission(Clusters(lambda region: played.client(f"/k8s/{region}")))


async def test_a_cluster_starts_no_blocked_build_by_a_policy_that_was_not_there(played: Stage) -> None:
    system, of, old = admission(played), AdmissionOf(region="eu-west", service=ORCHESTRATOR), f"sha256:{'c' * 64}"
    order = refuse_builds("eu-west", ORCHESTRATOR, await system.look_at(played.call(), of), [old], serving=False)
    effect, _ = await tried(Admission.change, system, order, played.call())
    assert "refused by our policy, in a dry run" in effect.proven_by
    assert await system._clusters.try_image(played.call(), "us-east", ORCHESTRATOR, old) == ""
    said = await system._clusters.try_image(played.call(), "eu-west", ORCHESTRATOR, old)
    assert NAME in said and "this build is on the blocklist of an incident" in said
    assert await system._clusters.try_image(played.call(), "eu-west", ORCHESTRATOR, f"sha256:{'d' * 64}") == ""


async def test_a_policy_that_is_shown_and_not_enforced_is_none(played: Stage) -> None:
    played.world.state.part(Stored).unenforced = ["eu-west"]
    system, of = admission(played), AdmissionOf(region="eu-west", service=ORCHESTRATOR)
    order = refuse_builds("eu-west", ORCHESTRATOR, await system.look_at(played.call(), of), [f"sha256:{'c' * 64}"], serving=False)
    with pytest.raises(NotYet, match="would still start it"):
        await attempt(Admission.change, system, order, played.call())


async def test_what_serves_is_refused_only_when_that_is_said(played: Stage) -> None:
    system, of = admission(played), AdmissionOf(region="eu-west", service=ORCHESTRATOR)
    now, serving = await system.look_at(played.call(), of), played.world.state.fleet.services["orchestrator"].newest().digest
    with pytest.raises(Refused, match="serves in eu-west"):
        await attempt(Admission.change, system, refuse_builds("eu-west", ORCHESTRATOR, now, [serving], serving=False), played.call())
    effect, _ = await tried(Admission.change, system, refuse_builds("eu-west", ORCHESTRATOR, now, [serving], serving=True), played.call())
    assert "none of its instances is replaced" in effect.summary


async def test_a_policy_of_our_name_that_is_not_ours_is_not_touched(played: Stage) -> None:
    system, of = admission(played), AdmissionOf(region="eu-west", service=ORCHESTRATOR)
    order = refuse_builds("eu-west", ORCHESTRATOR, await system.look_at(played.call(), of), [f"sha256:{'c' * 64}"], serving=False)
    await tried(Admission.change, system, order, played.call())
    held = played.world.state.part(Stored).of("eu-west", "validatingadmissionpolicies")[NAME]
    held["spec"]["validations"] = [{"expression": "true"}]
    with pytest.raises(Refused, match="not as we make it"):
        await system.look_at(played.call(), of)
