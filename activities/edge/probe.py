"""What a customer meets at the edge of a service, and which build it came from (the headers `x-revision` and `x-region`)."""

from typing import Any

import httpx
from pydantic import BaseModel

from activities.action import Call
from activities.kit.http import HttpClient, error_code


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

    async def meet(self, call: Call, service: str, region: str = "", vantage: str = "", page: str = "", json: Any = None) -> Met:
        """One request to a service: a POST, if there is something to send. The balancer chooses the region where none is named.

        Never raises: no answer is a finding too. `vantage`: the network that it comes from.
        """
        headers = {name: value for name, value in (("X-Region", region), ("X-Vantage", vantage)) if value}
        try:
            said = await self._client.ask(call, "POST" if json else "GET", f"/{service}/{page}", headers=headers, json=json)
        except httpx.TransportError:
            return Met(status=0)
        revision, where = said.headers.get("x-revision", ""), said.headers.get("x-region", "")
        return Met(status=said.status_code, revision=revision, region=where, error=error_code(said) if said.status_code >= 400 else "")

    async def write(self, call: Call, service: str, region: str) -> Met:
        """A customer's write, marked as a probe. It has no effect that anybody keeps. Never raises."""
        return await self.meet(call, service, region, page="items", json={"probe": True})

    async def status(self, call: Call, service: str, region: str) -> dict[str, Any] | None:
        """What a region says of itself from inside: `ok revisions ready replicas dependencies`. None when it does not answer."""
        try:
            said = await self._client.ask(call, "GET", f"/{service}/regions/{region}/status")
            found: dict[str, Any] = said.json()
        except (httpx.TransportError, ValueError):
            return None
        return found if "ok" in found else None
