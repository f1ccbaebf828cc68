"""`/gce`: of Compute Engine (cloud.google.com/compute/docs/reference/rest/v1), disks with labels, and copies of them that take their time."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from practice.containment.cast import there
from practice.containment.model import PROJECT, Disk, Snapshot
from practice.http.face import Ask, Call, Reply
from practice.http.google import google_face, older_error
from practice.world.state import JSON

FACE = google_face("gce", says=older_error)
BASE = "https://www.googleapis.com/compute/v1/"
OF = "/gce/compute/v1/projects/{project}"
LABEL = re.compile(r'labels\.([a-z_]+)="((?:[^"\\]|\\.)*)"')
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
CREATING, UPLOADING = 0.1, 1.0  # as shares of the time that a copy takes
GIGABYTE = 1 << 30


class SnapshotAsked(Ask):
    name: Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")]
    description: str | None = None
    labels: dict[str, Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,63}$")]] | None = None


def _project(call: Call) -> str:
    if call.path["project"] != PROJECT:
        raise call.refuse(403, f"Required 'compute.disks.list' permission for 'projects/{call.path['project']}'")
    return call.path["project"]


def _disk(call: Call, place: str) -> Disk:
    _project(call)
    found = next((one for one in there(call.state, call.now).disks if (one.name, one.place) == (call.path["disk"], place)), None)
    if found is None:
        raise call.refuse(404, f"The resource 'projects/{PROJECT}/{place}/disks/{call.path['disk']}' was not found")
    return found


def _name(disk: Disk) -> str:
    return f"projects/{PROJECT}/{disk.place}/disks/{disk.name}"


@FACE.reads("disks.aggregatedList", OF + "/aggregated/disks")
def disks(call: Call) -> Reply:
    """Every disk of the project that the filter takes, in pages, by zone."""
    _project(call)
    said = call.one("filter")
    met = LABEL.fullmatch(said) if said else None
    if said and met is None:
        raise call.refuse(400, f"Invalid value for field 'filter': '{said}'")
    held = there(call.state, call.now)
    found = [one for one in held.disks if one.zone not in held.away and (met is None or (met[1] == "asset" and met[2] == one.asset))]
    first, most = int(call.one("pageToken") or 0), min(int(call.one("maxResults") or 500), 500)
    items: dict[str, JSON] = {}
    for one in found[first : first + most]:
        items.setdefault(one.place, {"disks": []})["disks"].append(_told(one))
    more = {"nextPageToken": str(first + most)} if len(found) > first + most else {}
    away = {"unreachables": [f"zones/{zone}" for zone in held.away]} if held.away else {}
    return Reply({"kind": "compute#diskAggregatedList", "items": items, **more, **away})


def _told(one: Disk) -> JSON:
    return {
        "kind": "compute#disk", "name": one.name, "status": "READY",
        "selfLink": BASE + _name(one), "sizeGb": str(one.gigabytes), "labels": {"asset": one.asset},
    }  # fmt: skip


@FACE.writes("disks.createSnapshot", OF + "/zones/{zone}/disks/{disk}/createSnapshot")
def create(call: Call) -> Reply:
    """Begin a copy. A request id that was sent before is the same operation, whatever else it says."""
    return _begin(call, _disk(call, f"zones/{call.path['zone']}"))


@FACE.writes("regionDisks.createSnapshot", OF + "/regions/{region}/disks/{disk}/createSnapshot")
def create_in_region(call: Call) -> Reply:
    """The same of a disk that is kept in two zones at once."""
    return _begin(call, _disk(call, f"regions/{call.path['region']}"))


def _begin(call: Call, disk: Disk) -> Reply:
    asked, found = call.ask(SnapshotAsked), there(call.state, call.now)
    request = call.one("requestId")
    if request and not UUID.fullmatch(request):
        raise call.refuse(400, f"Invalid value for field 'requestId': '{request}'")
    if request in found.requests:
        call.did(_name(disk), found.requests[request], found.requests[request])
        return Reply(_operation(disk, found.requests[request]))
    if asked.name in found.snapshots:
        raise call.refuse(409, f"The resource 'projects/{PROJECT}/global/snapshots/{asked.name}' already exists")
    number = call.world.number()
    found.snapshots[asked.name] = Snapshot(asked.name, disk.name, disk.place, number, asked.labels or {}, call.now)
    if request:
        found.requests[request] = asked.name
    call.did(_name(disk), None, asked.name)
    return Reply(_operation(disk, asked.name))


def _operation(disk: Disk, snapshot: str) -> JSON:
    target = BASE + _name(disk)
    return {
        "kind": "compute#operation",
        "operationType": "createSnapshot",
        "name": f"operation-{snapshot}",
        "targetLink": target,
        "status": "RUNNING",
    }


@FACE.reads("snapshots.get", OF + "/global/snapshots/{snapshot}")
def snapshot(call: Call) -> Reply:
    _project(call)
    found = there(call.state, call.now).snapshots.get(call.path["snapshot"])
    if found is None:
        raise call.refuse(404, f"The resource 'projects/{PROJECT}/global/snapshots/{call.path['snapshot']}' was not found")
    done = (call.now - found.begun) / there(call.state, call.now).copied_in
    status = "FAILED" if found.failed else "CREATING" if done < CREATING else "UPLOADING" if done < UPLOADING else "READY"
    stored = {"storageBytes": str(int(min(1.0, max(0.0, done)) * 20 * GIGABYTE))} if status in ("UPLOADING", "READY") else {}
    source = f"{BASE}projects/{PROJECT}/{found.place}/disks/{found.disk}"
    return Reply({
        "kind": "compute#snapshot", "name": found.name, "status": status, "sourceDisk": source, "labels": found.labels,
        "creationTimestamp": call.world.clock.stamp(found.begun), **stored,
    })  # fmt: skip
