"""What the platform's control plane only shows: services, headroom, dependencies, the schema, and what was changed when."""

from __future__ import annotations

from dataclasses import asdict

from practice.faces.platform.base import FACE, get, service_of
from practice.http.face import Call, Reply
from practice.services.conditions import broken, conditions
from practice.services.fleet import CHANGE_KINDS, Change, Service
from practice.services.traffic import DOWN
from practice.world.clock import from_rfc3339
from practice.world.state import JSON

PRECISION = 0.001
"""Seconds: instants are shown in milliseconds, and what is shown must be found again."""


@FACE.reads("services.list", "/platform/v1/services")
def list_services(call: Call) -> Reply:
    return Reply({"services": [_described(service) for service in call.state.fleet.services.values()]})


@FACE.reads("services.get", "/platform/v1/services/{service}")
def get_service(call: Call) -> Reply:
    return Reply(_described(service_of(call)))


def _described(service: Service) -> JSON:
    return {
        "name": service.name,
        "platform": service.platform,
        "repository": service.repository,
        "regions": list(service.places),
        "depends_on": service.depends_on,
    }


@get("headroom")
def headroom(call: Call) -> Reply:
    """What could be served and what is asked of it, by region; how full the dependencies are."""
    service, fleet = service_of(call), call.state.fleet
    asked = service.rps * conditions(call.state, service, call.now).load
    regions = {
        region: {"capacity_rps": service.capacity_rps(region), "used_rps": asked * service.weights.get(region, 0.0)}
        for region in service.places
    }
    return Reply({"regions": regions, "dependencies": {name: fleet.saturation.get(name, 0.0) for name in service.depends_on}})


@get("dependencies")
def dependencies(call: Call) -> Reply:
    """Everything that a service stands on, and whether it fails it."""
    service, fleet = service_of(call), call.state.fleet
    failing = broken(fleet, service, call.now)
    rows = {}
    for name in dict.fromkeys([*fleet.dependencies, *service.depends_on]):
        rate, up = failing.get(name, 0.0), fleet.dependencies.get(name, True) and failing.get(name, 0.0) < DOWN
        rows[name] = {"up": up, "detail": f"fails {rate:.0%} of the requests of {service.name}" if rate else "answers"}
    return Reply({"dependencies": rows})


@get("schema")
def schema(call: Call) -> Reply:
    """The version of the service's database schema, and whether what is in it fits together."""
    service = service_of(call)
    errors = service.integrity_errors_per_minute
    return Reply({"version": service.schema, "migrating": service.migrating, "integrity_errors_per_minute": errors})


@FACE.reads("changes", "/platform/v1/changes")
def changes(call: Call) -> Reply:
    """What was changed between two instants of real time, oldest first; for one service, what concerns it or everything."""
    since, until = _instant(call, "since", 0.0), _instant(call, "until", call.now)
    unseen = call.state.fleet.gaps
    found = [
        change
        for change in sorted(call.state.fleet.changes, key=lambda change: (change.at, change.id))
        if since - PRECISION < change.at < until + PRECISION and change.kind not in unseen and _concerns(change, call.one("service"))
    ]
    return Reply({"changes": [_entry(call, change) for change in found], "kinds": list(CHANGE_KINDS), "gaps": list(unseen)})


def _concerns(change: Change, service: str) -> bool:
    return not service or not change.services or service in change.services


def _entry(call: Call, change: Change) -> JSON:
    return {**asdict(change), "at": call.world.clock.stamp(change.at)}


def _instant(call: Call, name: str, default: float) -> float:
    """An RFC 3339 parameter in world time."""
    text = call.one(name)
    if not text:
        return default
    try:
        return call.world.clock.to_world(from_rfc3339(text))
    except ValueError:
        raise call.refuse(400, f"{name} must be an instant as RFC 3339 writes it") from None
