"""`/policy`: our own policy router: what a run, an agent, a key, a tenant, a tier or everything may use; and the quota of keys at providers.

A name is one name: the router takes no patterns, so that whoever writes has said which tenants they mean.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field

from practice.agents.budgets import SCOPES, Budgets, Key, Limit
from practice.agents.runtime import Runtime
from practice.http.face import Ask, Call, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.http.resource import Resource

FACE = own_api(
    "policy", "The policy router: limits of what agents and tenants use, one name at a time, and the quota of our keys at providers."
)
PATTERN = re.compile(r"[*?\[\]{}]")
MOST_USD = 1_000_000.0

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class LimitSet(Ask):
    """What one scope may use; null: nothing limits it. `llm_rate`: `normal`, `low`, or tokens per minute. A PSU is a thousand tokens."""

    psu_daily_cap: Amount | None
    llm_rate: Literal["normal", "low"] | Annotated[int, Field(ge=0)]
    spend_usd_per_hour: Annotated[float, Field(ge=0, le=MOST_USD, allow_inf_nan=False)] | None
    concurrency: Annotated[int, Field(ge=0)] | None


def _limits(call: Call) -> Budgets:
    """The limits, if the path names one thing that there is."""
    scope, name, runtime, budgets = call.path["scope"], call.path["name"], call.state.part(Runtime), call.state.part(Budgets)
    if scope not in SCOPES:
        raise call.refuse(404, f"there is no scope {scope}; there are {', '.join(SCOPES)}")
    if PATTERN.search(name):
        raise call.refuse(404, "a limit is of one name: patterns are not taken, name each of them")
    known: Mapping[str, Collection[str]] = {
        "run": runtime.runs, "agent": runtime.agents, "key": budgets.keys, "tenant": call.state.tenants,
        "tier": {tenant.tier for tenant in call.state.tenants.values()}, "all": {"all"},
    }  # fmt: skip
    if name not in known[scope]:
        raise call.refuse(404, f"there is no {scope} {name}")
    return budgets


def _read(call: Call) -> LimitSet:
    found = _limits(call).limit(call.path["scope"], call.path["name"])
    return LimitSet.model_validate(asdict(found))


def _set(call: Call, wanted: LimitSet) -> None:
    """Limit one name of one scope."""
    _limits(call).limits[call.path["scope"]][call.path["name"]] = Limit(**wanted.model_dump(include=set(LimitSet.model_fields)))


Resource(FACE, "limits", "/policy/v1/limits/{scope}/{name}", LimitSet, _read, epochs=False).takes(LimitSet, _set)


class Quota(Ask):
    """Tokens per minute that the provider takes with a key; null: what the contract says."""

    tokens_per_minute: Annotated[int, Field(ge=0)] | None


class KeyShown(Shown):
    """A key of ours at a provider, by its name; never the key itself. `networks`: from which the provider saw it used."""

    key: str
    provider: str
    tokens_per_minute: int | None
    networks: list[str]


class KeyList(Shown):
    keys: list[KeyShown]


def _key(call: Call) -> Key:
    found = call.state.part(Budgets).keys.get(call.path["key"])
    if found is None:
        raise call.refuse(404, f"there is no key {call.path['key']}")
    return found


def _quota(call: Call) -> Quota:
    return Quota.model_construct(tokens_per_minute=_key(call).tokens_per_minute)


def _set_quota(call: Call, wanted: Quota) -> None:
    """Set the quota of a key at its provider."""
    _key(call).tokens_per_minute = wanted.tokens_per_minute


Resource(FACE, "key_quota", "/policy/v1/provider-keys/{key}/quota", Quota, _quota, epochs=False).takes(Quota, _set_quota)


@FACE.reads("keys.list", "/policy/v1/provider-keys", models=RouteModels(shows=KeyList))
def list_keys(call: Call) -> Reply:
    """Our keys at providers, and from where they were used lately."""
    rows = [
        {"key": key.name, "provider": key.provider, "tokens_per_minute": key.tokens_per_minute, "networks": key.networks}
        for key in call.state.part(Budgets).keys.values()
    ]
    return Reply({"keys": rows})
