"""Patroni's REST API (patroni.readthedocs.io/en/latest/rest_api.html): every node answers for the whole cluster."""

from collections.abc import Sequence
from typing import Any

import httpx

from activities.action import Call, NotYet, Refused
from activities.databases.seen import Promoter
from activities.kit.http import HttpClient
from activities.kit.operation import At, Progress
from activities.kit.rest import Json

LEADS = ("leader", "master", "standby_leader")


class Patroni:
    """The first node that answers is asked: the one that is dead does not."""

    def __init__(self, nodes: Sequence[HttpClient]) -> None:
        self._nodes = nodes

    async def state(self, call: Call) -> Promoter:
        config, cluster = await self._read(call, "/config"), await self._read(call, "/cluster")
        leader = next((one["name"] for one in cluster["members"] if one["role"] in LEADS), None)
        return Promoter(name="patroni", paused=bool(config.get("pause")), leader=leader, leader_ttl_s=config.get("ttl"))

    async def pause(self, call: Call, paused: bool) -> None:
        """A key that is null is taken away: so does `patronictl resume`."""
        await self._write(call, "PATCH", "/config", {"pause": True if paused else None})

    async def promoted(self, call: Call, node: str) -> str | None:
        """By its role: a failover has no id."""
        return node if (await self._member(call, node)).get("role") in LEADS else None

    async def promote(self, call: Call, node: str) -> str:
        """A failover to this very node. 412 and 503 are a no: Patroni says why in its body."""
        await self._write(call, "POST", "/failover", {"candidate": node})
        return node

    async def progress(self, call: Call, id: str) -> Progress:
        member = await self._member(call, id)
        leads = member.get("role") in LEADS and member.get("state") == "running"
        return Progress(
            at=At.DONE if leads else At.RUNNING, says=f"timeline {member.get('timeline')}", after={"timeline": member.get("timeline")}
        )

    async def fence(self, call: Call, node: str) -> Json | None:
        return None

    async def set_fence(self, call: Call, node: str, etag: str, fenced: bool) -> None:
        raise Refused("Patroni fences nobody: its watchdog does, or what stops the machine")

    async def _member(self, call: Call, node: str) -> Json:
        members = (await self._read(call, "/cluster"))["members"]
        found = next((one for one in members if one["name"] == node), None)
        if found is None:
            raise Refused(f"Patroni knows no member {node}; it knows {', '.join(one['name'] for one in members)}")
        return dict(found)

    async def _read(self, call: Call, path: str) -> Json:
        said: Json = (await self._of_any(lambda node: node.read(call, path))).json()
        return said

    async def _write(self, call: Call, method: str, path: str, body: Json) -> None:
        await self._of_any(lambda node: node.write(call, method, path, json=body))

    async def _of_any(self, ask: Any) -> httpx.Response:
        """Only where no connection comes about is the next one asked: anything else may have been done."""
        for node in self._nodes:
            try:
                answer: httpx.Response = await ask(node)
            except httpx.ConnectError:
                continue
            return answer
        raise NotYet("no node of Patroni answers")
