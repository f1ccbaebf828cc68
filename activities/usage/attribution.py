"""Whose the spending is: by tenant, agent, model and key, by trace; our own meters against the providers'; against what is usual (A.6 T1).

Every number may be unknown, which is a value. A meter that is missing, stale, negative or no number is unknown, and never nothing.
"""

import asyncio
import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta

from activities.action import Call, Order, System, action
from activities.kit.words import promql
from activities.kit.words.shell import Command
from activities.metrics import queries
from activities.metrics.prometheus import Prometheus, Sample
from activities.usage.spend_reading import KeyUse, Line, Offender, PsuUse, SpendReading, TraceUse, UserCount
from activities.usage.spending import FRESH
from activities.usage.usage_meter import Metered, UsageMeter

BY = ("tenant", "agent", "model", "key")
SHOWN = 10  # offenders and traces: those that matter most


class Spending(Order, target="service/{service}/spending", effect="read what the agents of {service} spend, and whose it is"):
    """Read the meters over a window (policy time) that ends now."""

    service: str
    window: timedelta = timedelta(minutes=5)

    def by_hand(self) -> tuple[str, ...]:
        return tuple(_asked(query) for query in _queries(self).values())


class Usage(System):
    """What is spent, and whose it is."""

    def __init__(self, prometheus: Prometheus, meter: UsageMeter) -> None:
        self._prometheus, self._meter = prometheus, meter

    @action("usage.spending")
    async def spending(self, order: Spending, call: Call) -> SpendReading:
        """The meters side by side. What a meter cannot say is unknown."""
        asked = _queries(order)
        answers = await asyncio.gather(*(self._prometheus.query(call, query, call.at) for query in asked.values()))
        metered = await self._meter.traces(call)
        return Meters(dict(zip(asked, answers, strict=True))).reading(order, metered, call)


class Meters:
    """Samples of each meter, by its name; what cannot be is left out, and named."""

    def __init__(self, found: Mapping[str, list[Sample]]) -> None:
        self.broken = tuple(name for name, samples in found.items() if any(not _possible(one.value) for one in samples))
        self._found = {name: [one for one in samples if _possible(one.value)] for name, samples in found.items()}

    def reading(self, order: Spending, metered: Metered, call: Call) -> SpendReading:
        lines = self._lines()
        offenders = self._offenders(lines)
        known: dict[str, float] = defaultdict(float)
        for (tenant, _), usd in self._by("usual", "tenant", "agent").items():
            known[tenant] += usd
        return SpendReading(
            service=order.service, lines=lines, offenders=offenders, keys=self._keys(lines), psu=self._psu(), users=self._users(),
            traces=_spending_most(metered), usual=sum(known.values()) or None, usual_by_tenant=dict(known),
            attributed=_attributed(lines, metered, call), broken=self.broken, at=call.at,
        )  # fmt: skip

    def _by(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        return {tuple(one.labels.get(label, "") for label in labels): one.value for one in self._found[name]}

    def _lines(self) -> tuple[Line, ...]:
        """What has both meters: money without tokens, or tokens without money, says that one of them is missing."""
        usd, tokens = self._by("usd", *BY), self._by("tokens", *BY)
        found = [
            Line(**dict(zip(BY, names, strict=True)), usd_per_hour=usd[names] * 3600, tokens_per_minute=tokens[names] * 60)
            for names in usd.keys() & tokens.keys()
        ]
        return tuple(sorted(found, key=lambda line: (-line.usd_per_hour, line.tenant, line.agent, line.model, line.key)))

    def _offenders(self, lines: tuple[Line, ...]) -> tuple[Offender, ...]:
        usual, whose = self._by("usual", "tenant", "agent"), defaultdict(list)
        for line in lines:
            whose[line.tenant, line.agent].append(line)
        found = [
            Offender(
                tenant=tenant, agent=agent, usd_per_hour=sum(one.usd_per_hour for one in mine),
                tokens_per_minute=sum(one.tokens_per_minute for one in mine), usual=usual.get((tenant, agent)),
                keys=tuple(sorted({one.key for one in mine})),
            )
            for (tenant, agent), mine in whose.items()
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda one: (-one.excess, one.tenant, one.agent))[:SHOWN])

    def _keys(self, lines: tuple[Line, ...]) -> tuple[KeyUse, ...]:
        theirs = self._by("provider", "provider", "key")
        ours: dict[str, float] = defaultdict(float)
        for line in lines:
            ours[line.key] += line.tokens_per_minute
        named = {key: provider for provider, key in theirs} | {key: "" for key in ours if key not in {one for _, one in theirs}}
        return tuple(
            KeyUse(
                key=key, provider=provider, own=ours[key] if lines else None,
                provider_meter=theirs[provider, key] * 60 if (provider, key) in theirs else None,
            )
            for key, provider in sorted(named.items())
        )  # fmt: skip

    def _psu(self) -> tuple[PsuUse, ...]:
        used, caps = self._by("psu_used", "tenant"), self._by("psu_cap", "tenant")
        return tuple(PsuUse(tenant=name[0], used=used.get(name), cap=caps.get(name)) for name in sorted(used.keys() | caps.keys()))

    def _users(self) -> tuple[UserCount, ...]:
        now, before = self._by("users", "tenant"), self._by("users_last_week", "tenant")
        return tuple(
            UserCount(tenant=name[0], now=now.get(name), last_week=before.get(name)) for name in sorted(now.keys() | before.keys())
        )


def _possible(value: float) -> bool:
    return math.isfinite(value) and value >= 0


def _spending_most(metered: Metered) -> tuple[TraceUse, ...]:
    return tuple(
        TraceUse(trace=one.trace, tenant=one.tenant, agent=one.agent, usd_per_hour=one.usd_per_hour)
        for one in metered.traces[:SHOWN] if one.usd_per_hour > 0
    )  # fmt: skip


def _attributed(lines: tuple[Line, ...], metered: Metered, call: Call) -> float | None:
    """The share of the spending that is somebody's, by labels and by traces: the lesser counts. Both are rates; by traces it is that of now."""
    whole = sum(line.usd_per_hour for line in lines)
    if not whole or metered.stale(call, FRESH):
        return None
    labelled = sum(line.usd_per_hour for line in lines if line.tenant and line.agent and line.key) / whole
    traced = sum(one.usd_per_hour for one in metered.traces if one.tenant and one.agent and one.key)
    every = sum(one.usd_per_hour for one in metered.traces)
    return min(labelled, traced / every if every else 0.0)


def _queries(order: Spending) -> dict[str, str]:
    def rate(name: str, *by: str) -> str:
        return promql.total(promql.rate(promql.selector(name, service=order.service), order.window), *by)

    gauges = {
        "usual": "llm_spend_usd_per_hour_usual", "psu_used": "tenant_psu_used_today", "psu_cap": "tenant_psu_daily_cap",
        "users": "users_active", "users_last_week": "users_active_last_week",
    }  # fmt: skip
    return {
        "usd": rate("llm_spend_usd_total", *BY),
        "tokens": rate("llm_tokens_total", *BY),
        "provider": rate("provider_meter_tokens_total", "provider", "key"),
        **{name: promql.selector(metric, service=order.service) for name, metric in gauges.items()},
    }


def _asked(query: str) -> Command:
    return queries.by_hand("query", query=query)
