"""Google Cloud Storage's JSON API (cloud.google.com/storage/docs/json_api/v1), as an evidence store.

An object is made only where there is none (`ifGenerationMatch=0`). A locked retention makes it write-once: nobody can shorten that, not even
we. Where the bucket has no object retention, an event-based hold keeps it, until somebody with the right takes the hold away.
"""

import base64
import hashlib
import json
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from activities.action import Call, NotYet, Refused
from activities.evidence.store import Placed
from activities.kit.create_once import once
from activities.kit.http import Conflict, HttpClient
from activities.kit.words.urls import path, query

JSON = dict[str, Any]
LOCKED = "Locked"
RIGHTS = {  # what we need, for each way of keeping an object
    "retention": ("storage.objects.create", "storage.objects.get", "storage.objects.list", "storage.objects.setRetention"),
    "hold": ("storage.objects.create", "storage.objects.get", "storage.objects.list", "storage.objects.update"),
}


class Lock(StrEnum):
    RETENTION = "retention"
    HOLD = "hold"


class Gcs:
    """One bucket."""

    def __init__(self, http: HttpClient, bucket: str, lock: Lock = Lock.RETENTION) -> None:
        self._http, self.bucket, self.lock = http, bucket, lock

    async def put(self, call: Call, path: str, content: bytes, held_until: datetime) -> Placed:
        """Raises `NotYet` while it does not show what was written, or is not kept as it should be."""
        there = await once(
            call, f"gs://{self.bucket}/{path}", partial(self._find, call, path), partial(self._upload, call, path, content, held_until),
            missing=partial(_wrong, content),
        )  # fmt: skip
        found = there.found
        if self._short(found, held_until):
            found = await self._hold_longer(call, path, found, held_until)
        until = _retained(found)
        return Placed(
            location=f"gs://{self.bucket}/{path}#{found['generation']}",
            write_once=until is not None,
            protection=f"write-once until {until:%Y-%m-%d}" if until else "held: who may change objects there can end the hold",
            held_until=until or held_until,
            adopted=there.adopted,
        )

    async def get(self, call: Call, prefix: str) -> bytes | None:
        """Raises `Refused` when the bucket cannot be read."""
        listed = (await self._http.read(call, self._path(), prefix=prefix)).json().get("items", [])
        if not listed:
            return None
        found = min(listed, key=lambda item: str(item["name"]))
        return (await self._http.read(call, self._path(found["name"]), alt="media", generation=found["generation"])).content

    async def may_keep(self, call: Call) -> tuple[str, ...]:
        """The permissions that we lack on the bucket."""
        wanted = RIGHTS[self.lock]
        asked = path("storage", "v1", "b", self.bucket, "iam", "testPermissions")
        said = (await self._http.read(call, asked, permissions=list(wanted))).json()
        return tuple(one for one in wanted if one not in said.get("permissions", []))

    async def locks(self, call: Call) -> bool:
        """Whether objects of the bucket can have a retention of their own."""
        said = (await self._http.read(call, path("storage", "v1", "b", self.bucket))).json()
        return (said.get("objectRetention") or {}).get("mode") == "Enabled"

    async def _find(self, call: Call, name: str) -> JSON | None:
        return await self._http.find(call, self._path(name))

    async def _upload(self, call: Call, name: str, content: bytes, held_until: datetime) -> None:
        told = {"name": name, "contentType": "application/octet-stream", **self._kept(held_until)}
        boundary = hashlib.sha256(content + name.encode()).hexdigest()
        head = "\r\n".join(
            (f"--{boundary}", "Content-Type: application/json; charset=UTF-8", "", json.dumps(told),
             f"--{boundary}", "Content-Type: application/octet-stream", "", "")
        )  # fmt: skip
        asked = query({"uploadType": "multipart", "ifGenerationMatch": 0})
        await self._http.write(
            call, "POST", path("upload", "storage", "v1", "b", self.bucket, "o") + asked,
            content=head.encode() + content + f"\r\n--{boundary}--\r\n".encode(),
            headers={"Content-Type": f"multipart/related; boundary={boundary}"},
        )  # fmt: skip

    async def _hold_longer(self, call: Call, name: str, found: JSON, held_until: datetime) -> JSON:
        """It lies there already, and is kept for a shorter time than it should be, or by nothing. Kept shorter than before it never is."""
        asked = query({"ifMetagenerationMatch": found["metageneration"]})
        try:
            await self._http.write(call, "PATCH", self._path(name) + asked, json=self._kept(held_until))
        except Conflict as moved:
            raise NotYet(f"gs://{self.bucket}/{name} was changed by somebody else: {moved}") from moved
        found = await self._find(call, name) or {}
        if not found or self._short(found, held_until):
            raise NotYet(f"accepted, but gs://{self.bucket}/{name} is not kept until {held_until:%Y-%m-%d}")
        return found

    def _kept(self, until: datetime) -> JSON:
        if self.lock is Lock.HOLD:
            return {"eventBasedHold": True}
        return {"retention": {"mode": LOCKED, "retainUntilTime": until.isoformat().replace("+00:00", "Z")}}

    def _short(self, found: JSON, until: datetime) -> bool:
        if self.lock is Lock.HOLD:
            return not found.get("eventBasedHold")
        retained = _retained(found)
        return retained is None or retained < until

    def _path(self, name: str = "") -> str:
        return path("storage", "v1", "b", self.bucket, "o", *([name] if name else []))


def _wrong(content: bytes, found: JSON) -> str:
    """What is wrong with an object that should hold this content, by what the store itself has counted."""
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    if int(found.get("size", -1)) == len(content) and found.get("md5Hash") == md5:
        return ""
    return f"{found.get('name')} holds something else than what was written"


def _retained(found: JSON) -> datetime | None:
    """Until when it is locked."""
    retention = found.get("retention") or {}
    if retention.get("mode") != LOCKED:
        return None
    return datetime.fromisoformat(str(retention["retainUntilTime"]).replace("Z", "+00:00"))


def refuse_unlockable(locks: bool, gcs: Gcs) -> None:
    """Raises `Refused` for a bucket that cannot keep objects as we are told to."""
    if gcs.lock is Lock.RETENTION and not locks:
        raise Refused(
            f"objects of the bucket {gcs.bucket} can have no retention of their own: enable object retention there, "
            "or set INCIDENT_GCS_LOCK=hold, which is not write-once"
        )
