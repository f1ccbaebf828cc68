"""What of a cluster is changed for a while: the fence of a node, who may write, who promotes by itself, and where the pooler sends clients."""

import operator
from typing import Any, ClassVar, TypeVar

from pydantic import Field

from activities.action import Call, Limits, NotYet, Refused, Risk, Role
from activities.databases import by_hand
from activities.databases.client import DatabaseClient, DatabaseResource
from activities.databases.databases import holds
from activities.databases.seen import Right, Says
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.kit.setting.write import SOON

BOTH = (Role.INCIDENT_COMMANDER, Role.DB_LEAD)


class ClusterPart(DatabaseResource):
    """A setting of a whole cluster."""


class NodeOf(DatabaseResource, path="clusters/{cluster}/nodes/{node}/fence", called="{node} of {cluster}"):
    node: str

    def in_sql(self, value: Any = None, prior: Any = None) -> tuple[str, ...]:
        return by_hand.fence(self.node) if value is not None and value.fenced else by_hand.look_at(self.node)


class Fence(SettingValue, says="fenced off: {fenced}", back="let {of} take part again"):
    """Whether a node is kept from taking writes, whoever starts it again."""

    fenced: bool

    def effect(self, of: NodeOf) -> str:
        return f"fence {of}: it takes no write any more, from anywhere, also when somebody starts it again"


class AccessOf(ClusterPart, path="clusters/{cluster}/access", called="the writers of {cluster}"):
    def in_sql(self, value: Any = None, prior: Any = None) -> tuple[str, ...]:
        if value is None:
            return by_hand.sessions(self.cluster)
        known: tuple[Right, ...] = value.rights or (prior.rights if prior is not None else ())
        return by_hand.grant(self.cluster, known) if value.writes else by_hand.revoke(self.cluster, known)


class Access(
    SettingValue,
    effect="take the right to write in {of.cluster} from the application, and end its sessions",
    back="let the application write in {of.cluster} again",
):
    """Whether the application may write, by its role in the database. Open sessions keep writing after `ALTER … SET`: the right is revoked.

    `rights`: what it may, as it was read, so that exactly that is given back. Our own contract keeps them itself.
    `unfinished`: sessions that a write which broke off has left with something to commit. It is read, and never written.
    """

    volatile: ClassVar[frozenset[str]] = frozenset({"rights", "unfinished"})

    writes: bool
    rights: tuple[Right, ...] = ()
    unfinished: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)

    def same(self, other: "Access") -> bool:
        return self.writes == other.writes and not (other.unfinished and not self.unfinished)

    def between(self, before: "Access", now: "Access") -> bool:
        """The right is taken first, then sessions are ended; one that is ending still is nobody else's change either way."""
        return not now.writes and bool(now.unfinished)

    def __str__(self) -> str:
        return "; ".join(("may write" if self.writes else "may only read", *self.unfinished))

    @property
    def felt(self) -> bool:
        return not self.writes

    def both(self, other: "Access") -> "Access":
        """Nobody's data is written to against their need."""
        return self if not self.writes else other


class HaOf(ClusterPart, path="clusters/{cluster}/ha", called="the failover manager of {cluster}"):
    def in_sql(self, value: Any = None, prior: Any = None) -> tuple[str, ...]:
        if value is None:
            return by_hand.patroni("list")
        return by_hand.patroni("pause" if value.paused else "resume", "--wait")


class Ha(SettingValue, back="let {of} promote by itself again"):
    """Whether the manager promotes by itself."""

    paused: bool

    def __str__(self) -> str:
        return "paused" if self.paused else "on"

    def effect(self, of: HaOf) -> str:
        return f"pause {of}: it promotes nobody by itself" if self.paused else f"let {of} promote by itself"


class EndpointOf(ClusterPart, path="clusters/{cluster}/endpoint", called="the pooler of {cluster}"):
    def in_sql(self, value: Any = None, prior: Any = None) -> tuple[str, ...]:
        return by_hand.pooled() if value is None else by_hand.repoint(value.writes_to)


class Endpoint(SettingValue):
    """Where the pooler sends clients. Connections to any other node are ended.

    `unfinished`: what a write that broke off, or a person, has left in the middle. It is read, and never written. Where there is nothing it
    does not stand in the order either: what was agreed to before the field came is agreed to still.
    """

    volatile: ClassVar[frozenset[str]] = frozenset({"unfinished"})

    writes_to: str
    reads_from: tuple[str, ...]
    unfinished: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)

    def __str__(self) -> str:
        return "; ".join((f"writes to {self.writes_to}, reads from {self.reads}", *self.unfinished))

    @property
    def reads(self) -> str:
        return ", ".join(self.reads_from) or "nobody"

    def effect(self, of: EndpointOf) -> str:
        return f"{of} sends writes to {self.writes_to} and reads to {self.reads}, and ends connections to all others"

    def same(self, other: "Endpoint") -> bool:
        there = self.writes_to == other.writes_to and sorted(self.reads_from) == sorted(other.reads_from)
        return there and not set(other.unfinished) - set(self.unfinished)

    def between(self, before: "Endpoint", now: "Endpoint") -> bool:
        """Clients are moved all at once, and held meanwhile: they are where they were, or where they shall be."""
        alike = (one.model_copy(update={"unfinished": now.unfinished}) for one in (before, self))
        return bool(now.unfinished) and any(one.same(now) for one in alike)


