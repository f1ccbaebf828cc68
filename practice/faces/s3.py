"""`/s3`: of Amazon S3's REST API, what keeping evidence needs, by path. Objects have versions; in `evidence` they can be locked.

A locked version is not removed before its time; a delete without a version only hides the object, as S3 does. Who signs is known by the
key's id; whether a signature is right is judged elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from practice.http.face import Call, Face, Refusal, Reply
from practice.world.clock import from_rfc3339
from practice.world.state import JSON

CODES = {
    400: "InvalidRequest",
    403: "AccessDenied",
    404: "NoSuchKey",
    412: "PreconditionFailed",
    429: "SlowDown",
    503: "ServiceUnavailable",
}
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
COMPLIANCE, GOVERNANCE = "COMPLIANCE", "GOVERNANCE"
KEY_ID = "practice"


def _error(status: int, message: str, code: str = "") -> Reply:
    return _xml("Error", {"Code": code or CODES.get(status, "InternalError"), "Message": message}, status)


def _xml(root: str, told: Mapping[str, str], status: int = 200, lists: tuple[str, list[str]] = ("", [])) -> Reply:
    made = ElementTree.Element(root, xmlns=NAMESPACE)
    for name, text in told.items():
        ElementTree.SubElement(made, name).text = text
    for one in lists[1]:
        ElementTree.SubElement(ElementTree.SubElement(made, lists[0]), "Key").text = one
    return Reply(
        content=ElementTree.tostring(made, encoding="utf-8", xml_declaration=True),
        status=status,
        headers={"Content-Type": "application/xml"},
    )


FACE = Face(
    "s3",
    refused=_error,
    invalid=lambda problems: _error(400, "; ".join(problems)),
    authorised=lambda headers: headers.get("authorization", "").startswith(f"AWS4-HMAC-SHA256 Credential={KEY_ID}/"),
    unauthorised=lambda headers: _error(403, "The AWS Access Key Id you provided does not exist in our records.", "InvalidAccessKeyId"),
    throttled=lambda: _error(429, "Please reduce your request rate."),
)
_OBJECT = "/s3/{bucket}/{key:path}"


@dataclass
class Version:
    """One version of an object. `content` None: a marker that hides those before."""

    id: str
    content: bytes | None
    mode: str = ""
    until: str = ""


@dataclass
class Bucket:
    locks: bool
    objects: dict[str, list[Version]] = field(default_factory=dict)


@dataclass
class Buckets:
    by_name: dict[str, Bucket] = field(default_factory=lambda: {"evidence": Bucket(True), "plain": Bucket(False)})


@FACE.reads("buckets.get", "/s3/{bucket}")
def bucket(call: Call) -> Reply:
    """`list-type=2`: the keys that begin with a prefix; `object-lock`: whether it is on."""
    found = _bucket(call)
    if "object-lock" in call.query:
        if not found.locks:
            raise Refusal(_error(404, "Object Lock configuration does not exist for this bucket", "ObjectLockConfigurationNotFoundError"))
        return _xml("ObjectLockConfiguration", {"ObjectLockEnabled": "Enabled"})
    keys = sorted(key for key in found.objects if key.startswith(call.one("prefix")) and found.objects[key][-1].content is not None)
    return _xml(
        "ListBucketResult", {"Name": call.path["bucket"], "KeyCount": str(len(keys)), "IsTruncated": "false"}, lists=("Contents", keys)
    )


@FACE.reads("objects.get", _OBJECT)
def get(call: Call) -> Reply:
    version = _known(call)
    return Reply(content=version.content, headers={**_headers(version), "Content-Type": "application/octet-stream"})


@FACE.reads("objects.head", _OBJECT, "HEAD")
def head(call: Call) -> Reply:
    return Reply(content=b"", headers=_headers(_known(call)))


@FACE.writes("objects.put", _OBJECT, "PUT")
def put(call: Call) -> Reply:
    """A new version; with `retention`, how long one is kept. `If-None-Match: *`: only where there is none."""
    if "retention" in call.query:
        return _retain(call)
    there, key = _bucket(call), call.path["key"]
    content = call.body if isinstance(call.body, bytes) else b""
    given = call.headers.get("x-amz-checksum-sha256")
    if given is not None and given != _checksum(content):
        raise Refusal(_error(400, "The SHA256 you specified did not match the calculated checksum.", "BadDigest"))
    versions = there.objects.get(key, [])
    if call.headers.get("if-none-match") == "*" and versions and versions[-1].content is not None:
        raise call.refuse(412, "At least one of the pre-conditions you specified did not hold")
    made = Version(f"v{call.world.number()}", content)
    if "x-amz-object-lock-mode" in call.headers:
        _lock(call, made, call.headers["x-amz-object-lock-mode"], call.headers.get("x-amz-object-lock-retain-until-date", ""))
    there.objects[key] = [*versions, made]
    call.did(f"{call.path['bucket']}/{key}", versions[-1].id if versions else None, _essence(made))
    return Reply(content=b"", headers={"x-amz-version-id": made.id})


@FACE.writes("objects.delete", _OBJECT, "DELETE")
def delete(call: Call) -> Reply:
    """With `versionId` that version goes, if nothing keeps it; without, the object is only hidden."""
    version, key, there = _known(call), call.path["key"], _bucket(call)
    if "versionId" not in call.query:
        there.objects[key] = [*there.objects[key], Version(f"v{call.world.number()}", None)]
    elif version.mode and from_rfc3339(version.until) > call.real():
        raise call.refuse(403, "Access Denied because object protected by object lock.")
    else:
        there.objects[key] = [one for one in there.objects[key] if one is not version]
        if not there.objects[key]:
            del there.objects[key]
    call.did(f"{call.path['bucket']}/{key}", _essence(version), None)
    return Reply(status=204)


def _retain(call: Call) -> Reply:
    version = _known(call)
    try:
        told = {one.tag.rpartition("}")[2]: one.text or "" for one in ElementTree.fromstring(call.body)}  # noqa: S314 - a drill's own client
    except (ElementTree.ParseError, TypeError):
        raise Refusal(_error(400, "The XML you provided was not well-formed", "MalformedXML")) from None
    before = _essence(version)
    _lock(call, version, told.get("Mode", ""), told.get("RetainUntilDate", ""))
    call.did(f"{call.path['bucket']}/{call.path['key']}", before, _essence(version))
    return Reply(content=b"")


def _lock(call: Call, version: Version, mode: str, until: str) -> None:
    if not _bucket(call).locks:
        raise call.refuse(400, "Bucket is missing Object Lock Configuration")
    try:
        later = from_rfc3339(until) > call.real()
        shorter = version.mode == COMPLIANCE and (mode != COMPLIANCE or from_rfc3339(until) < from_rfc3339(version.until))
    except ValueError:
        later, shorter = False, False
    if mode not in (COMPLIANCE, GOVERNANCE) or not later:
        raise call.refuse(400, "The retain until date must be in the future!")
    if shorter:
        raise call.refuse(403, "Access Denied because object protected by object lock.")
    version.mode, version.until = mode, until


def _headers(version: Version) -> dict[str, str]:
    lock = {"x-amz-object-lock-mode": version.mode, "x-amz-object-lock-retain-until-date": version.until} if version.mode else {}
    return {"x-amz-version-id": version.id, "x-amz-checksum-sha256": _checksum(version.content or b""), **lock}


def _checksum(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _essence(version: Version) -> JSON:
    """What the effect log shows of a version: never what it holds."""
    return {"id": version.id, "sha256": hashlib.sha256(version.content or b"").hexdigest(), "mode": version.mode, "until": version.until}


def _bucket(call: Call) -> Bucket:
    found = call.state.part(Buckets).by_name.get(call.path["bucket"])
    if found is None:
        raise Refusal(_error(404, "The specified bucket does not exist", "NoSuchBucket"))
    return found


def _known(call: Call) -> Version:
    versions, wanted = _bucket(call).objects.get(call.path["key"], []), call.one("versionId")
    found = next((one for one in versions if one.id == wanted), None) if wanted else versions[-1] if versions else None
    if found is None or found.content is None:
        raise call.refuse(404, "The specified key does not exist.")
    return found
