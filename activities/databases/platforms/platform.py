"""What a cluster of PostgreSQL may be run by. Where it is, nothing is promoted past it."""

from typing import Protocol

from activities.action import Call
from activities.databases.seen import Promoter
from activities.kit.operation import Progress
from activities.kit.rest import Json


class Platform(Protocol):
    async def state(self, call: Call) -> Promoter: ...
    async def pause(self, call: Call, paused: bool) -> None: ...

    async def promoted(self, call: Call, node: str) -> str | None:
        """The id of the promotion of a node, done or going on; None only when there surely is none."""

    async def promote(self, call: Call, node: str) -> str: ...
    async def progress(self, call: Call, id: str) -> Progress: ...

    async def fence(self, call: Call, node: str) -> Json | None:
        """The fence of a node as it is; None: it has none of its own."""

    async def set_fence(self, call: Call, node: str, etag: str, fenced: bool) -> None: ...
