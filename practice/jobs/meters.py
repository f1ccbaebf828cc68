"""What is counted of queues, jobs and workers, as a store of metrics has it."""

from __future__ import annotations

from collections.abc import Iterable

from practice.jobs.cast import DEPENDENCY
from practice.jobs.work import Queue, Work
from practice.metrics.metrics import Metrics, Series

USUAL_DEPTH, USUAL_AGE, USUAL_WAIT = 4.0, 4.0, 10.0
REQUESTS = 60.0  # of the API that wait for a job, in a step


class JobMeters:
    """The series; made once, so that a step only adds numbers."""

    def __init__(self, metrics: Metrics, service: str, queues: Iterable[Queue], tenants: Iterable[str]) -> None:
        of = {"service": service}
        self._wait = dict[str, Series]()
        self._depth, self._age, self._enqueued, self._done = (
            dict[str, Series](),
            dict[str, Series](),
            dict[str, Series](),
            dict[str, Series](),
        )
        self._failed, self._retried, self._expired, self._busy = (
            dict[str, Series](),
            dict[str, Series](),
            dict[str, Series](),
            dict[str, Series](),
        )
        for queue in queues:
            labels = {**of, "queue": queue.name, "class": queue.kind or "unknown"}
            self._depth[queue.name] = metrics.gauge("job_queue_depth", labels)
            self._age[queue.name] = metrics.gauge("job_oldest_age_seconds", labels)
            self._wait[queue.name] = metrics.gauge("job_wait_p95_seconds", labels)
            metrics.gauge("job_wait_p95_seconds_usual", labels).value = USUAL_WAIT
            metrics.gauge("job_queue_depth_usual", labels).value = USUAL_DEPTH
            metrics.gauge("job_age_objective_seconds", labels).value = queue.slo_seconds
            metrics.gauge("job_arrivals_per_second_usual", labels).value = queue.usual_rate
            self._enqueued[queue.name] = metrics.counter("jobs_enqueued_total", labels)
            self._done[queue.name] = metrics.counter("jobs_completed_total", labels)
            self._failed[queue.name] = metrics.counter("jobs_failed_total", labels)
            self._retried[queue.name] = metrics.counter("jobs_retried_total", labels)
            self._expired[queue.name] = metrics.counter("jobs_expired_total", labels)
            self._busy[queue.name] = metrics.gauge("job_workers_busy_ratio", labels)
        self._tenants = {name: metrics.counter("jobs_enqueued_by_tenant_total", {**of, "tenant": name}) for name in tenants}
        self._saturation = metrics.gauge("job_dependency_saturation_ratio", {**of, "dependency": DEPENDENCY})
        self._free = metrics.gauge("job_db_connections_free", of)
        self._ok = metrics.counter("job_api_requests_total", {**of, "outcome": "ok"})
        self._late = metrics.counter("job_api_requests_total", {**of, "outcome": "timeout"})

    def usual(self, work: Work, shares: dict[str, float], seconds: float) -> None:
        """What a step adds in which nothing is wrong."""
        whole = 0.0
        for name, queue in work.queues.items():
            many = queue.usual_rate * seconds
            whole += many
            self._depth[name].value, self._age[name].value, self._busy[name].value = USUAL_DEPTH, USUAL_AGE, 0.5
            self._wait[name].value = USUAL_WAIT
            self._enqueued[name].value += many
            self._done[name].value += many
        for name, share in shares.items():
            self._tenants[name].value += share * whole
        self._platform(work)

    def arrived(self, queue: str, tenant: str, many: int) -> None:
        self._enqueued[queue].value += many
        self._tenants[tenant].value += many

    def became(self, queue: str, *, done: int, failed: int, retried: int, expired: int) -> None:
        self._done[queue].value += done
        self._failed[queue].value += failed
        self._retried[queue].value += retried
        self._expired[queue].value += expired

    def show(self, work: Work, at: float, busy: dict[str, float], waits: dict[str, float]) -> None:
        for name, queue in work.queues.items():
            if not queue.blind:
                self._depth[name].value = float(len(queue.waiting))
            oldest = min((job.at for job in queue.waiting), default=at)
            self._age[name].value = max(at - oldest, 0.0)
            self._busy[name].value, self._wait[name].value = busy.get(name, 0.0), waits.get(name, USUAL_WAIT)
        self._platform(work)

    def _platform(self, work: Work) -> None:
        self._saturation.value, self._free.value = work.saturation, float(work.free_connections)
        late = REQUESTS * work.timeouts
        self._ok.value += REQUESTS - late
        self._late.value += late
