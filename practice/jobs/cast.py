"""Which queues and workers there are when the world begins: enough for the usual work, with as much to spare."""

from __future__ import annotations

from collections.abc import Mapping

from practice.jobs.work import Queue, Work, Worker
from practice.world.state import Tenant

USUAL_WORKERS = 8
SHARES = {"interactive": 0.375, "billing": 0.125, "email": 0.25, "reports": 0.25}
DEPENDENCY, BASE_LOAD, LOAD_PER_JOB = "database", 0.30, 0.12


def begin(work: Work) -> None:
    for queue in (
        Queue("interactive", "critical", 60.0, 900.0, True, "product", 0.4),
        Queue("billing", "critical", 600.0, None, False, "billing", 0.1),
        Queue("email", "standard", 300.0, 3600.0, False, "messaging", 0.3),
        Queue("reports", "deferrable", 4 * 3600.0, 86_400.0, True, "analytics", 0.25),
    ):
        work.queues[queue.name] = queue
        work.rates[queue.name] = usual_rates(queue)
    work.shares = dict(SHARES)
    for number in range(1, USUAL_WORKERS + 1):
        work.workers[f"worker-{number}"] = Worker(f"worker-{number}")
    work.saturation = BASE_LOAD + LOAD_PER_JOB * sum(queue.usual_rate for queue in work.queues.values())


def usual_rates(queue: Queue) -> dict[str, float]:
    return {"arrived": queue.usual_rate, "completed": queue.usual_rate, "failed": 0.0, "retried": 0.0, "expired": 0.0, "busy": 0.5}


def weights(tenants: Mapping[str, Tenant]) -> dict[str, float]:
    """The share of the jobs that is each tenant's."""
    whole = sum(tenant.rps for tenant in tenants.values())
    return {name: tenant.rps / whole for name, tenant in tenants.items()}
