"""Allow-lists of the edge: what lets the addresses of an attack in is taken off, and nothing else (spec §9.10 step 4).

Of a list only what concerns an attack leaves an activity: the rest of it are customers' addresses.
"""

from typing import ClassVar, Self

from activities.action import Call, Limits, Refused, Risk
from activities.kit.rest import RestResource
from activities.kit.setting import Change, Reading, Restore, Setting, SettingValue
from activities.kit.words.shell import Var, command, keep, pipe
from activities.values import listed
from activities.waf.rules import WHO, EdgeRules, Entries
from activities.waf.traffic import holds, is_network, single
from activities.waf.words import BASE, CLOUD_ARMOR, TOKEN, Network, Product, rules

# What is read, without the entries that hold one of these addresses, and with these entries besides.
EDIT = (
    "import json,sys; from ipaddress import ip_network as n; d=json.load(sys.stdin); "
    "d=d.get('addresses') or (d[0] if isinstance(d,list) else d)['match']['config']['srcIpRanges']; "
    "away,more=([x for x in a.split(',') if x] for a in sys.argv[1:3]); "
    "k=[x for x in d if not any(n(a).version==n(x,strict=False).version and n(a).subnet_of(n(x,strict=False)) for a in away)]; "
    "k+=[x for x in more if x not in k]; print(','.join(k) if len(sys.argv)>3 else json.dumps(k))"
)


class AllowListOf(RestResource, path="allow-lists/{priority}", called="allow-list {priority} of the edge"):
    """`addresses`: those of the attack, for which it is looked at."""

    base, token = BASE, TOKEN

    priority: int
    addresses: tuple[Network, ...]
    store: Product = "waf"

    def target(self) -> str:
        return f"allow-list/{self.priority}"

    def read_by_hand(self) -> tuple[str, ...]:
        return (rules("describe", self.priority),) if self.store == CLOUD_ARMOR else super().read_by_hand()

    def write_by_hand(self, value: "OnList", prior: "OnList | None" = None) -> tuple[str, ...]:
        """It is read, edited and written whole; nobody else's entries are known here."""
        away = "" if value.entries else ",".join(self.addresses)
        edit = ("python3", "-c", EDIT, away, ",".join(value.entries))
        if self.store == CLOUD_ARMOR:
            read = rules("describe", self.priority, "--format=json(match.config.srcIpRanges)")
            kept = keep("KEPT", pipe(read, command(*edit, "commas")))
            return (kept, rules("update", self.priority, ("--src-ip-ranges=", Var("KEPT"))))
        *before, write = self.put_by_hand({"addresses": Var("KEPT", number=True)})
        return (*before, keep("KEPT", pipe(command("printf", "%s", Var("STATE")), command(*edit))), write)


class OnList(SettingValue):
    """What on a list lets an address of the attack in."""

    volatile: ClassVar[frozenset[str]] = frozenset({"wide"})

    entries: tuple[str, ...] = ()
    wide: bool = False  # a whole network goes: others are on it too

    def __str__(self) -> str:
        return f"lets {listed(self.entries)} in" if self.entries else "lets none of them in"

    def same(self, other: Self) -> bool:
        return set(self.entries) == set(other.entries)

    def effect(self, of: AllowListOf) -> str:
        others = "; a whole network goes, and others with it" if self.wide else ""
        return f"take the addresses of the attack off {of}{others}" if not self.entries else f"{of} {self}"

    def back(self, of: AllowListOf) -> str:
        return f"{of} {self} again"


def _risk(order: Change[AllowListOf, OnList] | Restore[AllowListOf, OnList], limits: Limits) -> Risk:
    return Risk.C1 if isinstance(order, Change) and not order.wanted.wide and not order.wanted.entries else Risk.C2


class AllowLists(
    Setting[AllowListOf, OnList], read="waf.allow_list", change="waf.take_off", restore="waf.put_on_again", risk=_risk, restore_risk=Risk.C2,
    asks=WHO, contains=True,
):  # fmt: skip
    values_compare = True  # a list changes also where nobody of the attack is concerned

    def __init__(self, edge: EdgeRules) -> None:
        self._edge = edge

    async def look_at(self, call: Call, of: AllowListOf) -> Reading[OnList]:
        return _of(of, await self._edge.allowed(call, of.priority))

    async def check(self, call: Call, order: Change[AllowListOf, OnList] | Restore[AllowListOf, OnList], to: OnList) -> None:
        """A whole network is never taken off as if it were one address."""
        if not all(map(is_network, (*order.of.addresses, *to.entries))):
            raise Refused("that is no address and no network")
        now = (await self.look_at(call, order.of)).value
        if isinstance(order, Change) and not order.wanted.wide and not all(single(one) for one in now.entries if one not in to.entries):
            raise Refused(f"{listed(now.entries)} is a whole network: others are on it too, so that people decide")

    async def write(self, call: Call, of: AllowListOf, wanted: OnList, over: Reading[OnList], epoch: int) -> None:
        now = await self._edge.allowed(call, of.priority)
        away = set(_of(of, now).value.entries)
        kept = [one for one in now.value.addresses if one not in away or one in wanted.entries]
        entries = [*kept, *(one for one in wanted.entries if one not in kept)]
        same_version = now.model_copy(update={"version": over.version or now.version})
        await self._edge.allow(call, of.priority, entries, same_version, epoch)


OFF_LIST = AllowLists.measure("off the allow-list", sticky=True)


def take_off(of: AllowListOf, now: Reading[OnList], why: str = "") -> Change[AllowListOf, OnList]:
    """The order that takes the attack's addresses off a list."""
    return AllowLists.order(of, OnList(wide=not all(single(one) for one in now.value.entries)), why=why)


def _of(of: AllowListOf, whole: Reading[Entries]) -> Reading[OnList]:
    found = tuple(one for one in whole.value.addresses if any(holds(one, who.partition("/")[0]) for who in of.addresses))
    return Reading[OnList](value=OnList(entries=found), version=whole.version, epoch=whole.epoch, changed_by=whole.changed_by)
