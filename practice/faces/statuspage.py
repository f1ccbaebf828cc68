"""`/statuspage`: incidents of Statuspage's REST API v1 (developer.statuspage.io), and the public page that customers see."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from practice.http.face import TOKEN, Ask, Call, Face, Refusal, Reply, described
from practice.world.clock import from_rfc3339, rfc3339
from practice.world.state import JSON

FACE = Face(
    "statuspage",
    refused=lambda status, message: Reply({"error": message}, status),
    invalid=lambda problems: Reply({"error": problems}, 422),
    authorised=lambda headers: headers.get("authorization") == f"OAuth {TOKEN}",
    unauthorised=lambda headers: Reply({"error": "Could not authenticate"}, 401),
    throttled=lambda: Reply({"error": "Too many requests. Rate limit exceeded"}, 420),  # the vendor's own number
)
_INCIDENTS = "/statuspage/v1/pages/main/incidents"
PAGE, SHOWN = 100, 50  # incidents at once: to us, and on the public page

IncidentStatus = Literal["investigating", "identified", "monitoring", "resolved"]
Impact = Literal["none", "minor", "major", "critical"]
ComponentStatus = Literal[
    "operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage"
]  # fmt: skip
IMPACTS = {"operational": 0, "under_maintenance": 0, "degraded_performance": 1, "partial_outage": 2, "major_outage": 3}


class PublishedIncidents(dict[str, JSON]):
    """Incident id → incident."""


class IncidentFields(Ask):
    """What may be written to an incident. Every top-level metadata value must be an object."""

    name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    status: IncidentStatus | None = None
    body: Annotated[str, Field(max_length=25_000)] | None = None
    impact_override: Impact | None = None
    components: dict[str, ComponentStatus] | None = None
    component_ids: list[str] | None = None
    deliver_notifications: bool | None = None
    metadata: dict[str, dict[str, Any]] | None = None
    backfilled: bool | None = None


class NewIncidentFields(IncidentFields):
    name: Annotated[str, Field(min_length=1, max_length=255)]


class NewIncident(Ask):
    incident: NewIncidentFields


class IncidentEdit(Ask):
    incident: IncidentFields


class UpdateFields(Ask):
    """What may be written to an update that is there."""

    body: Annotated[str, Field(max_length=25_000)] | None = None
    display_at: str | None = None
    deliver_twitter_update: bool | None = None
    wants_twitter_update: bool | None = None


class UpdateEdit(Ask):
    """The body of PATCH of an update."""

    incident_update: UpdateFields


@FACE.writes("incidents.create", _INCIDENTS)
def create(call: Call) -> Reply:
    """Open an incident. There is no idempotency key: twice is two incidents."""
    wanted = call.ask(NewIncident).incident
    number, now = call.world.number(), call.stamp()
    identity = f"sp{number:08d}"
    incident: JSON = {
        "id": identity,
        "page_id": "main",
        "name": wanted.name,
        "status": wanted.status or "investigating",
        "impact": "none",
        "impact_override": None,
        "created_at": now,
        "updated_at": now,
        "monitoring_at": None,
        "resolved_at": None,
        "shortlink": f"https://stspg.example/{identity}",
        "components": [],
        "metadata": {},
        "incident_updates": [],
    }
    call.state.part(PublishedIncidents)[identity] = incident
    _apply(call, incident, wanted, always_update=True)
    call.did(f"incidents/{identity}", None, _essence(incident))
    return Reply(incident, 201)


@FACE.reads("incidents.list", _INCIDENTS)
def incidents(call: Call) -> Reply:
    """One page, newest first: 100 unless `limit` says less."""
    try:
        limit, nth = min(PAGE, int(call.one("limit", str(PAGE)))), int(call.one("page", "1"))
    except ValueError:
        raise call.refuse(422, "limit and page are numbers") from None
    return Reply(_newest_first(call)[(nth - 1) * limit : nth * limit])


@FACE.reads("incidents.unresolved", _INCIDENTS + "/unresolved")
def unresolved(call: Call) -> Reply:
    return Reply([incident for incident in _newest_first(call) if incident["status"] != "resolved"])


@FACE.reads("incidents.get", _INCIDENTS + "/{id}")
def incident(call: Call) -> Reply:
    return Reply(_known(call))


@FACE.writes("incidents.update", _INCIDENTS + "/{id}", "PATCH")
def update(call: Call) -> Reply:
    """Edit an incident; a status or body also adds an update that customers read."""
    found, wanted = _known(call), call.ask(IncidentEdit).incident
    before = _essence(found)
    _apply(call, found, wanted, always_update=False)
    call.did(f"incidents/{found['id']}", before, _essence(found))
    return Reply(found)


@FACE.writes("incident_updates.update", _INCIDENTS + "/{id}/incident_updates/{update}", "PATCH")
def edit_update(call: Call) -> Reply:
    """Edit an update that is there: its text, or the time that the page shows beside it."""
    found, wanted = _known(call), call.ask(UpdateEdit).incident_update
    update = next((update for update in found["incident_updates"] if update["id"] == call.path["update"]), None)
    if update is None:
        raise Refusal(Reply({"error": "Incident update not found"}, 404))
    before = described(update, "body", "display_at")
    if wanted.display_at is not None:
        try:
            update["display_at"] = rfc3339(from_rfc3339(wanted.display_at))
        except ValueError:
            raise Refusal(Reply({"error": ["display_at is no time"]}, 422)) from None
    update["body"] = wanted.body if wanted.body is not None else update["body"]
    call.did(f"incidents/{found['id']}/updates/{update['id']}", before, described(update, "body", "display_at"))
    return Reply(update)


@FACE.reads("public.incidents", "/statuspage/public/api/v2/incidents.json", public=True)
def public(call: Call) -> Reply:
    """The outside view: the newest incidents on the page, without our metadata."""
    return _public(call, _newest_first(call)[:SHOWN])


@FACE.reads("public.unresolved", "/statuspage/public/api/v2/incidents/unresolved.json", public=True)
def public_unresolved(call: Call) -> Reply:
    return _public(call, [incident for incident in _newest_first(call) if incident["status"] != "resolved"])


def _public(call: Call, incidents: list[JSON]) -> Reply:
    hidden = {"metadata", "impact_override"}
    shown = [{k: v for k, v in incident.items() if k not in hidden} for incident in incidents]
    page = {"id": "main", "name": "Practice", "url": "https://status.example.com", "updated_at": call.stamp()}
    return Reply({"page": page, "incidents": shown})


def _apply(call: Call, incident: JSON, wanted: IncidentFields, always_update: bool) -> None:
    now = call.stamp()
    for name in ("name", "status", "impact_override"):
        if getattr(wanted, name) is not None:
            incident[name] = getattr(wanted, name)
    if wanted.metadata is not None:
        incident["metadata"] = {**incident["metadata"], **wanted.metadata}
    if wanted.components is not None or wanted.component_ids is not None:
        stated: dict[str, str] = dict(wanted.components or {})
        known = {component["id"]: component["status"] for component in incident["components"]}
        names = [*(wanted.component_ids or known), *stated]
        incident["components"] = [
            {"id": name, "name": name, "status": stated.get(name, known.get(name, "operational"))} for name in dict.fromkeys(names)
        ]
    worst = max((IMPACTS[component["status"]] for component in incident["components"]), default=0)
    incident["impact"] = incident["impact_override"] or ("none", "minor", "major", "critical")[worst]
    if incident["status"] in {"monitoring", "resolved"}:
        incident[f"{incident['status']}_at"] = incident[f"{incident['status']}_at"] or now
    if always_update or wanted.status is not None or wanted.body is not None:
        incident["incident_updates"].insert(0, _update(call, incident, wanted, now))
    incident["updated_at"] = now


def _update(call: Call, incident: JSON, wanted: IncidentFields, now: str) -> JSON:
    return {
        "id": f"su{call.world.number():08d}",
        "incident_id": incident["id"],
        "status": incident["status"],
        "body": wanted.body or "",
        "created_at": now,
        "updated_at": now,
        "display_at": now,
        "deliver_notifications": wanted.deliver_notifications is not False,
        "affected_components": [{"code": c["id"], "new_status": c["status"]} for c in incident["components"]],
    }


def _known(call: Call) -> JSON:
    found = call.state.part(PublishedIncidents).get(call.path["id"])
    if found is None:
        raise Refusal(Reply({"error": "Incident not found"}, 404))
    return found


def _newest_first(call: Call) -> list[JSON]:
    return list(reversed(call.state.part(PublishedIncidents).values()))


def _essence(incident: JSON) -> JSON:
    essence = described(incident, "name", "status", "impact_override", "components", "metadata")
    return {**essence, "updates": len(incident["incident_updates"])}
