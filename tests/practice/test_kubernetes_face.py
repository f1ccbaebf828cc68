"""A region's Kubernetes API: what it accepts, how it refuses, how it rolls out, and what customers get of it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from practice.services.deploying import deploy
from practice.services.fleet import Place, Service
from practice.world.stage import Stage

CLUSTER = "/k8s/eu-west"
APPS = f"{CLUSTER}/apis/apps/v1/namespaces/default"
PATH = f"{APPS}/deployments/orchestrator"
JSON_PATCH, MERGE, STRATEGIC = (f"application/{kind}+json" for kind in ("json-patch", "merge-patch", "strategic-merge-patch"))
REVISION = "deployment.kubernetes.io/revision"


async def seen(stage: Stage, path: str = PATH) -> Any:
    return await stage.must("GET", path)


async def patch(stage: Stage, body: Any, kind: str = MERGE, path: str = PATH) -> httpx.Response:
    return await stage.call("PATCH", path, body, Content_Type=kind)


async def replica_sets(stage: Stage, query: str = "") -> dict[str, Any]:
    return {one["metadata"]["name"]: one for one in (await seen(stage, f"{APPS}/replicasets{query}"))["items"]}


async def template_of(stage: Stage, revision: str) -> Any:
    """A revision's template, as a deployment asks for it."""
    template = (await replica_sets(stage))[revision]["spec"]["template"]
    del template["metadata"]["labels"]["pod-template-hash"]
    return template


async def roll_to(stage: Stage, revision: str) -> httpx.Response:
    found = await seen(stage)
    template = await template_of(stage, revision)
    test = {"op": "test", "path": "/metadata/resourceVersion", "value": found["metadata"]["resourceVersion"]}
    return await patch(stage, [test, {"op": "replace", "path": "/spec/template", "value": template}], JSON_PATCH)


def service(stage: Stage) -> Service:
    return stage.world.state.fleet.services["orchestrator"]


def place(stage: Stage, region: str = "eu-west") -> Place:
    return service(stage).places[region]


def condition(found: Any, kind: str = "Progressing") -> tuple[str, str]:
    one = next(c for c in found["status"]["conditions"] if c["type"] == kind)
    return one["status"], one["reason"]


def refusal(answer: httpx.Response, code: int, reason: str) -> str:
    """What a refusal says; it must be a Status."""
    said = answer.json()
    assert (answer.status_code, said["kind"], said["code"], said["reason"]) == (code, "Status", code, reason), said
    message: str = said["message"]
    return message


# ---- reading ----


async def test_discovery_says_what_there_is_and_what_one_may_do(stage: Stage) -> None:
    assert (await seen(stage, f"{CLUSTER}/version"))["major"] == "1"
    assert (await seen(stage, f"{CLUSTER}/api"))["versions"] == ["v1"]
    (group,) = (await seen(stage, f"{CLUSTER}/apis"))["groups"]
    assert (await seen(stage, f"{CLUSTER}/apis/apps"))["preferredVersion"] == group["preferredVersion"]
    verbs = {one["name"]: one["verbs"] for one in (await seen(stage, f"{CLUSTER}/apis/apps/v1"))["resources"]}
    assert verbs == {
        "deployments": ["get", "list", "watch", "patch", "update"],
        "replicasets": ["get", "list", "watch"],
        "deployments/scale": ["get", "patch", "update"],
    }
    core = {one["name"] for one in (await seen(stage, f"{CLUSTER}/api/v1"))["resources"]}
    assert core == {"pods", "nodes", "namespaces"}


