"""What is started once and takes its time: promote, warm, replay queued writes, cancel what blocks, and the snapshot (A.9 M3, M6, M8, M10, L1)."""

from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from activities.action import Call, Effect, NotYet, Order, Refused, Risk, Role
from activities.databases import by_hand
from activities.databases.client import BASE, TOKEN, DatabaseClient
from activities.databases.databases import holds, one_writer
from activities.databases.seen import ClusterSeen, Says
from activities.databases.settings import BOTH
from activities.kit.create_once import CreateOnce, There
from activities.kit.operation import Operation, Progress
from activities.kit.rest import Json
from activities.kit.words.shell import address, command, comment, curl
from activities.kit.words.urls import path


class OnCluster(Order, target="databases/{cluster}"):
    """Work on a cluster."""

    kind: ClassVar[str] = ""

    cluster: str
    store: str = "plane"

    def assets(self) -> tuple[str, ...]:
        return (self.cluster,)

    def body(self) -> Json:
        """What the job is given."""
        return self.model_dump(mode="json", exclude={"cluster", "store"})

    def in_sql(self) -> tuple[str, ...]:
        """What a person types on the database itself."""
        raise NotImplementedError

    def by_hand(self) -> tuple[str, ...]:
        if self.store != "plane":
            return self.in_sql()
        jobs, bearer = address(BASE, path("v1", "clusters", self.cluster, "jobs")), ("Authorization: Bearer ", TOKEN)
        body = {"kind": self.kind, "key": f"by-hand-{self.target()}", "given": self.body()}
        return (curl("POST", jobs, bearer, body=body), curl("GET", jobs, bearer))


class Promote(OnCluster, target="databases/{cluster}/{node}", effect="promote {node} of {cluster}, once"):
    """`at_least`: the position that was announced for it; with less it would lose more than people have agreed to.

    `old`: the primary that must be fenced. `losing_after`: writes that were acknowledged later may be lost.
    """

    kind: ClassVar[str] = "promote"
    undone = "nothing undoes a promotion: the old primary is rebuilt as a standby"

    node: str
    old: str
    at_least: int | None = None
    losing_after: datetime | None = None
    loses: str = ""  # the same in words

    def effect(self) -> str:
        return f"promote {self.node} of {self.cluster}, once; {self.loses or 'what is lost is not known'}"

    def in_sql(self) -> tuple[str, ...]:
        return (*by_hand.look_at(self.node), by_hand.sql(self.node, "SELECT pg_promote(true, 60)"))


