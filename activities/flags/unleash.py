"""Unleash's admin and client APIs (Unleash 8; docs.getunleash.io/reference/api). Setting a flag is state-setting: twice is once.

It has no versions: a late write is told from a new one by nothing, so that a flag is looked at again after it was restored.
"""

from typing import Any

from activities.action import Call, NotYet, Refused
from activities.flags.flags import FlagReading, Switch
from activities.kit.http import HttpClient, outcome
from activities.kit.words.urls import path

FORBIDDEN, NOT_FOUND = 403, 404
SWITCHES = frozenset(["ADMIN", "UPDATE_FEATURE_ENVIRONMENT"])  # either permission will do


class Unleash:
    """One project and environment of Unleash.

    `admin` carries an admin (or service account) token, `client` a client token, which is bound to its environment. Both stand in
    `Authorization` without *Bearer*.
    """

    def __init__(self, admin: HttpClient, client: HttpClient, *, project: str, environment: str) -> None:
        self._admin, self._client = admin, client
        self._project, self._environment = project, environment

    async def read(self, call: Call, flag: str) -> FlagReading:
        """Raises `Refused` when there is no such flag, or none in our environment: absence is no proof of *off*."""
        feature: dict[str, Any] = (await self._admin.read(call, self._path(flag))).json()
        found = [one for one in feature["environments"] if one["name"] == self._environment]
        if not found:
            there = ", ".join(one["name"] for one in feature["environments"]) or "none"
            raise Refused(f"flag {flag} is in no environment called {self._environment} (there: {there}): set INCIDENT_UNLEASH_ENVIRONMENT")
        return FlagReading(value=Switch(on=found[0]["enabled"]))

    async def write(self, call: Call, flag: str, over: FlagReading, *, on: bool) -> None:
        await self._admin.write(call, "POST", self._path(flag, "environments", self._environment, "on" if on else "off"))

    async def may_switch(self, call: Call) -> bool | None:
        """`GET /api/admin/user`: whether our token may switch flags in our environment. None where Unleash does not say."""
        response = await self._admin.ask(call, "GET", "/api/admin/user")
        if response.status_code == FORBIDDEN:  # a token for applications
            return False
        told = None if response.status_code == NOT_FOUND else outcome(response).json().get("permissions")
        if told is None:
            return None
        here = (None, "", "*")  # what a permission for everything says
        return any(
            one["permission"] in SWITCHES
            and one.get("project") in (*here, self._project)
            and one.get("environment") in (*here, self._environment)
            for one in told
        )

    async def told(self, call: Call) -> list[dict[str, Any]]:
        features: list[dict[str, Any]] = (await self._client.read(call, "/api/client/features")).json()["features"]
        return features

    async def shown_to_clients(self, call: Call, flag: str) -> bool:
        """Raises `NotYet` when the client API does not list the flag at all: its token may be for another environment or project."""
        found = [one for one in await self.told(call) if one["name"] == flag]
        if not found:
            raise NotYet(f"the client API lists no flag {flag}: is INCIDENT_UNLEASH_CLIENT_TOKEN for {self._environment}?")
        return bool(found[0]["enabled"])

    def _path(self, flag: str, *more: str) -> str:
        return path("api", "admin", "projects", self._project, "features", flag, *more)
