"""What is shown of clusters, and what probes meet. A node is asked by the plane, which reaches it as the first vantage point does."""

from __future__ import annotations

from pydantic import Field

from practice.databases.cluster import VANTAGES, Cluster, Databases, Node
from practice.faces.databases.base import FACE, cluster_of
from practice.http.face import Ask, Call, Reply, RouteModels, Shown
from practice.world.state import JSON

REGIONS = {"eu-west": {"eu-west": 2.0, "us-east": 85.0}, "us-east": {"eu-west": 85.0, "us-east": 2.0}}


class ClusterName(Shown):
    name: str
    service: str


class ClusterNames(Shown):
    clusters: list[ClusterName]


class NodeShown(Shown):
    """What a node says of itself; null where it is not reached. Positions in the log are bytes."""

    id: str
    region: str
    system_id: str | None
    says: str
    timeline: int | None
    lsn: int | None
    replayed: int | None
    lag_bytes: int | None
    lag_s: float | None
    last_commit_at: str | None
    reachable: bool
    streaming: bool | None
    paused: bool | None
    fenced: bool | None
    connections: float | None
    disk: float | None
    latency_ms: dict[str, float]


class HaShown(Shown):
    """The manager that promotes by itself."""

    name: str
    paused: bool
    leader: str
    leader_ttl_s: float
    last_failover: str | None


class BlockerShown(Shown):
    id: str
    node: str
    for_s: float
    what: str


class ClusterShown(Shown):
    """A cluster. `primary_lsn`: where the primary was last seen by anybody."""

    cluster: str
    service: str
    system_id: str
    vantages: list[str]
    nodes: list[NodeShown]
    ha: HaShown
    writes_to: str
    reads_from: list[str]
    mode: str
    primary_lsn: int
    write_rate: float
    queued_writes: int
    blockers: list[BlockerShown]
    at: str


class Probe(Ask):
    """From where every node is tried."""

    vantage: str


class ProbeShown(Shown):
    """What a connection and a write of one row met. `vote`: up, down, busy."""

    node: str
    vote: str
    writable: bool | None
    why: str


class ProbesShown(Shown):
    nodes: list[ProbeShown] = Field(description="one for each node")


@FACE.reads("clusters.list", "/databases/v1/clusters", models=RouteModels(shows=ClusterNames))
def list_clusters(call: Call) -> Reply:
    """Every cluster, and whose it is."""
    found = call.state.part(Databases).clusters.values()
    return Reply({"clusters": [{"name": one.name, "service": one.service} for one in found]})


@FACE.reads("clusters.get", "/databases/v1/clusters/{cluster}", models=RouteModels(shows=ClusterShown))
def get_cluster(call: Call) -> Reply:
    """What is known of a cluster."""
    cluster = cluster_of(call)
    stamp = call.world.clock.stamp
    target = cluster.target
    system = target.system_id if target is not None else next(iter(cluster.nodes.values())).system_id
    last = None if cluster.last_failover is None else stamp(cluster.last_failover)
    blockers = [{"id": one.id, "node": one.node, "for_s": call.now - one.since, "what": one.what} for one in cluster.blockers.values()]
    return Reply(
        {
            "cluster": cluster.name, "service": cluster.service, "system_id": system,
            "vantages": list(VANTAGES),
            "nodes": [_node(call, cluster, node) for node in cluster.nodes.values()],
            "ha": {"name": "patroni", "paused": cluster.ha.paused, "leader": cluster.leader, "leader_ttl_s": cluster.leader_ttl,
                   "last_failover": last},
            "writes_to": cluster.endpoint.writes_to, "reads_from": cluster.endpoint.reads_from, "mode": cluster.mode,
            "primary_lsn": cluster.seen_lsn, "write_rate": 4096.0 if cluster.takes_writes else 0.0, "queued_writes": cluster.queued,
            "blockers": blockers, "at": call.stamp(),
        }
    )  # fmt: skip


@FACE.reads("probes.make", "/databases/v1/clusters/{cluster}/probes", "POST", models=RouteModels(asks=Probe, shows=ProbesShown))
def probe(call: Call) -> Reply:
    """Connect to every node from one vantage point, and commit a write of one row; a standby refuses it."""
    cluster, vantage = cluster_of(call), call.ask(Probe).vantage
    if vantage not in VANTAGES:
        raise call.invalid(f"there is no vantage point {vantage}")
    if vantage in cluster.unsure:
        raise call.refuse(503, f"{vantage} does not answer")
    return Reply({"nodes": [_met(node, vantage) for node in cluster.nodes.values()]})


def _met(node: Node, vantage: str) -> JSON:
    if not node.seen_from(vantage):
        why = "connection refused" if not node.up else "timed out"
        return {"node": node.name, "vote": "down", "writable": False, "why": why}
    if node.busy:
        return {"node": node.name, "vote": "busy", "writable": None, "why": "too many connections"}
    why = "" if node.may_write else "fenced" if node.fenced else "cannot write during recovery"
    return {"node": node.name, "vote": "up", "writable": node.may_write, "why": why}


def _node(call: Call, cluster: Cluster, node: Node) -> JSON:
    reached = node.up and not node.hung and not node.isolated
    behind = not node.primary and node.replayed < cluster.seen_lsn
    told = {
        "system_id": node.system_id, "says": "primary" if node.primary else "standby", "timeline": node.timeline,
        "lsn": node.lsn + node.lies, "replayed": node.replayed, "lag_bytes": max(0, cluster.seen_lsn - node.replayed),
        "lag_s": max(0.0, call.now - node.committed_at) if behind else 0.0, "last_commit_at": call.world.clock.stamp(node.committed_at),
        "streaming": node.primary or cluster.streams_from(node) is not None, "paused": node.paused, "fenced": node.fenced,
        "connections": 1.0 if node.busy else node.connections, "disk": node.disk,
    }  # fmt: skip
    shown = told if reached else dict.fromkeys(told, None) | {"says": "unknown"}
    return {"id": node.name, "region": node.region, "reachable": reached, "latency_ms": REGIONS.get(node.region, {}), **shown}
