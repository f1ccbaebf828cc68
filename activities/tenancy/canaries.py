"""The product as canary tenants meet it: they read by its own doors, with their own sign-in. Nobody else's data is ever looked at."""

from typing import Any

import httpx

from activities.action import Call, Value
from activities.kit.http import HttpClient, error_code, outcome
from activities.kit.words.urls import path

ORIGIN = {"X-Door": "origin"}
REFUSED_AS = {"endpoint_denied", "surface_offline"}  # the agreed errors of what we have closed


class Met(Value):
    """One read. Status 0: no answer. `owner`: whose object came back; `cache`: what the answer says that it came from."""

    status: int
    owner: str = ""
    cache: str = ""
    error: str = ""

    @property
    def got(self) -> bool:
        return self.status == httpx.codes.OK

    @property
    def denied(self) -> bool:
        """Refused as agreed, whoever asks."""
        return self.error in REFUSED_AS

    @property
    def kept_out(self) -> bool:
        """An answer that gives nothing away: not there, or not yours."""
        return self.denied or self.status in (httpx.codes.NOT_FOUND, httpx.codes.FORBIDDEN)


class CanaryDoor:
    """Reads as a canary tenant, pinned to a region. Never raises for what the product answers: that is the finding."""

    def __init__(self, door: HttpClient) -> None:
        self._client = door

    async def read(self, call: Call, service: str, region: str, viewer: str, endpoint: str, owner: str, *, behind: bool = False) -> Met:
        """The object of `owner` at an endpoint, as `viewer`. `behind`: past the gateway, which may deny it to everybody else."""
        where = path(service, "objects", endpoint, f"{owner}.{endpoint}")
        try:
            said = await self._client.ask(call, "GET", where, headers={**_as(viewer, region), **(ORIGIN if behind else {})})
        except httpx.TransportError:
            return Met(status=0)
        owns = str(_json(said).get("owner", "")) if said.status_code == httpx.codes.OK else ""
        return Met(status=said.status_code, owner=owns, cache=said.headers.get("x-cache", ""), error=error_code(said) if not owns else "")

    async def who(self, call: Call, service: str, region: str, viewer: str) -> str:
        """Whom the product takes this canary for; empty: no answer."""
        try:
            said = await self._client.ask(call, "GET", path(service, "whoami"), headers=_as(viewer, region))
        except httpx.TransportError:
            return ""
        return str(_json(said).get("tenant", "")) if said.status_code == httpx.codes.OK else ""

    async def tags(self, call: Call, service: str, region: str, viewer: str, endpoint: str) -> tuple[int, int]:
        """Of so many hits of a shared cache: how many bore another tenant's tag."""
        said = outcome(await self._client.ask(call, "GET", path(service, "tags", endpoint), headers=_as(viewer, region))).json()
        return int(said["hits"]), int(said["foreign"])


def _as(viewer: str, region: str) -> dict[str, str]:
    return {"X-Tenant": viewer, "X-Region": region}


def _json(said: httpx.Response) -> dict[str, Any]:
    try:
        found = said.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
