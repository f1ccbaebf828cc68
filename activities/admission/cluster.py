"""Admission policies by the Kubernetes API (admissionregistration.k8s.io/v1), and a deployment that is only tried."""

from collections.abc import Callable
from typing import Any

from activities.action import Call
from activities.kit.http import HttpClient, Unprocessable, outcome
from activities.kit.words.urls import path
from activities.organisation.catalogue import Deployed

Json = dict[str, Any]
GROUP, POLICIES, BINDINGS = "admissionregistration.k8s.io", "validatingadmissionpolicies", "validatingadmissionpolicybindings"
NAME = "incident-playbooks-blocklist"
MANAGER = {"fieldManager": "incident-playbooks"}
MERGE = {"Content-Type": "application/strategic-merge-patch+json"}


class Clusters:
    """The clusters of all regions. `opened` opens the door to a region's API; it is called once for each."""

    def __init__(self, opened: Callable[[str], HttpClient]) -> None:
        self._opened, self._doors = opened, dict[str, HttpClient]()

    async def find(self, call: Call, region: str, plural: str) -> Json | None:
        return await self._door(region).find(call, _path(plural, NAME))

    async def create(self, call: Call, region: str, plural: str, made: Json) -> None:
        """Raises `Conflict` when there is one already."""
        await self._door(region).write(call, "POST", _path(plural), params=MANAGER, json=made)

    async def replace(self, call: Call, region: str, plural: str, made: Json) -> None:
        """Raises `Conflict` when it is not at this version any more."""
        await self._door(region).write(call, "PUT", _path(plural, NAME), params=MANAGER, json=made)

    async def images(self, call: Call, region: str, service: Deployed) -> list[str]:
        """What the deployment of a service runs now."""
        spec = (await self._door(region).read(call, _deployment(service))).json()["spec"]["template"]["spec"]
        return [str(one["image"]) for kind in ("containers", "initContainers") for one in spec.get(kind) or []]

    async def try_image(self, call: Call, region: str, service: Deployed, digest: str) -> str:
        """Why the cluster would not take a deployment of this build; empty when it would. Nothing is changed."""
        door = self._door(region)
        container = (await door.read(call, _deployment(service))).json()["spec"]["template"]["spec"]["containers"][0]
        image = f"{str(container['image']).partition('@')[0]}@{digest}"
        body = {"spec": {"template": {"spec": {"containers": [{"name": container["name"], "image": image}]}}}}
        tried = {"dryRun": "All", **MANAGER}
        try:
            outcome(await door.ask(call, "PATCH", _deployment(service), headers=MERGE, params=tried, json=body))
        except Unprocessable as no:
            return no.message
        return ""

    async def may_change(self, call: Call, region: str) -> bool:
        """Whether we may make policies there, by the cluster's own word."""
        spec = {"resourceAttributes": {"group": GROUP, "resource": POLICIES, "verb": "create"}}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
        where = path("apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews")
        return bool(outcome(await self._door(region).ask(call, "POST", where, json=body)).json()["status"]["allowed"])

    def _door(self, region: str) -> HttpClient:
        if region not in self._doors:
            self._doors[region] = self._opened(region)
        return self._doors[region]


def _path(plural: str, *name: str) -> str:
    return path("apis", GROUP, "v1", plural, *name)


def _deployment(service: Deployed) -> str:
    return path("apis", "apps", "v1", "namespaces", service.namespace, "deployments", service.name)