T = TypeVar("T", bound=DatabaseResource)
V = TypeVar("V", bound=SettingValue)


class OfCluster(RestSetting[T, V]):
    """A setting that the client of the cluster reads and writes."""

    def __init__(self, client: DatabaseClient) -> None:
        self._client = client

    async def look_at(self, call: Call, of: T) -> Any:
        return self.understood(of, await self._client.setting(call, of))

    async def write(self, call: Call, of: T, wanted: V, over: Any, epoch: int) -> None:
        await self._client.set(call, of, over.version, {**({"epoch": epoch} if over.epoch is not None else {}), **of.body(wanted)})


class Fences(
    OfCluster[NodeOf, Fence], read="databases.fenced", change="databases.fence", restore="databases.unfence", risk=Risk.C3, asks=BOTH,
    contains=True,
):  # fmt: skip
    """S-FENCE: proven by writes that are refused from two networks, not by what the fence says of itself."""

    async def prove(self, call: Call, order: Change[NodeOf, Fence], now: Reading[Fence]) -> str:
        return await holds(self._client, call, order.of.cluster, order.of.node)

    async def check(self, call: Call, order: Change[NodeOf, Fence] | Restore[NodeOf, Fence], to: Fence) -> None:
        """An old primary is not let back: it is rebuilt as a standby first, by people, and failing back is a planned change of theirs."""
        if to.fenced:
            return
        node = (await self._client.see(call, order.of.cluster)).node(order.of.node)
        if node is None or node.says is not Says.STANDBY:
            raise Refused(f"{order.of} stays fenced until it follows the primary as a standby: nobody knows that it does")


class Accesses(
    OfCluster[AccessOf, Access], read="databases.access", change="databases.revoke", restore="databases.grant", risk=Risk.C2, asks=BOTH,
    contains=True,
):  # fmt: skip
    """The read-only that really is: the right is revoked, and whoever was connected is disconnected. What it had is given back, and no more."""

    async def write(self, call: Call, of: AccessOf, wanted: Access, over: Any, epoch: int) -> None:
        rights = {"rights": [one.model_dump() for one in wanted.rights]} if wanted.rights else {}
        given = {**({"epoch": epoch} if over.epoch is not None else {}), **of.body(wanted), **rights}
        await self._client.set(call, of, over.version, given)

    async def shown(self, call: Call, of: AccessOf, value: Access) -> str:
        """The client has counted what can still write."""
        said = await self._client.setting(call, of)
        left = int(said.get("writing_sessions", 0))
        if not value.writes and left:
            raise NotYet(f"accepted, but {left} sessions of the application can still write", after=SOON)
        return f"{left} sessions of the application can write"


class HaPauses(
    OfCluster[HaOf, Ha], read="databases.ha", change="databases.pause_ha", restore="databases.resume_ha", risk=Risk.C1, asks=BOTH
):
    """The manager that promotes by itself, held still while people and we decide."""


def _moves_writes(order: Change[EndpointOf, Endpoint] | Restore[EndpointOf, Endpoint], limits: Limits) -> Risk:
    """Moving reads is narrow; moving writes is not."""
    if isinstance(order, Restore):
        return Risk.C1
    return Risk.C1 if order.prior is not None and order.prior.value.writes_to == order.wanted.writes_to else Risk.C2


class Endpoints(
    OfCluster[EndpointOf, Endpoint], read="databases.endpoint", change="databases.repoint", restore="databases.point_back", risk=_moves_writes,
    asks=BOTH,
):  # fmt: skip
    """The pooler: proven by the connections that it has."""

    async def check(self, call: Call, order: Change[EndpointOf, Endpoint] | Restore[EndpointOf, Endpoint], to: Endpoint) -> None:
        """Writes are sent to a node that takes them, and to no other. What was pointed elsewhere is not pointed back to an old primary."""
        if to.writes_to == (await self.look_at(call, order.of)).value.writes_to:
            return
        writers = {one.node for one in await self._client.probe(call, order.of.cluster) if one.writable}
        if writers != {to.writes_to}:
            raise Refused(f"{', '.join(sorted(writers)) or 'nobody'} takes writes: they are not sent to {to.writes_to}")

    async def shown(self, call: Call, of: EndpointOf, value: Endpoint) -> str:
        said = await self._client.setting(call, of)
        if refusing := said.get("refusing"):
            raise NotYet(f"accepted, but the pooler refuses new clients of {', '.join(refusing)}: somebody has disabled it", after=SOON)
        strays = {name: n for name, n in said.get("strays", {}).items() if n}
        if strays:
            raise NotYet(f"accepted, but there are connections to {', '.join(strays)} still", after=SOON)
        return "no connection leads anywhere else"


FENCED = Fences.measure("fenced", sticky=True, own_end=True)  # an old primary is rebuilt by people, and never let go with the rest
NO_WRITERS = Accesses.measure("database read-only", sticky=True)
HA_PAUSED = HaPauses.measure("failover manager paused", until_stable=True)
READS_MOVED = Endpoints.measure("reads moved")
