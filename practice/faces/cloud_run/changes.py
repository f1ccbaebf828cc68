"""What a write to a Cloud Run service does, and how it shows until it has settled."""

from __future__ import annotations

import math
from typing import Any

from practice.faces.cloud_run.forms import LATEST, Scaling, ServicePatch, Target, Template, targets_of
from practice.http.face import Call, Refusal, Reply
from practice.services.deploying import change
from practice.services.fleet import Place, Revision, Service, SideCar
from practice.services.fleet_cast import revision_name
from practice.world.state import JSON

SETTLES_AFTER = 5.0  # world seconds


class CloudRunRecords(dict[str, JSON]):
    """Service@region → what only the Admin API knows: tags, and what is under way."""


def apply(call: Call, service: Service, place: Place, wanted: ServicePatch, mask: set[str]) -> None:
    own = record_of(call, service, place)
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


def begin(call: Call, service: Service, place: Place, shown: dict[str, float], latest: str) -> None:
    """Show the change as under way, with what served before; what cannot be brought about stays refused."""
    own = record_of(call, service, place)
    refused = own.get("refused") or {}
    split = refused.get("split", place.split)
    own["moving"] = {
        "targets": targets_of(split, own.get("tags", {})), "shown": shown, "latest": latest,
        "until": call.now + SETTLES_AFTER, "looked": False, "over": False, "failed": refused.get("why", ""),
    }  # fmt: skip


def look(call: Call, service: Service, place: Place) -> None:
    """Somebody looks: the first look finds a change under way, the second one finds it done, and so does a later one."""
    own = record_of(call, service, place)
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
        gone = [need.replace(":", "/versions/") for need in sorted(revision.needs() & disabled)]
        if gone:
            return f"Revision '{revision.name}' cannot access secret {gone[0]}, which is disabled."
    return ""


def _deploy(call: Call, service: Service, place: Place, wanted: Template) -> None:
    """A new template is a new revision, unless it is what the newest one already is."""
    newest = service.newest()
    try:
        container = wanted.app
        built = Revision(
            wanted.revision or revision_name(service.name, newest.number + 1), newest.number + 1, container.digest, call.now, "admin-api",
            container.secrets, wanted.mounted, [SideCar(one.name, one.digest, one.secrets) for one in wanted.containers if one is not container],
            wanted.schema_bound("min", 1), wanted.schema_bound("max", 9),
        )  # fmt: skip
    except ValueError as wrong:
        raise call.refuse(400, str(wrong)) from wrong
    if service.revisions[place.template].content() == built.content():
        return
    if newest.content() == built.content() and newest.name not in place.history:
        name = newest.name  # another region got it first
    else:
        name = built.name
        if name in service.revisions:
            raise Refusal(Reply({"error": {"code": 409, "message": f"Revision '{name}' exists.", "status": "ALREADY_EXISTS"}}, 409))
        alike = [one for one in service.revisions.values() if one.digest == container.digest]
        service.revisions[name] = built
        if alike:
            built.error_rate, built.latency_factor = alike[-1].error_rate, alike[-1].latency_factor
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


def visible(call: Call, service: Service, place: Place) -> JSON:
    own = record_of(call, service, place)
    more = {key: own[key] for key in ("tags", "refused") if own.get(key)}
    return {"traffic": dict(place.split), "template": place.template, "least": place.least, "most": place.most, **more}


def record_of(call: Call, service: Service, place: Place) -> JSON:
    return call.state.part(CloudRunRecords).setdefault(f"{service.name}@{place.region}", {})


def _given(call: Call, name: str, value: Any) -> Any:
    if value is None:
        raise call.refuse(400, f"service.{name} is in the mask and missing in the body.")
    return value
