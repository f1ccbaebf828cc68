"""What is read of a cluster before anything is done to it (A.9 T1, T2)."""

from activities.action import Call, NotYet, System, Value, action
from activities.databases.client import DatabaseClient
from activities.databases.seen import ClusterNames, ClusterOf, ClusterSeen, ClustersOf, Vote
from activities.kit.create_once import SOON

LEAST_PROBES = 2  # vantage points from which a fence must be seen to hold (spec §8 S-FENCE)


class OneWriterOf(ClusterOf, target="databases/{cluster}/writers", effect="see that exactly one node of {cluster} takes writes"):
    """`writer`: the one that must."""

    writer: str


class FenceOf(ClusterOf, target="databases/{cluster}/{node}/fence", effect="see from two networks that {node} takes no write"):
    node: str


class FenceHolds(Value):
    node: str
    proven_by: str

    @property
    def summary(self) -> str:
        return self.proven_by


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

    @action("databases.fence_holds")
    async def fence_holds(self, order: FenceOf, call: Call) -> FenceHolds:
        """Whoever has cut it off: writes are refused from at least two vantage points. Raises `NotYet` while they are not."""
        return FenceHolds(node=order.node, proven_by=await holds(self._client, call, order.cluster, order.node))


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


async def holds(client: DatabaseClient, call: Call, cluster: str, node: str) -> str:
    """From where a fence was seen to hold. Raises `NotYet` where a write still came through, or too few could say."""
    probes = [one for one in await client.probe(call, cluster) if one.node == node]
    through = [one.vantage for one in probes if one.writable]
    if through:
        raise NotYet(f"accepted, but {node} still took a write from {', '.join(through)}", after=SOON)
    refused = [one for one in probes if one.writable is False and one.vote in (Vote.UP, Vote.DOWN)]  # who does not answer says nothing
    if len(refused) < LEAST_PROBES:
        raise NotYet(
            f"accepted, but only {len(refused)} vantage points say that {node} takes no writes: wanted are {LEAST_PROBES}", after=SOON
        )
    return f"writes to {node} were refused from {', '.join(one.vantage for one in refused)}"
