"""Limits of what is used: of a run, an agent, a key, a tenant, a tier or all (spec §8 S-CLAMP; A.6 M1, M6).

A limit names everyone whom it concerns: no store is ever sent a pattern. Automation lowers limits and gives them back; it never raises one.
"""

import re
from collections.abc import Mapping
from typing import Literal, Protocol

from activities.action import Call, Limits, NotYet, Refused, Risk, Role
from activities.budgets.limit import Caps, Limit, LimitsOf, Scope
from activities.kit.clock import Clock
from activities.kit.setting import Change, Reading, Restore
from activities.kit.setting.several import PerName, SeveralReading
from activities.metrics.counting import again
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings
from activities.usage.spending import Spent, spent
from activities.usage.usage_meter import UsageMeter
from activities.values import listed

PATTERN = re.compile(r"[*?\[\]{}]|^\s*$")


class LimitStore(Protocol):
    """Where limits are kept: the port. One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def read(self, call: Call, scope: str, name: str) -> Reading[Limit]:
        """The limit of one name. Raises `Refused` where the store keeps none of that scope, or does not know the name."""

    async def write(self, call: Call, scope: str, name: str, limit: Limit, over: Limit, version: str) -> None:
        """Write it over what was read. Raises `Conflict` when it is not that any more, where the store can tell."""


CapsChange = Change[LimitsOf, Caps] | Restore[LimitsOf, Caps]


def _risk(order: CapsChange, limits: Limits) -> Risk:
    """One run, agent, key or tenant is narrow; several are broad; everybody, a tier, or nothing at all for a tenant is hard to take back."""
    wanted = order.wanted if isinstance(order, Change) else order.goal
    zero = isinstance(order, Change) and any(limit.zero for limit in wanted.each.values())
    if order.of.scope in ("tier", "all") or (zero and order.of.scope == "tenant"):
        return Risk.C3 if isinstance(order, Change) else Risk.C2
    return Risk.C2 if zero or len(order.of.names) > 1 else Risk.C1


class Clamps(
    PerName[LimitsOf, Caps, SeveralReading[Caps]], read="budgets.read", change="budgets.clamp", restore="budgets.restore", risk=_risk,
    asks=(Role.INCIDENT_COMMANDER, Role.FINANCE), watched=True,
):  # fmt: skip
    """Limits, proven by what is really used: read where model calls pass, not where limits are kept."""

    def __init__(self, store: LimitStore, prometheus: Prometheus, meter: UsageMeter, clock: Clock) -> None:
        self._store, self._prometheus, self._meter, self.clock = store, prometheus, meter, clock

    async def look_at_one(self, call: Call, of: LimitsOf, name: str) -> Reading[Limit]:
        _one_name(of.scope, name)
        return await self._store.read(call, of.scope, name)

    async def write_one(self, call: Call, of: LimitsOf, name: str, wanted: Limit, over: Limit, version: str) -> None:
        await self._store.write(call, of.scope, name, wanted, over, version)

    async def check(self, call: Call, order: CapsChange, to: Caps) -> None:
        """Refuses what names nobody, and what would allow more than was allowed."""
        if not order.of.names or to.each.keys() != set(order.of.names):
            raise Refused(f"a limit must name whom it concerns, and {order.of} is set for {listed(tuple(to.each)) or 'nobody'}")
        if isinstance(order, Change):
            now = await self.look_at(call, order.of)
            raised = [name for name, limit in to.each.items() if not limit.within(now.value.each[name])]
            if raised:
                what = f"{to.each[raised[0]]} instead of {now.value.each[raised[0]]}"
                raise Refused(f"{listed(tuple(raised))} would be allowed more than now ({what}): automation never raises a limit")

    async def shown(self, call: Call, of: LimitsOf, value: Caps) -> str:
        """What each really uses, against its limit."""
        said = []
        for name, limit in value.each.items():
            if limit.tokens_per_minute is None and limit.spend_usd_per_hour is None:
                continue
            used = await spent(self._prometheus, self._meter, call, of.scope, name)
            if used is None:
                said.append(f"no meter shows what {of.scope} {name} uses")
            elif over := _over(limit, used):
                raise NotYet(f"accepted, but {of.scope} {name} still uses {over}", after=again(call, MitigationSettings()))
            else:
                said.append(f"{name} uses {used}")
        return "; ".join(said)

    async def trouble(self, call: Call, order: Restore[LimitsOf, Caps], step: Caps) -> str:
        """Whoever is given more again and uses more than is usual."""
        for name, usual in order.left.usual.items():
            used = await spent(self._prometheus, self._meter, call, order.of.scope, name)
            if used is None:
                raise NotYet(
                    f"no meter shows what {name} uses: nothing is called healthy on missing data", after=again(call, order.numbers)
                )
            if used.usd_per_hour > order.numbers.spend_ratio * usual:
                return f"{name} uses {used}, and {usual:g} USD per hour are usual"
        return ""


CLAMPED = Clamps.measure("clamped")


def clamp(
    scope: Scope, limits: Mapping[str, Limit], *, store: str = "policy router", usual: Mapping[str, float] | None = None, why: str = "",
    numbers: MitigationSettings | None = None,
) -> Change[LimitsOf, Caps]:  # fmt: skip
    """The order that limits these names. `usual`: USD per hour that are usual of each."""
    named: Literal["policy router", "litellm"] = "litellm" if store == "litellm" else "policy router"
    of = LimitsOf(scope=scope, names=tuple(limits), store=named)
    return Clamps.order(of, Caps(each=dict(limits), usual=dict(usual or {})), why=why, numbers=numbers)


def _one_name(scope: str, name: str) -> None:
    if PATTERN.search(name):
        raise Refused(f"{name!r} is no name of a {scope}: a limit is set for one name, patterns such as * are not sent; name each of them")


def _over(limit: Limit, used: Spent) -> str:
    """What of it is above the limit; a little more is how a rate is measured. Empty when nothing is."""
    tokens, usd, slack = limit.tokens_per_minute, limit.spend_usd_per_hour, 1.05
    if tokens is not None and used.tokens_per_minute > tokens * slack:
        return f"{used.tokens_per_minute:.0f} tokens per minute"
    return f"{used.usd_per_hour:.2f} USD per hour" if usd is not None and used.usd_per_hour > usd * slack else ""
