"""What can go wrong with work in the background. Mending ends the cause; the backlog stays, until somebody has done it."""

from __future__ import annotations

from practice.jobs.work import Held, Job, Trouble, Work

KINDS = (
    "burst", "hot_tenant", "poison", "deadlock", "dependency", "retry_storm", "starved", "collapse", "prefetch", "silent", "blind_depth",
    "unknown_class", "no_launch", "connections",
)  # fmt: skip
FACTORS = {"burst": 3.0, "hot_tenant": 4.0, "dependency": 0.55, "retry_storm": 0.75, "starved": 3.0, "collapse": 4.0}
POISONED = 3


def break_(work: Work, kind: str, queue: str, tenant: str, factor: float | None, at: float, until: float | None) -> None:
    """One more thing is wrong from now on."""
    work.touched = True
    of = work.queues[queue]
    match kind:
        case "poison":
            for _ in range(round(factor or POISONED)):
                work.arrived += 1
                of.waiting.insert(0, Job(work.arrived, queue, tenant, at - 1, at - 1, poison=True))
        case "deadlock":
            _deadlock(work, queue, tenant, round(factor or 3), at)
        case "prefetch":
            work.prefetch = True
            of.visibility_seconds = 600.0
        case "silent":
            for worker in list(work.workers.values())[: round(factor or 1)]:
                worker.silent = True
        case "blind_depth":
            of.blind = True
        case "unknown_class":
            of.kind = None
        case "no_launch":
            work.pool.launches = False
        case "connections":
            work.connections = 2 * len(work.workers) + round(factor or 2)
        case _:
            work.troubles.append(Trouble(kind, queue, tenant, factor or FACTORS[kind], until))


def _deadlock(work: Work, queue: str, tenant: str, many: int, at: float) -> None:
    """Workers that wait for one another, each with a job in its hands."""
    for worker in work.mine(queue)[:many]:
        worker.stuck_since = at
        work.arrived += 1
        job = Job(work.arrived, queue, tenant, at, at, attempts=1)
        worker.doing = job.id
        work.held.append(Held(job, worker.name, at + 6 * 3600))


def mend(work: Work) -> None:
    """Nobody spoils anything any more."""
    work.troubles.clear()
    work.pool.launches, work.prefetch, work.connections = True, False, 40
    for queue in work.queues.values():
        queue.blind = False
    for worker in work.workers.values():
        worker.silent = False
