"""Google Cloud Storage's JSON API (cloud.google.com/storage/docs/json_api/v1): holds, object by object, each under the version that was listed.

An object that we hold carries the incident in its metadata, so that others' holds are told from ours.
"""

import asyncio
from typing import Any

from activities.action import Call, Refused
from activities.holds.objects import Hold, HoldReading, ObjectsOf
from activities.kit.http import Conflict, HttpClient, pages
from activities.kit.words.urls import path, query

Json = dict[str, Any]
OURS = "incident-playbooks-hold"  # the key in an object's metadata
FIELDS = {"temporary": "temporaryHold", "event_based": "eventBasedHold"}
AT_ONCE = 20
RIGHTS = ("storage.objects.get", "storage.objects.list", "storage.objects.update")


class GcsObjects:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def read(self, call: Call, of: ObjectsOf) -> HoldReading:
        """Held is what nobody can delete, whoever holds it. Nothing at all is not held: an empty list proves nothing."""
        objects = await self._all(call, of)
        ours, free = [one for one in objects if _ours(one)], [one for one in objects if not _held(one)]
        by = next((str((one.get("metadata") or {}).get(OURS, "")) for one in ours), "")
        value = Hold(held=bool(objects) and not free, partly=bool(ours) and bool(free))
        return HoldReading(value=value, changed_by=by, n=len(objects), held_objects=len(objects) - len(free), ours=len(ours))

    async def write(self, call: Call, of: ObjectsOf, *, held: bool) -> None:
        objects = await self._all(call, of)
        wanted = [one for one in objects if (not _held(one) if held else _ours(one))]
        body = {FIELDS[of.kind]: held, "metadata": {OURS: call.incident_id if held else None}}
        for first in range(0, len(wanted), AT_ONCE):
            await asyncio.gather(*(self._change(call, of, one, body) for one in wanted[first : first + AT_ONCE]))

    async def may_hold(self, call: Call, bucket: str) -> tuple[str, ...]:
        """The permissions that we lack there."""
        asked = path("storage", "v1", "b", bucket, "iam", "testPermissions")
        said = (await self._http.read(call, asked, permissions=list(RIGHTS))).json()
        return tuple(one for one in RIGHTS if one not in said.get("permissions", []))

    async def _change(self, call: Call, of: ObjectsOf, one: Json, body: Json) -> None:
        """What was deleted since it was listed cannot be held any more; the next look says what is there."""
        asked = query({"ifMetagenerationMatch": one["metageneration"], "generation": one["generation"]})
        where = path("storage", "v1", "b", of.bucket, "o", one["name"]) + asked
        try:
            await self._http.write(call, "PATCH", where, json=body)
        except Refused:
            if await self._http.find(call, path("storage", "v1", "b", of.bucket, "o", one["name"])) is None:
                raise Conflict(f"gs://{of.bucket}/{one['name']} is gone") from None
            raise

    async def _all(self, call: Call, of: ObjectsOf) -> list[Json]:
        async def page(token: str) -> tuple[list[Json], str | None]:
            asked: dict[str, Any] = {"prefix": of.prefix or None, "pageToken": token or None}
            said: Json = (await self._http.read(call, path("storage", "v1", "b", of.bucket, "o"), **asked)).json()
            return list(said.get("items") or ()), said.get("nextPageToken") or None

        return [one async for one in pages(f"gs://{of.bucket}/{of.prefix}", "", page)]


def _held(one: Json) -> bool:
    return bool(one.get("temporaryHold") or one.get("eventBasedHold"))


def _ours(one: Json) -> bool:
    return _held(one) and OURS in (one.get("metadata") or {})
