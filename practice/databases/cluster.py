"""One cluster of PostgreSQL as it is: nodes, positions in the log, sessions, a partition, a manager that may promote by itself, a pooler.

Positions are bytes of the log. Instants are world seconds; those of the past that a world is born with do not tell two worlds apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field

VANTAGES = ("eu-west", "us-east", "outside")
"""Where probes are made from, each in a network of its own."""
EVERYWHERE = "*"
SYSTEM = "7301234567890123456"


@dataclass
class Node:
    """One server. `lsn`: what it has received; `lies`: what it adds to that when it is asked."""

    name: str
    region: str
    primary: bool = False
    system_id: str = SYSTEM
    timeline: int = 3
    lsn: int = 0
    replayed: int = 0
    committed_at: float = field(default=0.0, compare=False)  # its newest commit
    up: bool = True
    hung: bool = False  # its postmaster stands still: who is connected goes on, nobody new gets in
    cut_from: list[str] = field(default_factory=list)  # vantage points that do not reach it; `*`: nobody, and no node either
    paused: bool = False  # replay was paused
    streams: bool = True
    lies: int = 0
    busy: bool = False
    fenced: bool = False
    fence_leaks: bool = False  # it reads fenced, and takes writes
    connections: float = 0.4
    disk: float = 0.5

    @property
    def isolated(self) -> bool:
        return EVERYWHERE in self.cut_from

    def seen_from(self, vantage: str) -> bool:
        """Whether a new connection from there is answered."""
        return self.up and not self.hung and not self.isolated and vantage not in self.cut_from

    @property
    def may_write(self) -> bool:
        """Whether it takes writes from whoever is connected."""
        return self.primary and self.up and (not self.fenced or self.fence_leaks)


@dataclass
class Access:
    """Whether the application may write, by its role."""

    writes: bool = True


@dataclass
class Ha:
    """Whether the manager promotes by itself."""

    paused: bool = False


@dataclass
class Endpoint:
    """Where the pooler sends clients."""

    writes_to: str = "db-1"
    reads_from: list[str] = field(default_factory=lambda: ["db-2", "db-3"])


@dataclass
class Blocker:
    """A long query on a node: while it runs, that node replays nothing."""

    id: str
    node: str
    since: float = field(compare=False)
    what: str = "select"


@dataclass
class Job:
    """Something that was started once under a key."""

    id: str
    kind: str
    key: str
    given: dict[str, object]
    state: str = "running"  # running | done | failed
    says: str = ""
    result: dict[str, object] = field(default_factory=dict)


@dataclass
class Backup:
    id: str
    at: float = field(compare=False)
    domain: str = "backups-account"
    restore_tested_at: float | None = field(default=None, compare=False)
    restores: bool = True  # whether anything can be read from it once it is restored


@dataclass
class Restore:
    id: str
    key: str
    backup: str
    kind: str
    state: str = "done"
    says: str = ""
    instance: str = ""
    rows: int = 0


@dataclass
class Dials:
    """How it misbehaves."""

    promotes_by_itself: bool = False  # after the primary was gone for `leader_ttl`
    promotes_after_fence: bool = False  # the moment that we have fenced the primary
    promotion_fails: bool = False
    sessions_stay: bool = False  # whoever is connected keeps writing after the right was revoked
    replay_loses: int = 0  # queued writes that nobody can account for


@dataclass
class Cluster:
    """One cluster, and what is known of its past. `seen_lsn`: where monitoring last saw the primary."""

    name: str = "main"
    service: str = "api"
    nodes: dict[str, Node] = field(default_factory=dict)
    access: Access = field(default_factory=Access)
    ha: Ha = field(default_factory=Ha)
    endpoint: Endpoint = field(default_factory=Endpoint)
    leader: str = "db-1"
    leader_ttl: float = 30.0
    last_failover: float | None = field(default=None, compare=False)
    failovers: int = 0
    mode: str = "asynchronous"
    seen_lsn: int = 0
    gone_since: float | None = field(default=None, compare=False)  # from when on the leader was not reached
    queued: int = 0
    conflicts: int = 0  # of the queued writes, those that contradict the data
    blockers: dict[str, Blocker] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    backups: dict[str, Backup] = field(default_factory=dict)
    restores: dict[str, Restore] = field(default_factory=dict)
    written: dict[str, float] = field(default_factory=dict)  # node → writes, counted since the beginning
    dials: Dials = field(default_factory=Dials)
    unsure: list[str] = field(default_factory=list)  # vantage points that do not answer themselves

    @property
    def writers(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.may_write]

    @property
    def target(self) -> Node | None:
        """The node that the pooler sends writes to."""
        return self.nodes.get(self.endpoint.writes_to)

    @property
    def takes_writes(self) -> bool:
        """Whether an application that comes by the pooler can write."""
        target = self.target
        open_ = target is not None and target.may_write and not target.isolated and not target.hung and not target.busy
        return open_ and self.access.writes

    def streams_from(self, standby: Node) -> Node | None:
        """Whom a standby follows."""
        if not standby.up or not standby.streams or standby.isolated:
            return None
        leader = self.nodes.get(self.leader)
        same = leader is not None and leader.up and not leader.isolated and leader.primary and leader.system_id == standby.system_id
        return leader if same else None

    def promote(self, name: str, at: float) -> None:
        """A node becomes a primary of a new timeline. What it had only received is replayed first."""
        node = self.nodes[name]
        node.primary, node.replayed, node.paused = True, node.lsn, False
        node.timeline = max(one.timeline for one in self.nodes.values()) + 1
        self.leader, self.last_failover, self.failovers, self.gone_since = name, at, self.failovers + 1, None
        for other in self.nodes.values():
            if not other.primary:
                other.timeline = node.timeline


@dataclass
class Databases:
    """Every cluster there is."""

    clusters: dict[str, Cluster] = field(default_factory=dict)
