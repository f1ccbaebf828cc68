"""What a customer meets at the edge of a service, and which build it came from (the headers `x-revision` and `x-region`)."""

from typing import Any

import httpx
from pydantic import BaseModel

from activities.action import Call
from activities.kit.http import HttpClient


class Met(BaseModel):
    """One answer. Status 0: none came. Revision and region are empty where the answer does not say, as is the code of an error."""

    status: int
    revision: str = ""
    region: str = ""
    error: str = ""

    @property
    def ok(self) -> bool:
        """True when a customer would be content."""
        return 200 <= self.status < 300


class EdgeProbe:
    """Requests as customers make them, without credentials. `X-Region` pins the region that must answer."""

    def __init__(self, door: HttpClient) -> None:
        self._client = door

    async def meet(self, call: Call, service: str, region: str = "", vantage: str = "") -> Met:
        """One request to a service; wherever the balancer sends it when no region is named. Never raises: no answer is a finding too."""
        return await self._meet(call, "GET", f"/{service}/", region, vantage)

    async def health(self, call: Call, service: str, region: str = "", vantage: str = "") -> Met:
        """The health page from outside, through the balancer, as the network `vantage` sees it. Never raises."""
        return await self._meet(call, "GET", f"/{service}/healthz", region, vantage)

    async def write(self, call: Call, service: str, region: str) -> Met:
        """A customer's write, marked as a probe. It has no effect that anybody keeps. Never raises."""
        return await self._meet(call, "POST", f"/{service}/items", region, json={"probe": True})

    async def status(self, call: Call, service: str, region: str) -> dict[str, Any] | None:
        """What a region says of itself from inside: `ok revisions ready replicas dependencies`. None when it does not answer."""
        try:
            said = await self._client.ask(call, "GET", f"/{service}/regions/{region}/status")
            found: dict[str, Any] = said.json()
        except (httpx.TransportError, ValueError):
            return None
        return found if "ok" in found else None

    async def _meet(self, call: Call, method: str, path: str, region: str, vantage: str = "", json: Any = None) -> Met:
        headers = {name: value for name, value in (("X-Region", region), ("X-Vantage", vantage)) if value}
        try:
            said = await self._client.ask(call, method, path, headers=headers, json=json)
        except httpx.TransportError:
            return Met(status=0)
        return Met(
            status=said.status_code,
            revision=said.headers.get("x-revision", ""),
            region=said.headers.get("x-region", ""),
            error=_error(said) if said.status_code >= 400 else "",
        )


def _error(said: httpx.Response) -> str:
    try:
        found = said.json()["error"]
        return str(found.get("code", "") if isinstance(found, dict) else found)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""  # an error page of something in between: the status alone must do
