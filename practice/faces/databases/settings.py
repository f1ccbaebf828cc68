"""What of a cluster is held: the fence of a node, who may write, who promotes by itself, where the pooler sends clients."""

from __future__ import annotations

from practice.databases.cluster import Access, Endpoint, Ha
from practice.databases.simulation import hasty
from practice.faces.databases.base import FACE, cluster_of, node_of
from practice.http.face import Ask, Call, Shown
from practice.http.resource import Resource, held

PART = "/databases/v1/clusters/{cluster}"


class Fencing(Ask):
    """Whether a node is kept from taking writes."""

    fenced: bool


def _fencing(call: Call) -> Fencing:
    return Fencing(fenced=node_of(call).fenced)


def _fence(call: Call, wanted: Fencing) -> None:
    """Fence a node off, or let it take part again. Who was connected is disconnected."""
    node, cluster = node_of(call), cluster_of(call)
    node.fenced = wanted.fenced
    if wanted.fenced and cluster.dials.promotes_after_fence:  # whatever it was told
        hasty(cluster, call.now)


class Writing(Ask):
    """Whether the application may write, by its role in the database."""

    writes: bool


class WritingShown(Shown):
    """The same, and how many of its sessions can write."""

    writes: bool
    writing_sessions: int

    def settable(self) -> dict[str, object]:
        return {"writes": self.writes}


def _writing(call: Call) -> WritingShown:
    cluster = cluster_of(call)
    open_ = cluster.access.writes or cluster.dials.sessions_stay
    return WritingShown(writes=cluster.access.writes, writing_sessions=12 if open_ and cluster.writers else 0)


def _grant(call: Call, wanted: Writing) -> None:
    """Revoke the right to write and end the sessions that have it, or grant it again."""
    cluster_of(call).access = Access(wanted.writes)


class Pointing(Ask):
    """Where the pooler sends clients."""

    writes_to: str
    reads_from: list[str]


class PointingShown(Shown):
    """The same, and the connections that lead elsewhere."""

    writes_to: str
    reads_from: list[str]
    strays: dict[str, int]

    def settable(self) -> dict[str, object]:
        return {"writes_to": self.writes_to, "reads_from": self.reads_from}


def _pointing(call: Call) -> PointingShown:
    at = cluster_of(call).endpoint
    return PointingShown(writes_to=at.writes_to, reads_from=at.reads_from, strays={})


def _point(call: Call, wanted: Pointing) -> None:
    """Send clients elsewhere; their connections to any other node are ended."""
    cluster = cluster_of(call)
    if unknown := {wanted.writes_to, *wanted.reads_from} - set(cluster.nodes):
        raise call.invalid(f"{cluster.name} has no node {', '.join(sorted(unknown))}")
    cluster.endpoint = Endpoint(wanted.writes_to, list(wanted.reads_from))


Resource(FACE, "fence", f"{PART}/nodes/{{node}}/fence", Fencing, _fencing).takes(Fencing, _fence)
Resource(FACE, "access", f"{PART}/access", WritingShown, _writing).takes(Writing, _grant)
Resource(FACE, "endpoint", f"{PART}/endpoint", PointingShown, _pointing).takes(Pointing, _point)
held(FACE, "ha", f"{PART}/ha", Ha, cluster_of, "ha")
