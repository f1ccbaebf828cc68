"""`/secretmanager`: Google Secret Manager v1 (cloud.google.com/secret-manager/docs/reference/rest): secrets, their versions, and payloads.

The official client comes by gRPC (`practice/stores/secret_manager.py`), which is translated to these routes: so every injected fault works there.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import google_crc32c
from pydantic import Field

from practice.credentials.cast import credentials
from practice.credentials.keys import fall_silent
from practice.credentials.model import DESTROYED, DISABLED, ENABLED, Version
from practice.http.face import Ask, Call, Face, Refusal, Reply
from practice.world.state import JSON

NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
}
LARGEST = 65_536


def _error(status: int, message: str, name: str = "") -> Reply:
    named = name or NAMES.get(status, "UNAVAILABLE" if status >= 500 else "UNKNOWN")
    return Reply({"error": {"code": status, "message": message, "status": named}}, status)


FACE = Face(
    "secretmanager",
    refused=_error,
    invalid=lambda problems: _error(400, "; ".join(problems)),
    unauthorised=lambda headers: _error(401, "Request had invalid authentication credentials."),
    throttled=lambda: _error(429, "Quota exceeded."),
)
OF = "/secretmanager/v1/projects/{project}/secrets/{secret}"
VERSION = OF + "/versions/{version}"


class Payload(Ask):
    data: str
    dataCrc32c: str | None = None  # noqa: N815 - the wire's name


class AddVersion(Ask):
    payload: Payload


class Change(Ask):
    etag: str = Field("", max_length=200)


def _versions(call: Call) -> dict[int, Version]:
    found = credentials(call.state, call.now).store.get(call.path["secret"])
    if found is None:
        raise call.refuse(404, f"Secret [{_name(call)}] not found.")
    return found


def _name(call: Call) -> str:
    return f"projects/{call.path['project']}/secrets/{call.path['secret']}"


def _one(call: Call) -> tuple[int, Version]:
    versions, said = _versions(call), call.path["version"]
    number = max(versions, default=0) if said == "latest" else int(said) if said.isdigit() else 0
    if number not in versions:
        raise call.refuse(404, f"Secret Version [{_name(call)}/versions/{said}] not found.")
    return number, versions[number]


def _shown(call: Call, number: int, one: Version) -> JSON:
    return {
        "name": f"{_name(call)}/versions/{number}", "createTime": call.world.clock.stamp(one.made), "state": one.state,
        "etag": f'"{number}-{one.changes}"',
    }  # fmt: skip


@FACE.writes("versions.add", OF + ":addVersion")
def add(call: Call) -> Reply:
    """A new version each time: there is no request id."""
    wanted, versions = call.ask(AddVersion), _versions(call)
    try:
        raw = base64.b64decode(wanted.payload.data, validate=True)
    except binascii.Error:
        raise call.refuse(400, "payload.data is not base64") from None
    if len(raw) > LARGEST:
        raise call.refuse(400, "payload exceeds 65536 bytes")
    if wanted.payload.dataCrc32c is not None and int(wanted.payload.dataCrc32c) != google_crc32c.value(raw):
        raise call.refuse(400, "the checksum of the payload is another one")
    number = max(versions, default=0) + 1
    versions[number] = Version(raw.decode(errors="replace"), call.now)
    call.did(f"{_name(call)}/versions", number - 1, number)
    fall_silent(credentials(call.state, call.now), call.state.fleet)
    return Reply(_shown(call, number, versions[number]))


@FACE.reads("versions.list", OF + "/versions")
def listed(call: Call) -> Reply:
    """Newest first."""
    size, token = int(call.one("pageSize", "0")) or 25000, int(call.one("pageToken", "0") or 0)
    found = sorted(_versions(call).items(), reverse=True)
    shown: JSON = {"versions": [_shown(call, *one) for one in found[token : token + size]], "totalSize": len(found)}
    return Reply(shown | ({"nextPageToken": str(token + size)} if token + size < len(found) else {}))


@FACE.reads("versions.get", VERSION, otherwise=True)
def get(call: Call) -> Reply:
    return Reply(_shown(call, *_one(call)))


@FACE.reads("versions.access", VERSION + ":access")
def access(call: Call) -> Reply:
    """The payload; only of a version that is enabled."""
    number, found = _one(call)
    if found.state != ENABLED:
        what = f"Secret Version [{_name(call)}/versions/{number}] is in {found.state} state."
        raise Refusal(_error(400, what, "FAILED_PRECONDITION"))
    raw = found.value.encode()
    payload = {"data": base64.b64encode(raw).decode(), "dataCrc32c": str(google_crc32c.value(raw))}
    return Reply({"name": f"{_name(call)}/versions/{number}", "payload": payload})


@FACE.writes("versions.disable", VERSION + ":disable")
def disable(call: Call) -> Reply:
    """Nobody gets its payload any more, until it is enabled again."""
    return _changed(call, DISABLED)


@FACE.writes("versions.enable", VERSION + ":enable")
def enable(call: Call) -> Reply:
    return _changed(call, ENABLED)


@FACE.writes("versions.destroy", VERSION + ":destroy")
def destroy(call: Call) -> Reply:
    """For ever."""
    return _changed(call, DESTROYED)


def _changed(call: Call, to: str) -> Reply:
    wanted, (number, found) = call.ask(Change), _one(call)
    shown = _shown(call, number, found)
    if wanted.etag and wanted.etag != shown["etag"]:
        raise Refusal(_error(400, f"The etag provided does not match the one of the resource ({wanted.etag}).", "FAILED_PRECONDITION"))
    if found.state == DESTROYED and to != DESTROYED:
        raise Refusal(_error(400, f"Secret Version [{shown['name']}] is in DESTROYED state.", "FAILED_PRECONDITION"))
    before: Any = found.state
    if before != to:
        found.state, found.changes = to, found.changes + 1
        found.value = "" if to == DESTROYED else found.value
    fleet, pinned = call.state.fleet, f"{call.path['secret']}:{number}"
    fleet.disabled_secrets = [one for one in fleet.disabled_secrets if one != pinned] + ([pinned] if to != ENABLED else [])
    call.did(f"{_name(call)}/versions/{number}", before, to)
    return Reply(_shown(call, number, found))
