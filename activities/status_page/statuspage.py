"""Atlassian Statuspage v1 (https://developer.statuspage.io), and the page that the public reads. Nothing is tried twice here."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from activities.action import Call
from activities.kit.http import HttpClient, pages
from activities.kit.words import urls

JSON = dict[str, Any]
_PAGE = 100  # the most that Statuspage lists at once


class Statuspage:
    """One page. `manage`: base URL ending in `/v1`, `Authorization: OAuth …`. `public`: the page's own address, without credentials."""

    def __init__(self, manage: HttpClient, public: HttpClient, page: str) -> None:
        self._manage = manage
        self._public = public
        self._incidents = urls.path("pages", page, "incidents")

    def incidents(self, call: Call) -> AsyncIterator[JSON]:
        """Every incident of the page, resolved ones too, newest first."""

        async def page(number: int) -> tuple[list[JSON], int | None]:
            found = (await self._manage.read(call, self._incidents, limit=_PAGE, page=number)).json()
            return found, number + 1 if len(found) == _PAGE else None

        return pages("the list of incidents of the status page", 1, page)

    async def incident(self, call: Call, id: str) -> JSON | None:
        return await self._manage.find(call, self._incidents + urls.path(id))

    async def create(self, call: Call, incident: JSON) -> str:
        """The id of a new incident with its first update."""
        return str((await self._manage.write(call, "POST", self._incidents, json={"incident": incident})).json()["id"])

    async def update(self, call: Call, id: str, incident: JSON) -> None:
        """A `body` becomes a further update."""
        await self._manage.write(call, "PATCH", self._incidents + urls.path(id), json={"incident": incident})

    async def set_time(self, call: Call, id: str, update: str, at: datetime) -> None:
        """The time that the page shows beside an update, to the second (UTC)."""
        shown = {"display_at": at.replace(microsecond=0).isoformat()}
        path = self._incidents + urls.path(id, "incident_updates", update)
        await self._manage.write(call, "PATCH", path, json={"incident_update": shown})

    async def public_incident(self, call: Call, id: str) -> JSON | None:
        """What an outsider sees of an incident, updates newest first; None when they see nothing.

        The page shows its newest 50 incidents, and in a list of their own all that are not resolved.
        """
        for shown in ("incidents.json", "incidents/unresolved.json"):
            seen = (await self._public.read(call, f"/api/v2/{shown}")).json()["incidents"]
            found = next((dict(incident) for incident in seen if incident["id"] == id), None)
            if found is not None:
                return found
        return None