async def test_a_cluster_shows_the_services_that_run_there_with_their_past(stage: Stage) -> None:
    (found,) = (await seen(stage, f"{APPS}/deployments"))["items"]
    assert found == await seen(stage)
    assert found["metadata"]["annotations"][REVISION] == "41"
    assert (found["status"]["observedGeneration"], found["status"]["readyReplicas"]) == (found["metadata"]["generation"], 4)
    assert (condition(found), condition(found, "Available")) == (("True", "NewReplicaSetAvailable"), ("True", "MinimumReplicasAvailable"))
    sets = await replica_sets(stage)
    assert list(sets) == [f"orchestrator-{n:05d}" for n in range(34, 42)]
    for name, one in sets.items():
        revision = service(stage).revisions[name]
        template = one["spec"]["template"]
        (container,) = template["spec"]["containers"]
        assert container["image"].endswith(f"@{revision.digest}")
        assert {env["name"]: env["valueFrom"]["secretKeyRef"]["key"] for env in container["env"]} == {
            secret: str(version) for secret, version in revision.secrets.items()
        }
        assert template["metadata"]["annotations"]["incident-playbooks/schema-max"] == str(revision.schema_max)
        assert one["metadata"]["ownerReferences"][0]["uid"] == found["metadata"]["uid"]
        assert one["metadata"]["annotations"][REVISION] == str(revision.number)
        assert one["spec"]["replicas"] == (4 if name == "orchestrator-00041" else 0)
    held = [name for image in (await seen(stage, f"{CLUSTER}/api/v1/nodes"))["items"][0]["status"]["images"] for name in image["names"]]
    assert [service(stage).revisions[name].digest for name in sets if name != "orchestrator-00034"] == [n.partition("@")[2] for n in held]


async def test_selectors_take_labels_and_fields(stage: Stage) -> None:
    assert len(await replica_sets(stage, "?labelSelector=app%3Dorchestrator,pod-template-hash!%3D00041")) == 7
    assert list(await replica_sets(stage, "?labelSelector=pod-template-hash%20in%20(00038,00039)")) == [
        "orchestrator-00038",
        "orchestrator-00039",
    ]
    assert len(await replica_sets(stage, "?labelSelector=pod-template-hash%20notin%20(00038,00039),app")) == 6
    assert await replica_sets(stage, "?labelSelector=!app") == {}
    assert list(await replica_sets(stage, "?fieldSelector=metadata.name%3Dorchestrator-00040")) == ["orchestrator-00040"]
    for wrong in ("labelSelector=a%20in%20b,,", "fieldSelector=spec.replicas%3D1"):
        refusal(await stage.call("GET", f"{APPS}/replicasets?{wrong}"), 400, "BadRequest")
    everywhere = await seen(stage, f"{CLUSTER}/api/v1/pods?fieldSelector=status.phase%3DRunning")
    assert len(everywhere["items"]) == 4
    assert (await seen(stage, f"{CLUSTER}/api/v1/namespaces/kube-system/pods"))["items"] == []
    one = everywhere["items"][0]
    assert one == await seen(stage, f"{CLUSTER}/api/v1/namespaces/default/pods/{one['metadata']['name']}")


async def test_kubectl_is_given_tables(stage: Stage) -> None:
    table = (await stage.call("GET", f"{APPS}/deployments", Accept="application/json;as=Table;v=v1;g=meta.k8s.io,application/json")).json()
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    assert table["rows"][0]["cells"][:-1] == ["orchestrator", "4/4", 4, 4]


# ---- rolling out ----


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


# ---- refusing ----