class Warm(OnCluster, target="databases/{cluster}/{node}/warm", effect="read the hottest tables of {node} into its cache"):
    kind: ClassVar[str] = "warm"
    undone = "nothing to undo: it only reads"

    node: str

    def in_sql(self) -> tuple[str, ...]:
        return (
            by_hand.sql(
                self.node, "SELECT sum(pg_prewarm(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            ),
        )


class Replay(
    OnCluster,
    target="databases/{cluster}/queued-writes",
    effect="write the queued writes of {cluster} in their order, each once by its key",
):
    kind: ClassVar[str] = "replay"
    undone = "the ledger says which write did what: people take back what must not stand"

    def in_sql(self) -> tuple[str, ...]:
        return (
            comment(
                f"write the queued writes of {self.cluster} in their order, each under its key, and note those that contradict the data"
            ),
        )


class CancelQuery(
    OnCluster, target="databases/{cluster}/{node}/query/{query}", effect="cancel query {query} on {node}, which keeps others waiting"
):
    kind: ClassVar[str] = "cancel"
    undone = "nothing brings a cancelled query back: whoever asked asks again"

    node: str
    query: str  # process and begin, as the blockers were listed

    def in_sql(self) -> tuple[str, ...]:
        statement = (
            "SELECT pid, backend_start, query_start, left(query, 6) FROM pg_stat_activity WHERE state <> 'idle' ORDER BY query_start"
        )
        said = comment(f"cancel query {self.query} (its process and when it began, in seconds) by SELECT pg_cancel_backend(process)")
        return (by_hand.sql(self.node, statement), said)


class Snapshot(
    OnCluster, target="databases/{cluster}/{node}/snapshot", effect="take a snapshot of {node} of {cluster} into another account"
):
    kind: ClassVar[str] = "snapshot"
    undone = "a snapshot is never deleted by us"

    node: str

    def in_sql(self) -> tuple[str, ...]:
        return (
            command("pg_basebackup", "-d", ("service=", self.node), "-D", ("snapshot-", self.node), "-X", "stream", "-c", "fast", "-P"),
        )


O = TypeVar("O", bound=OnCluster)


class Job(Operation[O], Generic[O]):
    """A job of the cluster's client."""

    def __init__(self, client: DatabaseClient) -> None:
        self._client = client

    async def find(self, call: Call, order: O) -> str | None:
        return await self._client.find(call, order.cluster, order.kind, call.key, order.body())

    async def start(self, call: Call, order: O) -> str:
        return await self._client.begin(call, order.cluster, order.kind, call.key, order.body())

    async def status(self, call: Call, order: O, id: str) -> Progress:
        return await self._client.job(call, order.cluster, id)

    async def verify(self, call: Call, order: O, id: str) -> str:
        return "the job says that it is done, with its numbers"


class Promotions(Job[Promote], name="databases.promote", risk=Risk.C3, asks=BOTH, contains=True):
    """S-PROMOTE: the fence is seen to hold just before, the role is looked at first, and afterwards there is one writer."""

    async def find(self, call: Call, order: Promote) -> str | None:
        """Ours; a node that somebody else has promoted meanwhile is refused below."""
        return await self._client.find(call, order.cluster, order.kind, call.key, order.body())

    async def precondition(self, call: Call, order: Promote) -> None:
        seen = await self._client.see(call, order.cluster)
        node = seen.node(order.node)
        if node is None or not node.reachable:
            raise Refused(f"{order.node} does not answer: nothing is promoted that cannot be seen")
        if others := [name for name in seen.writers if name != order.node]:
            raise Refused(f"{', '.join(others)} takes writes: nothing is promoted beside another writer")
        if node.says is Says.PRIMARY:
            raise Refused(f"{order.node} is the primary already, and not by us: look at the cluster again")
        if node.system_id != seen.system_id:
            raise Refused(f"{order.node} has the data of another cluster ({node.system_id}, not {seen.system_id})")
        await self._lag(seen, order)
        try:
            await holds(self._client, call, order.cluster, order.old)
        except NotYet as open_:
            raise Refused(f"the fence of {order.old} is not seen to hold: {open_}") from open_

    async def _lag(self, seen: ClusterSeen, order: Promote) -> None:
        """A replica that has less than it said must be announced again: people have agreed to another loss."""
        node = seen.node(order.node)
        if node is None or node.lsn is None or order.at_least is None:
            raise Refused(f"nobody knows how much {order.node} has: nothing is promoted with an unknown loss")
        if node.lsn < order.at_least:
            raise Refused(f"{order.node} has {order.at_least - node.lsn} bytes less than it said: the loss must be announced again")

    async def verify(self, call: Call, order: Promote, id: str) -> str:
        return await one_writer(self._client, call, order.cluster, order.node)


class Warmings(Job[Warm], name="databases.warm", risk=Risk.C1, asks=(Role.OPS_LEAD,)):
    """A new primary is cold: what is read most is read before customers read it."""


class WriteReplays(Job[Replay], name="databases.replay", risk=Risk.C2, asks=(Role.DB_LEAD, Role.INCIDENT_COMMANDER), contains=True):
    """Queued writes, each once: what contradicts the data goes to a ledger, for people."""

    async def status(self, call: Call, order: Replay, id: str) -> Progress:
        done = await super().status(call, order, id)
        count = {name: int(str(done.after.get(name, 0))) for name in ("queued", "written", "known", "conflicts")}
        known, bad = f"{count['known']} were known by their key", f"{count['conflicts']} contradict the data"
        said = f"of {count['queued']} queued writes {count['written']} were written, {known}, {bad}"
        return done.model_copy(update={"says": said})

    async def verify(self, call: Call, order: Replay, id: str) -> str:
        """Every one is accounted for."""
        after = (await self.status(call, order, id)).after
        queued, *told = (int(str(after.get(name, 0))) for name in ("queued", "written", "known", "conflicts"))
        if sum(told) != queued:
            raise NotYet(f"{queued} were queued, and {sum(told)} are accounted for")
        return f"the ledger matches: {queued} queued, {queued} accounted for"


class QueryCancellations(Job[CancelQuery], name="databases.cancel_query", risk=Risk.C2, asks=(Role.DB_LEAD, Role.OPS_LEAD)):
    async def verify(self, call: Call, order: CancelQuery, id: str) -> str:
        seen = await self._client.see(call, order.cluster)
        if any(one.id == order.query for one in seen.blockers):
            raise NotYet(f"accepted, but query {order.query} runs still")
        return f"query {order.query} is not there any more"


class Snapshots(CreateOnce[Snapshot, str], name="databases.snapshot", risk=Risk.C1, asks=(Role.DB_LEAD, Role.OPS_LEAD), on_suspicion=True):
    """S-SNAPDB: in another account; whether it can be restored is tested later, and not believed."""

    def __init__(self, client: DatabaseClient) -> None:
        self._client = client

    async def find(self, call: Call, order: Snapshot) -> str | None:
        return await self._client.find(call, order.cluster, order.kind, call.key, order.body())

    async def make(self, call: Call, order: Snapshot) -> Any:
        return await self._client.begin(call, order.cluster, order.kind, call.key, order.body())

    async def describe(self, call: Call, order: Snapshot, there: There[str]) -> Effect:
        done = await self._client.job(call, order.cluster, there.found)
        if done.at != "done":
            raise Refused(f"the snapshot of {order.node} has failed: {done.says or 'nobody says why'}")
        return order.done(
            "the store shows it", f"{order.effect()}; {done.says}", adopted=there.adopted, after={"id": there.found, **done.after}
        )
