"""The inventory of credentials and those who check keys, by our own contract (docs/api/credentials.json)."""

import httpx

from activities.action import Call
from activities.kit.http import HttpClient, outcome
from activities.kit.rest import Json, RestClient
from activities.kit.words.urls import path
from activities.secrets.hidden import Hidden


class CredentialsPlane(RestClient):
    def __init__(self, http: HttpClient) -> None:
        super().__init__(http)
        self._client = http

    async def find(self, call: Call, of: str) -> Json | None:
        """None: there is no such thing (404)."""
        return await self._client.find(call, of)

    async def taken(self, call: Call, verifier: str, value: Hidden) -> bool:
        """Whether a key is let in where it is checked."""
        where = path("v1", "verifiers", verifier, "check")
        said = outcome(await self._client.ask(call, "POST", where, headers={"X-Credential": value.reveal()}))
        return bool(said.json()["taken"])

    async def forget(self, call: Call, verifier: str) -> httpx.Response:
        """Let a verifier forget what it has learnt."""
        return await self._client.write(call, "POST", path("v1", "verifiers", verifier, "forget"))
