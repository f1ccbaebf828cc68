"""Unleash's admin and client APIs (Unleash 8; docs.getunleash.io/reference/api). Setting a flag is state-setting: twice is once."""

from typing import Any

from activities.action import Call
from activities.kit.http import HttpClient

PROJECT, ENVIRONMENT = "default", "production"


class Unleash:
    """One project and environment of Unleash. The door carries `Authorization: <token>`, without *Bearer*."""

    def __init__(self, door: HttpClient) -> None:
        self._client = door

    async def enabled(self, call: Call, flag: str) -> bool:
        """Whether the flag is on in the environment, as the admin API says. Raises `Refused` when there is no such flag."""
        feature: dict[str, Any] = (await self._client.read(call, f"/api/admin/projects/{PROJECT}/features/{flag}")).json()
        return any(e["name"] == ENVIRONMENT and e["enabled"] for e in feature["environments"])

    async def set(self, call: Call, flag: str, *, on: bool) -> None:
        """Switch the flag on or off in the environment."""
        word = "on" if on else "off"
        await self._client.write(call, "POST", f"/api/admin/projects/{PROJECT}/features/{flag}/environments/{ENVIRONMENT}/{word}")

    async def enabled_for_clients(self, call: Call, flag: str) -> bool:
        """Whether clients of Unleash are told that the flag is on."""
        said: dict[str, Any] = (await self._client.read(call, "/api/client/features")).json()
        return any(f["name"] == flag and f["enabled"] for f in said["features"])
