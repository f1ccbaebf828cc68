"""The control plane of our own product (docs/practice-platform.md, Platform): settings with an etag and an epoch, and what it shows."""

from datetime import datetime

from activities.action import Call
from activities.kit.rest import Json, RestClient, RestLook, RestResource
from activities.kit.words.shell import Var

BASE, TOKEN = Var("PLATFORM_URL"), Var("PLATFORM_TOKEN")


class ControlPlane(RestClient):
    """Settings are written under the etag that was read; where they have an epoch, a lower one loses. Both raise `Conflict`."""

    async def changes(self, call: Call, since: datetime, until: datetime) -> Json:
        """What was changed between two instants, whatever it concerns; which kinds are covered, and which cannot be seen now."""
        return await self.get(call, "/v1/changes", since=since.isoformat(), until=until.isoformat())


class PlatformLook(RestLook, target="service/{service}"):
    """What the control plane shows."""

    base, token = BASE, TOKEN


class PartOf(PlatformLook, effect="read the {part} of {service}", path="services/{service}/{part}"):
    """A part of a service that is only shown: its `headroom`, its `schema`."""

    service: str
    part: str


class PlatformResource(RestResource):
    base, token = BASE, TOKEN

    def target(self) -> str:
        kind, *names = self.parts()
        return "/".join((kind.removesuffix("s"), *names))
