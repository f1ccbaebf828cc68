"""Deployments: how they roll out, and what customers get of it."""

from practice.services.deploying import deploy
from practice.world.stage import Stage
from tests.practice.faces.cluster import (
    APPS,
    CLUSTER,
    JSON_PATCH,
    MERGE,
    PATH,
    REVISION,
    STRATEGIC,
    condition,
    patch,
    place,
    replica_sets,
    roll_to,
    seen,
    service,
)


async def test_a_rollout_takes_its_time_and_nobody_goes_without_an_answer(stage: Stage) -> None:
    patched = (await roll_to(stage, "orchestrator-00040")).json()
    assert patched["status"]["observedGeneration"] < patched["metadata"]["generation"], "the controller has not seen it yet"
    (first,) = (await seen(stage, f"{APPS}/deployments"))["items"]
    assert first["status"]["observedGeneration"] == first["metadata"]["generation"]
    assert condition(first) == ("True", "ReplicaSetUpdated")
    assert (first["status"]["replicas"], first["status"]["updatedReplicas"], first["status"]["availableReplicas"]) == (5, 1, 4)
    stage.forward(3)
    assert service(stage).serving("eu-west") == {"orchestrator-00041": 0.5, "orchestrator-00040": 0.5}
    stage.forward(3)
    assert service(stage).serving("eu-west") == {"orchestrator-00040": 1.0}
    assert (await stage.http.get("/edge/orchestrator/", headers={"X-Region": "eu-west"})).headers["x-revision"] == "orchestrator-00040"
    last = await seen(stage)
    assert condition(last) == ("True", "NewReplicaSetAvailable")
    assert [last["status"][key] for key in ("replicas", "updatedReplicas", "availableReplicas")] == [4, 4, 4]
    assert service(stage).serving("us-east") == {"orchestrator-00041": 1.0}, "every region has a cluster of its own"


async def test_a_roll_back_gives_its_replica_set_the_newest_number(stage: Stage) -> None:
    await roll_to(stage, "orchestrator-00039")
    stage.forward(6)
    notes = (await replica_sets(stage))["orchestrator-00039"]["metadata"]["annotations"]
    assert (notes[REVISION], notes[f"{REVISION}-history"]) == ("42", "39")
    assert (await seen(stage))["metadata"]["annotations"][REVISION] == "42"
    assert place(stage).history[-1] == "orchestrator-00039"


async def test_looking_lets_a_rollout_go_on_where_no_clock_does(stage: Stage) -> None:
    await roll_to(stage, "orchestrator-00040")
    shares = []
    for _ in range(3):
        await seen(stage)
        shares.append(service(stage).serving("eu-west").get("orchestrator-00040", 0.0))
    assert shares == [0.0, 0.5, 1.0]


async def test_what_cannot_start_never_serves_and_says_so_when_its_deadline_is_over(stage: Stage) -> None:
    for revision, why in (("orchestrator-00034", "ImagePullBackOff"), ("orchestrator-00035", "CrashLoopBackOff")):
        await roll_to(stage, revision)
        stage.forward(30)
        assert service(stage).serving("eu-west") == {"orchestrator-00041": 1.0}, why
        pods = (await seen(stage, f"{CLUSTER}/api/v1/pods?fieldSelector=status.phase%3DPending"))["items"]
        assert [pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] for pod in pods] == [why]
    assert condition(await seen(stage)) == ("True", "ReplicaSetUpdated")
    stage.forward(600)
    stuck = await seen(stage)
    assert condition(stuck) == ("False", "ProgressDeadlineExceeded")
    assert (stuck["status"]["unavailableReplicas"], stuck["status"]["readyReplicas"]) == (1, 4)
    await roll_to(stage, "orchestrator-00041")
    assert condition(await seen(stage)) == ("True", "NewReplicaSetAvailable")


async def test_a_disabled_secret_keeps_pods_from_starting(stage: Stage) -> None:
    stage.world.state.fleet.disabled_secrets.append("SIGNING_KEY:1")
    await roll_to(stage, "orchestrator-00037")
    stage.forward(30)
    (waiting,) = (await seen(stage, f"{CLUSTER}/api/v1/pods?fieldSelector=status.phase%3DPending"))["items"]
    assert waiting["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "CreateContainerConfigError"


async def test_a_new_image_is_a_new_revision_and_a_change(stage: Stage) -> None:
    known = service(stage).revisions["orchestrator-00038"]
    known.error_rate = 0.25
    image = f"registry.example.com/acme/orchestrator@{known.digest}"
    containers = [{"name": "orchestrator", "image": image}]
    await patch(stage, {"spec": {"template": {"spec": {"containers": containers}}}}, STRATEGIC)
    stage.forward(6)
    assert service(stage).serving("eu-west") == {"orchestrator-00042": 1.0}
    made = service(stage).revisions["orchestrator-00042"]
    assert (made.digest, made.error_rate) == (known.digest, 0.25), "the build is the same, and so is what is wrong with it"
    assert made.secrets == service(stage).revisions["orchestrator-00041"].secrets, "the template around it is the newer one"
    assert (await seen(stage))["spec"]["template"]["spec"]["containers"][0]["env"], "a strategic merge keeps what it does not name"
    newest = stage.world.state.fleet.changes[-1]
    assert (newest.kind, newest.services, newest.details) == ("deploy", ["orchestrator"], {"revision": "orchestrator-00042"})
    here = await seen(stage, PATH.replace("eu-west", "us-east"))
    await patch(stage, [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}], JSON_PATCH,
                PATH.replace("eu-west", "us-east"))  # fmt: skip
    assert place(stage, "us-east").template == "orchestrator-00042" != here["metadata"]["name"]


