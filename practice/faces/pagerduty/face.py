"""`/pagerduty`: Events API v2 and the parts of REST API v2 that an incident needs (developer.pagerduty.com)."""

from __future__ import annotations

from practice.faces.pagerduty.forms import Event, IncidentEdit, NewNote, ResponderRequest
from practice.faces.pagerduty.records import (
    Pages,
    add_log,
    change_status,
    concerned,
    incident_json,
    new_incident,
    oncalls,
    user_json,
    user_reference,
)  # fmt: skip
from practice.http.face import TOKEN, Call, Face, Refusal, Reply
from practice.world.state import JSON, Person


def _error(status: int, message: str, code: int = 2001) -> Reply:
    return Reply({"error": {"message": message, "code": code, "errors": [message]}}, status)


FACE = Face(
    "pagerduty",
    refused=_error,
    invalid=lambda problems: Reply({"error": {"message": "Invalid Input Provided", "code": 2001, "errors": problems}}, 400),
    authorised=lambda headers: headers.get("authorization") == f"Token token={TOKEN}",
    unauthorised=lambda headers: _error(401, "Unauthorized", 2006),
    throttled=lambda: _error(429, "Rate Limit Exceeded", 2020),
)
_API = "/pagerduty/api"
_DEFAULT_RANGE = 30 * 86_400.0  # seconds


@FACE.writes("enqueue", "/pagerduty/v2/enqueue", public=True)
def enqueue(call: Call) -> Reply:
    """Take an event. `dedup_key` names the incident: an open one is not opened again. The routing key is the credential."""
    try:
        event = call.ask(Event)
    except Refusal as refusal:
        raise _invalid_event(refusal.reply.body["error"]["errors"]) from None
    if event.routing_key != TOKEN:
        raise _invalid_event(["Invalid routing key"])
    if event.event_action == "trigger" and event.payload is None:
        raise _invalid_event(["'payload' is missing or blank"])
    if event.event_action != "trigger" and not event.dedup_key:
        raise _invalid_event(["'dedup_key' is missing or blank"])
    key = event.dedup_key or f"practice-{call.world.number()}"
    before, after = _take(call, event, key)
    call.did(f"incidents/{key}", before, after)
    return Reply({"status": "success", "message": "Event processed", "dedup_key": key}, 202)


def _take(call: Call, event: Event, key: str) -> tuple[JSON | None, JSON | None]:
    """Carry out an event; returns the incident's essence before and after."""
    open_one = next((i for i in call.state.part(Pages).values() if i["incident_key"] == key and i["status"] != "resolved"), None)
    before = _essence(open_one)
    if event.event_action == "trigger" and event.payload is not None:
        if open_one is None:
            urgency = "high" if event.payload.severity in {"critical", "error"} else "low"
            open_one = new_incident(call, key, event.payload.summary, urgency, event.payload.custom_details)
    elif open_one is not None:
        change_status(call, open_one, "acknowledged" if event.event_action == "acknowledge" else "resolved", None)
    return before, _essence(open_one)


def _invalid_event(errors: list[str]) -> Refusal:
    return Refusal(Reply({"status": "invalid event", "message": "Event object is invalid", "errors": errors}, 400))


@FACE.reads("incidents.list", f"{_API}/incidents")
def incidents(call: Call) -> Reply:
    """Incidents, newest first; by `incident_key` and `statuses[]`; those of the last 30 days unless `date_range=all`."""
    key, statuses = call.one("incident_key"), call.query.get("statuses[]")
    since = "" if call.one("date_range") == "all" else call.world.clock.stamp(call.now - _DEFAULT_RANGE)
    found = [
        incident_json(i)
        for i in reversed(call.state.part(Pages).values())
        if (not key or i["incident_key"] == key) and (not statuses or i["status"] in statuses) and i["created_at"] >= since
    ]
    return _page(call, "incidents", found)


@FACE.reads("incidents.get", f"{_API}/incidents/{{id}}")
def incident(call: Call) -> Reply:
    return Reply({"incident": incident_json(_known(call))})


@FACE.writes("incidents.update", f"{_API}/incidents/{{id}}", "PUT")
def update(call: Call) -> Reply:
    """Acknowledge, resolve or edit, in the name of `From:`."""
    found, agent, wanted = _known(call), _requester(call), call.ask(IncidentEdit).incident
    before = _essence(found)
    if wanted.status is not None:
        if found["status"] == "resolved":
            raise call.refuse(400, "Incident Already Resolved")
        change_status(call, found, wanted.status, agent)
    for name in ("title", "urgency"):
        if getattr(wanted, name) is not None:
            found[name] = getattr(wanted, name)
    call.did(f"incidents/{found['incident_key']}", before, _essence(found))
    return Reply({"incident": incident_json(found)})


@FACE.writes("incidents.notes", f"{_API}/incidents/{{id}}/notes")
def add_note(call: Call) -> Reply:
    """Add a note; those concerned read it on their phone. Twice is two notes."""
    found, agent, wanted = _known(call), _requester(call), call.ask(NewNote).note
    note = {
        "id": f"N{call.world.number():08d}",
        "user": user_reference(agent),
        "content": wanted.content,
        "created_at": call.stamp(),
    }
    found["notes"].append(note)
    add_log(call, found, "annotate", agent, channel={"type": "note", "summary": wanted.content})
    for name in concerned(call.state, found):
        call.state.deliver(name, call.stamp(), "note", wanted.content, found["incident_key"], incident_id=found["id"])
    call.did(f"incidents/{found['incident_key']}/notes", None, wanted.content)
    return Reply({"note": note}, 201)


