"""The model gateway and its ModelSelector: our own product's API in front of the model providers (docs/practice-platform.md)."""

import asyncio
import time
from collections.abc import Sequence

import httpx
from pydantic import BaseModel

from activities.action import Call
from activities.kit.http import error_code
from activities.kit.rest import Json, RestClient
from activities.kit.words import urls
from activities.models.logs import ErrorClass
from activities.models.routes import RouteState

VANTAGE = "second-network"  # the network that probes come from: not our own


class Completion(BaseModel):
    """One answer of the data plane. `served_by` and `mode` are empty where nobody said; `reached` is false when no answer came at all."""

    error_class: ErrorClass
    milliseconds: float
    served_by: str = ""  # the provider, without its region
    mode: str = ""
    reached: bool = True


class ModelGateway(RestClient):
    """Routes, client policy, the gateway's logs, and completions. Windows and leases are in policy seconds."""

    async def route(self, call: Call, alias: str) -> RouteState:
        said = await self.get(call, urls.path("v1", "routes", alias))
        lease = said.pop("lease") or {}
        said.pop("changed_by", None)
        return RouteState(**said, leased_until=lease.get("expires_at"), safe_weights=lease.get("safe_weights", {}))

    async def put_route(self, call: Call, alias: str, part: str, etag: str, body: Json) -> None:
        """Write the `weights` or the `modes`. Raises `Conflict` when the version or the epoch is not the one that we read."""
        await self.put(call, urls.path("v1", "routes", alias, part), etag, body)

    async def renew_lease(self, call: Call, alias: str, epoch: int, seconds: float) -> None:
        """Renew the lease of an epoch. Raises `Conflict` when the epoch is not the route's, or when nothing is leased (any more)."""
        await self._http.write(call, "POST", urls.path("v1", "routes", alias, "lease"), json={"epoch": epoch, "seconds": seconds})

    async def known(self, call: Call) -> tuple[dict[str, Json], list[Json]]:
        """Every provider with its attributes, by name; and every tenant with what it allows."""
        providers, tenants = await asyncio.gather(self.get(call, "/v1/providers"), self.get(call, "/v1/tenants"))
        return {row["name"]: row for row in providers["providers"]}, tenants["tenants"]

    async def probe(
        self, call: Call, route: str, provider: str, tenants: Sequence[str], times: int, vantage: str = VANTAGE
    ) -> list[Completion]:
        """Completions pinned to a provider, as these tenants in turn. Without tenants there is none: a probe is a request too (INV-13)."""
        asked = (
            self.complete(call, route, tenants[i % len(tenants)], provider=provider, vantage=vantage)
            for i in range(times if tenants else 0)
        )
        return await asyncio.gather(*asked)

    async def complete(self, call: Call, route: str, tenant: str, *, provider: str = "", vantage: str = "") -> Completion:
        """A small real completion for a tenant; `provider` pins it, `vantage` is the network that it comes from. Never raises."""
        named = {"X-Tenant": tenant, "X-Provider": provider, "X-Vantage": vantage}
        headers = {name: value for name, value in named.items() if value}
        prompt = {"model": route, "messages": [{"role": "user", "content": "ping"}]}
        began = time.monotonic()
        try:
            said = await self._http.ask(call, "POST", "/v1/chat/completions", headers=headers, json=prompt)
        except httpx.TransportError as broke:
            met = ErrorClass.TIMEOUT if isinstance(broke, httpx.TimeoutException) else ErrorClass.OVERLOAD
            return Completion(error_class=met, milliseconds=_since(began), reached=False)
        by = said.headers.get("x-served-by", "").partition("@")[0]
        return Completion(error_class=classify(said), milliseconds=_since(began), served_by=by, mode=said.headers.get("x-mode", ""))


def permitting(provider: Json, tenants: Sequence[Json]) -> tuple[str, ...]:
    """The tenants that allow the provider in a region that it has."""
    places = {f"{provider['name']}@{region}" for region in provider["regions"]}
    return tuple(tenant["name"] for tenant in tenants if places & set(tenant["allowed"]))


def classify(said: httpx.Response) -> ErrorClass:
    """The error class of an answer, by status, headers and body code (spec §9.2)."""
    status, code = said.status_code, error_code(said)
    if status < 400:
        return ErrorClass.OK
    if code in ("spend_cap", "insufficient_quota", "billing_hard_limit_reached"):
        return ErrorClass.SPEND_CAP
    if status == 429:
        return ErrorClass.RATE_LIMIT if "Retry-After" in said.headers else ErrorClass.SPEND_CAP
    if status in (408, 504):
        return ErrorClass.TIMEOUT
    if status in (401, 403):
        return ErrorClass.AUTH
    if status == 400:
        return ErrorClass.CONTENT_FILTER if code == "content_filter" else ErrorClass.BAD_REQUEST
    return ErrorClass.OVERLOAD if status >= 500 else ErrorClass.UNCLASSIFIED


def _since(began: float) -> float:
    return (time.monotonic() - began) * 1000