async def test_a_deploy_by_the_pipeline_is_found_in_every_cluster(stage: Stage) -> None:
    before = await seen(stage)
    deploy(stage.world, "orchestrator", actor="ci", what="new", error_rate=0.5)
    after = await seen(stage)
    assert after["metadata"]["annotations"][REVISION] == "42"
    assert after["metadata"]["generation"] > before["metadata"]["generation"]
    assert (await replica_sets(stage))["orchestrator-00042"]["status"]["readyReplicas"] == 4
    assert condition(after) == ("True", "NewReplicaSetAvailable")
    deploy(stage.world, "orchestrator", actor="ci", what="an image that is not there", image_present=False)
    assert condition(await seen(stage)) == ("True", "ReplicaSetUpdated")
    assert service(stage).serving("eu-west") == {"orchestrator-00042": 1.0}, "the pods before go on serving"
    deploy(stage.world, "orchestrator", actor="ci", what="and one that is")
    await seen(stage)
    assert service(stage).serving("eu-west") == {"orchestrator-00044": 1.0}


async def test_only_so_many_old_replica_sets_are_kept(stage: Stage) -> None:
    await patch(stage, {"spec": {"revisionHistoryLimit": 2}})
    assert list(await replica_sets(stage)) == ["orchestrator-00039", "orchestrator-00040", "orchestrator-00041"]
    assert (await stage.call("GET", f"{APPS}/replicasets/orchestrator-00038")).status_code == 404


async def test_a_paused_deployment_takes_templates_and_rolls_nothing_out(stage: Stage) -> None:
    await patch(stage, {"spec": {"paused": True}})
    await roll_to(stage, "orchestrator-00040")
    stage.forward(60)
    assert condition(await seen(stage)) == ("Unknown", "DeploymentPaused")
    assert service(stage).serving("eu-west") == {"orchestrator-00041": 1.0}
    await patch(stage, {"spec": {"paused": None}})
    stage.forward(6)
    assert service(stage).serving("eu-west") == {"orchestrator-00040": 1.0}


async def test_scaling_is_what_the_autoscaler_keeps(stage: Stage) -> None:
    scale = await seen(stage, f"{PATH}/scale")
    assert (scale["kind"], scale["spec"], scale["status"]) == ("Scale", {"replicas": 4}, {"replicas": 4, "selector": "app=orchestrator"})
    assert (await patch(stage, {"spec": {"replicas": 0}}, MERGE, f"{PATH}/scale")).json()["spec"] == {"replicas": 0}
    stage.forward(60)
    assert (place(stage).replicas, place(stage).least, place(stage).ready_replicas) == (0, 0, 0)
    assert (await seen(stage))["status"].get("replicas", 0) == 0
    assert (await stage.http.get("/edge/orchestrator/", headers={"X-Region": "eu-west"})).status_code >= 500
    current = await seen(stage, f"{PATH}/scale")
    assert (await stage.call("PUT", f"{PATH}/scale", {**current, "spec": {"replicas": 6}})).is_success
    stage.forward(120)
    found = await seen(stage)
    assert (found["spec"]["replicas"], found["status"]["readyReplicas"]) == (6, 6)
    assert [e["route"] for e in stage.effects()] == ["kubernetes.deployments.scale.patch", "kubernetes.deployments.scale.update"]


async def test_a_dry_run_and_a_patch_that_changes_nothing_do_nothing(stage: Stage) -> None:
    version = (await seen(stage))["metadata"]["resourceVersion"]
    dry = await stage.call("PATCH", f"{PATH}?dryRun=All", {"spec": {"replicas": 9}}, Content_Type=MERGE)
    assert dry.json()["spec"]["replicas"] == 9
    await patch(stage, {"spec": {"replicas": 4}})
    assert (await seen(stage))["metadata"]["resourceVersion"] == version
    assert [e["changed"] for e in stage.effects()] == [False, False]
