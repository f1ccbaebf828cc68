"""Deploys on Kubernetes: one revision takes all, by name; a rollout counts when its pods have replaced all others in every region."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.action import Call, Effect, Limits, NotYet, Refused, action_of
from activities.deploys.deploys import Deploys, NotKnown
from activities.deploys.kubernetes import Kubernetes
from activities.deploys.orders import RevisionsOf, Rollout, ServedBy, ToRevision
from activities.edge.probe import EdgeProbe
from activities.kit.http import Bearer, HttpClient
from activities.metrics.prometheus import Prometheus
from activities.organisation.catalogue import Deployed
from activities.organisation.numbers import RollBack
from practice.services.deploying import deploy
from practice.services.fleet import Place, Service
from practice.world.world import World
from tests.activities.conftest import MakeCall, MakeClient, effects, granted, inject, pass_time, until_done
from workflows.procedures.eligibility import roll_back_targets

EU, US = "eu-west", "us-east"
ORCHESTRATOR = Deployed(name="orchestrator", platform="kubernetes", regions=(EU, US), repository="acme/orchestrator")
PATCH, GET, SETS = "kubernetes.deployments.patch", "kubernetes.deployments.get", "kubernetes.replicasets.list"
MISHAPS: list[tuple[str, dict[str, Any]]] = [
    ("fail", {"times": 2}),
    ("latency", {"times": 1, "seconds": 1.5}),
    ("commit_then_drop", {"times": 1}),
    ("nothing_changed", {"times": 1}),
    ("partial", {"times": 1}),
    ("throttle", {"times": 2}),
    ("hang", {"times": 1}),
]
SERVED = {"orchestrator-00041": 1.0}
DONE_UNKNOWN = ("commit_then_drop", "partial")  # the first try did it, and could not know that; a late one is fenced off by its version


@pytest.fixture
def deploys(door: MakeClient) -> Deploys:
    """The adapter; its clients give up after half a second, and it watches a rollout for one."""
    kubernetes = Kubernetes(lambda region: door(f"/k8s/{region}", timeout=0.5))
    return Deploys({"kubernetes": kubernetes}, EdgeProbe(door("/edge")), Prometheus(door("/prom")), patience=1.0)


@pytest.fixture
async def rollout(deploys: Deploys, call: MakeCall) -> Rollout:
    """As it is when the decision is made."""
    return await look(deploys, call)


async def look(deploys: Deploys, call: MakeCall) -> Rollout:
    return await deploys.survey(RevisionsOf(service=ORCHESTRATOR), call())


def service(world: World) -> Service:
    return world.state.fleet.services["orchestrator"]


def place(world: World, region: str = EU) -> Place:
    return service(world).places[region]


def back_to(rollout: Rollout, revision: str = "orchestrator-00040", **more: Any) -> ToRevision:
    split = {region: {revision: 1.0} for region in ORCHESTRATOR.regions}
    seen = {"before": rollout.splits(), "versions": rollout.versions()}
    return ToRevision.model_validate({"service": ORCHESTRATOR, "split": split, "purpose": "roll back", **seen, **more})


async def shift(deploys: Deploys, order: ToRevision, call: Call) -> Effect:
    return await deploys.shift(order, granted(Deploys.shift, order, call))


# ---- looking ----


async def test_the_survey_tells_what_serves_and_what_could(world: World, rollout: Rollout) -> None:
    assert {region: serving.split for region, serving in rollout.regions.items()} == {EU: SERVED, US: SERVED}
    assert [one.id for one in rollout.revisions] == [f"orchestrator-{n:05d}" for n in range(41, 33, -1)]
    for one in rollout.revisions:
        theirs = service(world).revisions[one.id]
        assert (one.digest, one.images, set(one.secrets)) == (theirs.digest, (theirs.digest,), theirs.needs())
        assert (one.schema_min, one.schema_max) == (theirs.schema_min, theirs.schema_max)
        assert one.image_present is (True if theirs.image_present else None), "no node holds it: nobody can say"
        assert one.created_at == pytest.approx(datetime.fromtimestamp(theirs.created, UTC), abs=timedelta(seconds=1))
        assert one.green_minutes == pytest.approx(theirs.green_minutes, abs=0.5)
        assert one.ready
    targets = roll_back_targets(rollout, rule=RollBack(), schema=5)
    assert [one.id for one in targets.eligible] == [f"orchestrator-{n:05d}" for n in (40, 39, 38, 37, 36)]
    assert "nobody can say whether its image" in " ".join(targets.ineligible["orchestrator-00034"])


async def test_who_may_not_list_nodes_cannot_vouch_for_images(world: World, deploys: Deploys, call: MakeCall) -> None:
    inject(world, "kubernetes.nodes.list", "fail", status=403)
    assert {one.image_present for one in (await look(deploys, call)).revisions} == {None}


async def test_a_service_that_nobody_runs_here_is_refused(deploys: Deploys, call: MakeCall) -> None:
    for wrong in ({"name": "nothing"}, {"namespace": "kube-system"}, {"regions": ("mars",)}):
        with pytest.raises(Refused, match="404"):
            await deploys.survey(RevisionsOf(service=ORCHESTRATOR.model_copy(update=wrong)), call())


async def test_a_token_that_ran_out_is_read_again(practice_url: str, call: MakeCall) -> None:
    """Clusters' tokens live for an hour, and the file that holds them is written anew."""
    tokens = iter(["yesterday's", "practice-token", "not asked for"])
    async with HttpClient(f"{practice_url}/k8s/{EU}", {}, auth=Bearer(lambda: next(tokens))) as door:
        client = Kubernetes(lambda _region: door)
        for _ in range(2):
            assert (await client.replicas(call(), ORCHESTRATOR, EU)).wanted == 4
        assert next(tokens) == "not asked for"
    async with HttpClient(f"{practice_url}/k8s/{EU}", {}, auth=Bearer(lambda: "wrong")) as door:
        with pytest.raises(Refused, match="401"):
            await Kubernetes(lambda _region: door).replicas(call(), ORCHESTRATOR, EU)


