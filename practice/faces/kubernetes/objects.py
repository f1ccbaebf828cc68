"""What a Kubernetes API shows: objects with their instants, pods, and tables as `kubectl get` prints them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

from practice.containment.cast import there
from practice.http.face import Call
from practice.services.admission import Admission
from practice.services.cluster import NAMESPACE, NAMESPACES, Cluster
from practice.services.rollouts import Controller
from practice.world.clock import from_rfc3339
from practice.world.state import JSON, State

Stamp = Callable[[float], str]
NODES = 3
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # those that Kubernetes names pods with


def deployments(state: State, cluster: Cluster, stamp: Stamp) -> list[JSON]:
    return [cluster.shown(one, stamp) for one in cluster.deployments.values()]


def replica_sets(state: State, cluster: Cluster, stamp: Stamp) -> list[JSON]:
    return [cluster.shown(one, stamp) for one in cluster.replica_sets.values()]


def namespaces(state: State, cluster: Cluster, stamp: Stamp) -> list[JSON]:
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "uid": f"{cluster.region}-{name}",
                "resourceVersion": "1",
                "creationTimestamp": stamp(min(cluster.made.values(), default=0.0)),
                "labels": {"kubernetes.io/metadata.name": name},
            },
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }
        for name in NAMESPACES
    ]


def nodes(state: State, cluster: Cluster, stamp: Stamp) -> list[JSON]:
    """The machines, with the images that they hold: those that are still in the registry."""
    held = [
        container["image"]
        for one in cluster.replica_sets.values()
        if state.fleet.services[one["metadata"]["ownerReferences"][0]["name"]].revisions[one["metadata"]["name"]].image_present
        for container in one["spec"]["template"]["spec"]["containers"]
    ]
    images = [
        {"names": [f"{image.partition('@')[0].partition(':')[0]}@{image.partition('@')[2]}"], "sizeBytes": 90_000_000} for image in held
    ]
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": f"{cluster.region}-{number}",
                "uid": f"{cluster.region}-node-{number}",
                "resourceVersion": str(cluster.version),
                "creationTimestamp": stamp(min(cluster.made.values(), default=0.0)),
                "labels": {"kubernetes.io/hostname": f"{cluster.region}-{number}"},
            },
            "spec": {},
            "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}], "images": images},
        }
        for number in range(1, NODES + 1)
    ]


def admission(state: State, cluster: Cluster, stamp: Stamp, *, plural: str) -> list[JSON]:
    """Policies, or bindings, of the cluster's admission."""
    return list(state.part(Admission).of(cluster.region, plural).values())


def network_policies(state: State, cluster: Cluster, stamp: Stamp) -> list[JSON]:
    return list(there(state, 0.0).policies.get(cluster.region, {}).values())


def pods(state: State, cluster: Cluster, stamp: Stamp) -> list[JSON]:
    """The pods of all replica sets; they follow from these."""
    found = []
    for name in cluster.deployments:
        service = state.fleet.services[name]
        controller = Controller(state.fleet, cluster, service, service.places[cluster.region])
        for replica_set in cluster.owned(name):
            many, ready = controller.pods(replica_set["metadata"]["name"])
            why_not = controller.why_not(replica_set["metadata"]["name"])
            shown = cluster.shown(replica_set, stamp)
            found += [_pod(shown, number, number < ready, why_not) for number in range(many)]
    return found


def _pod(owner: JSON, number: int, ready: bool, why_not: str) -> JSON:
    metadata, template = owner["metadata"], owner["spec"]["template"]
    drawn = hashlib.sha256(f"{metadata['uid']}/{number}".encode()).digest()
    waiting = {"waiting": {"reason": why_not or "ContainerCreating"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-{''.join(_LETTERS[byte % len(_LETTERS)] for byte in drawn[:5])}",
            "namespace": NAMESPACE,
            "uid": f"{metadata['uid'][:-4]}{number:04d}",
            "labels": template["metadata"]["labels"],
            "annotations": template["metadata"].get("annotations", {}),
            "creationTimestamp": metadata["creationTimestamp"],
            "resourceVersion": metadata["resourceVersion"],
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": metadata["name"], "uid": metadata["uid"], "controller": True}
            ],
        },
        "spec": template["spec"],
        "status": {
            "phase": "Running" if ready else "Pending",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": container["image"],
                    "ready": ready,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": metadata["creationTimestamp"]}} if ready else waiting,
                }
                for container in template["spec"]["containers"]
            ],
        },
    }


# ---- tables ----

Cells = Callable[[JSON], list[Any]]
TABLES: dict[str, tuple[tuple[str, ...], Cells]] = {
    "Deployment": (
        ("Ready", "Up-to-date", "Available"),
        lambda o: [
            f"{_status(o, 'readyReplicas')}/{o['spec']['replicas']}",
            _status(o, "updatedReplicas"),
            _status(o, "availableReplicas"),
        ],
    ),
    "ReplicaSet": (
        ("Desired", "Current", "Ready"),
        lambda o: [o["spec"]["replicas"], _status(o, "replicas"), _status(o, "readyReplicas")],
    ),
    "Pod": (
        ("Ready", "Status", "Restarts"),
        lambda o: [
            f"{sum(c['ready'] for c in o['status']['containerStatuses'])}/{len(o['status']['containerStatuses'])}",
            _pod_word(o),
            0,
        ],
    ),
    "Node": (("Status",), lambda o: ["Ready"]),
    "Namespace": (("Status",), lambda o: [o["status"]["phase"]]),
    "NetworkPolicy": (("Pod-Selector",), lambda o: [_selector(o["spec"]["podSelector"])]),
    "ValidatingAdmissionPolicy": (("Validations",), lambda o: [len(o["spec"]["validations"])]),
    "ValidatingAdmissionPolicyBinding": (("PolicyName",), lambda o: [o["spec"]["policyName"]]),
}
"""Columns between name and age."""


def wants_table(call: Call) -> bool:
    return "as=Table" in call.headers.get("accept", "").partition(",")[0]


def table(kind: str, found: list[JSON], version: str) -> JSON:
    """What `kubectl get` asks for: the server decides which columns there are."""
    names, cells = TABLES[kind]
    columns = [{"name": name, "type": "string", "format": "name" if name == "Name" else ""} for name in ("Name", *names, "Age")]
    rows = [
        {
            "cells": [one["metadata"]["name"], *cells(one), _age(one)],
            "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": one["metadata"]},
        }
        for one in found
    ]
    definitions = [{**column, "description": column["name"], "priority": 0} for column in columns]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": definitions,
        "rows": rows,
    }


def _selector(selector: JSON) -> str:
    return ",".join(f"{name}={value}" for name, value in (selector.get("matchLabels") or {}).items()) or "<none>"


def _status(one: JSON, name: str) -> int:
    return int(one["status"].get(name, 0))


def _pod_word(pod: JSON) -> str:
    waiting = [c["state"]["waiting"]["reason"] for c in pod["status"]["containerStatuses"] if "waiting" in c["state"]]
    return str(waiting[0] if waiting else pod["status"]["phase"])


def _age(one: JSON) -> str:
    seconds = max(0, int(time.time() - from_rfc3339(one["metadata"]["creationTimestamp"])))
    for size, letter in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{letter}"
    return f"{seconds}s"