async def test_a_stale_version_is_a_conflict_or_a_failed_test(stage: Stage) -> None:
    old = await seen(stage)
    await patch(stage, {"metadata": {"annotations": {"note": "1"}}})
    stale = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}}
    assert "the object has been modified" in refusal(await patch(stage, stale), 409, "Conflict")
    assert "the object has been modified" in refusal(await stage.call("PUT", PATH, old), 409, "Conflict")
    test = {"op": "test", "path": "/metadata/resourceVersion", "value": old["metadata"]["resourceVersion"]}
    assert "test failed" in refusal(await patch(stage, [test], JSON_PATCH), 422, "Invalid")
    scale = {"kind": "Scale", "apiVersion": "autoscaling/v1", "spec": {"replicas": 1}, **stale}
    refusal(await stage.call("PUT", f"{PATH}/scale", scale), 409, "Conflict")
    assert [e["target"] for e in stage.effects()] == ["eu-west/default/deployments/orchestrator"]


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        ({"spec": {"wish": 1}}, MERGE, 400),
        ({"spec": {"replicas": "4"}}, MERGE, 400),
        ({"spec": {"replicas": -1}}, MERGE, 422),
        ({"spec": {"template": {"spec": {"containers": []}}}}, MERGE, 422),
        ({"spec": {"template": {"spec": {"containers": [{"name": "x"}]}}}}, STRATEGIC, 422),
        ({"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}, STRATEGIC, 400),
        ({"spec": {"$patch": "explode"}}, STRATEGIC, 400),
        ({"spec": {"selector": {"matchLabels": {"app": "other"}}}}, MERGE, 422),
        ({"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}}, MERGE, 422),
        ({"metadata": {"name": "other"}}, MERGE, 400),
        ({"metadata": {"uid": "other"}}, MERGE, 409),
        ({"kind": "DaemonSet"}, MERGE, 400),
        ([], MERGE, 400),
        ({}, JSON_PATCH, 400),
        ([{"op": "explode", "path": "/spec"}], JSON_PATCH, 400),
        ([{"op": "replace", "path": "/spec/wish", "value": 1}], JSON_PATCH, 422),
        ([{"op": "remove", "path": "/spec/template/spec/containers/7"}], JSON_PATCH, 422),
        ([{"op": "test", "path": "/spec/replicas", "value": 5}], JSON_PATCH, 422),
        ({}, "application/apply-patch+yaml", 415),
    ],
)
async def test_a_wrong_patch_is_refused_and_leaves_nothing(stage: Stage, body: Any, kind: str, code: int) -> None:
    state = stage.world.kept(stage.world.keep())
    answer = await patch(stage, body, kind)
    assert (answer.status_code, answer.json()["kind"]) == (code, "Status"), answer.text
    assert stage.world.state == state
    assert stage.effects() == []


async def test_every_operation_of_a_json_patch_does_what_it_says(stage: Stage) -> None:
    annotations = "/metadata/annotations"
    answer = await patch(
        stage,
        [
            {"op": "add", "path": f"{annotations}/a~1b", "value": "1"},
            {"op": "copy", "from": f"{annotations}/a~1b", "path": f"{annotations}/c"},
            {"op": "move", "from": f"{annotations}/c", "path": f"{annotations}/d"},
            {"op": "replace", "path": f"{annotations}/a~1b", "value": "2"},
            {"op": "test", "path": f"{annotations}/d", "value": "1"},
            {"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "beside", "image": "x"}},
            {"op": "remove", "path": "/spec/template/spec/containers/1"},
        ],
        JSON_PATCH,
    )
    assert {key: value for key, value in answer.json()["metadata"]["annotations"].items() if key != REVISION} == {"a/b": "2", "d": "1"}
    assert place(stage).template == "orchestrator-00041", "the template ended as it was"


async def test_a_strategic_merge_can_add_and_take_from_lists(stage: Stage) -> None:
    beside = {"name": "beside", "image": "x", "env": [{"name": "A", "value": "1"}]}
    containers = {"spec": {"template": {"spec": {"containers": [beside]}}}}
    added = (await patch(stage, containers, STRATEGIC)).json()["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in added] == ["orchestrator", "beside"]
    beside |= {"env": [{"name": "A", "$patch": "delete"}, {"name": "B", "value": "2"}]}
    changed = (await patch(stage, containers, STRATEGIC)).json()["spec"]["template"]["spec"]["containers"]
    assert changed[1] == {"name": "beside", "image": "x", "env": [{"name": "B", "value": "2"}]}
    gone = {"spec": {"template": {"spec": {"containers": [{"name": "beside", "$patch": "delete"}]}}}}
    assert len((await patch(stage, gone, STRATEGIC)).json()["spec"]["template"]["spec"]["containers"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "code", "reason"),
    [
        ("GET", f"{APPS}/deployments/nothing", 404, "NotFound"),
        ("GET", f"{CLUSTER}/apis/apps/v1/namespaces/kube-system/deployments/orchestrator", 404, "NotFound"),
        ("PATCH", f"{APPS}/deployments/api", 404, "NotFound"),  # runs on another platform
        ("GET", f"{CLUSTER}/apis/batch/v1/jobs", 404, "NotFound"),
        ("GET", f"{CLUSTER}/openapi/v2", 404, "NotFound"),
        ("GET", "/k8s/mars/version", 404, "NotFound"),
        ("DELETE", PATH, 403, "Forbidden"),
        ("POST", f"{APPS}/deployments", 403, "Forbidden"),
        ("PATCH", f"{APPS}/replicasets/orchestrator-00041", 403, "Forbidden"),
        ("DELETE", f"{CLUSTER}/api/v1/namespaces/default/pods/x", 403, "Forbidden"),
    ],
)
async def test_what_there_is_not_and_what_one_may_not(stage: Stage, method: str, path: str, code: int, reason: str) -> None:
    refusal(await stage.call(method, path, None if method == "GET" else {}), code, reason)


async def test_without_the_token_nobody_comes_in(stage: Stage) -> None:
    refusal(await stage.http.get(PATH), 401, "Unauthorized")
    refusal(await stage.http.get(PATH, headers={"Authorization": "Bearer wrong"}), 401, "Unauthorized")


# ---- watching ----


@asynccontextmanager
async def watching(stage: Stage, query: str, what: str = "deployments") -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """The events of a watch, as they come."""
    headers = {"Authorization": "Bearer practice-token"}
    async with stage.http.stream("GET", f"{APPS}/{what}?watch=true&{query}", headers=headers, timeout=10) as answer:
        assert answer.status_code == 200

        async def events() -> AsyncIterator[tuple[str, Any]]:
            async for line in answer.aiter_lines():
                event = json.loads(line)
                yield event["type"], event["object"]

        yield events()


async def test_a_watch_begins_with_what_there_is_and_goes_on_with_what_changes(stage: Stage) -> None:
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=5"
    async with watching(stage, query) as events:
        assert (await anext(events))[0] == "ADDED"
        kind, mark = await anext(events)
        assert (kind, mark["metadata"]["annotations"]) == ("BOOKMARK", {"k8s.io/initial-events-end": "true"})
        await roll_to(stage, "orchestrator-00040")
        kind, changed = await anext(events)
        assert (kind, changed["spec"]["template"]["spec"]["containers"][0]["image"].count("00040")) == ("MODIFIED", 1)


async def test_a_watch_from_a_version_tells_what_came_since(stage: Stage) -> None:
    version = (await seen(stage, f"{APPS}/replicasets"))["metadata"]["resourceVersion"]
    deploy(stage.world, "orchestrator", actor="ci", what="new")
    await patch(stage, {"spec": {"revisionHistoryLimit": 8}})
    async with watching(stage, f"resourceVersion={version}&timeoutSeconds=5", "replicasets") as events:
        assert {(kind, one["metadata"]["name"]) for kind, one in [await anext(events), await anext(events)]} == {
            ("MODIFIED", "orchestrator-00041"),
            ("ADDED", "orchestrator-00042"),
        }
        await patch(stage, {"spec": {"revisionHistoryLimit": 0}})
        assert {(await anext(events))[0] for _ in range(8)} == {"DELETED"}


async def test_a_watch_ends_when_its_time_is_over(stage: Stage) -> None:
    async with watching(stage, "timeoutSeconds=0.2&resourceVersion=999999") as events:
        assert [kind async for kind, _ in events] == []
    refusal(await stage.call("GET", f"{APPS}/deployments?watch=1&sendInitialEvents=true"), 422, "Invalid")
    refusal(await stage.call("GET", f"{APPS}/deployments?watch=1&resourceVersion=x"), 400, "BadRequest")
