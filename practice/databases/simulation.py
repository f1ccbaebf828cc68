"""Every 15 world seconds: the log grows, standbys follow, the manager may promote. The application queues what it cannot write: no request fails."""

from __future__ import annotations

from practice.databases.cluster import VANTAGES, Backup, Cluster, Databases, Node
from practice.llm.load import STEP_SECONDS
from practice.metrics.metrics import Metrics, Series
from practice.world.state import State

RATE = 4096.0  # bytes of the log per second
WRITE_BYTES = 512.0
HOUR = 3600.0
START = 0x3_0000_0000


class Simulation:
    """The first service of the world has a cluster of three nodes."""

    def __init__(self, seed: int, metrics: Metrics, state: State) -> None:
        self._metrics, self._known = metrics, dict[tuple[str, str, str], Series]()
        names = list(state.fleet.services)
        service = names[0] if names else "api"
        nodes = [Node("db-1", "eu-west", primary=True), Node("db-2", "us-east"), Node("db-3", "eu-west")]
        for node in nodes:
            node.lsn = node.replayed = START
        cluster = Cluster(service=service, nodes={node.name: node for node in nodes}, seen_lsn=START)
        state.part(Databases).clusters[cluster.name] = cluster
        self._born = False

    def step(self, state: State, at: float) -> None:
        for cluster in state.part(Databases).clusters.values():
            if not cluster.backups:
                _begin(cluster, at)
            for node in cluster.nodes.values():
                node.busy = node.busy and state.flags.get("batch.enabled", True)  # it was the batch that has filled it
            self._write(state, cluster, at)
            _follow(cluster, at)
            _promote_by_itself(cluster, at)
            self._measure(cluster, at)

    def _write(self, state: State, cluster: Cluster, at: float) -> None:
        """Writes of the service by the pooler; those of whoever is still connected to an old primary go on."""
        service = state.fleet.services.get(cluster.service)
        admitted = service.gate.admitted if service is not None else 1.0
        for node in cluster.nodes.values():
            by_pooler = node.name == cluster.endpoint.writes_to and cluster.takes_writes
            stray = (
                node.name == cluster.endpoint.writes_to
                and node.hung
                and node.may_write
                and (cluster.access.writes or cluster.dials.sessions_stay)
            )
            if not (by_pooler or stray):
                continue
            grown = int(RATE * STEP_SECONDS * admitted)
            node.lsn, node.replayed = node.lsn + grown, node.lsn + grown
            if grown:
                node.committed_at = at
            cluster.written[node.name] = cluster.written.get(node.name, 0.0) + grown / WRITE_BYTES
            if not node.isolated:
                cluster.seen_lsn = max(cluster.seen_lsn, node.lsn)
        if not cluster.takes_writes or admitted < 1:
            cluster.queued += int((1 - (admitted if cluster.takes_writes else 0.0)) * STEP_SECONDS / 3)

    def _measure(self, cluster: Cluster, at: float) -> None:
        labels = {"service": cluster.service, "cluster": cluster.name}
        for node in cluster.nodes.values():
            mine = {**labels, "node": node.name}
            reads = node.name in cluster.endpoint.reads_from
            lag = 0.0 if node.primary else max(0.0, at - node.committed_at) if _behind(cluster, node) else 0.0
            if not reads:  # nobody reads from it: how old it is hurts nobody
                lag = 0.0
            self._gauge("database_replication_lag_seconds", mine, lag)
            behind = 0 if node.primary else max(0, cluster.seen_lsn - node.replayed)
            self._gauge("database_replication_lag_bytes", mine, float(behind if reads else 0))
            self._gauge("database_writable", mine, float(node.may_write and not node.isolated))
            self._gauge("database_streaming", mine, float(node.primary or cluster.streams_from(node) is not None))
            self._gauge("database_fenced", mine, float(node.fenced))
            self._gauge("database_disk_used_ratio", mine, node.disk)
            self._gauge("database_connections_used_ratio", mine, 1.0 if node.busy else node.connections)
            self._count("database_writes_total", mine, cluster.written.get(node.name, 0.0))
            self._gauge("database_endpoint", mine, float(node.name == cluster.endpoint.writes_to))
            for vantage in VANTAGES:
                if vantage not in cluster.unsure:
                    self._gauge("database_up", {**mine, "vantage": vantage}, float(node.seen_from(vantage)))
        self._gauge("database_takes_writes", labels, float(cluster.takes_writes or _held(cluster)))
        self._count("database_failovers_total", labels, float(cluster.failovers))

    def _gauge(self, name: str, labels: dict[str, str], value: float) -> None:
        self._series(name, labels, "gauge").value = value

    def _count(self, name: str, labels: dict[str, str], value: float) -> None:
        self._series(name, labels, "counter").value = value

    def _series(self, name: str, labels: dict[str, str], kind: str) -> Series:
        key = (name, labels.get("node", ""), labels.get("vantage", "") + labels["cluster"])
        if key not in self._known:
            self._known[key] = (self._metrics.gauge if kind == "gauge" else self._metrics.counter)(name, labels)
        return self._known[key]


def _held(cluster: Cluster) -> bool:
    """Writes are refused because somebody wants that, and a primary could take them."""
    target = cluster.target
    return target is not None and target.may_write and not target.isolated and not target.hung and not cluster.access.writes


def _behind(cluster: Cluster, node: Node) -> bool:
    return node.replayed < cluster.seen_lsn


def _begin(cluster: Cluster, at: float) -> None:
    """A past: commits a moment ago, a backup of tonight that nobody has restored, one of yesterday that somebody has."""
    for node in cluster.nodes.values():
        node.committed_at = at
    cluster.backups["b-2"] = Backup("b-2", at - 6 * HOUR)
    cluster.backups["b-1"] = Backup("b-1", at - 30 * HOUR, restore_tested_at=at - 20 * HOUR)


def _follow(cluster: Cluster, at: float) -> None:
    """Standbys receive what their primary has, and replay it unless something keeps them from it."""
    for node in cluster.nodes.values():
        leader = None if node.primary else cluster.streams_from(node)
        if leader is not None:
            node.lsn = leader.lsn
        held = node.paused or any(one.node == node.name for one in cluster.blockers.values())
        if not node.primary and node.up and not held and (leader is not None or node.replayed < node.lsn):
            node.replayed = node.lsn
            node.committed_at = leader.committed_at if leader is not None else node.committed_at


def _promote_by_itself(cluster: Cluster, at: float) -> None:
    leader = cluster.nodes.get(cluster.leader)
    gone = leader is None or not leader.up or leader.hung or leader.isolated or leader.fenced
    cluster.gone_since = (cluster.gone_since if cluster.gone_since is not None else at) if gone else None
    since = cluster.gone_since
    if cluster.dials.promotes_by_itself and not cluster.ha.paused and since is not None and at - since >= cluster.leader_ttl:
        hasty(cluster, at)


def hasty(cluster: Cluster, at: float) -> None:
    """The manager promotes whoever says that it has most."""
    standing = [one for one in cluster.nodes.values() if not one.primary and one.up and not one.isolated and not one.hung]
    if standing:
        cluster.promote(max(standing, key=lambda one: one.lsn + one.lies).name, at)
