"""How tests talk to a region's Kubernetes API."""

from typing import Any

import httpx

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
