"""`/run`: Cloud Run's Admin API v2 (cloud.google.com/run/docs/reference/rest/v2): services, their traffic, revisions and operations.

A write is accepted at once and shows as *reconciling*, with the traffic before, until it was looked at once or a few world seconds passed.
"""

from __future__ import annotations

from typing import Any

from practice.faces.cloud_run.changes import apply, begin, look, record_of, visible
from practice.faces.cloud_run.forms import (
    ServicePatch,
    etag_of,
    shown_revision,
    shown_service,
)
from practice.http.face import Call, Reply
from practice.http.google import google_face
from practice.services.fleet import Place, Revision, Service
from practice.world.state import JSON

MASK = {"traffic", "template", "scaling"}
COMMON_QUERY = {"$alt", "alt", "prettyPrint", "fields", "key", "quotaUser"}
TYPE = "type.googleapis.com/google.cloud.run.v2.Service"
FAILED_PRECONDITION = 9  # google.rpc.Code


FACE = google_face("run", invalid="Invalid JSON payload received. ", throttled="Quota exceeded for quota metric 'Write requests'.")
_LOCATION = "/run/v2/projects/{project}/locations/{region}"
_SERVICES = _LOCATION + "/services"
_SERVICE = _SERVICES + "/{service}"


@FACE.reads("services.list", _SERVICES)
def list_services(call: Call) -> Reply:
    _known_query(call, "pageSize", "pageToken", "showDeleted")
    here = [s for s in call.state.fleet.services.values() if s.platform == "cloud_run" and call.path["region"] in s.places]
    shown, token = _page(call, here)
    return Reply(_paged("services", [_shown(call, service, service.places[call.path["region"]]) for service in shown], token))


@FACE.reads("services.get", _SERVICE)
def get_service(call: Call) -> Reply:
    _known_query(call)
    service, place = _known(call, call.path["service"])
    look(call, service, place)
    return Reply(_shown(call, service, place))


@FACE.reads("services.testIamPermissions", _SERVICE + ":testIamPermissions", "POST")
def test_permissions(call: Call) -> Reply:
    """Which of the permissions that are asked about the caller has."""
    _known(call, call.path["service"])
    asked = (call.body or {}).get("permissions", [])
    granted = [one for one in asked if one != "run.services.update" or call.may("services.patch")]
    return Reply({"permissions": granted} if granted else {})


@FACE.writes("services.patch", _SERVICE, "PATCH")
def patch_service(call: Call) -> Reply:
    """Take the masked fields. The etag, if given, must be the present one."""
    _known_query(call, "updateMask", "validateOnly", "allowMissing")
    service, place = _known(call, call.path["service"])
    wanted, mask = call.ask(ServicePatch), _mask(call)
    if wanted.name and wanted.name != _name(call, service):
        raise call.refuse(400, "service.name does not match the address")
    if wanted.etag and wanted.etag != etag_of(place):
        raise call.refuse(409, f"Conflict for resource '{service.name}': version '{wanted.etag}' was specified but is not current.")
    before, latest = visible(call, service, place), service.latest_ready(place.region)
    if call.one("validateOnly", "false") == "true":
        kept = call.world.keep()
        apply(call, service, place, wanted, mask)
        call.state = call.world.state = call.world.kept(kept)
        call.did(_target(service, place), before, before)
        return Reply(_operation(call, service, place, done=True))
    shown = dict(place.split)
    apply(call, service, place, wanted, mask)
    changed = visible(call, service, place) != before
    if changed:
        place.generation += 1
        begin(call, service, place, shown, latest)
    call.did(_target(service, place), before, visible(call, service, place))
    own = record_of(call, service, place)
    operation = _operation(call, service, place, done=not changed, failed=(own.get("refused") or {}).get("why", ""))
    if lost := own.pop("lost", None):
        operation = {"name": operation["name"], "done": True, "error": lost}
    return Reply(operation)


