"""What a region's Kubernetes API accepts, and how it refuses."""

from typing import Any

import pytest

from practice.world.stage import Stage
from tests.practice.faces.cluster import APPS, CLUSTER, JSON_PATCH, MERGE, PATH, REVISION, STRATEGIC, patch, place, refusal, seen


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
