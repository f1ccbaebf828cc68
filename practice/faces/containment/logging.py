"""`/logging`: of Cloud Logging (cloud.google.com/logging/docs/reference/v2/rest): a bucket's retention, entries that are written and listed."""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal

from pydantic import Field

from practice.containment.cast import there
from practice.containment.logs import noted, rolled
from practice.containment.model import Entry, Log
from practice.http.face import Ask, Call, Reply
from practice.http.google import google_face
from practice.world.clock import from_rfc3339
from practice.world.state import JSON

FACE = google_face("logging")
BUCKET = "/logging/v2/projects/{project}/locations/global/buckets/{bucket}"
COMPARISON = re.compile(r'([A-Za-z.]+)\s*(>=|<=|=)\s*("(?:[^"\\]|\\.)*")')
ACCESSES = "cloudaudit.googleapis.com%2Fdata_access"


class Resource(Ask):
    type: Annotated[str, Field(min_length=1)]
    labels: dict[str, str] | None = None


class EntryAsked(Ask):
    insertId: Annotated[str, Field(max_length=512)] | None = None  # noqa: N815 - Google's name
    timestamp: str | None = None
    severity: Literal["DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR"] | None = None
    textPayload: str | None = None  # noqa: N815
    logName: str | None = None  # noqa: N815


class Write(Ask):
    logName: Annotated[str, Field(pattern=r"^projects/[^/]+/logs/[^/]+$")]  # noqa: N815
    resource: Resource
    entries: Annotated[list[EntryAsked], Field(min_length=1)]


class ListAsked(Ask):
    resourceNames: Annotated[list[str], Field(min_length=1)]  # noqa: N815
    filter: str = ""
    orderBy: Literal["timestamp asc", "timestamp desc"] = "timestamp asc"  # noqa: N815
    pageSize: Annotated[int, Field(ge=1, le=1000)] = 50  # noqa: N815
    pageToken: str | None = None  # noqa: N815


class BucketAsked(Ask):
    retentionDays: Annotated[int, Field(ge=1, le=3650)]  # noqa: N815


def _log(call: Call, project: str) -> Log:
    found = there(call.state, call.now).logs.get(project)
    if found is None:
        raise call.refuse(404, f"Project {project} does not exist")
    return found


def _bucket(call: Call) -> Log:
    if call.path["bucket"] != "_Default":
        raise call.refuse(404, f"Bucket {call.path['bucket']} does not exist")
    return _log(call, call.path["project"])


def _shown(call: Call, log: Log) -> JSON:
    name = f"projects/{call.path['project']}/locations/global/buckets/_Default"
    return {"name": name, "retentionDays": log.level.retention_days, "lifecycleState": "ACTIVE"}


@FACE.reads("buckets.get", BUCKET)
def get(call: Call) -> Reply:
    return Reply(_shown(call, _bucket(call)))


@FACE.writes("buckets.patch", BUCKET, "PATCH")
def patch(call: Call) -> Reply:
    """Only what the mask names. What is older than is kept now is gone."""
    log, asked = _bucket(call), call.ask(BucketAsked)
    if call.one("updateMask") != "retentionDays":
        raise call.refuse(400, "updateMask must be retentionDays")
    before, log.level.retention_days = log.level.retention_days, asked.retentionDays
    rolled(log, call.now)
    call.did(f"projects/{call.path['project']}/retention", before, asked.retentionDays)
    return Reply(_shown(call, log))


@FACE.writes("entries.write", "/logging/v2/entries:write")
def write(call: Call) -> Reply:
    """One with an insertId that is there already is the same entry."""
    asked = call.ask(Write)
    log = _log(call, asked.logName.split("/")[1])
    before = len(log.entries)
    for one in asked.entries:
        at = call.world.clock.to_world(from_rfc3339(one.timestamp)) if one.timestamp else call.now
        noted(log, one.insertId or f"auto-{call.world.number()}", "test", at, name=asked.logName, text=one.textPayload)
    call.did(asked.logName, before, len(log.entries))
    return Reply({})


@FACE.reads("entries.list", "/logging/v2/entries:list", "POST")
def entries(call: Call) -> Reply:
    """Those that a filter takes, in pages. It understands comparisons that are joined by AND."""
    asked = call.ask(ListAsked)
    project = asked.resourceNames[0].removeprefix("projects/")
    log, tests = _log(call, project), _tests(call, asked.filter)
    shown = [_entry(call, project, one) for one in log.entries]
    found = [one for one in shown if all(_passes(one, *test) for test in tests)]
    found.sort(key=lambda one: str(one["timestamp"]), reverse=asked.orderBy.endswith("desc"))
    first = int(asked.pageToken or 0)
    page = found[first : first + asked.pageSize]
    more = {"nextPageToken": str(first + asked.pageSize)} if len(found) > first + asked.pageSize else {}
    return Reply({**({"entries": page} if page else {}), **more})


def _tests(call: Call, text: str) -> list[tuple[str, str, str]]:
    found = []
    for part in filter(None, text.split(" AND ")):
        met = COMPARISON.fullmatch(part.strip())
        if met is None:
            raise call.refuse(400, f"Unparseable filter: {part}")
        found.append((met[1], met[2], str(json.loads(met[3]))))
    return found


def _passes(entry: JSON, field: str, how: str, value: str) -> bool:
    held: object = entry
    for name in field.split("."):
        held = held.get(name) if isinstance(held, dict) else None
    if how == "=" or held is None:
        return held == value
    at, other = from_rfc3339(held), from_rfc3339(value)
    return at >= other if how == ">=" else at <= other


def _entry(call: Call, project: str, one: Entry) -> JSON:
    told = {"insertId": one.id, "timestamp": call.world.clock.stamp(one.at), "severity": "NOTICE", "resource": {"type": "global"}}
    if one.kind == "test":
        return {**told, "logName": one.log, "textPayload": one.body.get("text")}
    return {
        **told,
        "logName": f"projects/{project}/logs/{ACCESSES}",
        "protoPayload": {"methodName": one.body.get("method", "storage.objects.get")},
    }
