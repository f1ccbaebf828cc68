"""The rows of queues and workers: what of them is held back, lent, parked and scaled."""

from activities.capacity.pools import PoolControl, PoolOf, Size, WorkerPools
from activities.capacity.scalers import PoolOnCloudRun, PoolOnKubernetes
from activities.queues.control import QueueControl
from activities.queues.holding import Consumers, ConsumersOf, Consuming, JobRetries, Rate, RateOf, Rates, RetriesOf, Retrying
from activities.queues.parking import Parked, ParkingOf, Parkings
from activities.queues.tenants import (
    CapsOf,
    Intake,
    Intakes,
    IntakesOf,
    TenantCaps,
    TenantConcurrency,
    TenantIntakes,
    TenantJobs,
)
from activities.queues.workers import Allotment, AllotmentOf, Allotments
from tests.activities.kit.rows.practised import Practised
from tests.activities.kit.stage import Stage

TENANT = "cedar-homes"
LENT = Allotment(shares={"interactive": 0.5, "billing": 0.125, "email": 0.25, "reports": 0.125})
THEIRS = Allotment(shares={"interactive": 0.5, "billing": 0.1875, "email": 0.25, "reports": 0.0625})


def control(played: Stage) -> QueueControl:
    return QueueControl(played.client("/jobs"))


JOBS = {
    "consumers by our queue control": Practised(
        lambda played, clock: Consumers(control(played), clock), ConsumersOf(queue="reports"), Consuming(share=0.0), Consuming(share=0.6),
        "jobs.consumers.put",
    ),
    "rates of queues": Practised(
        lambda played, clock: Rates(control(played)), RateOf(queue="email"), Rate(jobs_per_second=0.4), Rate(jobs_per_second=0.2), "jobs.rate.put"
    ),
    "retries of queues": Practised(
        lambda played, clock: JobRetries(control(played)), RetriesOf(queue="email"), Retrying(max_attempts=3, backoff_seconds=60),
        Retrying(max_attempts=4, backoff_seconds=30), "jobs.retries.put",
    ),
    "intake of tenants": Practised(
        lambda played, clock: TenantIntakes(control(played), clock), IntakesOf(names=(TENANT,)),
        Intakes(each={TENANT: Intake(jobs_per_second=0.2)}), Intakes(each={TENANT: Intake(jobs_per_second=0.9)}), "jobs.intake.put",
    ),
    "jobs of tenants at once": Practised(
        lambda played, clock: TenantConcurrency(control(played)), CapsOf(names=(TENANT,)), TenantCaps(each={TENANT: TenantJobs(most=2)}),
        TenantCaps(each={TENANT: TenantJobs(most=5)}), "jobs.tenant_jobs.put",
    ),
    "parked jobs": Practised(
        lambda played, clock: Parkings(control(played)), ParkingOf(queue="email", bin="poison"),
        Parked(ids=("job-000001",), attempts=5, evidence="0" * 64), Parked(ids=("job-000002",), attempts=6, evidence="1" * 64), "jobs.parked.put",
    ),
    "where workers work": Practised(
        lambda played, clock: Allotments(control(played)), AllotmentOf(), LENT, THEIRS, "jobs.allotment.put"
    ),
    "workers by pool control": Practised(
        lambda played, clock: WorkerPools(PoolControl(played.client("/jobs")), control(played)), PoolOf(pool="workers"), Size(workers=10),
        Size(workers=9), "jobs.pool.put",
    ),
    "workers by a pool on kubernetes": Practised(
        lambda played, clock: WorkerPools(
            PoolOnKubernetes(played.client("/k8s/eu-west"), "default", "orchestrator"), control(played)
        ), PoolOf(pool="workers"), Size(workers=5), Size(workers=7), "kubernetes.autoscalers.patch", "kubernetes.autoscalers.get",
        author="somebody", by_curl=False,
    ),
    "workers by a pool on cloud run": Practised(
        lambda played, clock: WorkerPools(
            PoolOnCloudRun(played.client("/run"), "acme", "eu-west", "api"), control(played)
        ), PoolOf(pool="workers"), Size(workers=5), Size(workers=7), "run.services.patch", "run.services.get", author="somebody",
        by_curl=False,
    ),
}  # fmt: skip
