"""A cluster as it is seen (Annex B 2.9): what its nodes say, and what several vantage points meet. Positions in the log are bytes."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal

from activities.action import Order, Value


class Right(Value):
    """What a role may do with tables, as it was granted. `column`: with this column alone. `passes_on`: with grant option."""

    role: str
    may: Literal["INSERT", "UPDATE", "DELETE", "TRUNCATE"]
    tables: tuple[str, ...]
    column: str = ""
    passes_on: bool = False


class Says(StrEnum):
    """What a node says that it is."""

    PRIMARY = "primary"
    STANDBY = "standby"
    UNKNOWN = "unknown"


class Vote(StrEnum):
    """What a vantage point met. BUSY: it answers that it has no room; unknown: the vantage point itself does not answer."""

    UP = "up"
    DOWN = "down"
    BUSY = "busy"
    UNKNOWN = "unknown"


class Node(Value):
    """One node. None: nobody can say. `lsn`: what it has received, `replayed`: what of it can be read.

    `last_commit_at`: the newest commit that it has; `lag_s` and `lag_bytes`: behind the primary. `latency_ms`: of the application, by its region.
    """

    id: str
    region: str = ""
    system_id: str | None = None
    says: Says = Says.UNKNOWN
    timeline: int | None = None
    lsn: int | None = None
    replayed: int | None = None
    lag_bytes: int | None = None
    lag_s: float | None = None
    last_commit_at: datetime | None = None
    reachable: bool = True
    streaming: bool | None = None
    paused: bool | None = None  # replay was paused by somebody
    fenced: bool | None = None
    connections: float | None = None  # the share of its connections that is used
    disk: float | None = None
    latency_ms: dict[str, float] = {}


class Probed(Value):
    """What one vantage point met at one node: a connection, and a write that was committed."""

    vantage: str
    node: str
    vote: Vote = Vote.UNKNOWN
    writable: bool | None = None
    why: str = ""


class Promoter(Value):
    """Who promotes by itself: whether it does, who leads, for how long that holds, and when it last promoted somebody."""

    name: str = ""
    paused: bool | None = None
    leader: str | None = None
    leader_ttl_s: float | None = None
    last_failover: datetime | None = None


class Blocker(Value):
    """A query that keeps a standby from replaying, or a queue from moving. `id` names it once: process and begin."""

    id: str
    node: str
    for_s: float
    what: str = ""  # the kind of statement, never its text


class ClusterSeen(Value):
    """One look at a cluster. `primary_lsn`: where the primary was last seen by anybody. `write_rate`: bytes per second."""

    cluster: str
    service: str = ""
    system_id: str | None = None  # as the inventory has it
    nodes: tuple[Node, ...]
    probes: tuple[Probed, ...]
    ha: Promoter = Promoter()
    writes_to: str = ""
    reads_from: tuple[str, ...] = ()
    mode: str = ""  # how it replicates: synchronous or asynchronous
    primary_lsn: int | None = None
    write_rate: float | None = None
    queued_writes: int | None = None
    blockers: tuple[Blocker, ...] = ()
    at: datetime

    @property
    def summary(self) -> str:
        said = [f"{one.id} {one.says}" + ("" if one.reachable else ", not reachable") for one in self.nodes]
        votes = ", ".join(f"{name}: {vote}" for name, vote in self.votes(self.writes_to).items())
        writable = f"writable: {', '.join(self.writers) or 'none'}"
        return f"{self.cluster}: {'; '.join(said)}; votes on {self.writes_to or 'nobody'}: {votes or 'none'}; {writable}"

    def node(self, id: str) -> Node | None:
        return next((one for one in self.nodes if one.id == id), None)

    def votes(self, id: str) -> dict[str, Vote]:
        """What each vantage point says of a node."""
        return {one.vantage: one.vote for one in self.probes if one.node == id}

    def count(self, id: str, *votes: Vote) -> int:
        return sum(vote in votes for vote in self.votes(id).values())

    @property
    def writers(self) -> tuple[str, ...]:
        """The nodes that took a write, from wherever it came."""
        return tuple(dict.fromkeys(one.node for one in self.probes if one.writable))

    def of_another_cluster(self) -> tuple[str, ...]:
        """Nodes whose data is another cluster's."""
        return tuple(one.id for one in self.nodes if self.system_id and one.system_id not in (None, self.system_id))

    @property
    def standbys(self) -> tuple[Node, ...]:
        return tuple(one for one in self.nodes if one.says is Says.STANDBY)


class ClustersOf(Order, target="databases", effect="read which clusters of databases there are"):
    """Whose database is which."""


class ClusterOf(Order, target="databases/{cluster}", effect="look at {cluster} from every vantage point"):
    cluster: str


class ClusterName(Value):
    name: str
    service: str


class ClusterNames(Value):
    clusters: tuple[ClusterName, ...]

    @property
    def summary(self) -> str:
        return ", ".join(f"{one.name} of {one.service}" for one in self.clusters) or "none"

    def of(self, service: str) -> Sequence[str]:
        return [one.name for one in self.clusters if one.service == service]