@FACE.reads("revisions.list", _SERVICE + "/revisions")
def list_revisions(call: Call) -> Reply:
    _known_query(call, "pageSize", "pageToken", "showDeleted")
    service, place = _known(call, call.path["service"])
    found = sorted({*place.history, place.template}, key=lambda name: -service.revisions[name].number)
    shown, token = _page(call, [service.revisions[name] for name in found])
    return Reply(_paged("revisions", [_revision(call, service, place, one) for one in shown], token))


@FACE.reads("revisions.get", _SERVICE + "/revisions/{revision}")
def get_revision(call: Call) -> Reply:
    _known_query(call)
    service, place = _known(call, call.path["service"])
    name = call.path["revision"]
    if name not in {*place.history, place.template}:
        raise call.refuse(404, f"Revision '{name}' was not found.")
    return Reply(_revision(call, service, place, service.revisions[name]))


@FACE.reads("operations.get", _LOCATION + "/operations/{operation}")
def get_operation(call: Call) -> Reply:
    """Named `service-generation-number`: done as soon as that generation is no longer under way."""
    _known_query(call)
    name, _, generation = call.path["operation"].rpartition("-")[0].rpartition("-")
    service, place = _known(call, name)
    look(call, service, place)
    moving = record_of(call, service, place).get("moving") or {}
    same = str(place.generation) == generation
    under_way = bool(moving) and same and not moving["over"]
    failed = moving["failed"] if moving and same else ""
    return Reply(_operation(call, service, place, done=not under_way, named=call.path["operation"], failed=failed))


def _known(call: Call, name: str) -> tuple[Service, Place]:
    service = call.state.fleet.services.get(name)
    if service is None or service.platform != "cloud_run" or call.path["region"] not in service.places:
        raise call.refuse(404, f"Resource '{name}' of kind 'SERVICE' in region '{call.path['region']}' does not exist.")
    return service, service.places[call.path["region"]]


def _known_query(call: Call, *names: str) -> None:
    unknown = set(call.query) - COMMON_QUERY - set(names)
    if unknown:
        raise call.refuse(400, f'Invalid JSON payload received. Unknown name "{min(unknown)}": Cannot bind query parameter.')


def _mask(call: Call) -> set[str]:
    mask = set(filter(None, call.one("updateMask").split(",")))
    if not mask or mask - MASK:
        raise call.refuse(400, f"updateMask must name some of {', '.join(sorted(MASK))} here.")
    if call.one("allowMissing", "false") == "true":
        raise call.refuse(501, "allowMissing is not offered here.")
    return mask


def _page(call: Call, things: list[Any]) -> tuple[list[Any], str]:
    size, token = call.one("pageSize", "0"), call.one("pageToken", "0")
    if not size.isdigit() or not token.isdigit():
        raise call.refuse(400, "pageSize and pageToken are as this API gave them.")
    start, many = int(token), int(size) or 100
    return things[start : start + many], str(start + many) if start + many < len(things) else ""


def _paged(name: str, things: list[JSON], token: str) -> JSON:
    return {name: things} | ({"nextPageToken": token} if token else {})


def _name(call: Call, service: Service) -> str:
    return f"projects/{call.path['project']}/locations/{call.path['region']}/services/{service.name}"


def _target(service: Service, place: Place) -> str:
    return f"services/{service.name}/{place.region}"


def _shown(call: Call, service: Service, place: Place) -> JSON:
    return shown_service(service, place, _name(call, service), record_of(call, service, place), call.world.clock.stamp)


def _revision(call: Call, service: Service, place: Place, revision: Revision) -> JSON:
    return shown_revision(service, place, revision, f"{_name(call, service)}/revisions/{revision.name}", call.world.clock.stamp)


def _operation(call: Call, service: Service, place: Place, *, done: bool, named: str = "", failed: str = "") -> JSON:
    number = named or f"{service.name}-{place.generation}-{call.world.number()}"
    shown = {"@type": TYPE, **_shown(call, service, place)}
    name = f"projects/{call.path['project']}/locations/{call.path['region']}/operations/{number}"
    operation: JSON = {"name": name, "metadata": shown}
    if done:
        result = {"error": {"code": FAILED_PRECONDITION, "message": failed}} if failed else {"response": shown}
        operation |= {"done": True, **result}
    return operation
