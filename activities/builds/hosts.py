"""Hosts on which a malicious package was installed: a copy of the disk, then cut off from the network (A.12 M2, M3). They are not powered off:
what is in their memory is evidence too.
"""

from datetime import timedelta

from activities.action import Call, Limits, NotYet, Order, Risk, Role
from activities.builds.plane import BASE, TOKEN, SupplyPlane, SupplyResource
from activities.kit.clock import Clock
from activities.kit.operation import At, Operation, Progress
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, Restore, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.shell import address, curl
from activities.kit.words.urls import path

WHO = (Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER)


class HostOf(SupplyResource, path="hosts/{host}/isolation", called="the network of {host}"):
    """`builds`: it only builds: customers do not notice."""

    host: str
    builds: bool = False

    def workloads(self) -> tuple[str, ...]:
        return (self.host,)

    def target(self) -> str:
        return f"host/{self.host}"


class Isolated(SettingValue):
    isolated: bool

    def __str__(self) -> str:
        return "cut off, but for its console" if self.isolated else "as usual"

    def effect(self, of: HostOf) -> str:
        return f"{of} is {self}"

    def back(self, of: HostOf) -> str:
        return f"{of} is {self} again"


def _risk(order: Change[HostOf, Isolated] | Restore[HostOf, Isolated], limits: Limits) -> Risk:
    """A builder alone is narrow; what serves customers, or somebody's machine, is not. Back into the network: Security and the commander."""
    return Risk.C1 if isinstance(order, Change) and order.of.builds else Risk.C2


class HostIsolation(
    RestSetting[HostOf, Isolated], read="hosts.isolation", change="hosts.isolate", restore="hosts.reconnect", risk=_risk,
    restore_risk=Risk.C3, asks=WHO, contains=True,
):  # fmt: skip
    """Proven by a connection to and from the host that does not come about."""

    def __init__(self, plane: SupplyPlane) -> None:
        self.rest: SupplyPlane = plane

    async def shown(self, call: Call, of: HostOf, value: Isolated) -> str:
        reached = (await self.rest.probe(call, path("v1", "hosts", of.host, "probe")))["reached"]
        if reached and value.isolated:
            raise NotYet(f"accepted, but {of.host} is still reached", after=SOON)
        return f"a connection to {of.host} {'comes about' if reached else 'does not come about'}"


ISOLATED = HostIsolation.measure("host isolated", sticky=True)


def isolate(host: str, *, builds: bool, why: str = "") -> Change[HostOf, Isolated]:
    return HostIsolation.order(HostOf(host=host, builds=builds), Isolated(isolated=True), why=why)


class SnapshotHost(Order, target="host/{host}", effect="copy the disk of {host} into the evidence project; nothing on it is changed"):
    """Before it is isolated, or at least begun (INV-1)."""

    undone = "nothing to undo: the copy stays as evidence"

    host: str

    def by_hand(self) -> tuple[str, ...]:
        where = address(BASE, path("v1", "hosts", self.host, "snapshots"))
        return (curl("POST", where, ("Authorization: Bearer ", TOKEN), f"Idempotency-Key: {self.host}"),)


class HostSnapshots(Operation[SnapshotHost], name="evidence.snapshot_host", risk=Risk.C1, asks=WHO, on_suspicion=True):
    """Copies of disks. One is as good as taken when it is complete; it is named, so that the host may be isolated before."""

    looks_every = timedelta(seconds=5)

    def __init__(self, plane: SupplyPlane, clock: Clock) -> None:
        self._plane, self.clock = plane, clock

    async def find(self, call: Call, order: SnapshotHost) -> str | None:
        said = await self._plane.get(call, path("v1", "hosts", order.host, "snapshots"), key=call.key)
        return next((str(one["id"]) for one in said["snapshots"]), None)

    async def start(self, call: Call, order: SnapshotHost) -> str:
        return str((await self._plane.begin(call, path("v1", "hosts", order.host, "snapshots")))["id"])

    async def status(self, call: Call, order: SnapshotHost, id: str) -> Progress:
        said = await self._plane.get(call, path("v1", "hosts", order.host, "snapshots", id))
        return Progress(at=At.DONE if said["state"] == "ready" else At.RUNNING, says=f"{id} is {said['state']}", after={"snapshot": id})

    async def verify(self, call: Call, order: SnapshotHost, id: str) -> str:
        said = await self._plane.get(call, path("v1", "hosts", order.host, "snapshots", id))
        if said["state"] != "ready":
            raise NotYet(f"{id} was ready, and is {said['state']} now", after=SOON)
        return f"the inventory shows {id}, ready"
