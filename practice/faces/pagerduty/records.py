"""PagerDuty's records: users, on-calls, incidents and their log."""

from __future__ import annotations

from typing import Any

from practice.http.face import Call
from practice.world.state import JSON, Person, State

POLICIES: dict[str, list[str]] = {
    "EP_COMMANDER": ["dana", "kim", "pat"],
    "EP_OPS": ["lee", "dana"],
    "EP_COMMS": ["noor", "kim"],
    "EP_AI": ["ravi", "lee"],
    "EP_SECURITY": ["sam", "dana"],
    "EP_EXECUTIVE": ["pat"],
}
"""Escalation policies: who is on call at level 1, 2, 3. New incidents go to the first one."""
PAGED_POLICY = "EP_COMMANDER"
SERVICE = {"id": "PSVC01", "type": "service_reference", "summary": "Practice"}
ROOT = "https://practice.pagerduty.example"


class Pages(dict[str, JSON]):
    """Incident id → incident."""


def user_reference(person: Person) -> JSON:
    return {"id": person.pagerduty_id, "type": "user_reference", "summary": person.name.title(), "html_url": ROOT}


def user_json(person: Person) -> JSON:
    return {
        "id": person.pagerduty_id,
        "type": "user",
        "summary": person.name.title(),
        "name": person.name.title(),
        "email": person.email,
        "job_title": person.role,
        "role": person.pagerduty_role,
        "time_zone": "Etc/UTC",
    }


def oncalls(state: State) -> list[JSON]:
    return [
        {
            "escalation_policy": {"id": policy, "type": "escalation_policy_reference", "summary": policy},
            "escalation_level": level,
            "schedule": None,
            "user": user_reference(state.people[name]),
            "start": None,
            "end": None,
        }
        for policy, names in POLICIES.items()
        for level, name in enumerate(names, start=1)
    ]


def new_incident(call: Call, key: str, title: str, urgency: str, details: Any) -> JSON:
    """A triggered incident, assigned to whoever is on call first; it pages them."""
    number, now = call.world.number(), call.stamp()
    person = call.state.people[POLICIES[PAGED_POLICY][0]]
    incident: JSON = {
        "id": f"Q{number:07d}",
        "type": "incident",
        "incident_number": number,
        "incident_key": key,
        "title": title,
        "summary": f"[#{number}] {title}",
        "status": "triggered",
        "urgency": urgency,
        "created_at": now,
        "updated_at": now,
        "last_status_change_at": now,
        "service": SERVICE,
        "escalation_policy": {"id": PAGED_POLICY, "type": "escalation_policy_reference", "summary": PAGED_POLICY},
        "assignments": [{"at": now, "assignee": user_reference(person)}],
        "acknowledgements": [],
        "responder_requests": [],
        "notes": [],
        "log": [],
        "html_url": f"{ROOT}/incidents/Q{number:07d}",
    }
    call.state.part(Pages)[incident["id"]] = incident
    add_log(call, incident, "trigger", None)
    call.state.deliver(person.name, now, "page", title, key, incident_id=incident["id"], details=details)
    add_log(call, incident, "notify", None, user=user_reference(person))
    return incident


def add_log(call: Call, incident: JSON, kind: str, agent: Person | None, **more: Any) -> None:
    entry = {
        "id": f"R{call.world.number():08d}",
        "type": f"{kind}_log_entry",
        "created_at": call.stamp(),
        "agent": user_reference(agent) if agent else SERVICE,
        "incident": {"id": incident["id"], "type": "incident_reference", "summary": incident["summary"]},
        "channel": {"type": "api"},
        **more,
    }
    incident["log"].insert(0, entry)


def change_status(call: Call, incident: JSON, status: str, agent: Person | None) -> None:
    """Acknowledge or resolve; who acknowledged is kept."""
    now = call.stamp()
    if status == "acknowledged":
        known = {a["acknowledger"]["id"] for a in incident["acknowledgements"]}
        acknowledger = user_reference(agent) if agent else SERVICE
        if acknowledger["id"] in known:
            return
        incident["acknowledgements"].append({"at": now, "acknowledger": acknowledger})
    elif incident["status"] == status:
        return
    else:
        incident["assignments"] = []
    incident.update(status=status, updated_at=now, last_status_change_at=now)
    add_log(call, incident, "acknowledge" if status == "acknowledged" else "resolve", agent)


def incident_json(incident: JSON) -> JSON:
    """An incident as the API shows it; notes and log have calls of their own."""
    return {k: v for k, v in incident.items() if k not in {"notes", "log"}}


def concerned(state: State, incident: JSON) -> list[str]:
    """Who hears of a note: assignees, acknowledgers and requested responders."""
    ids = {a["assignee"]["id"] for a in incident["assignments"]}
    ids |= {a["acknowledger"]["id"] for a in incident["acknowledgements"]}
    ids |= {target for request in incident["responder_requests"] for target in request["targets"]}
    return [person.name for person in state.people.values() if person.pagerduty_id in ids]
