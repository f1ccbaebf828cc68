"""PagerDuty: Events API v2 (deduplicates by `dedup_key`) and REST v2 (https://developer.pagerduty.com). Nothing is tried twice here."""

from collections.abc import AsyncIterator, Iterable
from types import MappingProxyType
from typing import Any

from activities.action import Call, Refused
from activities.kit.http import HttpClient, outcome, pages
from activities.kit.words import urls
from activities.kit.words.escape import visible

JSON = dict[str, Any]
SEVERITY = MappingProxyType({1: "critical", 2: "error", 3: "warning", 4: "info", 5: "info"})
LONGEST_SUMMARY, LONGEST_MESSAGE = 1024, 5_000  # characters
NOBODYS = 400
_PAGE = 100  # the most that PagerDuty lists at once; its default is 25


class PagerDuty:
    """One service: its integration key, and the user (id and e-mail address) of ours in whose name people are asked in."""

    def __init__(self, events: HttpClient, rest: HttpClient, *, routing_key: str, requester: str, sender: str) -> None:
        self._events = events
        self._rest = rest
        self._routing_key = routing_key
        self._requester = requester
        self._from = {"From": sender}  # the REST API wants it on every write

    async def trigger(self, call: Call, dedup_key: str, summary: str, severity: int, details: dict[str, str]) -> None:
        """Events v2 `trigger`: opens an incident, or changes nothing when one with this key is open. `severity`: 1 to 5."""
        shown = {name: visible(value) for name, value in details.items()}
        payload = {
            "summary": visible(summary)[:LONGEST_SUMMARY], "source": "incident-playbooks", "severity": SEVERITY[severity], "custom_details": shown,
        }  # fmt: skip
        await self._event(call, "trigger", dedup_key, payload=payload)

    async def resolve(self, call: Call, dedup_key: str) -> None:
        await self._event(call, "resolve", dedup_key)

    async def incident_of(self, call: Call, key: str) -> JSON | None:
        """The open incident with this key, else the newest; None when there is none. Without `date_range` 30 days are listed."""
        if not key:
            raise Refused("an incident is looked up by its key, and the key is empty")
        found = [one async for one in self._all(call, "/incidents", "incidents", incident_key=key, date_range="all")]
        found = [one for one in found if one.get("incident_key") in (key, None)]  # with alert grouping it shows no key of its own
        running = [one for one in found if one["status"] != "resolved"]
        return max(running or found, key=lambda one: str(one["created_at"]), default=None)

    async def incident(self, call: Call, id: str) -> JSON:
        return dict((await self._rest.read(call, urls.path("incidents", id))).json()["incident"])

    async def request_responders(self, call: Call, id: str, user: str, message: str) -> None:
        """Pages a further user (an id) for an incident. Twice pages twice."""
        await self._write(call, "POST", urls.path("incidents", id, "responder_requests"), responder_request(self._requester, user, message))

    async def acknowledge(self, call: Call, id: str, email: str) -> None:
        body = {"incident": {"type": "incident_reference", "status": "acknowledged"}}
        await self._write(call, "PUT", urls.path("incidents", id), body, sender=email)

    async def notes(self, call: Call, id: str) -> tuple[str, ...]:
        """All at once: PagerDuty does not page this list."""
        return tuple(str(note["content"]) for note in (await self._rest.read(call, urls.path("incidents", id, "notes"))).json()["notes"])

    async def add_note(self, call: Call, id: str, content: str) -> None:
        """Twice is two notes."""
        await self._write(call, "POST", urls.path("incidents", id, "notes"), {"note": {"content": content}})

    async def on_call(self, call: Call, policies: Iterable[str]) -> tuple[JSON, ...]:
        """Each with `escalation_policy`, `escalation_level` and `user`."""
        wanted = [policy for policy in policies if policy]
        if not wanted:
            return ()  # an empty filter would list everybody who is on call for anything
        return tuple([one async for one in self._all(call, "/oncalls", "oncalls", **{"escalation_policy_ids[]": wanted})])

    async def log(self, call: Call, id: str) -> tuple[JSON, ...]:
        return tuple([line async for line in self._all(call, urls.path("incidents", id, "log_entries"), "log_entries")])

    async def user(self, call: Call, id: str) -> JSON | None:
        found = await self._rest.find(call, urls.path("users", id))
        return dict(found["user"]) if found else None

    async def own_role(self, call: Call) -> str | None:
        """`GET /users/me`: the role of the user whose token we have. None for a token of the account, which is nobody's."""
        response = await self._rest.ask(call, "GET", "/users/me")
        return None if response.status_code == NOBODYS else str(outcome(response).json()["user"].get("role", ""))

    def _all(self, call: Call, path: str, field: str, **params: Any) -> AsyncIterator[JSON]:
        async def page(offset: int) -> tuple[list[JSON], int | None]:
            answer = (await self._rest.read(call, path, limit=_PAGE, offset=offset, **params)).json()
            found = list(answer[field])
            return found, offset + len(found) if answer.get("more") and found else None

        return pages(f"pagerduty {path}", 0, page)

    async def _write(self, call: Call, method: str, path: str, body: JSON, sender: str = "") -> None:
        await self._rest.write(call, method, path, headers={"From": sender} if sender else self._from, json=body)

    async def _event(self, call: Call, what: str, dedup_key: str, **more: Any) -> None:
        body = {"routing_key": self._routing_key, "event_action": what, "dedup_key": dedup_key, **more}
        await self._events.write(call, "POST", "/v2/enqueue", json=body)


def responder_request(requester: Any, user: str, message: str) -> JSON:
    """The body of a responder request. `requester`: a user id, or a variable of a shell."""
    target = {"responder_request_target": {"id": user, "type": "user_reference"}}
    return {"requester_id": requester, "message": message, "responder_request_targets": [target]}


def marked(text: str, key: str) -> str:
    """A text with our key at its end, by which it is found again; cut so that the key is never cut off."""
    mark = f" [{key}]"
    return visible(text)[: LONGEST_MESSAGE - len(mark)] + mark
