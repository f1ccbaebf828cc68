"""`/audit`: our own contract. What is logged of accesses to data, for how long, and whether a test event arrives."""

from __future__ import annotations

import hashlib
from typing import Any

from practice.containment.cast import there
from practice.containment.logs import noted
from practice.containment.model import Level, Log
from practice.http.face import Call, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.http.resource import held

FACE = own_api("audit", "What is logged of accesses to data, for how long it is kept, and test events that show whether anything arrives.")
OF = "/audit/v1/scopes/{scope}"


class Entries(Shown):
    """`since`: the instant of the oldest line that is there still; None where there is none."""

    since: str | None
    n: int


class TestEvent(Shown):
    """`arrived`: it shows in the log."""

    id: str
    arrived: bool


def _log(call: Call) -> Log:
    found = there(call.state, call.now).logs.get(call.path["scope"])
    if found is None:
        raise call.refuse(404, f"there is no scope {call.path['scope']}")
    return found


held(FACE, "level", OF + "/level", Level, _log, "level")


@FACE.reads("entries", OF + "/entries", models=RouteModels(shows=Entries))
def entries(call: Call) -> Reply:
    """How far back the log goes. What was before is gone, whatever the level says."""
    found = _log(call).entries
    since = call.world.clock.stamp(min(one.at for one in found)) if found else None
    return Reply({"since": since, "n": len(found)})


@FACE.writes("events.make", OF + "/test-events", models=RouteModels(shows=TestEvent, headers={"Idempotency-Key": True}))
def make(call: Call) -> Reply:
    """An access of ours to a datum that is there for it. The same key again is the same event."""
    log, key = _log(call), call.headers.get("idempotency-key", "")
    if not key:
        raise call.refuse(400, "send an Idempotency-Key")
    id, before = f"test-{hashlib.sha256(key.encode()).hexdigest()[:16]}", len(log.entries)
    if log.level.data_access:
        noted(log, id, "test", call.now)
    call.did(f"scopes/{call.path['scope']}/test-events", before, len(log.entries))
    return Reply(_event(log, id), 201)


@FACE.reads("events.get", OF + "/test-events/{event}", models=RouteModels(shows=TestEvent))
def event(call: Call) -> Reply:
    return Reply(_event(_log(call), call.path["event"]))


def _event(log: Log, id: str) -> dict[str, Any]:
    return {"id": id, "arrived": any(one.id == id for one in log.entries)}
