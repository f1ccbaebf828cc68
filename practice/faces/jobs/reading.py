"""What waits, who works, and where each job is. References; no content."""

from __future__ import annotations

from collections import Counter

from pydantic import Field

from practice.faces.jobs.base import FACE, queue_of, work_of
from practice.http.face import Call, Query, Reply, RouteModels, Shown
from practice.jobs.cast import DEPENDENCY
from practice.jobs.meters import USUAL_AGE, USUAL_DEPTH
from practice.jobs.work import Job, Queue, Work, named

MOST = 10_000


class QueueShown(Shown):
    """One queue. Rates are jobs per second over the last two minutes; None: nobody can say. `attempts`: how many wait that were begun so often."""

    name: str
    kind: str | None
    owner: str
    depth: int | None
    depth_usual: float
    oldest_age_seconds: float | None
    objective_seconds: float
    arrivals_per_second: float
    arrivals_usual: float
    completions_per_second: float
    retry_share: float
    expired_share: float
    attempts: dict[str, int]
    in_flight: int
    parked: int
    dead_letters: int
    ttl_seconds: float | None
    visibility_seconds: float
    idempotent: bool
    workers: int
    busy: float
    tenants: dict[str, float]


class WorkerShown(Shown):
    """One worker. `answered`: it did, when it was asked. `stuck_seconds`: for so long it makes no progress with what it holds."""

    name: str
    generation: int
    answered: bool
    stuck_seconds: float | None
    job: str | None


class PoolShown(Shown):
    workers: int
    most: int
    running: int


class WorkShown(Shown):
    """Everything. `downstream`: how full what the jobs stand on is, 0 to 1."""

    queues: list[QueueShown]
    workers: list[WorkerShown]
    pool: PoolShown
    downstream: dict[str, float]
    db_connections_free: int


class JobShown(Shown):
    id: str
    tenant: str
    enqueued_at: str
    age_seconds: float
    attempts: int


class Jobs(Shown):
    jobs: list[JobShown]


class Which(Query):
    """The oldest first. `least_attempts`: only what was begun so often."""

    limit: int = Field(100, ge=1, le=MOST)
    least_attempts: int = Field(0, ge=0)


class CensusShown(Shown):
    """Every job by its id. `lost`: arrived, and nowhere; `doubled`: done twice, or in two places."""

    arrived: int
    completed: int
    waiting: int
    in_flight: int
    parked: int
    expired: int
    dead_letters: int
    lost: list[str]
    doubled: list[str]


class Stacks(Shown):
    worker: str
    generation: int
    stacks: str


@FACE.reads("work.get", "/jobs/v1/work", models=RouteModels(shows=WorkShown))
def get_work(call: Call) -> Reply:
    """All queues, all workers, and what they stand on."""
    work = work_of(call)
    shown = WorkShown(
        queues=[_queue(call, work, one) for one in work.queues.values()],
        workers=[
            WorkerShown(
                name=one.name, generation=one.generation, answered=not one.silent,
                stuck_seconds=None if one.stuck_since is None or one.silent else call.now - one.stuck_since,
                job=None if one.doing is None or one.stuck_since is None else named(one.doing),
            )
            for one in work.workers.values() if one.down_until <= call.now
        ],
        pool=PoolShown(workers=work.pool.workers, most=work.pool.most, running=len(work.up(call.now))),
        downstream={DEPENDENCY: work.saturation}, db_connections_free=work.free_connections,
    )  # fmt: skip
    return Reply(shown.model_dump())


