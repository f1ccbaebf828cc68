"""What the platform's control plane only shows: services, headroom, dependencies, the schema, and what was changed when."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from practice.faces.platform.base import FACE, of_service, service_of
from practice.http.face import Call, Query, Reply, RouteModels, Shown
from practice.services.conditions import broken, conditions
from practice.services.fleet import CHANGE_KINDS, Change, Service
from practice.services.traffic import DOWN
from practice.world.clock import from_rfc3339
from practice.world.state import JSON

PRECISION = 0.001
"""Seconds: instants are shown in milliseconds, and what is shown must be found again."""

Instant = Annotated[float, BeforeValidator(from_rfc3339), WithJsonSchema({"type": "string", "format": "date-time"})]
"""Unix seconds, written as RFC 3339."""


class ServiceShown(Shown):
    """A service, the platform that runs it, and what it stands on."""

    name: str
    platform: str
    repository: str
    regions: list[str]
    depends_on: list[str]


class Services(Shown):
    services: list[ServiceShown]


class Room(Shown):
    """Requests per second: what the ready instances can serve, and what is asked of them."""

    capacity_rps: float
    used_rps: float


class Headroom(Shown):
    """What could be served and what is asked, by region; how full the dependencies are, from 0 to 1."""

    regions: dict[str, Room]
    dependencies: dict[str, float]


class Dependency(Shown):
    up: bool
    detail: str


class Dependencies(Shown):
    dependencies: dict[str, Dependency]


class Schema(Shown):
    """The version of a service's database schema."""

    version: int
    migrating: bool
    integrity_errors_per_minute: float


class Span(Query):
    """Two instants, and the service that is asked about; without one, all of them."""

    since: Instant | None = None
    until: Instant | None = None
    service: str | None = None


class ChangeShown(Shown):
    """An entry of the change feed."""

    id: str
    kind: str
    at: str
    actor: str
    services: list[str]
    what: str
    reversible: bool
    digest: str
    details: dict[str, object]


class Changes(Shown):
    """The entries, oldest first; the kinds of change that the feed knows, and those that it cannot see now."""

    changes: list[ChangeShown]
    kinds: list[str]
    gaps: list[str]


@FACE.reads("services.list", "/platform/v1/services", models=RouteModels(shows=Services))
def list_services(call: Call) -> Reply:
    """All services."""
    return Reply({"services": [_described(service) for service in call.state.fleet.services.values()]})


@FACE.reads("services.get", "/platform/v1/services/{service}", models=RouteModels(shows=ServiceShown))
def get_service(call: Call) -> Reply:
    """One service."""
    return Reply(_described(service_of(call)))


def _described(service: Service) -> JSON:
    return {
        "name": service.name,
        "platform": service.platform,
        "repository": service.repository,
        "regions": list(service.places),
        "depends_on": service.depends_on,
    }


@FACE.reads("headroom.get", of_service("headroom"), models=RouteModels(shows=Headroom))
def headroom(call: Call) -> Reply:
    """What could be served and what is asked of it, by region; how full the dependencies are."""
    service, fleet = service_of(call), call.state.fleet
    asked = service.rps * conditions(call.state, service, call.now).load
    regions = {
        region: {"capacity_rps": service.capacity_rps(region), "used_rps": asked * service.weights.get(region, 0.0)}
        for region in service.places
    }
    return Reply({"regions": regions, "dependencies": {name: fleet.saturation.get(name, 0.0) for name in service.depends_on}})


@FACE.reads("dependencies.get", of_service("dependencies"), models=RouteModels(shows=Dependencies))
def dependencies(call: Call) -> Reply:
    """Everything that a service stands on, and whether it fails it."""
    service, fleet = service_of(call), call.state.fleet
    failing = broken(fleet, service, call.now)
    rows = {}
    for name in dict.fromkeys([*fleet.dependencies, *service.depends_on]):
        rate, up = failing.get(name, 0.0), fleet.dependencies.get(name, True) and failing.get(name, 0.0) < DOWN
        rows[name] = {"up": up, "detail": f"fails {rate:.0%} of the requests of {service.name}" if rate else "answers"}
    return Reply({"dependencies": rows})


@FACE.reads("schema.get", of_service("schema"), models=RouteModels(shows=Schema))
def schema(call: Call) -> Reply:
    """The version of the service's database schema, and whether what is in it fits together."""
    service = service_of(call)
    errors = service.integrity_errors_per_minute
    return Reply({"version": service.schema, "migrating": service.migrating, "integrity_errors_per_minute": errors})


@FACE.reads("changes", "/platform/v1/changes", models=RouteModels(query=Span, shows=Changes))
def changes(call: Call) -> Reply:
    """What was changed between two instants, oldest first; for one service, what concerns it or everything."""
    span, clock, unseen = call.asked(Span), call.world.clock, call.state.fleet.gaps
    since = 0.0 if span.since is None else clock.to_world(span.since)
    until = call.now if span.until is None else clock.to_world(span.until)
    found = [
        change
        for change in sorted(call.state.fleet.changes, key=lambda change: (change.at, change.id))
        if since - PRECISION < change.at < until + PRECISION and change.kind not in unseen and _concerns(change, span.service)
    ]
    return Reply({"changes": [_entry(call, change) for change in found], "kinds": list(CHANGE_KINDS), "gaps": list(unseen)})


def _concerns(change: Change, service: str | None) -> bool:
    return not service or not change.services or service in change.services


def _entry(call: Call, change: Change) -> JSON:
    return {**asdict(change), "at": call.world.clock.stamp(change.at)}
