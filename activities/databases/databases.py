"""What is read of a cluster before anything is done to it (A.9 T1, T2)."""

from activities.action import Call, NotYet, System, Value, action
from activities.databases.client import DatabaseClient
from activities.databases.seen import ClusterNames, ClusterOf, ClusterSeen, ClustersOf


class OneWriterOf(ClusterOf, target="databases/{cluster}/writers", effect="see that exactly one node of {cluster} takes writes"):
    """`writer`: the one that must."""

    writer: str


class OneWriter(Value):
    writer: str
    proven_by: str

    @property
    def summary(self) -> str:
        return f"{self.writer} takes writes, and nobody else: {self.proven_by}"


class Databases(System):
    def __init__(self, client: DatabaseClient) -> None:
        self._client = client

    @action("databases.clusters")
    async def clusters(self, order: ClustersOf, call: Call) -> ClusterNames:
        """Which clusters there are, and whose they are."""
        return ClusterNames(clusters=tuple(await self._client.clusters(call)))

    @action("databases.survey")
    async def survey(self, order: ClusterOf, call: Call) -> ClusterSeen:
        """What every node says of itself, and what each vantage point met there: a connection, and a write."""
        return await self._client.see(call, order.cluster)

    @action("databases.one_writer")
    async def one_writer(self, order: OneWriterOf, call: Call) -> OneWriter:
        """Exactly one node takes writes, seen from at least two vantage points. Raises `NotYet` while it is not so."""
        return OneWriter(writer=order.writer, proven_by=await one_writer(self._client, call, order.cluster, order.writer))


async def one_writer(client: DatabaseClient, call: Call, cluster: str, writer: str) -> str:
    """From where the one writer was seen. Raises `NotYet` unless there is exactly that one."""
    probes = await client.probe(call, cluster)
    others = sorted({one.node for one in probes if one.writable and one.node != writer})
    seen = sorted({one.vantage for one in probes if one.writable and one.node == writer})
    if others:
        raise NotYet(f"{', '.join(others)} takes writes as well")
    if len(seen) < 2:
        raise NotYet(f"{writer} took a write from {len(seen)} vantage points, wanted are 2")
    return f"a write was committed from {', '.join(seen)}, and refused everywhere else"
