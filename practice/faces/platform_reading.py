"""What the platform's control plane only shows: services, headroom, dependencies, the schema, and what was changed when."""

from __future__ import annotations

from dataclasses import asdict

from practice.clock import from_rfc3339
from practice.face import Call, Reply
from practice.faces.platform_base import FACE, get, service_of
from practice.fleet import Change, Fleet, Service
from practice.state import JSON

KINDS = ("deploy", "config", "flag", "migration", "iam", "prompt", "model", "scheduler", "vendor")


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
    """What could be served and what is asked, by region; how full the dependencies are."""
    service, fleet = service_of(call), call.state.fleet
    asked = _asked_rps(fleet, service, call.now)
    regions = {
        region: {
            "capacity_rps": place.ready_replicas * service.rps_per_replica,
            "used_rps": asked * service.weights.get(region, 0.0),
        }
        for region, place in service.places.items()
    }
    return Reply({"regions": regions, "dependencies": {name: _saturation(fleet, service, name, call.now) for name in service.depends_on}})


def _asked_rps(fleet: Fleet, service: Service, now: float) -> float:
    """What customers ask for, whatever is let in."""
    asked = service.rps
    for fault in fleet.faults:
        if fault.service == service.name and fault.kind == "load" and fault.active(now):
            asked *= fault.factor
    return asked


def _saturation(fleet: Fleet, service: Service, dependency: str, now: float) -> float:
    return 1.0 if _failing(fleet, service, dependency, now) else fleet.saturation.get(dependency, 0.0)


def _failing(fleet: Fleet, service: Service, dependency: str, now: float) -> bool:
    """Whether a dependency is down, or fails this service."""
    broken = (f for f in fleet.faults if f.kind == "dependency" and f.service == service.name and f.active(now))
    return not fleet.dependencies.get(dependency, True) or any(fault.dependency == dependency for fault in broken)


@get("dependencies")
def dependencies(call: Call) -> Reply:
    service, fleet = service_of(call), call.state.fleet
    rows = {}
    for name in dict.fromkeys([*fleet.dependencies, *service.depends_on]):
        up = not _failing(fleet, service, name, call.now)
        rows[name] = {"up": up, "detail": "answers" if up else f"{name} does not answer {service.name}"}
    return Reply({"dependencies": rows})


@get("schema")
def schema(call: Call) -> Reply:
    """The version of the service's database schema, and whether what is in it fits together."""
    service = service_of(call)
    broken = [f for f in call.state.fleet.faults if f.kind == "integrity" and f.service == service.name and f.active(call.now)]
    writes = service.rps * service.write_share * service.gate.admitted * 60
    errors = sum(fault.rate for fault in broken) * writes
    return Reply({"version": service.schema, "migrating": service.migrating, "integrity_errors_per_minute": round(errors, 3)})


@FACE.reads("changes", "/platform/v1/changes")
def changes(call: Call) -> Reply:
    """What was changed between two instants of real time, oldest first; for one service, what concerns it or everything."""
    since, until = _instant(call, "since", 0.0), _instant(call, "until", call.now)
    wanted, unseen = call.one("service"), call.state.fleet.unseen_kinds
    found = [
        change
        for change in sorted(call.state.fleet.changes, key=lambda change: (change.at, change.id))
        if since <= change.at <= until and change.kind not in unseen and (not wanted or not change.services or wanted in change.services)
    ]
    return Reply({"changes": [_entry(call, change) for change in found], "kinds": list(KINDS), "gaps": list(unseen)})


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
