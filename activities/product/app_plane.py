"""The product's own plane: what a customer meets. Another path than the control planes, and therefore a proof."""

from typing import Any

import httpx

from activities.action import Call
from activities.kit.http import HttpClient, outcome
from activities.kit.words import urls


class AppPlane:
    def __init__(self, door: HttpClient) -> None:
        self._client = door

    async def high_psu_tool_answers(self, call: Call) -> bool:
        """Call an expensive tool: false when the product refuses it with `tool_disabled`. Any other failure raises."""
        said = await self._client.ask(call, "POST", "/tools/high-psu/call", json={})
        if said.status_code == 403 and "tool_disabled" in said.text:
            return False
        outcome(said)
        return True

    async def running(self, call: Call, part: str) -> bool:
        said: dict[str, Any] = (await self._client.read(call, urls.path(part))).json()
        return bool(said["running"])

    async def chat(self, call: Call, tenant: str) -> httpx.Response:
        """Ask as one tenant. Headers `x-mode` and `x-served-by` say how it was answered."""
        return await self._client.ask(call, "POST", "/chat", headers={"X-Tenant": tenant}, json={"message": "ping"})

    async def knowledge(self, call: Call, domain: str) -> dict[str, Any]:
        """What the product itself answers from: `answers` (cache, index or unavailable), `namespace`, `index`, and what it may cite."""
        said: dict[str, Any] = (await self._client.read(call, urls.path("knowledge", domain))).json()
        return said

    async def fallback(self, call: Call) -> dict[str, Any]:
        """What the product does while its model does not answer: `cached_answers`."""
        said: dict[str, Any] = (await self._client.read(call, "/fallback")).json()
        return said
