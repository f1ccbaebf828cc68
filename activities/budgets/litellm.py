"""The LiteLLM proxy's management API (docs.litellm.ai): limits of keys and teams. A team is a tenant; a key is named by its hash.

It has no versions: a late write is told from a new one by nothing. A budget of another period than an hour is one that we do not touch: what is
left of it could not be put back.
"""

from typing import Any

from activities.action import Call, Refused
from activities.budgets.by_hand import HOUR, KINDS, litellm_fields
from activities.budgets.limit import LOW_TOKENS, Limit
from activities.kit.http import HttpClient
from activities.kit.setting import Reading


class LiteLLM:
    """Keys and teams of one proxy. Its token is that of a proxy administrator."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def read(self, call: Call, scope: str, name: str) -> Reading[Limit]:
        info = await self._info(call, scope, name)
        hourly = info["max_budget"] if info["budget_duration"] == HOUR else None
        tokens = info["tpm_limit"]
        limit = Limit(
            llm_rate="normal" if tokens is None else "low" if tokens == LOW_TOKENS else tokens,
            spend_usd_per_hour=0.0 if info["blocked"] else hourly,
            concurrency=info["max_parallel_requests"],
        )
        return Reading[Limit](value=limit)

    async def write(self, call: Call, scope: str, name: str, limit: Limit, over: Limit, version: str) -> None:
        """The limits in one request, a block in another. What it cannot keep is refused before anything is sent."""
        if limit.psu_daily_cap is not None:
            raise Refused("LiteLLM counts no PSU: limit the spend per hour or the tokens per minute")
        if scope == "tenant" and limit.concurrency is not None:
            raise Refused("LiteLLM counts no parallel calls of a team: limit them at its keys, or limit its tokens per minute")
        info = await self._info(call, scope, name)
        if info["max_budget"] is not None and info["budget_duration"] != HOUR and limit.spend_usd_per_hour != over.spend_usd_per_hour:
            period = info["budget_duration"] or "all time"
            raise Refused(
                f"{scope} {name} has a budget of {info['max_budget']:g} USD for {period}, which would be lost: limit its tokens per minute"
            )
        kind, field = KINDS[scope]
        wanted = litellm_fields(kind, limit.model_dump())
        if info["budget_duration"] != HOUR:
            wanted = {
                key: value for key, value in wanted.items() if limit.spend_usd_per_hour or key not in ("max_budget", "budget_duration")
            }
        await self._post(call, f"/{kind}/update", {field: name, **wanted})
        blocked = limit.spend_usd_per_hour == 0
        if blocked != bool(info["blocked"]):
            await self._post(call, f"/{kind}/{'block' if blocked else 'unblock'}", {field: name})

    async def who(self, call: Call) -> str:
        """The role of our token."""
        said = (await self._http.read(call, "/key/info")).json()
        return str((said.get("info") or {}).get("user_role") or "unknown")

    async def _info(self, call: Call, scope: str, name: str) -> dict[str, Any]:
        if scope not in KINDS:
            raise Refused(f"LiteLLM keeps no limits of a {scope}: limit its key or its team")
        kind, field = KINDS[scope]
        named: dict[str, Any] = {field: name}
        said = (await self._http.read(call, f"/{kind}/info", **named)).json()
        found: dict[str, Any] = said["info" if kind == "key" else "team_info"]
        known = ("max_budget", "budget_duration", "tpm_limit", "max_parallel_requests", "blocked")
        return {key: found.get(key) for key in known}

    async def _post(self, call: Call, path: str, body: dict[str, Any]) -> None:
        await self._http.write(call, "POST", path, json=body)
