"""A region's Kubernetes API: what it shows, and what it tells a watcher."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from practice.services.deploying import deploy
from practice.world.stage import Stage
from tests.practice.faces.cluster import APPS, CLUSTER, REVISION, condition, patch, refusal, replica_sets, roll_to, seen, service


async def test_discovery_says_what_there_is_and_what_one_may_do(stage: Stage) -> None:
    assert (await seen(stage, f"{CLUSTER}/version"))["major"] == "1"
    assert (await seen(stage, f"{CLUSTER}/api"))["versions"] == ["v1"]
    groups = {one["name"]: one["preferredVersion"] for one in (await seen(stage, f"{CLUSTER}/apis"))["groups"]}
    assert set(groups) == {"apps", "autoscaling", "gateway.networking.k8s.io", "admissionregistration.k8s.io", "networking.k8s.io"}
    for name, version in groups.items():
        assert (await seen(stage, f"{CLUSTER}/apis/{name}"))["preferredVersion"] == version
    for name, plural in (("autoscaling", "horizontalpodautoscalers"), ("gateway.networking.k8s.io", "httproutes")):
        (single,) = (await seen(stage, f"{CLUSTER}/apis/{groups[name]['groupVersion']}"))["resources"]
        assert (single["name"], single["verbs"]) == (plural, ["get", "patch"])
    verbs = {one["name"]: one["verbs"] for one in (await seen(stage, f"{CLUSTER}/apis/apps/v1"))["resources"]}
    assert verbs == {
        "deployments": ["get", "list", "watch", "patch", "update"],
        "replicasets": ["get", "list", "watch"],
        "deployments/scale": ["get", "patch", "update"],
    }
    core = {one["name"] for one in (await seen(stage, f"{CLUSTER}/api/v1"))["resources"]}
    assert core == {"pods", "nodes", "namespaces"}


async def test_an_autoscaler_says_why_its_bounds_are_refused(stage: Stage) -> None:
    """In the causes: kubectl shows a person these, and not the message."""
    of = f"{CLUSTER}/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
    answer = await stage.call("PATCH", f"{of}/orchestrator", {"spec": {"minReplicas": 10_000}}, Content_Type="application/merge-patch+json")
    details = answer.json()["details"]
    assert answer.status_code == 422 and (details["group"], details["kind"]) == ("autoscaling", "HorizontalPodAutoscaler")
    assert [one["field"] for one in details["causes"]] == ["spec.maxReplicas"]
    missing = (await stage.call("GET", f"{of}/nothing")).json()
    assert missing["message"] == 'horizontalpodautoscalers.autoscaling "nothing" not found'


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


async def test_a_watch_begins_with_what_there_is_and_goes_on_with_what_changes(socket_stage: Stage) -> None:
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=5"
    async with watching(socket_stage, query) as events:
        assert (await anext(events))[0] == "ADDED"
        kind, mark = await anext(events)
        assert (kind, mark["metadata"]["annotations"]) == ("BOOKMARK", {"k8s.io/initial-events-end": "true"})
        await roll_to(socket_stage, "orchestrator-00040")
        kind, changed = await anext(events)
        assert (kind, changed["spec"]["template"]["spec"]["containers"][0]["image"].count("00040")) == ("MODIFIED", 1)


async def test_a_watch_from_a_version_tells_what_came_since(socket_stage: Stage) -> None:
    version = (await seen(socket_stage, f"{APPS}/replicasets"))["metadata"]["resourceVersion"]
    deploy(socket_stage.world, "orchestrator", actor="ci", what="new")
    await patch(socket_stage, {"spec": {"revisionHistoryLimit": 8}})
    async with watching(socket_stage, f"resourceVersion={version}&timeoutSeconds=5", "replicasets") as events:
        assert {(kind, one["metadata"]["name"]) for kind, one in [await anext(events), await anext(events)]} == {
            ("MODIFIED", "orchestrator-00041"),
            ("ADDED", "orchestrator-00042"),
        }
        await patch(socket_stage, {"spec": {"revisionHistoryLimit": 0}})
        assert {(await anext(events))[0] for _ in range(8)} == {"DELETED"}


async def test_a_watch_ends_when_its_time_is_over(stage: Stage) -> None:
    async with watching(stage, "timeoutSeconds=0.2&resourceVersion=999999") as events:
        assert [kind async for kind, _ in events] == []
    refusal(await stage.call("GET", f"{APPS}/deployments?watch=1&sendInitialEvents=true"), 422, "Invalid")
    refusal(await stage.call("GET", f"{APPS}/deployments?watch=1&resourceVersion=x"), 400, "BadRequest")
