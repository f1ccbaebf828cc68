"""The control plane of our own product (docs/practice-platform.md, Platform): settings with an etag and an epoch, and what it shows."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from activities.action import Call
from activities.kit.http import HttpClient

Json = dict[str, Any]


class ControlPlane:
    """Settings are written under the etag that was read; where they have an epoch, a lower one loses. Both raise `Conflict`."""

    def __init__(self, door: HttpClient) -> None:
        self._client = door

    async def of_service(self, call: Call, service: str, part: str) -> Json:
        """A part of a service: `regions headroom gateway autoscaler write-gate dependencies schema`. Raises `Refused` for an unknown one."""
        return await self._get(call, f"/v1/services/{quote(service, safe='')}/{part}")

    async def put_of_service(self, call: Call, service: str, part: str, etag: str, body: Json) -> None:
        await self._client.write(call, "PUT", f"/v1/services/{quote(service, safe='')}/{part}", headers={"If-Match": etag}, json=body)

    async def feeds(self, call: Call, service: str) -> list[Json]:
        """The feeds that a service reads."""
        said: list[Json] = (await self._get(call, "/v1/feeds", service=service))["feeds"]
        return said

    async def feed(self, call: Call, name: str) -> Json:
        """One feed. Raises `Refused` when there is none of that name."""
        return await self._get(call, f"/v1/feeds/{quote(name, safe='')}")

    async def put_feed(self, call: Call, name: str, etag: str, body: Json) -> None:
        """Write whether its generator runs, and which version is read."""
        await self._client.write(call, "PUT", f"/v1/feeds/{quote(name, safe='')}", headers={"If-Match": etag}, json=body)

    async def changes(self, call: Call, since: datetime, until: datetime) -> Json:
        """What was changed between two instants, whatever it concerns; which kinds are covered, and which cannot be seen now."""
        return await self._get(call, "/v1/changes", since=since.isoformat(), until=until.isoformat())

    async def _get(self, call: Call, path: str, **params: Any) -> Json:
        said: Json = (await self._client.read(call, path, **params)).json()
        return said
