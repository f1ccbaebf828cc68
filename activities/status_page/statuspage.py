"""Atlassian Statuspage v1 (https://developer.statuspage.io), and the page that the public reads. Nothing is tried twice here.

The API has no idempotency key: callers leave theirs in `metadata`, whose values must be objects.
"""

from datetime import datetime
from typing import Any

from activities.action import Call
from activities.kit.http import HttpClient

JSON = dict[str, Any]


class Statuspage:
    """One page. `manage`: base URL ending in `/v1`, `Authorization: OAuth …`. `public`: the page's own address, without credentials."""

    def __init__(self, manage: HttpClient, public: HttpClient, page: str) -> None:
        self._manage = manage
        self._public = public
        self._incidents = f"/pages/{page}/incidents"

    async def incidents(self, call: Call) -> tuple[JSON, ...]:
        """The page's latest incidents, resolved ones too."""
        return tuple((await self._manage.read(call, self._incidents)).json())

    async def create(self, call: Call, incident: JSON) -> JSON:
        """`POST …/incidents`: a new incident with its first update."""
        return dict((await self._manage.write(call, "POST", self._incidents, json={"incident": incident})).json())

    async def update(self, call: Call, id: str, incident: JSON) -> JSON:
        """`PATCH …/incidents/{id}`: a `body` becomes a further update."""
        return dict((await self._manage.write(call, "PATCH", f"{self._incidents}/{id}", json={"incident": incident})).json())

    async def set_time(self, call: Call, id: str, update: str, at: datetime) -> None:
        """`PATCH …/incidents/{id}/incident_updates/{update}`: the time that the page shows beside an update, to the second (UTC)."""
        shown = {"display_at": at.replace(microsecond=0).isoformat()}
        await self._manage.write(call, "PATCH", f"{self._incidents}/{id}/incident_updates/{update}", json={"incident_update": shown})

    async def public_incident(self, call: Call, id: str) -> JSON | None:
        """What an outsider sees of an incident, updates newest first; None when they see nothing."""
        seen = (await self._public.read(call, "/api/v2/incidents.json")).json()["incidents"]
        return next((dict(incident) for incident in seen if incident["id"] == id), None)
