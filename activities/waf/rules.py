"""Rules that deny at the edge: first in preview, where it is only noted what they would deny, then enforced (A.10 M6, spec §8 S-WAF).

A rule's priority is its key. It is enforced unasked only where the preview has hit nobody else; otherwise people are shown how many.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, Literal, Protocol, Self

from activities.action import Call, Limits, Refused, Risk, Role
from activities.kit.rest import RestResource
from activities.kit.setting import Change, Reading, Restore, Setting, SettingValue
from activities.kit.words import cel
from activities.values import listed
from activities.waf.numbers import EdgeNumbers
from activities.waf.traffic import Hits, HitsOf, SeenAtEdge, counted, is_network, single
from activities.waf.words import BASE, CLOUD_ARMOR, KEY_HEADER, MOST_ADDRESSES, TOKEN, Network, Product, rules

ABSENT, PREVIEW, ENFORCED = "absent", "preview", "enforced"
KEY = re.compile(r"[A-Za-z0-9._:@/-]{1,200}")  # as issuers name keys
WHO = (Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER)


class RuleOf(RestResource, path="rules/{priority}", called="rule {priority} of the edge"):
    """`store`: a person's commands depend on it."""

    base, token = BASE, TOKEN

    priority: int
    store: Product = "waf"

    def target(self) -> str:
        return f"edge-rule/{self.priority}"

    def read_by_hand(self) -> tuple[str, ...]:
        return (rules("describe", self.priority),) if self.store == CLOUD_ARMOR else super().read_by_hand()

    def write_by_hand(self, value: "Blocking", prior: "Blocking | None" = None) -> tuple[str, ...]:
        if self.store != CLOUD_ARMOR:
            return self.put_by_hand({"at": value.at, "addresses": list(value.addresses), "key": value.key})
        if value.at == ABSENT:
            return (rules("delete", self.priority),)
        verb = "update" if prior is not None and prior.at != ABSENT else "create"
        return (rules(verb, self.priority, *_whom(value), "--action=deny-403", "--preview" if value.at == PREVIEW else "--no-preview"),)


class Blocking(SettingValue):
    """Whom a rule meets, and how far it is. `key`: bearers of one credential, by its issuer's name of it.

    `hits`: what the preview has met; by that it is decided who is asked. `keys`, `counting`: how it is counted once more, just before.
    """

    volatile: ClassVar[frozenset[str]] = frozenset({"hits", "keys", "counting", "window"})

    at: Literal["absent", "preview", "enforced"] = "absent"
    addresses: tuple[Network, ...] = ()
    key: str = ""
    hits: Hits | None = None
    keys: tuple[str, ...] = ()
    window: timedelta = EdgeNumbers().preview
    counting: EdgeNumbers = EdgeNumbers()

    def __str__(self) -> str:
        return {ABSENT: "not there", PREVIEW: f"in preview for {self.whom}", ENFORCED: f"enforced for {self.whom}"}[self.at]

    @property
    def whom(self) -> str:
        from_where = listed(self.addresses) if len(self.addresses) <= 3 else f"{len(self.addresses)} addresses"
        bearing = f"requests that bear the key {self.key}" if self.key else ""
        return " from ".join(filter(None, (bearing, from_where)))

    @property
    def narrow(self) -> bool:
        """Single addresses, or the bearer of one key."""
        few = len(self.addresses) <= MOST_ADDRESSES and all(single(one) for one in self.addresses)
        return few and bool(self.addresses or self.key)

    @property
    def spares(self) -> bool:
        """Whether the preview has hit next to nobody else."""
        return self.hits is not None and self.hits.spares(self.counting)

    def same(self, other: Self) -> bool:
        if self.at == other.at == ABSENT:
            return True
        return (self.at, set(self.addresses), self.key) == (other.at, set(other.addresses), other.key)

    def effect(self, of: RuleOf) -> str:
        if self.at == PREVIEW:
            return f"let {of} note, and not deny, {self.whom}"
        if self.at == ENFORCED:
            return f"deny {self.whom} at the edge, by rule {of.priority}" + (f"; {self.hits.in_words}" if self.hits else "")
        return f"take {of} away"

    def back(self, of: RuleOf) -> str:
        return f"{of} is {self} again" if self.at != ABSENT else f"take {of} away, so that it is not there: whom it denied is let in again"


class RuleReading(Reading[Blocking]):
    """`fingerprint`: of all rules together, where a rule has no version of its own."""

    fingerprint: str = ""


