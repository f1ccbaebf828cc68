"""What PagerDuty is sent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from practice.http.face import Ask


class Payload(Ask):
    """What happened; see the Common Event Format."""

    summary: Annotated[str, Field(min_length=1, max_length=1024)]
    source: Annotated[str, Field(min_length=1)]
    severity: Literal["critical", "error", "warning", "info"]
    timestamp: str | None = None
    component: str | None = None
    group: str | None = None
    class_: Annotated[str | None, Field(alias="class")] = None
    custom_details: Any = None


class Event(Ask):
    routing_key: str
    event_action: Literal["trigger", "acknowledge", "resolve"]
    dedup_key: Annotated[str, Field(max_length=255)] | None = None
    payload: Payload | None = None
    client: str | None = None
    client_url: str | None = None
    links: list[dict[str, str]] | None = None
    images: list[dict[str, str]] | None = None


class IncidentFields(Ask):
    """What may be written to an incident."""

    type: Literal["incident", "incident_reference"]
    status: Literal["acknowledged", "resolved"] | None = None
    title: str | None = None
    resolution: str | None = None
    urgency: Literal["high", "low"] | None = None


class IncidentEdit(Ask):
    incident: IncidentFields


class NoteFields(Ask):
    content: Annotated[str, Field(min_length=1, max_length=65_000)]


class NewNote(Ask):
    note: NoteFields


class TargetFields(Ask):
    id: str
    type: Literal["user_reference"]
    summary: str | None = None


class Target(Ask):
    """One target of a responder request."""

    responder_request_target: TargetFields


class ResponderRequest(Ask):
    requester_id: str
    message: str
    responder_request_targets: Annotated[list[Target], Field(min_length=1)]