@FACE.reads("incidents.notes.list", f"{_API}/incidents/{{id}}/notes")
def notes(call: Call) -> Reply:
    return Reply({"notes": _known(call)["notes"]})


@FACE.reads("incidents.log_entries", f"{_API}/incidents/{{id}}/log_entries")
def log_entries(call: Call) -> Reply:
    return _page(call, "log_entries", _known(call)["log"])


@FACE.writes("incidents.responder_requests", f"{_API}/incidents/{{id}}/responder_requests")
def request_responders(call: Call) -> Reply:
    """Page people into the incident. Twice pages twice."""
    found, agent, wanted = _known(call), _requester(call), call.ask(ResponderRequest)
    people = {person.pagerduty_id: person for person in call.state.people.values()}
    ids = [target.responder_request_target.id for target in wanted.responder_request_targets]
    if wanted.requester_id not in people or any(identity not in people for identity in ids):
        raise call.refuse(400, "Requester or responder not found")
    before = [r["targets"] for r in found["responder_requests"]]
    asked: list[str] = []
    for identity in call.each(ids):
        asked.append(identity)
        page = {"incident_id": found["id"], "details": None}
        call.state.deliver(people[identity].name, call.stamp(), "page", wanted.message, found["incident_key"], **page)
    found["responder_requests"].append({"requester": wanted.requester_id, "message": wanted.message, "targets": asked})
    add_log(call, found, "responder_request", agent, responders=[user_reference(people[i]) for i in asked])
    call.did(f"incidents/{found['incident_key']}/responder_requests", before, [*before, asked])
    return Reply({"responder_request": {
        "incident": {"id": found["id"], "type": "incident_reference"},
        "requester": user_reference(people[wanted.requester_id]),
        "requested_at": call.stamp(),
        "message": wanted.message,
        "responder_request_targets": [
            {"responder_request_target": {**user_reference(people[i]), "incidents_responders": [
                {"state": "pending", "user": user_reference(people[i])}]}} for i in asked
        ],
    }})  # fmt: skip


@FACE.reads("oncalls", f"{_API}/oncalls")
def on_calls(call: Call) -> Reply:
    """Who is on call; by `escalation_policy_ids[]`, and with `earliest=true` level 1 only."""
    policies, first = call.query.get("escalation_policy_ids[]"), call.one("earliest") == "true"
    found = [
        oncall
        for oncall in oncalls(call.state)
        if (not policies or oncall["escalation_policy"]["id"] in policies) and (not first or oncall["escalation_level"] == 1)
    ]
    return _page(call, "oncalls", found)


@FACE.reads("users", f"{_API}/users")
def users(call: Call) -> Reply:
    wanted = call.one("query").lower()
    found = [user_json(p) for p in call.state.people.values() if wanted in p.email or wanted in p.name]
    return _page(call, "users", found)


class TokenUser(list[str]):
    """The user whose token we have; nobody: it is the account's."""


@FACE.reads("users.me", f"{_API}/users/me")
def me(call: Call) -> Reply:
    name = next(iter(call.state.part(TokenUser)), "")
    if not name:
        raise Refusal(_error(400, "The requesting user is not a user: account-level tokens have none.", 1008))
    return Reply({"user": user_json(call.state.people[name])})


@FACE.reads("users.get", f"{_API}/users/{{id}}")
def user(call: Call) -> Reply:
    found = next((person for person in call.state.people.values() if person.pagerduty_id == call.path["id"]), None)
    if found is None:
        raise Refusal(_error(404, "Not Found", 2100))
    return Reply({"user": user_json(found)})


def _page(call: Call, field: str, rows: list[JSON]) -> Reply:
    """One page: 25 rows unless `limit` says otherwise, and never more than 100."""
    try:
        limit, offset = min(100, int(call.one("limit", "25"))), int(call.one("offset", "0"))
    except ValueError:
        raise call.refuse(400, "limit and offset are numbers") from None
    more = offset + limit < len(rows)
    return Reply({field: rows[offset : offset + limit], "limit": limit, "offset": offset, "more": more, "total": None})


def _known(call: Call) -> JSON:
    found = call.state.part(Pages).get(call.path["id"])
    if found is None:
        raise Refusal(_error(404, "Not Found", 2100))
    return found


def _requester(call: Call) -> Person:
    """The user whom `From:` names; REST writes need one."""
    email = call.headers.get("from", "").casefold()
    found = next((person for person in call.state.people.values() if person.email.casefold() == email), None)
    if found is None:
        raise Refusal(_error(400, "Requester User Not Found", 1008))
    return found


def _essence(incident: JSON | None) -> JSON | None:
    if incident is None:
        return None
    by = [a["acknowledger"]["id"] for a in incident["acknowledgements"]]
    return {"id": incident["id"], "status": incident["status"], "title": incident["title"],
            "urgency": incident["urgency"], "acknowledged_by": by}  # fmt: skip
