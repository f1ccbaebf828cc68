"""`/practice`, continued: the hands on work in the background. What goes wrong with queues and workers, and who mends it."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from practice.http.face import Ask, Call, Face, Reply
from practice.jobs import faults
from practice.jobs.work import Work

FACE = Face("practice", authorised=lambda headers: True, control=True)

Kind = Literal[
    "burst", "hot_tenant", "poison", "deadlock", "dependency", "retry_storm", "starved", "collapse", "prefetch", "silent", "blind_depth",
    "unknown_class", "no_launch", "connections",
]  # fmt: skip
assert get_args(Kind) == faults.KINDS  # noqa: S101 - a new fault is named in both


class Break(Ask):
    """What goes wrong, with which queue and which tenant (the first, unless it is named)."""

    kind: Kind
    queue: str = "interactive"
    tenant: str = ""
    factor: float | None = Field(None, gt=0)
    for_seconds: float | None = Field(None, gt=0)


class Restarted(Ask):
    """Workers that somebody started anew: they have forgotten what they were told."""

    queue: str


@FACE.writes("jobs.break", "/practice/job-faults")
def break_jobs(call: Call) -> Reply:
    """Let something go wrong with queues or workers."""
    wanted, work = call.ask(Break), call.state.part(Work)
    tenant = wanted.tenant or next(iter(call.state.tenants))
    if wanted.queue not in work.queues or tenant not in call.state.tenants:
        raise call.refuse(404, f"there is no queue {wanted.queue} with a tenant {tenant}")
    until = None if wanted.for_seconds is None else call.now + wanted.for_seconds
    faults.break_(work, wanted.kind, wanted.queue, tenant, wanted.factor, call.now, until)
    call.did(f"jobs/{wanted.queue}", None, wanted.model_dump())
    return Reply({"broken": wanted.kind, "tenant": tenant})


@FACE.writes("jobs.mend", "/practice/job-faults", "DELETE")
def mend_jobs(call: Call) -> Reply:
    """End the causes. What waits still waits."""
    faults.mend(call.state.part(Work))
    call.did("jobs", None, "mended")
    return Reply({"mended": True})


@FACE.writes("jobs.restart_workers", "/practice/job-restarts")
def restart_workers(call: Call) -> Reply:
    """Restart the workers of a queue past everybody: they take jobs again, whatever they were told before."""
    queue = call.state.part(Work).queues[call.ask(Restarted).queue]
    before, queue.consumers = queue.consumers, 1.0
    call.did(f"jobs/{queue.name}/consumers", before, 1.0)
    return Reply({"consumers": 1.0})
