"""Copies of disks, begun before anything is isolated (spec §8 S-EVID, A.4 M2, INV-1): a copy that takes an hour holds nobody up.

A copy is as good as taken when it has surely begun: from then on it shows the disk of that instant, whatever becomes of the disk.
"""

import hashlib
import re
import uuid
from enum import StrEnum
from typing import Any, Protocol

from activities.action import Call, Effect, Order, Refused, Risk, Role, Value, action
from activities.kit.create_once import CreateOnce, There
from activities.kit.words.compute import label_is
from activities.kit.words.shell import Var, command, comment, gcloud, keep

DISK = re.compile(r"projects/[a-z][a-z0-9.:-]{0,61}[a-z0-9]/(?:zones|regions)/[a-z0-9-]+/disks/[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
LONGEST = 63  # characters of a label at Google
PREFIX, MARK = "evidence-", 24
MARKED = "import hashlib,sys; print(hashlib.sha256(sys.argv[1].encode()).hexdigest()[:24])"
NAMED, PROJECT = (PREFIX, Var("MARK")), Var("COMPUTE_PROJECT")


class At(StrEnum):
    """How far a copy is, in Google's words."""

    CREATING = "CREATING"
    UPLOADING = "UPLOADING"
    READY = "READY"
    FAILED = "FAILED"
    DELETING = "DELETING"
    UNKNOWN = "UNKNOWN"

    @property
    def begun(self) -> bool:
        """Whether it surely holds, or will hold, the disk of the instant at which it was begun."""
        return self in (At.CREATING, At.UPLOADING, At.READY)


class Shown(Value):
    """A copy as the store shows it. `disk`: of which it is; `bytes`: that are stored by now."""

    name: str
    at: At
    disk: str
    bytes: int | None = None
    incident: str = ""

    @property
    def summary(self) -> str:
        stored = "" if self.bytes is None else f", {self.bytes} bytes stored"
        return f"{self.name} of {self.disk.rsplit('/', 1)[-1]} is {self.at.value}{stored}"


class DiskSnapshot(Order, target="{disk}/snapshot", effect="begin a copy of {disk}; the disk stays as it is, and in use"):
    """`disk`: its whole name, `projects/acme/zones/europe-west1-b/disks/api-1`."""

    undone = "nothing to undo: the copy is evidence under legal hold, and is never deleted by us"

    disk: str
    incident_id: str
    asset: str = ""

    @property
    def name(self) -> str:
        """By incident and disk, so that a copy that is there is found, whoever of us has begun it."""
        return PREFIX + hashlib.sha256(self._marks().encode("utf-8", "replace")).hexdigest()[:MARK]

    def by_hand(self) -> tuple[str, ...]:
        labels = f"--labels=incident={self.incident_id},asset={self.asset}" if self.asset else f"--labels=incident={self.incident_id}"
        return (
            *self.find_by_hand()[:1], gcloud("compute", "disks", "snapshot", self.disk, ("--snapshot-names=", *NAMED), labels, "--async"),
            *self.find_by_hand()[1:], comment("CREATING, UPLOADING or READY is enough to go on; never delete it"),
        )  # fmt: skip

    def find_by_hand(self) -> tuple[str, ...]:
        """Its name, and what the store shows of it."""
        shown = gcloud("compute", "snapshots", "describe", NAMED, ("--project=", PROJECT), "--format=value(status,sourceDisk)")
        return keep("MARK", command("python3", "-c", MARKED, self._marks())), shown

    def _marks(self) -> str:
        return f"{self.incident_id} {self.disk}"


class SnapshotOf(Order, target="{disk}/snapshot", effect="see how far the copy of {disk} is"):
    disk: str
    incident_id: str

    def by_hand(self) -> tuple[str, ...]:
        return DiskSnapshot(disk=self.disk, incident_id=self.incident_id).find_by_hand()


class DisksOf(Order, target="asset/{asset}/disks", effect="list the disks of {asset}"):
    """By the label `asset` of the disks."""

    asset: str

    def by_hand(self) -> tuple[str, ...]:
        return (gcloud("compute", "disks", "list", f"--filter={label_is('asset', self.asset)}", "--format=value(selfLink)"),)


class Disks(Value):
    """The disks of an asset, by their whole names. `unreachable`: zones that nobody can ask now: what is there is not known."""

    asset: str
    disks: tuple[str, ...]
    unreachable: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        away = f"; nobody can say what is in {', '.join(self.unreachable)}" if self.unreachable else ""
        return f"{len(self.disks)} disks are labelled as those of {self.asset}{away}"


class SnapshotStore(Protocol):
    """Who copies disks: the port. One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def shown(self, call: Call, disk: str, name: str) -> Shown | None:
        """A copy by its name; None only when there surely is none."""

    async def begin(self, call: Call, order: DiskSnapshot, request: str) -> None:
        """Begin it. The same request id again is the same copy."""

    async def of_asset(self, call: Call, asset: str) -> Disks:
        """Every disk with the label of the asset."""


class DiskSnapshots(
    CreateOnce[DiskSnapshot, Shown], name="disks.snapshot", risk=Risk.C1, asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER),
    on_suspicion=True,
):  # fmt: skip
    """Begun, and found again under its name."""

    keyed = True

    def __init__(self, store: SnapshotStore) -> None:
        self._store = store

    @action("disks.look")
    async def shown(self, order: SnapshotOf, call: Call) -> Shown:
        """How far a copy is. Raises `Refused` where there is none: nothing was begun."""
        name = DiskSnapshot(disk=order.disk, incident_id=order.incident_id).name
        found = await self._store.shown(call, order.disk, name)
        if found is None:
            raise Refused(f"there is no copy {name} of {order.disk}")
        return found

    @action("disks.of_asset")
    async def of_asset(self, order: DisksOf, call: Call) -> Disks:
        """Every disk that is labelled as one of the asset."""
        return await self._store.of_asset(call, order.asset)

    async def find(self, call: Call, order: DiskSnapshot) -> Shown | None:
        """Raises `Refused` for one of our name that is of another disk: it is no evidence of this one."""
        if not order.disk or not DISK.fullmatch(order.disk):
            raise Refused(f"{order.disk[:200]!r} is no disk: projects/<project>/zones/<zone>/disks/<disk>")
        found = await self._store.shown(call, order.disk, order.name)
        if found is not None and not found.disk.endswith(order.disk):
            raise Refused(f"{order.name} is a copy of another disk, {found.disk}: nobody of ours has made it")
        if found is not None and found.at in (At.FAILED, At.DELETING):
            raise Refused(f"{found.summary}: begin one by hand, under another name")
        return found

    async def make(self, call: Call, order: DiskSnapshot) -> None:
        await self._store.begin(call, order, str(uuid.uuid5(uuid.NAMESPACE_URL, call.key)))

    async def fetch(self, call: Call, order: DiskSnapshot, id: Any) -> Shown | None:
        return await self.find(call, order)

    def missing(self, order: DiskSnapshot, found: Shown) -> str:
        return "" if found.at.begun else f"{found.summary}: nobody can say whether it has begun"

    async def describe(self, call: Call, order: DiskSnapshot, there: There[Shown]) -> Effect:
        after = {"snapshot": there.found.name, "at": there.found.at.value}
        return order.done("the store lists it", f"{order.effect()}; {there.found.summary}", adopted=there.adopted, after=dict(after))


def label(value: str) -> str:
    """As Google takes labels."""
    return re.sub(r"[^a-z0-9_-]", "-", value.lower())[:LONGEST]
