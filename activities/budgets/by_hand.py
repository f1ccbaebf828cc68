"""How a person reads a limit, or sets it, without us: at the policy router, and in LiteLLM."""

from typing import Any

from activities.kit.rest import RestResource
from activities.kit.words.shell import Command, Var, address, comment, curl
from activities.kit.words.urls import query

BASE, TOKEN = Var("POLICY_URL"), Var("POLICY_TOKEN")
LITELLM, LITELLM_TOKEN = Var("LITELLM_URL"), Var("LITELLM_TOKEN")
HOUR = "1h"


class LimitOf(RestResource, path="limits/{scope}/{name}", called="the limit of {scope} {name}"):
    """One limit at the policy router. It has no epoch: its etag changes with every write."""

    base, token, epochs = BASE, TOKEN, False

    scope: str
    name: str


def by_router(scope: str, name: str, limit: dict[str, Any] | None) -> tuple[Command, ...]:
    of = LimitOf(scope=scope, name=name)
    lines = of.read_by_hand() if limit is None else of.put_by_hand(limit)
    return tuple(map(Command, lines))


def by_litellm(scope: str, name: str, limit: dict[str, Any] | None) -> tuple[Command, ...]:
    kind, field = KINDS.get(scope, ("", ""))
    if not kind:
        return (comment(f"LiteLLM keeps no limits of a {scope}: limit its key or its team"),)
    bearer = ("Authorization: Bearer ", LITELLM_TOKEN)
    if limit is None:
        return (curl("GET", address(LITELLM, f"/{kind}/info", query({field: name})), bearer),)
    block = "block" if limit["spend_usd_per_hour"] == 0 else "unblock"
    return (
        curl("POST", address(LITELLM, f"/{kind}/update"), bearer, body={field: name, **litellm_fields(kind, limit)}),
        curl("POST", address(LITELLM, f"/{kind}/{block}"), bearer, body={field: name}),
    )


# Which of LiteLLM's things a scope is, and what names it there.
KINDS = {"key": ("key", "key"), "tenant": ("team", "team_id")}


def litellm_fields(kind: str, limit: dict[str, Any]) -> dict[str, Any]:
    """A limit as LiteLLM has it. `low` is a number there; nothing at all is a block, which is a call of its own; a team counts no parallel calls."""
    usd, rate = limit["spend_usd_per_hour"], limit["llm_rate"]
    fields: dict[str, Any] = {
        "max_budget": usd or None, "budget_duration": HOUR if usd else None,
        "tpm_limit": None if rate == "normal" else 5000 if rate == "low" else rate,
    }  # fmt: skip
    return fields | ({"max_parallel_requests": limit["concurrency"]} if kind == "key" else {})
