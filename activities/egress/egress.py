"""Outbound calls: a host or a tool is denied (spec §8 S-EGRESS; A.3 M4), and what really left is counted (A.3 T3)."""

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Literal, Self

from activities.action import Call, Limits, NotYet, Refused, Risk, Role, Value, action
from activities.egress.proxy import EgressLook, EgressProxy, EgressResource
from activities.kit.rest import Json, RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.kit.setting.write import SOON

HOST = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+")
TOOL = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
MOST_LISTED = 100  # rows of outbound calls that an answer holds


class OutboundOf(EgressResource, path="{kind}s/{name}", called="calls to {name}"):
    """What is denied: a host with everything below it, or all calls of a tool. `workload`: from where the refusal is proven."""

    kind: Literal["host", "tool"] = "host"
    name: str
    workload: str = ""

    def __str__(self) -> str:
        return f"outbound calls to {self.name}" if self.kind == "host" else f"all outbound calls of the tool {self.name}"

    def target(self) -> str:
        return f"egress/{self.kind}/{self.name}"

    def assets(self) -> tuple[str, ...]:
        return (self.name,) if self.kind == "host" else ()

    def body(self, value: Any) -> Json:
        return {"denied": value.denied}


class Denial(SettingValue, effect="refuse {of}", back="{of} are {self} again"):
    """`though_listed`: it is known that the product needs this host; then it is broad, and people are asked."""

    denied: bool = True
    though_listed: bool = False

    def __str__(self) -> str:
        return "denied" if self.denied else "not denied"

    def same(self, other: Self) -> bool:
        return self.denied == other.denied


class DenialReading(Reading[Denial]):
    """`rule`: the id of the rule that refuses; `allow_listed`: the product needs this host."""

    rule: str = ""
    allow_listed: bool = False


def _risk(order: Change[OutboundOf, Denial] | Restore[OutboundOf, Denial], limits: Limits) -> Risk:
    """One host that nobody needs is narrow. A whole tool, or a host that the product needs, is not."""
    narrow = order.of.kind == "host" and isinstance(order, Change) and not order.wanted.though_listed
    return Risk.C1 if narrow else Risk.C2


class CallsOf(
    EgressLook,
    target="egress/calls",
    effect="read what left the platform in the last {window}",
    path="calls",
    asks=("window", "workload", "tenant", "session"),
):
    """Outbound calls of a session, a tenant or a workload; of all where none is named. `window`: policy time."""

    window: timedelta
    workload: str = ""
    tenant: str = ""
    session: str = ""


