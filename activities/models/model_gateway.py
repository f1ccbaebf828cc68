"""The model gateway and its ModelSelector: our own product's API in front of the model providers (docs/practice-platform.md)."""

import time
from typing import Any

import httpx
from pydantic import BaseModel

from activities.action import Call
from activities.kit.http import HttpClient
from activities.kit.words import urls
from activities.models.logs import ErrorClass
from activities.models.routes import RouteState

Json = dict[str, Any]


class Completion(BaseModel):
    """One answer of the data plane. `served_by` and `mode` are empty where nobody said; `reached` is false when no answer came at all."""

    error_class: ErrorClass
    milliseconds: float
    served_by: str = ""  # the provider, without its region
    mode: str = ""
    reached: bool = True


class ModelGateway:
    """Routes, client policy, the gateway's logs, and completions. Windows and leases are in policy seconds."""

    def __init__(self, door: HttpClient) -> None:
        self._client = door

    async def route(self, call: Call, alias: str) -> RouteState:
        """A route, with its version and epoch."""
        said = await self._get(call, urls.path("v1", "routes", alias))
        lease = said.pop("lease") or {}
        said.pop("changed_by", None)
        return RouteState(**said, leased_until=lease.get("expires_at"), safe_weights=lease.get("safe_weights", {}))

    async def put_weights(self, call: Call, alias: str, etag: str, body: Json) -> None:
        """Write weights. Raises `Conflict` when the version or the epoch is not the one that we read."""
        await self._put(call, urls.path("v1", "routes", alias, "weights"), etag, body)

    async def put_modes(self, call: Call, alias: str, etag: str, body: Json) -> None:
        """Write modes. Raises `Conflict` as `put_weights` does."""
        await self._put(call, urls.path("v1", "routes", alias, "modes"), etag, body)

    async def renew_lease(self, call: Call, alias: str, epoch: int, seconds: float) -> None:
        """Renew the lease of an epoch. Raises `Conflict` when the epoch is not the route's, or when nothing is leased (any more)."""
        await self._client.write(call, "POST", urls.path("v1", "routes", alias, "lease"), json={"epoch": epoch, "seconds": seconds})

    async def providers(self, call: Call) -> list[Json]:
        """Every provider with its attributes."""
        said: list[Json] = (await self._get(call, "/v1/providers"))["providers"]
        return said

    async def tenants(self, call: Call) -> list[Json]:
        """Every tenant with what it allows."""
        said: list[Json] = (await self._get(call, "/v1/tenants"))["tenants"]
        return said

    async def calls(self, call: Call, route: str, window: float) -> Json:
        """The gateway's own log of calls to providers, over a window."""
        return await self._get(call, "/v1/calls", route=route, window=f"{window:g}")

    async def served(self, call: Call, route: str, window: float) -> Json:
        """The data plane's log of who was served by whom, over a window."""
        return await self._get(call, "/v1/served", route=route, window=f"{window:g}")

    async def complete(self, call: Call, route: str, tenant: str, *, provider: str = "", vantage: str = "") -> Completion:
        """A small real completion for a tenant; `provider` pins it, `vantage` is the network that it comes from. Never raises."""
        named = {"X-Tenant": tenant, "X-Provider": provider, "X-Vantage": vantage}
        headers = {name: value for name, value in named.items() if value}
        prompt = {"model": route, "messages": [{"role": "user", "content": "ping"}]}
        began = time.monotonic()
        try:
            said = await self._client.ask(call, "POST", "/v1/chat/completions", headers=headers, json=prompt)
        except httpx.TransportError as broke:
            met = ErrorClass.TIMEOUT if isinstance(broke, httpx.TimeoutException) else ErrorClass.OVERLOAD
            return Completion(error_class=met, milliseconds=_since(began), reached=False)
        by = said.headers.get("x-served-by", "").partition("@")[0]
        return Completion(error_class=classify(said), milliseconds=_since(began), served_by=by, mode=said.headers.get("x-mode", ""))

    async def _get(self, call: Call, path: str, **params: Any) -> Json:
        said: Json = (await self._client.read(call, path, **params)).json()
        return said

    async def _put(self, call: Call, path: str, etag: str, body: Json) -> None:
        await self._client.write(call, "PUT", path, headers={"If-Match": etag}, json=body)


def classify(said: httpx.Response) -> ErrorClass:
    """The error class of an answer, by status, headers and body code (spec §9.2)."""
    status, code = said.status_code, _code(said)
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


def _code(said: httpx.Response) -> str:
    try:
        error = said.json()["error"]
        return str(error["code"])
    except (ValueError, KeyError, TypeError):
        return ""  # an error page of something in between: the status alone must do


def _since(began: float) -> float:
    return (time.monotonic() - began) * 1000
