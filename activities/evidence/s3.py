"""Amazon S3's REST API with Object Lock (docs.aws.amazon.com/AmazonS3/latest/API), and whatever speaks it, as an evidence store.

An object is made only where there is none (`If-None-Match: *`), retained in compliance mode: nobody can shorten that, not even the account's
root. Requests are signed by Signature Version 4; the checksum of what is sent is part of the signature, and read back from the store.
"""

import base64
import hashlib
import hmac
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from xml.etree import ElementTree

import httpx

from activities.action import Call, NotYet, Refused
from activities.evidence.store import Placed
from activities.kit.create_once import once
from activities.kit.http import NOT_FOUND, HttpClient, outcome
from activities.kit.words.urls import path, query

COMPLIANCE = "COMPLIANCE"
MODE, UNTIL, CHECKSUM = "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-checksum-sha256"
XML = "{http://s3.amazonaws.com/doc/2006-03-01/}"
SIGNED = ("host", "x-amz-content-sha256", "x-amz-date")
LONGEST_ANSWER = 4 * 1024 * 1024  # bytes of XML that are read at all


class SignatureV4(httpx.Auth):
    """Signs requests to S3, by the clock of this machine, which must be within 15 minutes of the store's. The secret never leaves it."""

    requires_request_body = True

    def __init__(self, key_id: str, secret: str, region: str) -> None:
        self._key_id, self._secret, self._region = key_id, secret, region

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        at = datetime.now(UTC)
        payload = hashlib.sha256(request.content).hexdigest()
        request.headers.update({"x-amz-date": f"{at:%Y%m%dT%H%M%SZ}", "x-amz-content-sha256": payload})
        request.headers["Authorization"] = self.authorization(request, at, payload)
        yield request

    def authorization(self, request: httpx.Request, at: datetime, payload: str) -> str:
        """The header by which the request proves who sent it, and that nobody has altered it since."""
        names = sorted({*SIGNED, *(name for name in request.headers if name.startswith("x-amz-"))})
        headers = "".join(f"{name}:{' '.join(_header(request, name).split())}\n" for name in names)
        raw_path, _, asked = request.url.raw_path.decode().partition("?")
        asked = "&".join(sorted(one if "=" in one else f"{one}=" for one in asked.split("&") if one))
        canonical = "\n".join((request.method, raw_path, asked, headers, ";".join(names), payload))
        scope = f"{at:%Y%m%d}/{self._region}/s3/aws4_request"
        to_sign = "\n".join(("AWS4-HMAC-SHA256", f"{at:%Y%m%dT%H%M%SZ}", scope, hashlib.sha256(canonical.encode()).hexdigest()))
        key = f"AWS4{self._secret}".encode()
        for part in (f"{at:%Y%m%d}", self._region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
        return f"AWS4-HMAC-SHA256 Credential={self._key_id}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"


class S3:
    """One bucket, by its path below the endpoint. Its Object Lock must be on."""

    def __init__(self, http: HttpClient, bucket: str) -> None:
        self._http, self.bucket = http, bucket

    async def put(self, call: Call, path: str, content: bytes, held_until: datetime) -> Placed:
        """Raises `NotYet` while it does not show what was written, or is not retained for so long."""
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        there = await once(
            call, f"s3://{self.bucket}/{path}", partial(self._head, call, path), partial(self._upload, call, path, content, checksum, held_until),
            missing=lambda found: "" if found.get(CHECKSUM) == checksum else f"{path} holds something else than what was written",
        )  # fmt: skip
        found = there.found
        if (until := _retained(found)) is not None and until < held_until:
            await self._retain(call, path, found, held_until)
            until = _retained(await self._head(call, path) or {})
        if until is not None and until < held_until:
            raise NotYet(f"accepted, but s3://{self.bucket}/{path} is not kept until {held_until:%Y-%m-%d}")
        return Placed(
            location=f"s3://{self.bucket}/{path}#{found.get('x-amz-version-id', '')}",
            write_once=until is not None,
            protection=f"write-once until {until:%Y-%m-%d}" if until else "not write-once: the store has put no lock on it",
            held_until=until or held_until,
            adopted=there.adopted,
        )

    async def get(self, call: Call, prefix: str) -> bytes | None:
        asked: dict[str, Any] = {"list-type": "2", "prefix": prefix}
        answer = await self._http.read(call, self._path(), **asked)
        keys = sorted(one.text or "" for one in _xml(answer).iter(f"{XML}Key"))
        return (await self._http.read(call, self._path(keys[0]))).content if keys else None

    async def locks(self, call: Call) -> bool:
        """Whether the bucket's Object Lock is on."""
        answer = await self._http.ask(call, "GET", self._path() + "?object-lock=")
        if answer.status_code == NOT_FOUND and b"ObjectLockConfigurationNotFound" in answer.content:
            return False
        return _xml(outcome(answer)).findtext(f"{XML}ObjectLockEnabled") == "Enabled"

    async def _head(self, call: Call, name: str) -> Mapping[str, str] | None:
        """What is known of an object. S3 shows its checksum only when asked to."""
        answer = await self._http.ask(call, "HEAD", self._path(name), headers={"x-amz-checksum-mode": "ENABLED"})
        return None if answer.status_code == NOT_FOUND else outcome(answer).headers

    async def _upload(self, call: Call, name: str, content: bytes, checksum: str, held_until: datetime) -> None:
        lock = {MODE: COMPLIANCE, UNTIL: _instant(held_until), CHECKSUM: checksum, "x-amz-sdk-checksum-algorithm": "SHA256"}
        headers = {**lock, "If-None-Match": "*", "Content-Type": "application/octet-stream"}
        await self._http.write(call, "PUT", self._path(name), content=content, headers=headers)

    async def _retain(self, call: Call, name: str, found: Mapping[str, str], held_until: datetime) -> None:
        root = ElementTree.Element("Retention", xmlns=XML.strip("{}"))
        ElementTree.SubElement(root, "Mode").text = COMPLIANCE
        ElementTree.SubElement(root, "RetainUntilDate").text = _instant(held_until)
        body = ElementTree.tostring(root)
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        asked = query({"retention": "", "versionId": found.get("x-amz-version-id")})
        await self._http.write(
            call, "PUT", self._path(name) + asked, content=body, headers={"Content-MD5": md5, "Content-Type": "application/xml"}
        )

    def _path(self, name: str = "") -> str:
        return path(self.bucket, *name.split("/")) if name else path(self.bucket)


def _header(request: httpx.Request, name: str) -> str:
    return request.headers[name]


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _retained(found: Mapping[str, str]) -> datetime | None:
    """Until when nobody can change or remove it. A governance lock does not count: who has the right passes it by."""
    if found.get(MODE) != COMPLIANCE:
        return None
    return datetime.fromisoformat(found[UNTIL].replace("Z", "+00:00"))


def _xml(answer: httpx.Response) -> ElementTree.Element:
    """An answer's XML. Raises `Refused` for what is none, is too long, or declares entities: an answer is data, and expands to nothing."""
    if len(answer.content) > LONGEST_ANSWER or b"<!DOCTYPE" in answer.content or b"<!ENTITY" in answer.content:
        raise Refused("the store's answer is no list of objects")
    try:
        return ElementTree.fromstring(answer.content)  # noqa: S314 - entities are refused above
    except ElementTree.ParseError:
        raise Refused("the store's answer is no XML") from None
