"""What of queues is set: consumers, rates, retries, what tenants may enqueue, where workers work, and what is parked."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from practice.faces.jobs.base import FACE, queue_of, tenant_of, work_of
from practice.http.face import Ask, Call, Shown
from practice.http.resource import Resource
from practice.jobs.simulation import pause
from practice.jobs.work import Job, Parking

OF_QUEUE, OF_TENANT = "/jobs/v1/queues/{queue}", "/jobs/v1/tenants/{tenant}"
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Consumers(Ask):
    """The share of a queue's workers that takes jobs. 0: it is paused; nothing of it is lost."""

    share: float = Field(ge=0, le=1)


class Rate(Ask):
    """Jobs of a queue that are begun per second, at most. None: as many as the workers can."""

    jobs_per_second: float | None = Field(gt=0)


class Retries(Ask):
    """How often a job is begun at most, and how long it waits between two attempts."""

    max_attempts: int = Field(ge=1, le=100)
    backoff_seconds: float = Field(ge=0)


class Intake(Ask):
    """Jobs that the API takes of a tenant per second, at most; what is more is answered 429 with Retry-After. None: all."""

    jobs_per_second: float | None = Field(gt=0)


class TenantJobs(Ask):
    """Jobs of a tenant that run at once in one queue, at most. None: any number."""

    most: int | None = Field(ge=1)


class Allotment(Ask):
    """The share of the workers by queue: all queues, summing to 1."""

    shares: dict[Name, float]


class PoolSize(Ask):
    """Workers that are wanted."""

    workers: int = Field(ge=0)


class PoolSeen(Shown):
    """Workers that are wanted, the most there may be, and how many run."""

    workers: int
    most: int
    running: int

    def settable(self) -> dict[str, Any]:
        return {"workers": self.workers}


class Parked(Ask):
    """Jobs of a queue that are kept out of it: by id, those enqueued before an instant, or all. None of these: they are put back, under their ids."""

    ids: list[Name] = Field(max_length=1000)
    before: datetime | None = Field(strict=False)
    everything: bool


def _consumers(call: Call) -> Consumers:
    return Consumers(share=queue_of(call).consumers)


def _consume(call: Call, wanted: Consumers) -> None:
    pause(_followed(call), queue_of(call), wanted.share, call.now)


def _rate(call: Call) -> Rate:
    return Rate(jobs_per_second=queue_of(call).rate)


def _limit_rate(call: Call, wanted: Rate) -> None:
    _followed(call)
    queue_of(call).rate = wanted.jobs_per_second


def _retries(call: Call) -> Retries:
    queue = queue_of(call)
    return Retries(max_attempts=queue.max_attempts, backoff_seconds=queue.backoff_seconds)


def _retry(call: Call, wanted: Retries) -> None:
    _followed(call)
    queue = queue_of(call)
    queue.max_attempts, queue.backoff_seconds = wanted.max_attempts, wanted.backoff_seconds
    for job in queue.waiting:
        if job.attempts:
            job.visible_at = max(job.visible_at, call.now + wanted.backoff_seconds)


def _intake(call: Call) -> Intake:
    return Intake(jobs_per_second=work_of(call).intake.get(tenant_of(call)))


def _take_in(call: Call, wanted: Intake) -> None:
    _followed(call).intake[tenant_of(call)] = wanted.jobs_per_second


def _jobs(call: Call) -> TenantJobs:
    return TenantJobs(most=work_of(call).caps.get(tenant_of(call)))


def _cap(call: Call, wanted: TenantJobs) -> None:
    _followed(call).caps[tenant_of(call)] = wanted.most


def _allotment(call: Call) -> Allotment:
    return Allotment(shares=dict(work_of(call).shares))


def _allot(call: Call, wanted: Allotment) -> None:
    work = _followed(call)
    if wanted.shares.keys() != work.queues.keys() or not math.isclose(sum(wanted.shares.values()), 1.0, abs_tol=1e-6):
        raise call.invalid(f"shares must name exactly {', '.join(work.queues)}, and sum to 1")
    if any(share < 0 for share in wanted.shares.values()):
        raise call.invalid("a share cannot be negative")
    work.shares = {name: wanted.shares[name] for name in work.queues}


def _pool(call: Call) -> PoolSeen:
    work = work_of(call)
    return PoolSeen(workers=work.pool.workers, most=work.pool.most, running=len(work.up(call.now)))


def _scale(call: Call, wanted: PoolSize) -> None:
    work = _followed(call)
    if wanted.workers > work.pool.most:
        raise call.invalid(f"{wanted.workers} workers are above the most, {work.pool.most}")
    work.pool.workers = wanted.workers


def _parked(call: Call) -> Parked:
    found = work_of(call).parked.get(_bin(call)) or Parking()
    before = None if found.before is None else datetime.fromisoformat(call.world.clock.stamp(found.before))
    return Parked(ids=sorted(found.ids), before=before, everything=found.everything)


def _park(call: Call, wanted: Parked) -> None:
    work, queue = _followed(call), queue_of(call)
    parking = work.parked.setdefault(_bin(call), Parking())
    before = None if wanted.before is None else call.world.clock.to_world(wanted.before.timestamp())
    parking.ids, parking.before, parking.everything = list(wanted.ids), before, wanted.everything
    ids = set(wanted.ids)

    def meant(job: Job) -> bool:
        return wanted.everything or job.name in ids or (before is not None and job.at < before)

    back = [job for job in parking.jobs if not meant(job)]
    parking.jobs = [job for job in parking.jobs if meant(job)] + [job for job in queue.waiting if meant(job)]
    for job in back:
        job.visible_at = call.now
    queue.waiting = sorted([*(job for job in queue.waiting if not meant(job)), *back], key=lambda job: (job.at, job.id))


def _bin(call: Call) -> str:
    return f"{queue_of(call).name}/{call.path['bin']}"


def _followed(call: Call) -> Any:
    work = work_of(call)
    work.touched = True
    return work


Resource(FACE, "consumers", OF_QUEUE + "/consumers", Consumers, _consumers, epochs=False).takes(Consumers, _consume)
Resource(FACE, "rate", OF_QUEUE + "/rate", Rate, _rate, epochs=False).takes(Rate, _limit_rate)
Resource(FACE, "retries", OF_QUEUE + "/retries", Retries, _retries, epochs=False).takes(Retries, _retry)
Resource(FACE, "parked", OF_QUEUE + "/parked/{bin}", Parked, _parked, epochs=False).takes(Parked, _park)
Resource(FACE, "intake", OF_TENANT + "/intake", Intake, _intake, epochs=False).takes(Intake, _take_in)
Resource(FACE, "tenant_jobs", OF_TENANT + "/jobs", TenantJobs, _jobs, epochs=False).takes(TenantJobs, _cap)
Resource(FACE, "allotment", "/jobs/v1/allotment", Allotment, _allotment, epochs=False).takes(Allotment, _allot)
Resource(FACE, "pool", "/jobs/v1/pool", PoolSeen, _pool, epochs=False).takes(PoolSize, _scale)