# ---- shifting ----


async def test_a_roll_back_is_read_back_in_every_region_and_can_be_undone(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    order = back_to(rollout)
    effect = await shift(deploys, order, call(key="back"))
    assert effect.proven_by == "kubernetes shows orchestrator-00040 100 % in eu-west and us-east in force"
    assert (effect.target, effect.adopted) == ("service/orchestrator", False)
    assert effect.before == {EU: {"orchestrator-00041": 1.0}, US: {"orchestrator-00041": 1.0}}
    assert effect.after == {EU: {"orchestrator-00040": 1.0}, US: {"orchestrator-00040": 1.0}}
    assert service(world).serving(EU) == service(world).serving(US) == {"orchestrator-00040": 1.0}
    sampled = await deploys.served_by(ServedBy(service=ORCHESTRATOR, revision="orchestrator-00040", samples=5), call())
    assert sampled.everywhere(0.99, 5)
    assert (await shift(deploys, order, call(key="back"))).adopted
    assert [(e["key"], e["target"]) for e in effects(world, PATCH)] == [
        ("back/eu-west", "eu-west/default/deployments/orchestrator"),
        ("back/us-east", "us-east/default/deployments/orchestrator"),
    ]
    await shift(deploys, order.undo(), call(key="restore"))
    assert service(world).serving(EU) == service(world).serving(US) == {"orchestrator-00041": 1.0}
    assert len(effects(world, PATCH)) == 4


async def test_twice_is_once_although_every_roll_back_gets_a_new_number(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    """G4: `rollout undo` without a number would flip back to the bad revision when it is tried again."""
    for _ in range(3):
        await shift(deploys, back_to(rollout), call())
    assert service(world).serving(EU) == {"orchestrator-00040": 1.0}
    notes = world.state.clusters[EU].replica_sets["orchestrator-00040"]["metadata"]["annotations"]
    assert notes["deployment.kubernetes.io/revision"] == "42"
    assert (
        notes["kubernetes.io/change-cause"]
        == "inc-20261123-chat: roll back to orchestrator-00040 [inc-20261123-chat/verb/target/1/eu-west]"
    )


async def test_nothing_is_pinned_so_returning_to_the_latest_is_done_already(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    await shift(deploys, back_to(rollout), call())
    now = await look(deploys, call)
    order = back_to(now, "LATEST", purpose="return to latest")
    effect = await shift(deploys, order, call())
    assert effect.adopted and effect.after == {EU: {"orchestrator-00040": 1.0}, US: {"orchestrator-00040": 1.0}}
    deploy(world, "orchestrator", actor="ci", what="the fix")
    world.advance()
    assert service(world).serving(EU) == {"orchestrator-00042": 1.0}


@pytest.mark.parametrize(("mode", "settings"), MISHAPS, ids=[mode for mode, _ in MISHAPS])
async def test_whatever_happens_to_a_shift_it_is_done_once_in_every_region(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall, mode: str, settings: dict[str, Any]
) -> None:
    order, made = back_to(rollout), call(key="the key")
    inject(world, PATCH, mode, **settings)
    effect, broke = await until_done(lambda: shift(deploys, order, made), tries=5)
    assert broke and effect.after == {EU: {"orchestrator-00040": 1.0}, US: {"orchestrator-00040": 1.0}}
    assert sorted(e["key"] for e in effects(world, PATCH)) == ["the key/eu-west", "the key/us-east"]
    assert effect.adopted == (mode in DONE_UNKNOWN)
    again = await shift(deploys, order, made)
    assert again.adopted and len(effects(world, PATCH)) == 2


async def test_a_200_that_changed_nothing_is_never_an_effect(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    inject(world, PATCH, "nothing_changed")
    for _ in range(2):
        with pytest.raises(NotYet, match="orchestrator-00041 100 % still serves"):
            await shift(deploys, back_to(rollout), call())
    assert service(world).serving(EU) == {"orchestrator-00041": 1.0}


@pytest.mark.parametrize("route", [GET, SETS])
async def test_a_stale_reading_is_no_proof_and_no_reason_to_write_twice(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall, route: str
) -> None:
    await shift(deploys, back_to(rollout), call())
    inject(world, route, "stale_read", times=3)
    _, broke = await until_done(lambda: shift(deploys, back_to(rollout), call()), tries=5)
    assert len(broke) <= 3 and service(world).serving(EU) == {"orchestrator-00040": 1.0}
    assert len(effects(world, PATCH)) == 2


async def test_a_region_whose_cluster_is_down_is_named_and_the_other_one_is_done(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    inject(world, PATCH, "fail", times=1)
    with pytest.raises(NotKnown, match=r"503.*serves orchestrator-00040 100 %, as wanted"):
        await shift(deploys, back_to(rollout), call())
    assert {service(world).serving(region).popitem()[0] for region in (EU, US)} == {"orchestrator-00040", "orchestrator-00041"}
    await shift(deploys, back_to(rollout), call())
    assert service(world).serving(EU) == service(world).serving(US) == {"orchestrator-00040": 1.0}


async def test_somebody_who_only_touched_the_deployment_is_no_obstacle(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall, door: MakeClient
) -> None:
    """The version has moved, the revision has not: the failed test is read as a conflict, and decided again."""
    note = {"metadata": {"annotations": {"note": "lee was here"}}}
    async with door(f"/k8s/{EU}") as cluster:
        path = "/apis/apps/v1/namespaces/default/deployments/orchestrator"
        merge = {"Content-Type": "application/merge-patch+json"}
        await cluster.write(call(), "PATCH", path, headers=merge, json=note)
        before = world.state.clusters[EU].deployments["orchestrator"]["metadata"]["resourceVersion"]
        assert before != rollout.regions[EU].version
    kubernetes = Kubernetes(lambda region: door(f"/k8s/{region}"))
    with pytest.raises(Exception, match="test failed") as stale:
        await kubernetes.shift(call(), back_to(rollout), EU)
    assert type(stale.value).__name__ == "Conflict"
    await shift(deploys, back_to(rollout), call())
    assert world.state.clusters[EU].deployments["orchestrator"]["metadata"]["annotations"]["note"] == "lee was here"


async def test_somebody_elses_rollout_is_not_overwritten(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    deploy(world, "orchestrator", actor="lee", what="a hotfix by hand")
    with pytest.raises(Refused, match="somebody else has changed"):
        await shift(deploys, back_to(rollout), call())
    assert not effects(world, PATCH)


async def test_what_was_done_by_hand_is_adopted(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    other = back_to(rollout)
    await shift(deploys, other, call(key="by hand"))
    assert (await shift(deploys, back_to(rollout), call(key="ours"))).adopted
    assert {e["key"].partition("/")[0] for e in effects(world, PATCH)} == {"by hand"}


# ---- rollouts that do not get there ----


async def test_a_rollout_under_way_is_not_done_yet(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    service(world).revisions["orchestrator-00040"].image_present = False
    with pytest.raises(NotYet, match="orchestrator-00041 100 % still serves"):
        await shift(deploys, back_to(rollout), call())
    now = await look(deploys, call)
    assert (now.regions[EU].split, now.regions[EU].settling) == ({"orchestrator-00041": 1.0}, {"orchestrator-00040": 1.0})
    stuck, serving = now.revision("orchestrator-00040"), now.revision("orchestrator-00041")
    assert stuck is not None and not stuck.ready
    assert serving is not None and serving.ready
    service(world).revisions["orchestrator-00040"].image_present = True
    assert (await shift(deploys, back_to(rollout), call())).adopted


async def test_a_rollout_that_the_platform_gave_up_is_refused_and_can_be_restored(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall
) -> None:
    order = back_to(rollout, "orchestrator-00034")
    with pytest.raises(NotYet):
        await shift(deploys, order, call())
    pass_time(world, 700)
    with pytest.raises(Refused, match='ReplicaSet "orchestrator-00034" has timed out progressing'):
        await shift(deploys, order, call())
    assert service(world).serving(EU) == {"orchestrator-00041": 1.0}
    effect = await shift(deploys, order.undo(), call())
    assert not effect.adopted and effect.after == {EU: {"orchestrator-00041": 1.0}, US: {"orchestrator-00041": 1.0}}


async def test_a_deploy_that_got_stuck_can_be_taken_back_to_what_still_serves(world: World, deploys: Deploys, call: MakeCall) -> None:
    deploy(world, "orchestrator", actor="ci", what="an image that is not there", image_present=False)
    pass_time(world, 700)
    stuck = await look(deploys, call)
    assert stuck.regions[EU].failed and stuck.splits()[EU] == {"orchestrator-00042": 1.0}
    best = roll_back_targets(stuck, rule=RollBack(), schema=5).best()
    assert best is not None and best.id == "orchestrator-00041"
    effect = await shift(deploys, back_to(stuck, best.id), call())
    assert not effect.adopted and len(effects(world, PATCH)) == 2


async def test_a_pod_that_fails_later_does_not_undo_the_proof(world: World, deploys: Deploys, rollout: Rollout, call: MakeCall) -> None:
    await shift(deploys, back_to(rollout), call())
    place(world).ready_replicas = 3
    assert (await shift(deploys, back_to(rollout), call())).adopted


async def test_a_deployment_that_is_scaled_to_zero_serves_nothing_and_is_not_rolled_back(
    world: World, deploys: Deploys, call: MakeCall
) -> None:
    """Nobody is served by what has no pods: it is neither what serves now nor what an undo would restore."""
    there = place(world)
    there.replicas = there.ready_replicas = there.least = 0
    found = await look(deploys, call)
    assert (found.regions[EU].split, found.regions[EU].asked) == ({}, {}) and found.regions[US].split == SERVED
    assert list(found.where_it_serves().regions) == [US] and found.may_change == {EU: True, US: True}
    with pytest.raises(Refused, match="scaled to zero, so that nothing serves"):
        await shift(deploys, back_to(found), call())
    assert {e["target"] for e in effects(world, PATCH)} == {"us-east/default/deployments/orchestrator"}


# ---- refusing ----


@pytest.mark.parametrize(
    ("split", "why"),
    [
        ({"orchestrator-00040": 0.5, "orchestrator-00041": 0.5}, "one revision takes all"),
        ({"orchestrator-00033": 1.0}, "not among the ReplicaSets"),
        ({"orchestrator-00040": 0.9}, "sum to 100"),
    ],
)
async def test_what_kubernetes_cannot_do_is_refused(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall, split: dict[str, float], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        await shift(deploys, back_to(rollout, split={EU: split, US: split}), call())
    assert not effects(world, PATCH)


async def test_a_paused_deployment_is_for_people_to_resume(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall, door: MakeClient
) -> None:
    async with door(f"/k8s/{EU}") as cluster:
        path = "/apis/apps/v1/namespaces/default/deployments/orchestrator"
        await cluster.write(
            call(), "PATCH", path, headers={"Content-Type": "application/merge-patch+json"}, json={"spec": {"paused": True}}
        )
    with pytest.raises(Refused, match="paused in eu-west"):
        await shift(deploys, back_to(rollout), call())


async def test_a_template_that_makes_no_sense_is_refused_and_no_conflict(
    deploys: Deploys, rollout: Rollout, call: MakeCall, world: World
) -> None:
    world.state.clusters[EU].replica_sets["orchestrator-00040"]["spec"]["template"]["metadata"]["labels"]["app"] = "other"
    with pytest.raises(Refused, match="does not match template"):
        await shift(deploys, back_to(rollout, split={EU: {"orchestrator-00040": 1.0}}), call())


@pytest.mark.parametrize("protected", [("orchestrator",), ("default/*",), ("ORCH*",)])
async def test_what_we_run_on_ourselves_is_never_a_target_whoever_said_yes(
    world: World, deploys: Deploys, rollout: Rollout, call: MakeCall, protected: tuple[str, ...]
) -> None:
    with pytest.raises(Refused, match="is protected"):
        await shift(deploys, back_to(rollout), call(limits=Limits(protected=protected)))
    assert not effects(world, PATCH)


@pytest.mark.parametrize(
    ("name", "namespace", "spared"),
    [
        ("incident-worker", "default", True),
        ("temporal-frontend", "agents", True),
        ("orchestrator", "incidents", True),
        ("orchestrator", "default", False),
        ("temporary", "default", False),
    ],
)
async def test_by_default_our_workers_and_the_workflow_service_are_spared(
    deploys: Deploys, rollout: Rollout, call: MakeCall, name: str, namespace: str, spared: bool
) -> None:
    ours = ORCHESTRATOR.model_copy(update={"name": name, "namespace": namespace})
    order = back_to(rollout, "orchestrator-00041", service=ours)
    try:
        await shift(deploys, order, call())
        said = ""
    except Exception as no:
        said = str(no)
    assert ("is protected" in said) is spared
    assert action_of(Deploys.shift).name == "deploys.shift"