class EdgeRules(SeenAtEdge, Protocol):
    """The edge: the port. One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def read(self, call: Call, of: RuleOf) -> RuleReading:
        """A rule; absent only where it surely is not there. Raises `Refused` for one that is not as we make it."""

    async def write(self, call: Call, of: RuleOf, wanted: Blocking, over: RuleReading, epoch: int) -> None:
        """Write it over what was read. Raises `Conflict` when it is not that any more, where that can be told."""

    async def tried(self, call: Call, of: RuleOf, value: Blocking) -> str:
        """See by another path what it does, and say so. Raises `NotYet` until it shows."""

    async def allowed(self, call: Call, priority: int) -> Reading["Entries"]:
        """All that an allow-list lets in."""

    async def allow(self, call: Call, priority: int, entries: Sequence[str], over: Reading["Entries"], epoch: int) -> None:
        """Write an allow-list whole, over what was read."""


class Entries(SettingValue):
    """An allow-list whole. It does not leave an activity: most of it is customers' addresses."""

    addresses: tuple[str, ...] = ()


def _risk(order: Change[RuleOf, Blocking] | Restore[RuleOf, Blocking], limits: Limits) -> Risk:
    """A preview denies nobody. What is narrow, and was seen to hit nobody else, is enforced unasked."""
    if not isinstance(order, Change):
        return Risk.C1 if order.left.at == PREVIEW and order.goal.at == ABSENT else Risk.C2
    wanted = order.wanted
    return Risk.C1 if wanted.at == PREVIEW or (wanted.at == ENFORCED and wanted.narrow and wanted.spares) else Risk.C2


class Rules(
    Setting[RuleOf, Blocking, RuleReading], read="waf.read", change="waf.deny", restore="waf.let_in", risk=_risk, asks=WHO, contains=True,
):  # fmt: skip
    """The edge, proven by what it does with a request of the attack."""

    def __init__(self, edge: EdgeRules) -> None:
        self._edge = edge

    async def look_at(self, call: Call, of: RuleOf) -> RuleReading:
        return await self._edge.read(call, of)

    async def write(self, call: Call, of: RuleOf, wanted: Blocking, over: RuleReading, epoch: int) -> None:
        await self._edge.write(call, of, wanted, over, epoch)

    async def check(self, call: Call, order: Change[RuleOf, Blocking] | Restore[RuleOf, Blocking], to: Blocking) -> None:
        """What was called harmless is counted once more, just before it is enforced."""
        if to.at != ABSENT and not (to.addresses or to.key):
            raise Refused("a rule meets addresses or the bearer of a key: one without both would deny everybody")
        if len(to.addresses) > MOST_ADDRESSES:
            raise Refused(f"a rule takes {MOST_ADDRESSES} addresses: make several")
        if not all(map(is_network, to.addresses)) or (to.key and not KEY.fullmatch(to.key)):
            raise Refused("that is no address and no network, or no name of a key")
        if isinstance(order, Restore) or to.at != ENFORCED or not order.wanted.spares:
            return
        asked = HitsOf(priority=order.of.priority, window=to.window, keys=to.keys, numbers=to.counting)
        now = await counted(self._edge, call, asked)
        if not now.spares(to.counting):
            raise Refused(f"it was to hit nobody else, and by now {now.in_words}: decide again")

    async def shown(self, call: Call, of: RuleOf, value: Blocking) -> str:
        return await self._edge.tried(call, of, value)


BLOCKED = Rules.measure("blocked", sticky=True)


def preview(of: RuleOf, wanted: Blocking, why: str = "") -> Change[RuleOf, Blocking]:
    """The order that only notes what a rule would deny."""
    return Rules.order(of, wanted.model_copy(update={"at": PREVIEW, "hits": None}), why=why)


def enforce(of: RuleOf, wanted: Blocking, hits: Hits | None, why: str = "") -> Change[RuleOf, Blocking]:
    """The order that denies. `hits`: what the preview has met; None: nobody can say."""
    return Rules.order(of, wanted.model_copy(update={"at": ENFORCED, "hits": hits}), why=why)


def _whom(value: Blocking) -> tuple[str, ...]:
    if not value.key:
        return (f"--src-ip-ranges={','.join(value.addresses)}",)
    return (f"--expression={expression(value)}",)


def expression(value: Blocking) -> str:
    """As Cloud Armor takes it, where addresses alone do not say it."""
    bearing = cel.header_is(KEY_HEADER, value.key)
    return cel.both(cel.comes_from(value.addresses), bearing) if value.addresses else bearing
