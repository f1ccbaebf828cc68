"""One deployment in one cluster, as its controller sees it, and the status that it reports."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from practice.services.cluster import Cluster, Rolling
from practice.services.conditions import runs
from practice.services.fleet import Fleet, Place, Service

JSON = dict[str, Any]

SURGE = 0.25
KEPT = 10
"""Old replica sets, unless the deployment says otherwise."""
CONDITION_TEXT = {
    "NewReplicaSetAvailable": 'ReplicaSet "{}" has successfully progressed.',
    "ReplicaSetUpdated": 'ReplicaSet "{}" is progressing.',
    "ProgressDeadlineExceeded": 'ReplicaSet "{}" has timed out progressing.',
    "DeploymentPaused": "Deployment is paused",
}


@dataclass
class DeploymentInCluster:
    """A deployment, what is behind it in the cluster, and the place in the world that it stands for."""

    fleet: Fleet
    cluster: Cluster
    service: Service
    place: Place

    @property
    def deployment(self) -> JSON:
        return self.cluster.deployments[self.service.name]

    @property
    def rolling(self) -> Rolling:
        return self.cluster.rolling[self.service.name]

    @property
    def current(self) -> JSON:
        """The replica set that is wanted."""
        return self.cluster.replica_sets[self.rolling.current]

    def why_not(self, replica_set: str) -> str:
        """Why pods of a replica set do not start, in Kubernetes' words; empty if they do."""
        revision = self.service.revisions[replica_set]
        if not revision.image_present:
            return "ImagePullBackOff"
        if revision.needs().intersection(self.fleet.disabled_secrets):
            return "CreateContainerConfigError"
        return "" if runs(self.fleet, self.service, revision) else "CrashLoopBackOff"

    def pods(self, replica_set: str) -> tuple[int, int]:
        """How many pods a replica set has, and how many of them are ready."""
        rolling, ready = self.rolling, self.place.ready_replicas
        if not rolling.leaving:
            return (self.place.replicas, ready) if replica_set == rolling.current else (0, 0)
        if replica_set == rolling.current:
            return min(self.place.replicas, rolling.ready + math.ceil(SURGE * self.place.replicas)), rolling.ready
        left = self.left()
        return left.get(replica_set, 0), left.get(replica_set, 0)

    def left(self) -> dict[str, int]:
        """The pods of the replica sets that are on their way out."""
        many, mass = self.place.ready_replicas - self.rolling.ready, sum(self.rolling.leaving.values())
        left: dict[str, int] = {}
        for name, share in self.rolling.leaving.items():
            left[name] = min(many - sum(left.values()), math.ceil(many * share / mass))
        return left


def report(one: DeploymentInCluster, now: float) -> None:
    """Write the status of a deployment and of its replica sets, and drop the old ones."""
    owned = one.cluster.owned(one.service.name)
    for replica_set in owned:
        pods, ready = one.pods(replica_set["metadata"]["name"])
        if replica_set["spec"]["replicas"] != pods:
            replica_set["spec"]["replicas"] = pods
            replica_set["metadata"]["generation"] += 1
        counted = _counted(fullyLabeledReplicas=pods, readyReplicas=ready, availableReplicas=ready)
        _say(one, replica_set, {"replicas": pods, "observedGeneration": replica_set["metadata"]["generation"], **counted})
    _say(one, one.deployment, _status(one, now))
    limit = one.deployment["spec"].get("revisionHistoryLimit")
    idle = [old for old in owned if not old["spec"]["replicas"] and old is not one.current]
    for old in idle[: max(0, len(idle) - (KEPT if limit is None else limit))]:
        del one.cluster.replica_sets[old["metadata"]["name"]]
        one.cluster.version += 1


def _say(one: DeploymentInCluster, manifest: JSON, status: JSON) -> None:
    if manifest["status"] != status:
        manifest["status"] = status
        one.cluster.touch(manifest)


def _status(one: DeploymentInCluster, now: float) -> JSON:
    each = {owned["metadata"]["name"]: one.pods(owned["metadata"]["name"]) for owned in one.cluster.owned(one.service.name)}
    pods, ready = sum(p for p, _ in each.values()), sum(r for _, r in each.values())
    updated, _ = each[one.rolling.current]
    enough = ready >= one.place.replicas
    available = {
        "type": "Available",
        "status": str(enough),
        "reason": f"MinimumReplicas{'Available' if enough else 'Unavailable'}",
        "message": f"Deployment {'has' if enough else 'does not have'} minimum availability.",
    }
    counted = _counted(
        replicas=pods,
        updatedReplicas=updated,
        readyReplicas=ready,
        availableReplicas=ready,
        unavailableReplicas=max(0, pods - ready),
    )
    observed = one.deployment["metadata"]["generation"]
    return {"observedGeneration": observed, **counted, "conditions": [available, _progressing(one, now)]}


def _progressing(one: DeploymentInCluster, now: float) -> JSON:
    spec, rolling = one.deployment["spec"], one.rolling
    says, reason = "True", "ReplicaSetUpdated" if rolling.leaving else "NewReplicaSetAvailable"
    if spec.get("paused"):
        says, reason = "Unknown", "DeploymentPaused"
    elif rolling.leaving and now - rolling.moved > spec.get("progressDeadlineSeconds", 600):
        says, reason = "False", "ProgressDeadlineExceeded"
    return {"type": "Progressing", "status": says, "reason": reason, "message": CONDITION_TEXT[reason].format(rolling.current)}


def _counted(**counts: int) -> JSON:
    """As Kubernetes shows counts: what is zero is left out."""
    return {name: count for name, count in counts.items() if count}
