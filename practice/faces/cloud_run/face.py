"""`/run`: Cloud Run's Admin API v2 (cloud.google.com/run/docs/reference/rest/v2): services, their traffic, revisions and operations.

A write is accepted at once and shows as *reconciling*, with the traffic before, until it was looked at once or a few world seconds passed.
"""

from __future__ import annotations

import math
from typing import Any

from practice.faces.cloud_run.forms import (
    LATEST,
    Scaling,
    ServicePatch,
    Target,
    Template,
    etag_of,
    shown_revision,
    shown_service,
    targets_of,
)
from practice.http.face import Call, Face, Refusal, Reply
from practice.services.deploying import change
from practice.services.fleet import Place, Revision, Service
from practice.services.fleet_cast import revision_name
from practice.world.state import JSON

STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
SETTLES_AFTER = 5.0  # world seconds
MASK = {"traffic", "template", "scaling"}
COMMON_QUERY = {"$alt", "alt", "prettyPrint", "fields", "key", "quotaUser"}
TYPE = "type.googleapis.com/google.cloud.run.v2.Service"
FAILED_PRECONDITION = 9  # google.rpc.Code


def _error(status: int, message: str) -> Reply:
    return Reply({"error": {"code": status, "message": message, "status": STATUS.get(status, "UNKNOWN")}}, status)


FACE = Face(
    "run",
    refused=_error,
    invalid=lambda problems: _error(400, "Invalid JSON payload received. " + "; ".join(problems)),
    unauthorised=lambda headers: _error(401, "Request had invalid authentication credentials."),
    throttled=lambda: _error(429, "Quota exceeded for quota metric 'Write requests'."),
)
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
    _look(call, service, place)
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
    before, latest = _visible(call, service, place), service.latest_ready(place.region)
    if call.one("validateOnly", "false") == "true":
        kept = call.world.keep()
        _change(call, service, place, wanted, mask)
        call.state = call.world.state = call.world.kept(kept)
        call.did(_target(service, place), before, before)
        return Reply(_operation(call, service, place, done=True))
    shown = dict(place.split)
    _change(call, service, place, wanted, mask)
    changed = _visible(call, service, place) != before
    if changed:
        place.generation += 1
        _begin(call, service, place, shown, latest)
    call.did(_target(service, place), before, _visible(call, service, place))
    refused = _own(call, service, place).get("refused") or {}
    return Reply(_operation(call, service, place, done=not changed, failed=refused.get("why", "")))


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
    _look(call, service, place)
    moving = _own(call, service, place).get("moving") or {}
    same = str(place.generation) == generation
    under_way = bool(moving) and same and not moving["over"]
    failed = moving["failed"] if moving and same else ""
    return Reply(_operation(call, service, place, done=not under_way, named=call.path["operation"], failed=failed))


# ---- what a write does ----


def _change(call: Call, service: Service, place: Place, wanted: ServicePatch, mask: set[str]) -> None:
    own = _own(call, service, place)
    if "template" in mask:
        _deploy(call, service, place, _given(call, "template", wanted.template))
    if "scaling" in mask:
        _scale(call, place, _given(call, "scaling", wanted.scaling))
    if "traffic" in mask:
        split, tags = _split(call, service, place, wanted.traffic or [Target(type=1, percent=100)])
        own["tags"] = tags
        trouble = _trouble(call, service, place, split)
        own["refused"] = {"split": split, "why": trouble} if trouble else None
        if not trouble:
            place.split = split


def _begin(call: Call, service: Service, place: Place, shown: dict[str, float], latest: str) -> None:
    """Show the change as under way, with what served before; what cannot be brought about stays refused."""
    own = _own(call, service, place)
    refused = own.get("refused") or {}
    split = refused.get("split", place.split)
    own["moving"] = {
        "targets": targets_of(split, own.get("tags", {})), "shown": shown, "latest": latest,
        "until": call.now + SETTLES_AFTER, "looked": False, "over": False, "failed": refused.get("why", ""),
    }  # fmt: skip


def _look(call: Call, service: Service, place: Place) -> None:
    """Somebody looks: the first look finds a change under way, the second one finds it done, and so does a later one."""
    own = _own(call, service, place)
    moving = own.get("moving")
    if not moving or moving["over"]:
        return
    if not moving["looked"] and call.now < moving["until"]:
        moving["looked"] = True
    elif moving["failed"]:
        moving["over"] = True
    else:
        own["moving"] = None


