"""What a customer meets at the edge of a service, and which build it came from (the headers `x-revision` and `x-region`)."""

import httpx
from pydantic import BaseModel

from activities.action import Call
from activities.clients.http import Door


class Met(BaseModel):
    """One answer. Status 0: none came. Revision and region are empty where the answer does not say."""

    status: int
    revision: str = ""
    region: str = ""


class EdgeProbe:
    """Requests as customers make them, without credentials. `X-Region` pins the region that must answer."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def meet(self, call: Call, service: str, region: str) -> Met:
        """One request to a service in a region. Never raises: no answer is a finding too."""
        try:
            said = await self._door.ask(call, "GET", f"/{service}/", headers={"X-Region": region})
        except httpx.TransportError:
            return Met(status=0)
        return Met(status=said.status_code, revision=said.headers.get("x-revision", ""), region=said.headers.get("x-region", ""))
