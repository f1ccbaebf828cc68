"""`/practice`, continued: the hands on the databases. What fails of a node, what the manager does, and how the cluster misbehaves."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field

from practice.databases.cluster import EVERYWHERE, Blocker, Cluster, Databases, Node
from practice.databases.simulation import hasty
from practice.http.face import Ask, Call, Face, Reply

FACE = Face("practice", authorised=lambda headers: True, control=True)
HOUR = 3600.0


class Break(Ask):
    """What happens to a node. `amount`: bytes, or a share, where the kind has one. Without a node: to the one that writes go to."""

    kind: Literal[
        "dead", "hung", "partitioned", "busy", "paused", "broken", "lies", "foreign", "clone", "failed_over", "blocked", "disk", "unsure",
        "conflicts", "untested", "unrestorable",
    ]  # fmt: skip
    cluster: str = "main"
    node: str = ""
    amount: float = Field(0, ge=0)
    vantages: list[str] = []


class Mend(Ask):
    cluster: str = "main"


class Dialled(Ask):
    """How the cluster misbehaves; what is not given stays."""

    cluster: str = "main"
    promotes_by_itself: bool | None = None
    promotes_after_fence: bool | None = None
    promotion_fails: bool | None = None
    sessions_stay: bool | None = None
    replay_loses: int | None = None
    fence_leaks: bool | None = None


def _cluster(call: Call, name: str) -> Cluster:
    found = call.state.part(Databases).clusters.get(name)
    if found is None:
        raise call.refuse(404, f"there is no cluster {name}")
    return found


@FACE.reads("databases", "/practice/databases")
def databases(call: Call) -> Reply:
    """Everything about them."""
    return Reply({name: asdict(one) for name, one in call.state.part(Databases).clusters.items()})


@FACE.writes("database_faults.set", "/practice/database-faults")
def break_node(call: Call) -> Reply:
    wanted = call.ask(Break)
    cluster = _cluster(call, wanted.cluster)
    node = cluster.nodes.get(wanted.node or cluster.endpoint.writes_to)
    if node is None:
        raise call.refuse(404, f"{cluster.name} has no node {wanted.node}")
    _do(call, cluster, node, wanted)
    call.did(f"databases/{cluster.name}/{node.name}", None, wanted.kind)
    return Reply(asdict(node))


def _do(call: Call, cluster: Cluster, node: Node, wanted: Break) -> None:
    match wanted.kind:
        case "dead":
            node.up = False
        case "hung" | "busy" | "paused":
            setattr(node, wanted.kind, True)
        case "partitioned":
            node.cut_from = wanted.vantages or [EVERYWHERE]
        case "broken":
            node.streams = False
        case "lies":
            node.lies, node.streams = int(wanted.amount or 1_000_000), False
        case "foreign":
            node.system_id = "7999999999999999999"
        case "clone":  # a copy of the data that somebody has started beside the primary
            node.primary, node.streams = True, False
        case "failed_over":
            node.up = False
            hasty(cluster, call.now)
        case "blocked":
            id = f"{4000 + len(cluster.blockers)}-{int(call.now)}"
            cluster.blockers[id] = Blocker(id, node.name, call.now - 600)
        case "disk":
            node.disk = wanted.amount or 0.97
        case "unsure":
            cluster.unsure = wanted.vantages
        case "conflicts":
            cluster.conflicts = int(wanted.amount or 3)
        case "untested":
            for backup in cluster.backups.values():
                backup.restore_tested_at = None
        case _:
            for backup in list(cluster.backups.values())[: int(wanted.amount) or None]:
                backup.restores = False


@FACE.writes("database_faults.clear", "/practice/database-faults", "DELETE")
def mend(call: Call) -> Reply:
    """The machines are well again. A fence stays, and an old primary comes back as a standby of the new one."""
    cluster = _cluster(call, "main")
    for node in cluster.nodes.values():
        node.up, node.hung, node.busy, node.paused, node.streams, node.lies, node.cut_from = True, False, False, False, True, 0, []
        if node.primary and node.name != cluster.leader:
            node.primary, node.timeline = False, cluster.nodes[cluster.leader].timeline
    cluster.blockers.clear()
    cluster.unsure = []
    call.did(f"databases/{cluster.name}", None, "mended")
    return Reply(asdict(cluster))


@FACE.writes("database_dials.turn", "/practice/database-dials")
def turn(call: Call) -> Reply:
    wanted = call.ask(Dialled)
    cluster = _cluster(call, wanted.cluster)
    before = asdict(cluster.dials)
    for name, value in wanted.model_dump(exclude_none=True, exclude={"cluster", "fence_leaks"}).items():
        setattr(cluster.dials, name, value)
    if wanted.fence_leaks is not None:
        for node in cluster.nodes.values():
            node.fence_leaks = wanted.fence_leaks
    after: dict[str, Any] = asdict(cluster.dials)
    call.did("database-dials", before, after)
    return Reply(after)
