"""What the clusters hold: one cluster per region, with a Deployment and its ReplicaSets for each service that runs on Kubernetes.

A part of `State`. Manifests are in the API's own form, without instants: those stand beside them, because the past that a world is born
with does not tell two worlds apart. What the rest of the world knows of a service as well (template, replicas, split) stands in its `Place`.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from practice.services.fleet import Revision, Service

JSON = dict[str, Any]

APPS = "apps/v1"
NAMESPACE = "default"
NAMESPACES = (NAMESPACE, "kube-system")
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
TEMPLATE_HASH = "pod-template-hash"
SCHEMA = "incident-playbooks/schema-"
SECRET = "secrets.incident-playbooks/"  # noqa: S105 - followed by a secret's name; the value is its pinned version
REGISTRY = "registry.example.com"


@dataclass
class Rolling:
    """How far a deployment is. While `leaving` holds something, other replica sets still serve, by these shares."""

    current: str  # the replica set that was wanted last
    began: float = 0.0
    moved: float = 0.0  # when a pod became ready for the last time
    ready: int = 0  # pods of `current` that are ready
    looks: int = 0  # how often somebody looked at it meanwhile
    leaving: dict[str, float] = field(default_factory=dict)
    said: tuple[object, ...] = ()  # what the last report was made of


@dataclass
class Cluster:
    """One region's objects, by name."""

    region: str
    version: int = 1000
    deployments: dict[str, JSON] = field(default_factory=dict)
    replica_sets: dict[str, JSON] = field(default_factory=dict)
    rolling: dict[str, Rolling] = field(default_factory=dict)
    born: dict[str, int] = field(default_factory=dict)  # uid → the version at which it appeared
    made: dict[str, float] = field(default_factory=dict, compare=False)  # uid → when
    admission: JSON = field(default_factory=dict)  # what a mutating webhook puts into every deployment that is written: a strategic patch

    def add(self, objects: dict[str, JSON], manifest: JSON, made: float) -> None:
        metadata = manifest["metadata"]
        metadata["uid"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.region}/{manifest['kind']}/{metadata['name']}"))
        objects[metadata["name"]] = manifest
        self.touch(manifest)
        self.born[metadata["uid"]] = self.version
        self.made[metadata["uid"]] = made

    def touch(self, manifest: JSON) -> None:
        """An object was changed: it gets a new version."""
        self.version += 1
        manifest["metadata"]["resourceVersion"] = str(self.version)

    def owned(self, deployment: str) -> list[JSON]:
        """The replica sets of a deployment, by revision."""
        uid = self.deployments[deployment]["metadata"]["uid"]
        found = [one for one in self.replica_sets.values() if one["metadata"]["ownerReferences"][0]["uid"] == uid]
        return sorted(found, key=number)

    def shown(self, manifest: JSON, stamp: Callable[[float], str]) -> JSON:
        """The object as the API shows it, with its instants."""
        made = self.made[manifest["metadata"]["uid"]]
        rolling = self.rolling.get(manifest["metadata"]["name"]) if manifest["kind"] == "Deployment" else None
        at = stamp(max(made, rolling.moved) if rolling else made)
        shown = copy.deepcopy(manifest)
        shown["metadata"]["creationTimestamp"] = stamp(made)
        for condition in shown.get("status", {}).get("conditions", []):
            condition |= {"lastUpdateTime": at, "lastTransitionTime": at}
        return shown


def number(replica_set: JSON) -> int:
    """The revision by which `kubectl rollout` calls it now; a roll-back to it gives it a new one."""
    return int(replica_set["metadata"]["annotations"][REVISION])


def template_of(service: Service, revision: Revision) -> JSON:
    """The pod template by which a revision is deployed."""
    pinned = {f"{SECRET}{name}": str(version) for name, version in {**revision.secrets, **revision.mounted}.items()}
    container: JSON = {"name": service.name, "image": f"{REGISTRY}/{service.repository}:{revision.name}@{revision.digest}"}
    beside = [{"name": one.name, "image": f"{REGISTRY}/mesh/{one.name}@{one.digest}", **_env(one.secrets)} for one in revision.side_cars]
    volumes = [{"name": _object(name), "secret": {"secretName": _object(name)}} for name in revision.mounted]
    return {
        "metadata": {
            "labels": {"app": service.name},
            "annotations": {f"{SCHEMA}min": str(revision.schema_min), f"{SCHEMA}max": str(revision.schema_max), **pinned},
        },
        "spec": {"containers": [*beside, container | _env(revision.secrets)], **({"volumes": volumes} if volumes else {})},
    }


def _env(secrets: dict[str, int]) -> JSON:
    keys = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": _object(name), "key": str(version)}}}
        for name, version in sorted(secrets.items())
    ]
    return {"env": keys} if keys else {}


def _object(secret: str) -> str:
    """What a secret's object is called in a cluster."""
    return secret.lower().replace("_", "-")


def app_container(template: JSON, service: str) -> JSON:
    """The application's own container."""
    containers: list[JSON] = template["spec"]["containers"]
    return next((one for one in containers if one["name"] == service), containers[0])


def hashed(template: JSON, replica_set: str, service: str) -> JSON:
    """The template as a replica set holds it: labelled, so that its pods can be told from others."""
    labelled = copy.deepcopy(template)
    labels = labelled.setdefault("metadata", {}).setdefault("labels", {})
    labels[TEMPLATE_HASH] = replica_set.removeprefix(f"{service}-")
    return labelled


def plain(template: JSON) -> JSON:
    """The template without that label: what a deployment asks for."""
    bare = copy.deepcopy(template)
    bare.get("metadata", {}).get("labels", {}).pop(TEMPLATE_HASH, None)
    return bare


def deployment_manifest(service: Service, template: JSON, replicas: int, generation: int) -> JSON:
    return {
        "apiVersion": APPS,
        "kind": "Deployment",
        "metadata": {
            "name": service.name,
            "namespace": NAMESPACE,
            "labels": {"app": service.name},
            "annotations": {},
            "generation": generation,
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": service.name}},
            "template": template,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
        "status": {},
    }


def replica_set_manifest(deployment: JSON, name: str, template: JSON, revision: int) -> JSON:
    metadata = deployment["metadata"]
    labelled = hashed(template, name, metadata["name"])
    labels = labelled["metadata"]["labels"]
    owner = {"apiVersion": APPS, "kind": "Deployment", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": APPS,
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": dict(labels),
            "annotations": {REVISION: str(revision)},
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
            "generation": 1,
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {**deployment["spec"]["selector"]["matchLabels"], TEMPLATE_HASH: labels[TEMPLATE_HASH]}},
            "template": labelled,
        },
        "status": {"replicas": 0},
    }
