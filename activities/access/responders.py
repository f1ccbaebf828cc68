"""Access to what an incident touches, for named responders and until an instant (spec §9.4 step 5, A.4 M6).

Everybody else's access rests meanwhile, and comes back exactly as it was. Break-glass accounts, service accounts and whoever we act as are
never touched (INV-9). Nobody's access is extended by itself: that is a new order, and is asked about anew.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol, Self

from activities.access import by_hand
from activities.action import Call, NotYet, Refused, Risk, Role
from activities.kit.setting import Change, Reading, Resource, Restore, Setting, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.escape import line
from activities.values import listed


class AccessOf(Resource):
    """A project of Google Cloud, or a realm of Keycloak. `store`: which of the two."""

    scope: str
    store: Literal["google", "keycloak"] = "google"

    def __str__(self) -> str:
        return f"the access to {self.scope}"

    def target(self) -> str:
        return f"access/{self.scope}"

    def workloads(self) -> tuple[str, ...]:
        return (self.scope,)

    def read_by_hand(self) -> tuple[str, ...]:
        return by_hand.READ[self.store](self.scope)

    def write_by_hand(self, value: "Access", prior: object = None) -> tuple[str, ...]:
        if value.until is None:
            return by_hand.GIVE_BACK[self.store](self.scope)
        return by_hand.NARROW[self.store](self.scope, value.people, value.until)


class Access(SettingValue):
    """Who has access, by address or name as the vendor knows them, and until when. Without an end: whoever has it usually.

    `partly`: as a write of ours leaves it that breaks off, or because somebody was let in meanwhile; a lift or a new order leads to the whole.
    """

    people: tuple[str, ...] = ()
    until: datetime | None = None
    partly: bool = False

    def __str__(self) -> str:
        if self.until is None:
            return "half narrowed" if self.partly else "as usual"
        half = ", by halves" if self.partly else ""
        return f"for {len(self.people)} responders until {self.until:%Y-%m-%d %H:%M:%S} UTC{half}"

    def same(self, other: Self) -> bool:
        ends = [one.until.replace(microsecond=0) if one.until else None for one in (self, other)]
        return (set(self.people), ends[0]) == (set(other.people), ends[1]) and (self.partly or not other.partly)

    def between(self, before: Self, now: Self) -> bool:
        return now.partly

    def both(self, other: Self) -> Self:
        """Responders of both incidents, until the later end: each narrows it, and neither locks the other out."""
        if self.until is None or other.until is None:
            return other if self.until is None else self
        return type(self)(people=tuple(sorted({*self.people, *other.people})), until=max(self.until, other.until))

    def effect(self, of: AccessOf) -> str:
        if self.until is None:
            return f"{of} is as it was before"
        named = listed(tuple(line(one) for one in self.people))
        return f"until {self.until:%Y-%m-%d %H:%M:%S} UTC only {named} have access to {of.scope}, beside break-glass and service accounts"

    def back(self, of: AccessOf) -> str:
        return f"everybody has the access to {of.scope} again that they had" if self.until is None else f"{of} is {self} again"


class AccessReading(Reading[Access]):
    """`resting`: members whose access rests meanwhile. `unbound`: what stays open, because no end can be put to it, in words.

    `beside`: so many people keep access by a role that is not restricted.
    `ended`: the end has passed: responders have no access any more where the vendor ends it, and everybody else's rests still.
    """

    resting: int = 0
    unbound: tuple[str, ...] = ()
    beside: int = 0
    ended: bool = False

    def meets(self, wanted: Access) -> bool:
        return super().meets(wanted) and not self.ended


class AccessStore(Protocol):
    """Who keeps access: the port. One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def read(self, call: Call, of: AccessOf) -> AccessReading:
        """Who has it now."""

    async def write(self, call: Call, of: AccessOf, wanted: Access, over: AccessReading) -> None:
        """Write it over what was read. Raises `Conflict` when it is not that any more, where the store can tell."""

    async def tested(self, call: Call, of: AccessOf) -> str:
        """What a test of permissions shows, in words; empty where the store has none. Raises `NotYet` when it shows something else."""


class ResponderAccess(
    Setting[AccessOf, Access, AccessReading], read="access.look", change="access.restrict", restore="access.give_back", risk=Risk.C2,
    asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER), contains=True,
):  # fmt: skip
    """Proven by the access list that is read back, and by a test of permissions where there is one."""

    values_compare = True  # a policy holds more than who has this access: its etag changes with all of it

    def __init__(self, store: AccessStore) -> None:
        self._store = store

    async def look_at(self, call: Call, of: AccessOf) -> AccessReading:
        return await self._store.read(call, of)

    async def write(self, call: Call, of: AccessOf, wanted: Access, over: AccessReading, epoch: int) -> None:
        await self._store.write(call, of, wanted, over)

    async def check(self, call: Call, order: Change[AccessOf, Access] | Restore[AccessOf, Access], to: Access) -> None:
        if isinstance(order, Restore) or to.until is None:
            return
        if not to.people:
            raise Refused("nobody is named who would have access")
        if to.until <= call.at:
            raise Refused(f"that access would have ended at {to.until:%Y-%m-%d %H:%M:%S} UTC: give an end that is to come")
        now = await self.look_at(call, order.of)
        if now.unbound:
            raise Refused(f"no end can be put to {listed(now.unbound)}: take that away by hand first")

    async def prove(self, call: Call, order: Change[AccessOf, Access], now: AccessReading) -> str:
        if now.unbound:
            raise NotYet(f"accepted, but {listed(now.unbound)} stays open", after=SOON)
        if now.ended:
            raise Refused(f"{order.of} has ended at {now.value.until:%Y-%m-%d %H:%M:%S} UTC: whoever needs it longer orders it anew")
        tested = await self._store.tested(call, order.of)
        shown = f"the access list shows {len(now.value.people)} responders; the access of {now.resting} others rests"
        beside = f"by roles that are not restricted {now.beside} others keep access" if now.beside else ""
        return "; ".join(filter(None, (shown, beside, tested)))

    async def prove_step(self, call: Call, order: Restore[AccessOf, Access], step: Access) -> str:
        now = await self.look_at(call, order.of)
        if step.until is None and now.resting:
            raise NotYet(f"accepted, but the access of {now.resting} members rests still", after=SOON)
        return "nobody's access rests" if step.until is None else f"the access list shows {len(now.value.people)} responders"


RESTRICTED = ResponderAccess.measure("access restricted", sticky=True)


def restrict(
    scope: str, people: Sequence[str], until: datetime, why: str = "", *, systems: dict[str, str] | None = None
) -> Change[AccessOf, Access]:
    """The order that narrows the access to a scope. `people`: as the store knows them, addresses for Google and user names for Keycloak.

    `systems` (`policy.systems`): which store it is: a person's commands depend on it.
    """
    store = (systems or {}).get("access", "google")
    of = AccessOf(scope=scope, store="keycloak" if store == "keycloak groups" else "google")
    named = tuple(sorted({one.removeprefix("user:") for one in people}))
    return ResponderAccess.order(of, Access(people=named, until=until.replace(microsecond=0)), why=why)
