"""`/k8s/{region}`: a region's Kubernetes API (kubernetes.io/docs/reference/kubernetes-api): discovery, Deployments with their scale,
and, to be read only, ReplicaSets, Pods, Nodes and Namespaces. What the practice token may not do is Forbidden, as RBAC has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from practice.containment.model import GROUP as NETWORKING
from practice.containment.model import NETWORK_POLICIES
from practice.faces.kubernetes import objects
from practice.faces.kubernetes.forms import status
from practice.faces.kubernetes.objects import Stamp
from practice.http.face import Call, Face, Refusal
from practice.services.admission import BINDINGS, GROUP, POLICIES
from practice.services.cluster import Cluster
from practice.world.cast import REGIONS
from practice.world.state import JSON, State

NO_SUCH = "the server could not find the requested resource"

FACE = Face(
    "kubernetes",
    refused=status,
    invalid=lambda problems: status(422, "; ".join(problems)),
    unauthorised=lambda headers: status(401, "Unauthorized"),
    throttled=lambda: status(429, "the server has received too many requests and has asked us to try again later"),
)
CLUSTER = "/k8s/{region}"
DEPLOYMENT = CLUSTER + "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"


@dataclass(frozen=True)
class Kind:
    """One kind of object, and how it is found."""

    plural: str
    kind: str
    short: str
    group: str  # empty: core
    namespaced: bool
    found: Callable[[State, Cluster, Stamp], list[JSON]]
    verbs: tuple[str, ...] = ("get", "list", "watch")

    @property
    def group_version(self) -> str:
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def full_name(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def all(self, call: Call, state: State, cluster: Cluster) -> list[JSON]:
        """Every object of the kind, as this call is shown it."""
        return self.found(state, cluster, partial(stamp, call))

    def missing(self, name: str) -> Refusal:
        details = {"name": name, "group": self.group, "kind": self.plural}
        return Refusal(status(404, f'{self.full_name} "{name}" not found', details))


DEPLOYMENTS = Kind(
    "deployments", "Deployment", "deploy", "apps", True, objects.deployments, ("get", "list", "watch", "patch", "update")
)  # fmt: skip
WRITTEN = ("get", "list", "watch", "create", "patch", "update", "delete")
KINDS = (
    DEPLOYMENTS,
    Kind("replicasets", "ReplicaSet", "rs", "apps", True, objects.replica_sets),
    Kind("pods", "Pod", "po", "", True, objects.pods),
    Kind("nodes", "Node", "no", "", False, objects.nodes),
    Kind("namespaces", "Namespace", "ns", "", False, objects.namespaces),
    Kind(POLICIES, "ValidatingAdmissionPolicy", "", GROUP, False, partial(objects.admission, plural=POLICIES), WRITTEN),
    Kind(NETWORK_POLICIES, "NetworkPolicy", "netpol", NETWORKING, True, objects.network_policies, WRITTEN),
    Kind(BINDINGS, "ValidatingAdmissionPolicyBinding", "", GROUP, False, partial(objects.admission, plural=BINDINGS), WRITTEN),
)


def cluster_of(call: Call) -> Cluster:
    region = call.path["region"]
    if region not in call.state.clusters and region not in REGIONS.values():
        raise call.refuse(404, NO_SUCH)
    return call.state.clusters.setdefault(region, Cluster(region))


def deployment_of(call: Call) -> tuple[Cluster, JSON]:
    cluster = cluster_of(call)
    found = cluster.deployments.get(call.path["name"])
    if found is None or found["metadata"]["namespace"] != call.path["namespace"]:
        raise DEPLOYMENTS.missing(call.path["name"])
    return cluster, found


def stamp(call: Call, at: float) -> str:
    """An instant as Kubernetes shows it: in whole seconds."""
    return f"{call.world.clock.stamp(at)[:19]}Z"
