"""Holds on objects that exist already: logs and exports that nobody may delete or overwrite meanwhile (spec §8 S-EVID, A.4 M2).

Only what is there at that moment is held: what is written later needs another hold, or a retention of the bucket. Holds of others are not ours,
and stay.
"""

from typing import Any, Literal, Protocol, Self

from activities.action import Call, NotYet, Risk, Role
from activities.kit.setting import Change, Reading, Resource, Restore, Setting, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.glob import bracketed
from activities.kit.words.shell import gcloud

KINDS = {"temporary": "--temporary-hold", "event_based": "--event-based-hold"}


class ObjectsOf(Resource):
    """The objects of a bucket whose names begin so; all of them where the prefix is empty."""

    bucket: str
    prefix: str = ""
    kind: Literal["temporary", "event_based"] = "temporary"

    def __str__(self) -> str:
        return f"what lies in gs://{self.bucket}/{self.prefix}"

    def target(self) -> str:
        return f"objects/{self.bucket}/{self.prefix}"

    def _glob(self) -> str:
        """Wildcards in the prefix itself are letters there."""
        return f"gs://{self.bucket}/{bracketed(self.prefix)}**"

    def read_by_hand(self) -> tuple[str, ...]:
        shown = "--format=value(name,temporary_hold,event_based_hold)"
        return (gcloud("storage", "objects", "list", self._glob(), shown),)

    def write_by_hand(self, value: Any, prior: Any = None) -> tuple[str, ...]:
        flag = KINDS[self.kind]
        return (gcloud("storage", "objects", "update", self._glob(), flag if value.held else flag.replace("--", "--no-", 1)),)


class Hold(SettingValue):
    """`held`: every object is. `partly`: some are by us, and others by nobody, as a write leaves it that breaks off, or as new ones come."""

    held: bool
    partly: bool = False

    def __str__(self) -> str:
        return "held in part" if self.partly else "held" if self.held else "not held"

    def same(self, other: Self) -> bool:
        """What was held in part is the same as not held: that is where a lift leads."""
        return self.held == other.held and (self.partly or not other.partly)

    def between(self, before: Self, now: Self) -> bool:
        return now.partly

    def both(self, other: Self) -> Self:
        return self if self.held else other

    def effect(self, of: ObjectsOf) -> str:
        return f"hold {of} now: nobody deletes or overwrites it" if self.held else f"end our hold of {of}"

    def back(self, of: ObjectsOf) -> str:
        return f"end our hold of {of}; holds of others stay" if not self.held else f"leave {of} held, as it was"


class HoldReading(Reading[Hold]):
    """`n`: so many objects are there; `held`, of `n`, are held by anybody, `ours` by us."""

    n: int = 0
    held_objects: int = 0
    ours: int = 0

    @property
    def summary(self) -> str:
        return f"{self.held_objects} of {self.n} objects are held, {self.ours} of them by us"


class ObjectStore(Protocol):
    """Where the objects lie: the port. One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def read(self, call: Call, of: ObjectsOf) -> HoldReading:
        """Every object, counted. Raises `Refused` for a bucket that cannot be read."""

    async def write(self, call: Call, of: ObjectsOf, *, held: bool) -> None:
        """Hold those that nobody holds; or end the holds that are ours. What broke off is finished by the next attempt."""


class ObjectHolds(
    Setting[ObjectsOf, Hold, HoldReading], read="holds.look", change="holds.place", restore="holds.release", risk=Risk.C1,
    restore_risk=Risk.C3, asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER), restore_asks=(Role.SECURITY_LEAD, Role.LEGAL), contains=True,
):  # fmt: skip
    """Proven by the list that is read back. To end it is for Security and Legal."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def look_at(self, call: Call, of: ObjectsOf) -> HoldReading:
        return await self._store.read(call, of)

    async def write(self, call: Call, of: ObjectsOf, wanted: Hold, over: HoldReading, epoch: int) -> None:
        await self._store.write(call, of, held=wanted.held)

    async def prove(self, call: Call, order: Change[ObjectsOf, Hold], now: HoldReading) -> str:
        if not now.n:
            raise NotYet(f"there is nothing in gs://{order.of.bucket}/{order.of.prefix}: nothing is held", after=SOON)
        return f"{now.summary}; what is written later is not"

    async def prove_step(self, call: Call, order: Restore[ObjectsOf, Hold], step: Hold) -> str:
        return (await self.look_at(call, order.of)).summary


HELD = ObjectHolds.measure("objects held", sticky=True)


def hold(bucket: str, prefix: str, why: str = "", *, event_based: bool = False) -> Change[ObjectsOf, Hold]:
    """The order that holds what lies there now."""
    of = ObjectsOf(bucket=bucket, prefix=prefix, kind="event_based" if event_based else "temporary")
    return ObjectHolds.order(of, Hold(held=True), why=why)
