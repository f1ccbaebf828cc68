"""Compute Engine (cloud.google.com/compute/docs/reference/rest/v1): `disks.createSnapshot` with a request id, and disks by label.

The same request id is the same operation; after some days Google forgets it, and then the name keeps a second copy away.
"""

from typing import Any

from activities.action import Call, NotYet, Refused
from activities.disks.snapshots import At, Disks, DiskSnapshot, Shown, label
from activities.kit.http import Conflict, HttpClient, pages
from activities.kit.setting.write import SOON
from activities.kit.words.compute import label_is
from activities.kit.words.urls import path

Json = dict[str, Any]
PAGE = 500
PROJECTS = "projects/"


class ComputeDisks:
    """`project`: whose disks are listed."""

    def __init__(self, http: HttpClient, project: str) -> None:
        self._http, self.project = http, project

    async def shown(self, call: Call, disk: str, name: str) -> Shown | None:
        project = disk.split("/")[1]
        found = await self._http.find(call, path("compute", "v1", "projects", project, "global", "snapshots", name))
        if found is None:
            return None
        stored = int(found["storageBytes"]) if found.get("storageBytes") else None
        at = At(found["status"]) if found.get("status") in list(At) else At.UNKNOWN
        labels = found.get("labels") or {}
        return Shown(name=found["name"], at=at, disk=_whole(found.get("sourceDisk", "")), bytes=stored, incident=labels.get("incident", ""))

    async def begin(self, call: Call, order: DiskSnapshot, request: str) -> None:
        """One that is under way under our name is no conflict: it is looked at again. A disk is in a zone, or in a region."""
        where = path("compute", "v1", *order.disk.split("/"), "createSnapshot")
        labels = {"incident": label(order.incident_id), **({"asset": label(order.asset)} if order.asset else {})}
        body = {"name": order.name, "description": "evidence: never delete it", "labels": labels}
        try:
            said: Json = (await self._http.write(call, "POST", where, params={"requestId": request}, json=body)).json()
        except Conflict as there:
            raise NotYet(f"a copy of this name is there, or under way: {there}", after=SOON) from there
        if errors := (said.get("error") or {}).get("errors"):
            raise Refused(f"no copy of {order.disk} was begun: {errors[0].get('message', errors[0].get('code', 'no reason given'))}")

    async def of_asset(self, call: Call, asset: str) -> Disks:
        away: list[str] = []

        async def page(token: str) -> tuple[list[Json], str | None]:
            asked: dict[str, Any] = {
                "filter": label_is("asset", label(asset)),
                "maxResults": PAGE,
                "returnPartialSuccess": "true",
                "pageToken": token or None,
            }
            said: Json = (
                await self._http.read(call, path("compute", "v1", "projects", self.project, "aggregated", "disks"), **asked)
            ).json()
            away.extend(said.get("unreachables") or ())
            found = [one for scope in (said.get("items") or {}).values() for one in scope.get("disks") or ()]
            return found, said.get("nextPageToken") or None

        disks = tuple(sorted([_whole(one["selfLink"]) async for one in pages(f"the disks of {asset}", "", page)]))
        return Disks(asset=asset, disks=disks, unreachable=tuple(sorted({one.rsplit("/", 1)[-1] for one in away})))


def _whole(link: str) -> str:
    """The whole name in an address: from `projects/` on."""
    return PROJECTS + link.partition(PROJECTS)[2] if PROJECTS in link else link
