"""PagerDuty: Events API v2 (deduplicates by `dedup_key`) and REST v2 (https://developer.pagerduty.com). Nothing is tried twice here."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

from activities.action import Call
from activities.kit.http import HttpClient

JSON = dict[str, Any]
SEVERITY = MappingProxyType({1: "critical", 2: "error", 3: "warning", 4: "info", 5: "info"})


class PagerDuty:
    """One service. `events`: `https://events.pagerduty.com`; `rest`: `https://api.pagerduty.com` with `Authorization: Token token=…`.

    `routing_key` is the service's integration key. `requester` is the user id of our service account, in whose name people are
    asked in; `sender` its e-mail address.
    """

    def __init__(self, events: HttpClient, rest: HttpClient, *, routing_key: str, requester: str, sender: str) -> None:
        self._events = events
        self._rest = rest
        self._routing_key = routing_key
        self._requester = requester
        self._from = {"From": sender}  # the REST API wants it on every write

    async def trigger(self, call: Call, dedup_key: str, summary: str, severity: int, details: dict[str, str]) -> None:
        """Events v2 `trigger`: opens an incident, or changes nothing when one with this key is open. `severity`: 1 to 5."""
        payload = {"summary": summary[:1024], "source": "incident-playbooks", "severity": SEVERITY[severity], "custom_details": details}
        await self._event(call, "trigger", dedup_key, payload=payload)

    async def resolve(self, call: Call, dedup_key: str) -> None:
        """Events v2 `resolve`: changes nothing when no incident with this key is open."""
        await self._event(call, "resolve", dedup_key)

    async def incident(self, call: Call, key: str) -> JSON | None:
        """The incident with this key: the open one, else the newest; None when there is none."""
        found = (await self._rest.read(call, "/incidents", incident_key=key)).json()["incidents"]
        running = [incident for incident in found if incident["status"] != "resolved"]
        return max(running or found, key=lambda incident: str(incident["created_at"]), default=None)

    async def request_responders(self, call: Call, id: str, user: str, message: str) -> None:
        """`POST …/responder_requests`: pages a further user (an id) for an incident. Twice pages twice."""
        target = {"responder_request_target": {"id": user, "type": "user_reference"}}
        body = {"requester_id": self._requester, "message": message, "responder_request_targets": [target]}
        await self._rest.write(call, "POST", f"/incidents/{id}/responder_requests", headers=self._from, json=body)

    async def acknowledge(self, call: Call, id: str, email: str) -> None:
        """`PUT /incidents/{id}` as the user with this e-mail address."""
        body = {"incident": {"type": "incident_reference", "status": "acknowledged"}}
        await self._rest.write(call, "PUT", f"/incidents/{id}", headers={"From": email} if email else self._from, json=body)

    async def notes(self, call: Call, id: str) -> tuple[str, ...]:
        """`GET …/notes`: what was noted on an incident."""
        return tuple(str(note["content"]) for note in (await self._rest.read(call, f"/incidents/{id}/notes")).json()["notes"])

    async def add_note(self, call: Call, id: str, content: str) -> None:
        """`POST …/notes`: whoever is on the incident reads it on their phone. Twice is two notes."""
        await self._rest.write(call, "POST", f"/incidents/{id}/notes", headers=self._from, json={"note": {"content": content}})

    async def on_call(self, call: Call, policies: Iterable[str]) -> tuple[JSON, ...]:
        """`GET /oncalls` of some escalation policies (ids): each with `escalation_policy`, `escalation_level` and `user`."""
        asked: JSON = {"escalation_policy_ids[]": list(policies), "limit": 100}
        return tuple((await self._rest.read(call, "/oncalls", **asked)).json()["oncalls"])

    async def log(self, call: Call, id: str) -> tuple[JSON, ...]:
        """`GET …/log_entries`: what happened to an incident, newest first."""
        return tuple((await self._rest.read(call, f"/incidents/{id}/log_entries")).json()["log_entries"])

    async def emails(self, call: Call) -> dict[str, str]:
        """`GET /users`: e-mail address by user id."""
        return {str(user["id"]): str(user["email"]) for user in (await self._rest.read(call, "/users")).json()["users"]}

    async def _event(self, call: Call, what: str, dedup_key: str, **more: Any) -> None:
        body = {"routing_key": self._routing_key, "event_action": what, "dedup_key": dedup_key, **more}
        await self._events.write(call, "POST", "/v2/enqueue", json=body)
