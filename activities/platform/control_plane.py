"""The control plane of our own product (docs/practice-platform.md, Platform): settings with an etag and an epoch, and what it shows."""

from datetime import datetime
from typing import Any, ClassVar

from activities.action import Call
from activities.kit.rest import RestClient, RestResource
from activities.kit.words.shell import Command, Var, address, curl
from activities.kit.words.urls import path, query

Json = dict[str, Any]
BASE, TOKEN = Var("PLATFORM_URL"), Var("PLATFORM_TOKEN")


class ControlPlane(RestClient):
    """Settings are written under the etag that was read; where they have an epoch, a lower one loses. Both raise `Conflict`."""

    async def of_service(self, call: Call, service: str, part: str) -> Json:
        """A part of a service: `regions headroom gateway autoscaler write-gate dependencies schema`. Raises `Refused` for an unknown one."""
        return await self.get(call, of_service(service, part))

    async def feeds(self, call: Call, service: str) -> list[Json]:
        said: list[Json] = (await self.get(call, "/v1/feeds", service=service))["feeds"]
        return said

    async def changes(self, call: Call, since: datetime, until: datetime) -> Json:
        """What was changed between two instants, whatever it concerns; which kinds are covered, and which cannot be seen now."""
        return await self.get(call, "/v1/changes", since=since.isoformat(), until=until.isoformat())


class PlatformResource(RestResource):
    base: ClassVar[Var] = BASE
    token: ClassVar[Var] = TOKEN

    def target(self) -> str:
        kind, *names = self.parts()
        return "/".join((kind.removesuffix("s"), *names))


def of_service(service: str, part: str) -> str:
    return path("v1", "services", service, part)


def read_by_hand(path: str, **asked: object) -> Command:
    """A shell command that shows what stands at a path."""
    return curl("GET", address(BASE, path, query(asked)), ("Authorization: Bearer ", TOKEN))