def _queue(call: Call, work: Work, queue: Queue) -> QueueShown:
    rates, waiting = work.rates[queue.name], queue.waiting
    begun = max(rates["completed"] + rates["failed"], 1e-9)
    depth = float(len(waiting)) if work.touched else USUAL_DEPTH
    age = max(call.now - min((job.at for job in waiting), default=call.now), 0.0) if work.touched else USUAL_AGE
    whole = sum(work.tenants.get(queue.name, {}).values())
    held = [one for one in work.held if one.job.queue == queue.name]
    return QueueShown(
        name=queue.name, kind=queue.kind, owner=queue.owner, depth=None if queue.blind else int(depth), depth_usual=USUAL_DEPTH,
        oldest_age_seconds=None if queue.blind else age, objective_seconds=queue.slo_seconds, arrivals_per_second=rates["arrived"],
        arrivals_usual=queue.usual_rate, completions_per_second=rates["completed"], retry_share=rates["retried"] / begun,
        expired_share=rates["expired"] / max(rates["arrived"], 1e-9), attempts=_attempts(waiting), in_flight=len(held),
        parked=sum(len(one.jobs) for name, one in work.parked.items() if name.startswith(f"{queue.name}/")), dead_letters=len(queue.dead),
        ttl_seconds=queue.ttl_seconds, visibility_seconds=queue.visibility_seconds, idempotent=queue.idempotent, workers=len(work.mine(queue.name)),
        busy=rates["busy"], tenants={name: rate / whole for name, rate in work.tenants.get(queue.name, {}).items()} if whole else {},
    )  # fmt: skip


def _attempts(waiting: list[Job]) -> dict[str, int]:
    return {str(n): many for n, many in sorted(Counter(job.attempts for job in waiting if job.attempts).items())}


@FACE.reads("jobs.list", "/jobs/v1/queues/{queue}/jobs", models=RouteModels(query=Which, shows=Jobs))
def list_jobs(call: Call) -> Reply:
    """Jobs that wait in a queue, the oldest first."""
    wanted, queue = call.asked(Which), queue_of(call)
    found = [job for job in queue.waiting if job.attempts >= wanted.least_attempts][: wanted.limit]
    return Reply(Jobs(jobs=[_job(call, job) for job in found]).model_dump())


class Bin(Query):
    bin: str


@FACE.reads("parked.list", "/jobs/v1/queues/{queue}/parked", models=RouteModels(query=Bin, shows=Jobs))
def list_parked(call: Call) -> Reply:
    """What is parked of a queue, in one bin."""
    parking = work_of(call).parked.get(f"{queue_of(call).name}/{call.asked(Bin).bin}")
    return Reply(Jobs(jobs=[_job(call, job) for job in parking.jobs] if parking else []).model_dump())


def _job(call: Call, job: Job) -> JobShown:
    stamp = call.world.clock.stamp(job.at)
    return JobShown(id=job.name, tenant=job.tenant, enqueued_at=stamp, age_seconds=max(call.now - job.at, 0.0), attempts=job.attempts)


@FACE.reads("census.get", "/jobs/v1/census", models=RouteModels(shows=CensusShown))
def census(call: Call) -> Reply:
    """Where every job is that ever arrived, by its id."""
    work = work_of(call)
    waiting = [job.id for queue in work.queues.values() for job in queue.waiting]
    held, parked = [one.job.id for one in work.held], [job.id for one in work.parked.values() for job in one.jobs]
    dead = [job.id for queue in work.queues.values() for job in queue.dead]
    done = [id for id, times in work.completed.items() for _ in range(times)]
    places = Counter([*waiting, *held, *parked, *dead, *done, *work.expired])
    lost = [id for id in range(1, work.arrived + 1) if id not in places]
    shown = CensusShown(
        arrived=work.arrived, completed=len(work.completed), waiting=len(waiting), in_flight=len(held), parked=len(parked),
        expired=len(work.expired), dead_letters=len(dead), lost=[named(id) for id in lost[:100]],
        doubled=[named(id) for id, times in places.items() if times > 1][:100],
    )  # fmt: skip
    return Reply(shown.model_dump())


@FACE.reads("workers.stacks", "/jobs/v1/workers/{worker}/stacks", models=RouteModels(shows=Stacks))
def stacks(call: Call) -> Reply:
    """What a worker is doing, thread by thread."""
    worker = work_of(call).workers.get(call.path["worker"])
    if worker is None:
        raise call.refuse(404, f"there is no worker {call.path['worker']}")
    waits = (
        f"waits for a lock that another worker holds, with {named(worker.doing)}"
        if worker.stuck_since and worker.doing
        else "polls its queue"
    )
    return Reply(Stacks(worker=worker.name, generation=worker.generation, stacks=f"Thread main: {waits}").model_dump())