class Left(StrEnum):
    """Whether something left for a host that nobody has allowed. Unknown counts as yes (A.3 T3)."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class OutboundCall(Value):
    """Calls of one kind. `kind`: `render` is a client that fetched what an answer pointed to. The address below the host stays where it is."""

    workload: str
    tenant: str
    session: str
    host: str
    kind: str
    outcome: str
    rule: str
    allow_listed: bool
    n: int


class OutboundCalls(Value):
    """What left, as far as it can be read. `unreadable`: who saw calls and cannot be asked now; `more`: rows that are not listed here."""

    calls: tuple[OutboundCall, ...]
    unreadable: tuple[str, ...] = ()
    more: int = 0

    @property
    def stray(self) -> tuple[OutboundCall, ...]:
        """Those that were made to a host that nobody has allowed."""
        return tuple(one for one in self.calls if one.outcome == "made" and not one.allow_listed)

    def hosts(self) -> tuple[str, ...]:
        """Every host that nobody has allowed and that was called, or tried: what is to be denied."""
        return tuple(dict.fromkeys(one.host for one in self.calls if not one.allow_listed))

    @property
    def left(self) -> Left:
        if self.stray:
            return Left.YES
        return Left.UNKNOWN if self.unreadable or self.more else Left.NO

    @property
    def summary(self) -> str:
        said = {
            Left.YES: f"{sum(one.n for one in self.stray)} calls left for {', '.join(dict.fromkeys(one.host for one in self.stray))}",
            Left.NO: "nothing left for a host that nobody has allowed",
            Left.UNKNOWN: "nobody can say whether something left",
        }[self.left]
        return said + (f"; not readable: {', '.join(self.unreadable)}" if self.unreadable else "")


class Egress(
    RestSetting[OutboundOf, Denial, DenialReading], read="egress.look", change="egress.deny", restore="egress.allow", risk=_risk,
    restore_risk=Risk.C2, asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER), contains=True,
):  # fmt: skip
    """The egress proxy, proven by a connection from the affected workload that is refused by our very rule."""

    def __init__(self, proxy: EgressProxy) -> None:
        self.rest, self._proxy = proxy, proxy

    @action("egress.calls")
    async def calls(self, order: CallsOf, call: Call) -> OutboundCalls:
        """What really left, or was refused: by workloads, and by clients that rendered an answer."""
        rows, sources = await self._proxy.calls(call, order)
        rows.sort(key=lambda row: (row["allow_listed"], row["outcome"] != "made"))
        shown = tuple(OutboundCall(**{name: row[name] for name in OutboundCall.model_fields}) for row in rows[:MOST_LISTED])
        away = tuple(sorted(name for name, readable in sources.items() if not readable))
        return OutboundCalls(calls=shown, unreadable=away if sources else ("every source",), more=max(0, len(rows) - MOST_LISTED))

    async def look_at(self, call: Call, of: OutboundOf) -> DenialReading:
        """Raises `Refused` for what is no name: nothing that stands for several hosts is ever denied."""
        if not (HOST if of.kind == "host" else TOOL).fullmatch(of.name):
            raise Refused(f"{of.name!r} is no {of.kind}: a full name is needed, and no pattern")
        return await super().look_at(call, of)

    async def check(self, call: Call, order: Change[OutboundOf, Denial] | Restore[OutboundOf, Denial], to: Denial) -> None:
        if not to.denied or isinstance(order, Restore) or order.wanted.though_listed:
            return
        if (await self.look_at(call, order.of)).allow_listed:
            raise Refused(f"the product needs {order.of.name}, it is on the allow list: to deny it all the same, say though_listed")

    async def prove(self, call: Call, order: Change[OutboundOf, Denial], now: DenialReading) -> str:
        """A connection from the affected workload. Where none is named, only the proxy itself says so."""
        of = order.of
        if not of.workload:
            return f"the proxy shows rule {now.rule or '(none)'}; no workload was named to try it from"
        said = await self._proxy.probe(call, of.workload, **{of.kind: of.name})
        if order.wanted.denied and (said["reached"] or said["rule"] != now.rule):
            raise NotYet(f"accepted, but {of.workload} still gets out there: {_met(said)}", after=SOON)
        return f"a connection from {of.workload} {_met(said)}"

    async def prove_step(self, call: Call, order: Restore[OutboundOf, Denial], step: Denial) -> str:
        if not order.of.workload:
            return "no workload was named to try it from"
        said = await self._proxy.probe(call, order.of.workload, **{order.of.kind: order.of.name})
        if not step.denied and said["rule"]:
            raise NotYet(f"accepted, but a connection from {order.of.workload} {_met(said)}", after=SOON)
        return f"a connection from {order.of.workload} {_met(said)}"


def _met(said: Mapping[str, Any]) -> str:
    if said["reached"]:
        return "is let out"
    return f"is refused by rule {said['rule']}" if said["rule"] else "reaches nobody, and no rule refuses it"


DENIED = Egress.measure("denied", sticky=True)


def deny(host: str, workload: str = "", why: str = "", *, though_listed: bool = False) -> Change[OutboundOf, Denial]:
    """The order that refuses every call to a host, and to what is below it."""
    return Egress.order(OutboundOf(name=host, workload=workload), Denial(though_listed=though_listed), why=why)


def deny_tool(tool: str, workload: str = "", why: str = "") -> Change[OutboundOf, Denial]:
    """The order that refuses every outbound call of a tool."""
    return Egress.order(OutboundOf(kind="tool", name=tool, workload=workload), Denial(), why=why)
