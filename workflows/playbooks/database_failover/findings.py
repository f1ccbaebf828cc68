"""What is wrong with a cluster, and who may take over (spec §9.9, Triage; A.9 T1, T2, M4). Pure: the decisions stay in the playbook."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from activities.backups.backups import BackupList
from activities.databases.seen import ClusterSeen, Node, Says, Vote
from activities.organisation.database_numbers import DatabaseFailover
from workflows.severity.facts import DataLoss, Facts, Scope, Slo


class Verdict(StrEnum):
    """The gravest first."""

    SPLIT = "two nodes take writes"
    FAILED_OVER = "the platform has failed over by itself"
    DEAD = "the primary is dead"
    PARTITIONED = "the primary is cut off or hangs, and is alive"
    OVERLOADED = "the primary is overloaded"
    UNKNOWN = "nobody can say"
    FULL = "the disk of the primary is nearly full"
    LAGGING = "replicas that are read from are stale"
    WELL = "well"


GONE = (Verdict.DEAD, Verdict.PARTITIONED)


@dataclass(frozen=True)
class Loss:
    """What a promotion would lose: the bytes that are missing as far as was seen (None: nobody knows), and what was acknowledged after an instant.

    `none`: only where a commit waits for this very standby. Otherwise a primary may have acknowledged what nobody has seen.
    """

    bytes: int | None
    after: datetime | None
    until: datetime
    none: bool = False

    @property
    def lasting(self) -> timedelta | None:
        return timedelta(0) if self.none else None if self.after is None else max(timedelta(0), self.until - self.after)

    @property
    def known(self) -> bool:
        return self.none or self.after is not None

    def __str__(self) -> str:
        if self.none:
            return "nothing is lost: a commit waits for this standby"
        if self.after is None or self.lasting is None:
            return "what is lost is not known"
        much = f"{self.bytes:,} bytes are missing as far as was seen, " if self.bytes is not None else ""
        span = f"from {self.after:%H:%M:%S} to {self.until:%H:%M:%S} UTC ({self.lasting.total_seconds():.0f} s)"
        return f"{much}writes that were acknowledged {span} may be lost"


@dataclass(frozen=True)
class Found:
    """What triage has found."""

    seen: ClusterSeen
    backups: BackupList | None  # None: nobody can say
    verdict: Verdict
    evidence: tuple[str, ...] = ()
    stale: tuple[Node, ...] = ()  # replicas that are read from, and are too old

    @property
    def primary(self) -> str:
        """The node that writes are sent to."""
        return self.seen.writes_to

    def facts(self) -> Facts:
        """As the severity function reads it."""
        # Of two sides that have both committed, one is lost whatever is decided.
        loss = DataLoss.CONFIRMED if self.verdict is Verdict.SPLIT else DataLoss.NONE
        failing = self.verdict in (Verdict.SPLIT, Verdict.FAILED_OVER, *GONE)
        scope = Scope.CORE if failing else Scope.FEATURE
        return Facts(
            db_failover=failing,
            data_loss=loss,
            scope=scope,
            slo=Slo.LIKELY if failing else Slo.MAYBE,
            stale=self.verdict is Verdict.UNKNOWN,
        )

    def in_words(self) -> str:
        said = [f"{self.seen.cluster}: {self.verdict}", *self.evidence, self.seen.summary]
        said += [self.backups.summary] if self.backups is not None else ["nobody can say which backups there are"]
        return "; ".join(said)


def judged(seen: ClusterSeen, backups: BackupList | None, numbers: DatabaseFailover) -> Found:
    """Dead, cut off, overloaded, split, failed over already, or only late. Overload is never called dead."""
    verdict, evidence = next(_ways(seen, numbers))
    return Found(seen, backups, verdict, evidence, stale(seen, numbers))


def _ways(seen: ClusterSeen, numbers: DatabaseFailover) -> Iterator[tuple[Verdict, tuple[str, ...]]]:
    primary, writers, node = seen.writes_to, seen.writers, seen.node(seen.writes_to)
    foreign = tuple(f"{one} has the data of another cluster" for one in seen.of_another_cluster())
    if len(writers) > 1:
        same = [one.id for one in seen.nodes if one.id in writers and one.system_id == seen.system_id]
        copies = (
            (f"{' and '.join(same)} have one system id ({seen.system_id}): neither says which is the right one",) if len(same) > 1 else ()
        )
        yield Verdict.SPLIT, (f"{' and '.join(writers)} took a write", *copies, *foreign)
    if writers and primary not in writers:
        yield Verdict.FAILED_OVER, (f"{writers[0]} takes writes, and they are sent to {primary}", *foreign)
    answered = seen.count(primary, Vote.UP, Vote.DOWN, Vote.BUSY)
    if answered < numbers.quorum and primary not in writers:
        yield Verdict.UNKNOWN, (f"only {answered} of {numbers.quorum} vantage points answer", *foreign)
    busy = node is not None and node.connections is not None and node.connections >= numbers.busy
    if busy or seen.count(primary, Vote.BUSY) >= numbers.down_votes:
        yield Verdict.OVERLOADED, (f"{primary} answers that it has no room: nothing is failed over", *foreign)
    if seen.count(primary, Vote.DOWN) >= numbers.down_votes:
        alive = [one.id for one in seen.standbys if one.streaming and one.id != primary]
        up = [name for name, vote in seen.votes(primary).items() if vote is Vote.UP]
        if alive or up:
            yield Verdict.PARTITIONED, (f"{primary} is alive: seen by {', '.join((*up, *alive))}", *foreign)
        yield (
            Verdict.DEAD,
            (f"{primary} is not reached from {seen.count(primary, Vote.DOWN)} vantage points, and nobody hears from it", *foreign),
        )
    if primary not in writers:
        yield Verdict.UNKNOWN, (f"{primary} answers, and takes no writes", *foreign)
    if node is not None and node.disk is not None and node.disk >= numbers.disk:
        yield Verdict.FULL, (f"the disk of {primary} is {node.disk:.0%} full", *foreign)
    late = stale(seen, numbers)
    if late:
        yield Verdict.LAGGING, (*(_late(one) for one in late), *foreign)
    yield Verdict.WELL, foreign


def stale(seen: ClusterSeen, numbers: DatabaseFailover) -> tuple[Node, ...]:
    """Replicas that are read from and are too old, or of which nobody knows how old they are."""
    return tuple(one for one in seen.nodes if one.id in seen.reads_from and one.says is not Says.PRIMARY and not fresh(one, numbers))


def fresh(node: Node, numbers: DatabaseFailover) -> bool:
    if not node.reachable or node.lag_s is None or node.lag_bytes is None:
        return False
    return node.lag_s <= numbers.stale.total_seconds() and node.lag_bytes <= numbers.lag_bytes and bool(node.streaming)


def _late(node: Node) -> str:
    if node.lag_s is None:
        return f"nobody knows how old {node.id} is"
    why = "its replay was paused" if node.paused else "it does not stream" if not node.streaming else f"it is {node.lag_s:.0f} s behind"
    return f"{node.id} is stale: {why}"


@dataclass(frozen=True)
class Choice:
    """Who is to take over, what that loses, and why nobody else was chosen."""

    node: Node | None
    loss: Loss
    passed_over: tuple[str, ...] = ()
    far: str = ""  # how far the application is from it, where that is too far for every query

    def in_words(self) -> tuple[str, ...]:
        who = (f"{self.node.id} in {self.node.region} has most: {self.node.lsn}", str(self.loss)) if self.node is not None else ()
        return (*who, *((self.far,) if self.far else ()), *self.passed_over)


def choose(seen: ClusterSeen, old: str, until: datetime, numbers: DatabaseFailover, not_these: frozenset[str] = frozenset()) -> Choice:
    """The healthy standby of this cluster that has most and bears it out; among equals one that the application is near to."""
    fit, passed = list[Node](), list[str]()
    for node in seen.nodes:
        why = "it was tried" if node.id in not_these else _unfit(node, seen, numbers)
        if node.id == old:
            continue
        if why:
            passed.append(f"not {node.id}: {why}")
        else:
            fit.append(node)
    fit.sort(key=lambda one: (-(one.lsn or 0), not near(one, seen, numbers), one.id))
    best = fit[0] if fit else None
    far = (
        ""
        if best is None or near(best, seen, numbers)
        else f"the application is too far from {best.region} for every query: it will be slow"
    )
    return Choice(best, loss_of(best, seen, until), tuple(passed), far)


def fit(seen: ClusterSeen, numbers: DatabaseFailover) -> list[Node]:
    """The standbys of this cluster that bear out what they say."""
    return [one for one in seen.nodes if not _unfit(one, seen, numbers)]


def near(node: Node, seen: ClusterSeen, numbers: DatabaseFailover) -> bool:
    """Whether the application, where the old primary was, is near enough for every query."""
    old = seen.node(seen.writes_to)
    return node.latency_ms.get(old.region if old is not None else "", 0.0) <= numbers.app_latency_ms


def loss_of(node: Node | None, seen: ClusterSeen, until: datetime) -> Loss:
    if node is None or node.lsn is None:
        return Loss(None, None, until)
    missing = None if seen.primary_lsn is None else max(0, seen.primary_lsn - node.lsn)
    return Loss(missing, node.last_commit_at, until, none=seen.mode == "synchronous" and missing == 0)


def _unfit(node: Node, seen: ClusterSeen, numbers: DatabaseFailover) -> str:
    """Why a node may not take over; empty when nothing speaks against it."""
    if not node.reachable or node.says is not Says.STANDBY:
        return "it does not answer as a standby"
    if node.system_id is None or node.system_id != seen.system_id:
        return f"it has the data of another cluster ({node.system_id})"
    if node.fenced:
        return "it is fenced"
    if node.lsn is None or node.last_commit_at is None:
        return "nobody knows how much it has"
    if not node.paused and node.replayed is not None and node.lsn - node.replayed > numbers.unreplayed:
        return (
            f"it says that it has {node.lsn - node.replayed} bytes more than it has replayed, and nothing holds it up: that is not believed"
        )
    if seen.primary_lsn is not None and node.lsn - seen.primary_lsn > numbers.unreplayed and not node.streaming:
        return "it says that it has more than the primary was ever seen to have: that is not believed"
    return ""
