"""A pool of workers as the platforms have it: a HorizontalPodAutoscaler of Kubernetes, or the scaling of a Cloud Run service.

Both keep our own contract of a pool. What is set is the least: the platform may run more, up to its most, and never fewer.
"""

from typing import Any

from activities.action import Call, Refused
from activities.capacity.pools import PoolControl
from activities.kit.http import HttpClient
from activities.kit.rest import Json
from activities.kit.words.urls import path

MERGE = {"Content-Type": "application/merge-patch+json"}
MANAGER = {"fieldManager": "incident-playbooks"}


class PoolOnKubernetes(PoolControl):
    """autoscaling/v2: `minReplicas` of the autoscaler that has the name of its Deployment, conditional on its resourceVersion."""

    def __init__(self, http: HttpClient, namespace: str, name: str) -> None:
        super().__init__(http)
        self._path = path("apis", "autoscaling", "v2", "namespaces", namespace, "horizontalpodautoscalers", name)
        self._name = name

    async def get(self, call: Call, path: str, **asked: Any) -> Json:
        said = (await self._http.read(call, self._path)).json()
        spec, now = said["spec"], said.get("status", {})
        if spec["scaleTargetRef"].get("kind") != "Deployment":
            raise Refused(f"the autoscaler {self._name} scales no Deployment but a {spec['scaleTargetRef'].get('kind')}")
        return {
            "workers": spec.get("minReplicas", 1), "most": spec["maxReplicas"], "running": now.get("currentReplicas"),
            "etag": said["metadata"]["resourceVersion"], "changed_by": "",
        }  # fmt: skip

    async def put(self, call: Call, path: str, etag: str, body: Json) -> None:
        patch = {"metadata": {"resourceVersion": etag}, "spec": {"minReplicas": body["workers"]}}
        await self._http.write(call, "PATCH", self._path, headers=MERGE, params=MANAGER, json=patch)


class PoolOnCloudRun(PoolControl):
    """Cloud Run Admin API v2: `scaling.minInstanceCount` of a service, conditional on its etag. How many run it does not say."""

    def __init__(self, http: HttpClient, project: str, region: str, name: str) -> None:
        super().__init__(http)
        self._path = path("v2", "projects", project, "locations", region, "services", name)

    async def get(self, call: Call, path: str, **asked: Any) -> Json:
        said = (await self._http.read(call, self._path)).json()
        scaling = said.get("scaling", {})
        most = scaling.get("maxInstanceCount") or None
        return {"workers": scaling.get("minInstanceCount", 0), "most": most, "running": None, "etag": said["etag"], "changed_by": ""}

    async def put(self, call: Call, path: str, etag: str, body: Json) -> None:
        said = (await self._http.read(call, self._path)).json()
        scaling = {**said.get("scaling", {}), "minInstanceCount": body["workers"]}
        await self._http.write(call, "PATCH", self._path, params={"updateMask": "scaling"}, json={"etag": etag, "scaling": scaling})
