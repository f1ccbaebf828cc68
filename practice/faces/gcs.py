"""`/gcs`: of Google Cloud Storage's JSON API (cloud.google.com/storage/docs/json_api/v1), what keeping evidence needs.

Objects of `evidence` can have a retention of their own, those of `plain` cannot; in `logs` lie exports of the days before. What is retained
or held is not replaced, not removed, and not kept for a shorter time.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field

from practice.http.face import Ask, Call, Refusal, Reply
from practice.http.google import google_face, older_error
from practice.world.clock import from_rfc3339
from practice.world.state import JSON

PAGE = 1000
UNLOCKED, LOCKED = "Unlocked", "Locked"


FACE = google_face("gcs", says=older_error, throttled="The rate of requests exceeds the allowed limit.", unauthorised="Invalid Credentials")
_BUCKET = "/gcs/storage/v1/b/{bucket}"
_OBJECT = _BUCKET + "/o/{object:path}"


@dataclass
class Bucket:
    """A bucket. `retention`: whether its objects can have one of their own."""

    retention: bool
    objects: dict[str, Blob] = field(default_factory=dict)


@dataclass
class Blob:
    """An object, in its only version."""

    content: bytes
    generation: int
    created: str
    metageneration: int = 1
    retention: dict[str, str] | None = None
    held: bool = False
    temporarily: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    type: str = "application/octet-stream"


def _logs() -> Bucket:
    """What was exported day by day, and lies there already when something happens."""
    names = [f"{kind}/2026-11-{day:02d}.jsonl" for kind in ("audit", "access") for day in range(1, 7)]
    return Bucket(False, {name: Blob(name.encode(), n, "2026-11-07T00:00:00.000Z") for n, name in enumerate(names, start=1)})


@dataclass
class Buckets:
    """What this project has."""

    by_name: dict[str, Bucket] = field(default_factory=lambda: {"evidence": Bucket(True), "plain": Bucket(False), "logs": _logs()})


class Retention(Ask):
    mode: str
    retainUntilTime: str  # noqa: N815 - Google's name


class ObjectFields(Ask):
    name: str | None = None
    contentType: str | None = None  # noqa: N815
    retention: Retention | None = None
    eventBasedHold: bool | None = None  # noqa: N815
    temporaryHold: bool | None = None  # noqa: N815
    metadata: dict[str, str | None] | None = None


@FACE.reads("buckets.get", _BUCKET)
def bucket(call: Call) -> Reply:
    found: JSON = {"kind": "storage#bucket", "name": call.path["bucket"]}
    return Reply(found | ({"objectRetention": {"mode": "Enabled"}} if _bucket(call).retention else {}))


@FACE.reads("buckets.testIamPermissions", _BUCKET + "/iam/testPermissions")
def test_permissions(call: Call) -> Reply:
    """Which of the permissions that are asked about the caller has."""
    _bucket(call)
    granted = [one for one in call.query.get("permissions", ()) if one != "storage.objects.create" or call.may("objects.insert")]
    return Reply({"kind": "storage#testIamPermissionsResponse", **({"permissions": granted} if granted else {})})


@FACE.reads("objects.list", _BUCKET + "/o")
def list_objects(call: Call) -> Reply:
    names = sorted(name for name in _bucket(call).objects if name.startswith(call.one("prefix")) and name > call.one("pageToken"))
    shown = names[: min(int(call.one("maxResults", str(PAGE))), PAGE)]
    more = {"nextPageToken": shown[-1]} if len(names) > len(shown) else {}
    items = [_shown(call, name) for name in shown]
    return Reply({"kind": "storage#objects", **({"items": items} if items else {}), **more})


@FACE.writes("objects.insert", "/gcs/upload/storage/v1/b/{bucket}/o")
def insert(call: Call) -> Reply:
    """Upload in one request (`uploadType=multipart`). `ifGenerationMatch=0`: only where there is none."""
    there = _bucket(call)
    told, content = _parts(call)
    if told.name is None:
        raise call.refuse(400, "Required")
    old = there.objects.get(told.name)
    if "ifGenerationMatch" in call.query and int(call.one("ifGenerationMatch")) != (old.generation if old else 0):
        raise call.refuse(412, "At least one of the pre-conditions you specified did not hold.")
    if old:
        _let_go(call, old)
    blob = Blob(content, call.world.number(), call.stamp(), type=told.contentType or "application/octet-stream")
    _keep(call, blob, told)
    there.objects[told.name] = blob
    call.did(f"b/{call.path['bucket']}/o/{told.name}", _essence(old), _essence(blob))
    return Reply(_shown(call, told.name))


@FACE.reads("objects.get", _OBJECT)
def get(call: Call) -> Reply:
    """What is known of an object; with `alt=media`, what it holds."""
    blob = _known(call)
    if call.one("generation", str(blob.generation)) != str(blob.generation):
        raise call.refuse(404, f"No such object: {call.path['bucket']}/{call.path['object']}")
    if call.one("alt") == "media":
        return Reply(headers={"Content-Type": blob.type, "x-goog-generation": str(blob.generation)}, content=blob.content)
    return Reply(_shown(call, call.path["object"]))


@FACE.writes("objects.patch", _OBJECT, "PATCH")
def patch(call: Call) -> Reply:
    """Hold it, or retain it for longer. A locked retention is never shortened."""
    blob, told = _known(call), call.ask(ObjectFields)
    if "ifMetagenerationMatch" in call.query and int(call.one("ifMetagenerationMatch")) != blob.metageneration:
        raise call.refuse(412, "At least one of the pre-conditions you specified did not hold.")
    before = _essence(blob)
    _keep(call, blob, told)
    blob.metageneration += 1
    call.did(f"b/{call.path['bucket']}/o/{call.path['object']}", before, _essence(blob))
    return Reply(_shown(call, call.path["object"]))


@FACE.writes("objects.delete", _OBJECT, "DELETE")
def delete(call: Call) -> Reply:
    """Remove it, if nothing keeps it."""
    blob = _known(call)
    _let_go(call, blob)
    del _bucket(call).objects[call.path["object"]]
    call.did(f"b/{call.path['bucket']}/o/{call.path['object']}", _essence(blob), None)
    return Reply(status=204)


def _keep(call: Call, blob: Blob, told: ObjectFields) -> None:
    if told.retention is not None:
        if not _bucket(call).retention:
            raise call.refuse(400, "Object retention is not enabled for this bucket.")
        if told.retention.mode not in (LOCKED, UNLOCKED):
            raise call.refuse(400, f"Invalid value for: {told.retention.mode} is not a valid value")
        until, old = from_rfc3339(told.retention.retainUntilTime), blob.retention
        if until <= call.real():
            raise call.refuse(400, "Retain until time must be in the future.")
        if old and old["mode"] == LOCKED and (until < from_rfc3339(old["retainUntilTime"]) or told.retention.mode != LOCKED):
            raise call.refuse(403, "A locked retention can only be extended.")
        blob.retention = told.retention.model_dump()
    if told.eventBasedHold is not None:
        blob.held = told.eventBasedHold
    if told.temporaryHold is not None:
        blob.temporarily = told.temporaryHold
    if told.metadata is not None:
        blob.metadata = {name: value for name, value in {**blob.metadata, **told.metadata}.items() if value is not None}


def _let_go(call: Call, blob: Blob) -> None:
    """Refuse to lose what is kept."""
    if blob.temporarily:
        raise call.refuse(403, "Object is under active Temporary hold and cannot be deleted, overwritten or archived.")
    if blob.held:
        raise call.refuse(403, "Object is under active Event-Based hold and cannot be deleted, overwritten or archived.")
    if blob.retention and from_rfc3339(blob.retention["retainUntilTime"]) > call.real():
        raise call.refuse(403, "Object is subject to an object retention and cannot be deleted or overwritten until it expires.")


def _parts(call: Call) -> tuple[ObjectFields, bytes]:
    """The two parts of `multipart/related`: what is said of the object, and what it holds."""
    boundary = call.headers.get("content-type", "").partition("boundary=")[2].strip('"')
    if call.one("uploadType") != "multipart" or not boundary or not isinstance(call.body, bytes):
        raise call.refuse(400, "only uploadType=multipart is played here")
    parts = call.body.split(f"--{boundary}".encode())
    if len(parts) != 4 or parts[3].strip() != b"--":
        raise call.refuse(400, "Malformed multipart body.")
    (_, _, told), (_, _, content) = (part.removeprefix(b"\r\n").partition(b"\r\n\r\n") for part in parts[1:3])
    call.body = json.loads(told)
    return call.ask(ObjectFields), content.removesuffix(b"\r\n")


def _shown(call: Call, name: str) -> JSON:
    blob = _bucket(call).objects[name]
    md5 = base64.b64encode(hashlib.md5(blob.content, usedforsecurity=False).digest()).decode()
    return {
        "kind": "storage#object", "id": f"{call.path['bucket']}/{name}/{blob.generation}", "name": name, "bucket": call.path["bucket"],
        "generation": str(blob.generation), "metageneration": str(blob.metageneration), "contentType": blob.type,
        "size": str(len(blob.content)), "md5Hash": md5, "timeCreated": blob.created, "updated": blob.created, "storageClass": "STANDARD",
        **({"retention": blob.retention} if blob.retention else {}), **({"eventBasedHold": True} if blob.held else {}),
        **({"temporaryHold": True} if blob.temporarily else {}), **({"metadata": dict(blob.metadata)} if blob.metadata else {}),
    }  # fmt: skip


def _essence(blob: Blob | None) -> JSON | None:
    """What the effect log shows of an object: never what it holds."""
    if blob is None:
        return None
    return {
        "sha256": hashlib.sha256(blob.content).hexdigest(),
        "generation": blob.generation,
        "retention": blob.retention and dict(blob.retention),
        "held": blob.held,
        "temporarily": blob.temporarily,
    }


def _bucket(call: Call) -> Bucket:
    found = call.state.part(Buckets).by_name.get(call.path["bucket"])
    if found is None:
        raise call.refuse(404, "The specified bucket does not exist.")
    return found


def _known(call: Call) -> Blob:
    found = _bucket(call).objects.get(call.path["object"])
    if found is None:
        raise Refusal(FACE.refused(404, f"No such object: {call.path['bucket']}/{call.path['object']}"))
    return found
