"""`/sqladmin`: of Cloud SQL Admin v1, instances and the operations that promote, switch and stop them. Nodes are instances of project `acme`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from practice.databases.cluster import Cluster, Databases, Node
from practice.http.face import Ask, Call, Query, Reply
from practice.http.google import google_face
from practice.world.state import JSON

FACE = google_face("cloud_sql")


@dataclass
class Operations:
    """Every operation, and the version of each instance's settings."""

    all: dict[str, JSON] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)


class ChangedSettings(Ask):
    settingsVersion: str  # noqa: N815 - as Google spells it
    activationPolicy: Literal["ALWAYS", "NEVER"]  # noqa: N815


class Patch(Ask):
    settings: ChangedSettings


class FailoverContext(Ask):
    settingsVersion: str | None = None  # noqa: N815
    kind: str | None = None


class FailoverAsked(Ask):
    failoverContext: FailoverContext | None = None  # noqa: N815


class Promoting(Query):
    failover: bool = False


class Listed(Query):
    instance: str | None = None


def _cluster(call: Call) -> Cluster:
    if call.path["project"] != "acme":
        raise call.refuse(404, "The project does not exist.")
    return call.state.part(Databases).clusters["main"]


def _node(call: Call) -> Node:
    found = _cluster(call).nodes.get(call.path["instance"])
    if found is None:
        raise call.refuse(404, "The Cloud SQL instance does not exist.")
    return found


def _version(call: Call, node: Node) -> int:
    return call.state.part(Operations).versions.setdefault(node.name, 1)


@FACE.reads("instances.get", "/sqladmin/v1/projects/{project}/instances/{instance}")
def get_instance(call: Call) -> Reply:
    node = _node(call)
    return Reply(
        {
            "kind": "sql#instance", "name": node.name, "project": "acme", "region": node.region, "databaseVersion": "POSTGRES_17",
            "state": "RUNNABLE" if node.up and not node.fenced else "STOPPED" if node.fenced else "UNKNOWN_STATE",
            "instanceType": "CLOUD_SQL_INSTANCE" if node.primary else "READ_REPLICA_INSTANCE",
            **({} if node.primary else {"masterInstanceName": f"acme:{_cluster(call).leader}"}),
            "settings": {"settingsVersion": str(_version(call, node)), "activationPolicy": "NEVER" if node.fenced else "ALWAYS",
                         "availabilityType": "ZONAL", "kind": "sql#settings"},
        }
    )  # fmt: skip


@FACE.writes("instances.patch", "/sqladmin/v1/projects/{project}/instances/{instance}", "PATCH")
def patch_instance(call: Call) -> Reply:
    """Start or stop an instance, under the version of its settings."""
    node, wanted = _node(call), call.ask(Patch).settings
    if wanted.settingsVersion != str(_version(call, node)):
        raise call.refuse(409, "The resource has been modified: settingsVersion does not match.")
    before, node.fenced = node.fenced, wanted.activationPolicy == "NEVER"
    call.state.part(Operations).versions[node.name] += 1
    return _operation(call, node, "UPDATE", before, node.fenced)


@FACE.writes("instances.promoteReplica", "/sqladmin/v1/projects/{project}/instances/{instance}/promoteReplica")
def promote_replica(call: Call) -> Reply:
    """Make a replica an instance of its own; with `failover` the old primary becomes its replica when it comes back."""
    node, cluster = _node(call), _cluster(call)
    call.asked(Promoting)
    if node.primary or not node.up:
        raise call.refuse(400, f"The instance {node.name} is not a replica that can be promoted.")
    if cluster.dials.promotion_fails:
        return _operation(call, node, "PROMOTE_REPLICA", False, False, error="Replica could not be promoted.")
    cluster.promote(node.name, call.now)
    return _operation(call, node, "PROMOTE_REPLICA", False, True)


@FACE.reads("instances.failover", "/sqladmin/v1/projects/{project}/instances/{instance}/failover", "POST")
def failover(call: Call) -> Reply:
    """To the standby of a regional instance: these are zonal, and have none."""
    node, context = _node(call), call.ask(FailoverAsked).failoverContext
    if context is not None and context.settingsVersion not in (None, str(_version(call, node))):
        raise call.refuse(409, "The resource has been modified: settingsVersion does not match.")
    raise call.refuse(400, "Failover is not allowed for an instance without high availability.")


@FACE.writes("instances.switchover", "/sqladmin/v1/projects/{project}/instances/{instance}/switchover")
def switchover(call: Call) -> Reply:
    """Swap a replica with its primary, while both are well."""
    node, cluster = _node(call), _cluster(call)
    old = cluster.nodes[cluster.leader]
    if node.primary or not (node.up and old.up):
        raise call.refuse(400, "Switchover needs a replica and a primary that are both running.")
    old.primary = False
    cluster.promote(node.name, call.now)
    return _operation(call, node, "SWITCHOVER", old.name, node.name)


@FACE.reads("operations.list", "/sqladmin/v1/projects/{project}/operations")
def list_operations(call: Call) -> Reply:
    instance = call.asked(Listed).instance
    found = [one for one in call.state.part(Operations).all.values() if instance in (None, one["targetId"])]
    return Reply({"kind": "sql#operationsList", **({"items": found[::-1]} if found else {})})


@FACE.reads("operations.get", "/sqladmin/v1/projects/{project}/operations/{operation}")
def get_operation(call: Call) -> Reply:
    found = call.state.part(Operations).all.get(call.path["operation"])
    if found is None:
        raise call.refuse(404, "The Cloud SQL operation does not exist.")
    return Reply(found)


def _operation(call: Call, node: Node, kind: str, before: object, after: object, error: str = "") -> Reply:
    name = f"op-{call.world.number()}"
    failed = {"error": {"kind": "sql#operationErrors", "errors": [{"code": "INTERNAL", "message": error}]}} if error else {}
    shown: JSON = {
        "kind": "sql#operation", "name": name, "operationType": kind, "status": "DONE", "targetId": node.name, "targetProject": "acme",
        "insertTime": call.stamp(), **failed,
    }  # fmt: skip
    call.state.part(Operations).all[name] = shown
    call.did(f"sql/{node.name}", before, after)
    return Reply(shown)
