"""What is started once under a key: promote, warm, replay queued writes, cancel a query, take a snapshot."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from practice.databases.cluster import Cluster, Job
from practice.faces.databases.base import FACE, cluster_of
from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.http.own_api import conflict
from practice.world.state import JSON


class Wanted(Ask):
    """A job, and what it is given: the node, the query."""

    kind: Literal["promote", "warm", "replay", "cancel", "snapshot"]
    key: str
    given: dict[str, JsonValue]


class JobShown(Shown):
    """`state`: running, done or failed. `result`: its numbers."""

    id: str
    kind: str
    key: str
    state: str
    says: str
    result: dict[str, JsonValue]


class Jobs(Shown):
    jobs: list[JobShown]


class ByKey(Query):
    key: str | None = None


@FACE.reads("jobs.list", "/databases/v1/clusters/{cluster}/jobs", models=RouteModels(query=ByKey, shows=Jobs))
def list_jobs(call: Call) -> Reply:
    """The jobs of a cluster, the one with a key."""
    key = call.asked(ByKey).key
    return Reply({"jobs": [_shown(one) for one in cluster_of(call).jobs.values() if key in (None, one.key)]})


@FACE.reads("jobs.get", "/databases/v1/clusters/{cluster}/jobs/{id}", models=RouteModels(shows=JobShown))
def get_job(call: Call) -> Reply:
    """How far a job is."""
    found = cluster_of(call).jobs.get(call.path["id"])
    if found is None:
        raise call.refuse(404, f"there is no job {call.path['id']}")
    return Reply(_shown(found))


@FACE.writes("jobs.start", "/databases/v1/clusters/{cluster}/jobs", models=RouteModels(asks=Wanted, shows=JobShown, refuses=(409,)))
def start_job(call: Call) -> Reply:
    """Start it. The same key again shows the job that there is."""
    cluster, wanted = cluster_of(call), call.ask(Wanted)
    there = next((one for one in cluster.jobs.values() if one.key == wanted.key), None)
    if there is not None:
        call.did(f"databases/{cluster.name}/jobs/{there.id}", there.state, there.state)
        return Reply(_shown(there))
    job = Job(f"job-{call.world.number()}", wanted.kind, wanted.key, dict(wanted.given), "done")
    DEEDS[wanted.kind](call, cluster, job)
    cluster.jobs[job.id] = job
    call.did(f"databases/{cluster.name}/{wanted.kind}/{job.given.get('node', '')}", None, job.id)
    return Reply(_shown(job))


def _promote(call: Call, cluster: Cluster, job: Job) -> None:
    node = cluster.nodes.get(str(job.given.get("node")))
    if node is None or not node.up:
        raise call.invalid(f"{job.given.get('node')} cannot be promoted")
    if node.primary:
        raise conflict("not_in_recovery", f"{node.name} is a primary already")
    if cluster.dials.promotion_fails:
        job.state, job.says = "failed", f"{node.name} did not end its recovery in time"
        return
    cluster.promote(node.name, call.now)
    job.says, job.result = f"timeline {node.timeline}", {"timeline": node.timeline, "lsn": node.lsn}


def _warm(call: Call, cluster: Cluster, job: Job) -> None:
    job.says, job.result = "the hottest 40 tables were read", {"tables": 40}


def _replay(call: Call, cluster: Cluster, job: Job) -> None:
    """What was queued and had been written before is known by its key."""
    queued = cluster.queued
    known, conflicts = queued // 10, min(cluster.conflicts, queued)
    written = queued - known - conflicts - cluster.dials.replay_loses
    cluster.queued = cluster.conflicts = 0
    job.result = {"queued": queued, "written": written, "known": known, "conflicts": conflicts}


def _cancel(call: Call, cluster: Cluster, job: Job) -> None:
    cluster.blockers.pop(str(job.given.get("query")), None)


def _snapshot(call: Call, cluster: Cluster, job: Job) -> None:
    node = cluster.nodes.get(str(job.given.get("node")))
    if node is None or not node.up or node.isolated:
        job.state, job.says = "failed", f"{job.given.get('node')} is not reached"
        return
    job.says, job.result = f"snap-{node.name} in the backups account, at {node.lsn}; a restore was begun", {"snapshot": f"snap-{node.name}"}


DEEDS = {"promote": _promote, "warm": _warm, "replay": _replay, "cancel": _cancel, "snapshot": _snapshot}


def _shown(job: Job) -> JSON:
    return {"id": job.id, "kind": job.kind, "key": job.key, "state": job.state, "says": job.says, "result": job.result}
