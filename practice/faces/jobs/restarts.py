"""A worker that is started anew: begun once under a key, looked at until it works again."""

from __future__ import annotations

from pydantic import Field

from practice.faces.jobs.base import FACE, work_of
from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.jobs.simulation import looked_at
from practice.jobs.work import Restart, Work

SECONDS = 30.0


class RestartAsk(Ask):
    """End one worker and start it anew. What it held is delivered again."""

    key: str = Field(min_length=1, max_length=500)


class RestartShown(Shown):
    """`generation`: what the worker will be, or is. State: `running` or `done`."""

    id: str
    worker: str
    generation: int
    state: str


class Restarts(Shown):
    restarts: list[RestartShown]


class ByKey(Query):
    key: str


@FACE.writes("restarts.start", "/jobs/v1/workers/{worker}/restarts", models=RouteModels(asks=RestartAsk, shows=RestartShown))
def restart(call: Call) -> Reply:
    """Begin a restart. The same key again is the same restart."""
    work, key, worker = work_of(call), call.ask(RestartAsk).key, call.path["worker"]
    if worker not in work.workers:
        raise call.refuse(404, f"there is no worker {worker}")
    before = len(work.restarts)
    found = next((one for one in work.restarts.values() if one.key == key), None)
    if found is None:
        work.touched = True
        found = Restart(f"restart-{call.world.number()}", key, worker, work.workers[worker].generation + 1, call.now + SECONDS)
        work.restarts[found.id] = found
    call.did(f"workers/{worker}/restarts", before, len(work.restarts))
    return Reply(_shown(work, found, call.now).model_dump())


@FACE.reads("restarts.list", "/jobs/v1/restarts", models=RouteModels(query=ByKey, shows=Restarts))
def find(call: Call) -> Reply:
    """Those that were begun under a key."""
    work, key = work_of(call), call.asked(ByKey).key
    found = [_shown(work, one, call.now) for one in work.restarts.values() if one.key == key]
    return Reply(Restarts(restarts=found).model_dump())


@FACE.reads("restarts.get", "/jobs/v1/restarts/{restart}", models=RouteModels(shows=RestartShown))
def get(call: Call) -> Reply:
    """How far one is."""
    work = work_of(call)
    found = work.restarts.get(call.path["restart"])
    if found is None:
        raise call.refuse(404, f"there is no restart {call.path['restart']}")
    looked_at(work, found, call.now)
    return Reply(_shown(work, found, call.now).model_dump())


def _shown(work: Work, one: Restart, now: float) -> RestartShown:
    return RestartShown(id=one.id, worker=one.worker, generation=one.generation, state="done" if one.done_at <= now else "running")