def _split(call: Call, service: Service, place: Place, targets: list[Target]) -> tuple[dict[str, float], dict[str, str]]:
    split: dict[str, float] = {}
    tags: dict[str, str] = {}
    for target in targets:
        if target.name != LATEST and target.name not in {*place.history, place.template}:
            raise call.refuse(400, f"Revision '{target.name}' in service.traffic was not found.")
        if target.name == LATEST and target.revision:
            raise call.refuse(400, "service.traffic: a target of type LATEST names no revision.")
        if target.percent:
            split[target.name] = split.get(target.name, 0.0) + target.percent / 100
        if target.tag:
            tags[target.tag] = service.latest_ready(place.region) if target.name == LATEST else target.name
    if not math.isclose(sum(split.values()), 1.0, abs_tol=1e-9):
        raise call.refuse(400, f"service.traffic: percents must sum to 100, and are {round(sum(split.values()) * 100)}.")
    return split, tags


def _trouble(call: Call, service: Service, place: Place, split: dict[str, float]) -> str:
    """Why the traffic cannot go there."""
    disabled = set(call.state.fleet.disabled_secrets)
    for name in split:
        revision = service.revisions[service.latest_ready(place.region) if name == LATEST else name]
        if not revision.ready or not revision.image_present:
            return f"Revision '{revision.name}' is not ready and cannot serve traffic."
        gone = [f"{secret}/versions/{v}" for secret, v in revision.secrets.items() if f"{secret}:{v}" in disabled]
        if gone:
            return f"Revision '{revision.name}' cannot access secret {gone[0]}, which is disabled."
    return ""


def _deploy(call: Call, service: Service, place: Place, wanted: Template) -> None:
    """A new template is a new revision, unless it is what the newest one already is."""
    container = wanted.containers[0]
    if not all(version.isdigit() for version in container.secrets.values()):
        raise call.refuse(400, "template.containers[0].env: versions of secrets must be pinned by number here.")
    secrets = {secret: int(version) for secret, version in container.secrets.items()}
    try:
        low, high = wanted.schema_bound("min", 1), wanted.schema_bound("max", 9)
    except ValueError as wrong:
        raise call.refuse(400, str(wrong)) from wrong
    content = (container.digest, secrets, low, high)
    if _content(service.revisions[place.template]) == content:
        return
    newest = service.newest()
    if _content(newest) == content and newest.name not in place.history:
        name = newest.name  # another region got it first
    else:
        name = wanted.revision or revision_name(service.name, newest.number + 1)
        if name in service.revisions:
            raise Refusal(Reply({"error": {"code": 409, "message": f"Revision '{name}' exists.", "status": "ALREADY_EXISTS"}}, 409))
        alike = [one for one in service.revisions.values() if one.digest == container.digest]
        service.revisions[name] = Revision(
            name, newest.number + 1, container.digest, call.now, "admin-api", secrets, low, high,
            error_rate=alike[-1].error_rate if alike else 0.0, latency_factor=alike[-1].latency_factor if alike else 1.0,
        )  # fmt: skip
        change(
            call.world, [service.name], "deploy", f"{name}: new template by the Admin API", actor="admin-api",
            digest=container.digest, details={"revision": name},
        )  # fmt: skip
    place.template = name
    place.history.append(name)


def _scale(call: Call, place: Place, wanted: Scaling) -> None:
    most = wanted.maxInstanceCount or place.most
    if wanted.minInstanceCount > most:
        raise call.refuse(400, "service.scaling: minInstanceCount must not be greater than maxInstanceCount.")
    place.least, place.most = wanted.minInstanceCount, most


def _content(revision: Revision) -> tuple[str, dict[str, int], int, int]:
    return revision.digest, revision.secrets, revision.schema_min, revision.schema_max


def _visible(call: Call, service: Service, place: Place) -> JSON:
    own = _own(call, service, place)
    more = {key: own[key] for key in ("tags", "refused") if own.get(key)}
    return {"traffic": dict(place.split), "template": place.template, "least": place.least, "most": place.most, **more}


# ---- asking and showing ----


def _known(call: Call, name: str) -> tuple[Service, Place]:
    service = call.state.fleet.services.get(name)
    if service is None or service.platform != "cloud_run" or call.path["region"] not in service.places:
        raise call.refuse(404, f"Resource '{name}' of kind 'SERVICE' in region '{call.path['region']}' does not exist.")
    return service, service.places[call.path["region"]]


def _own(call: Call, service: Service, place: Place) -> JSON:
    return call.state.cloud_run.setdefault(f"{service.name}@{place.region}", {})


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


def _given(call: Call, name: str, value: Any) -> Any:
    if value is None:
        raise call.refuse(400, f"service.{name} is in the mask and missing in the body.")
    return value


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
    return shown_service(service, place, _name(call, service), _own(call, service, place), call.world.clock.stamp)


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
