"""What time does to jobs: tenants enqueue them, workers do them, some fail and come again, and what they stand on is loaded by them."""

from __future__ import annotations

from collections import Counter, deque
from random import Random

from practice.jobs.cast import BASE_LOAD, LOAD_PER_JOB, begin, weights
from practice.jobs.meters import USUAL_WAIT, JobMeters
from practice.jobs.work import Held, Job, Queue, Restart, Work, Worker
from practice.llm.load import STEP_SECONDS
from practice.metrics.metrics import Metrics
from practice.world.state import State

LOOKED_BACK = 8  # steps over which rates are said
CRASHED_SECONDS = 30.0  # that a worker is away whom a poisoned job has ended
SLOWER = 8.0  # so much slower jobs become, beyond four fifths of what they stand on
FULL = 0.8
LOOKS = 2
RESUBMITTED = 1  # new job for one that has expired, from clients who ask again


class Simulation:
    """Follows every job only where something is touched; otherwise it adds what a healthy step adds."""

    def __init__(self, seed: int, metrics: Metrics, state: State) -> None:
        self._chance = Random(seed)
        work = state.part(Work)
        begin(work)
        self._weights = weights(state.tenants)
        self._service = next(iter(state.fleet.services), state.route.alias)
        kept = metrics if state.fleet.services else Metrics()  # nobody's jobs are counted
        self._meters = JobMeters(kept, self._service, work.queues.values(), self._weights)
        self._waits = dict[str, float]()  # the 95th percentile of what was begun last
        self._recent: dict[str, deque[Counter[str]]] = {name: deque(maxlen=LOOKED_BACK) for name in work.queues}
        self._asked: dict[str, deque[Counter[str]]] = {name: deque(maxlen=LOOKED_BACK) for name in work.queues}

    def step(self, state: State, at: float) -> None:
        work = state.part(Work)
        if not work.touched:
            self._meters.usual(work, self._weights, STEP_SECONDS)
            return
        work.troubles = [one for one in work.troubles if one.until is None or one.until > at]
        self._run_workers(work, at)
        began = {name: self._arrive(work, queue, self._let_in(state), at) for name, queue in work.queues.items()}
        busy, done = dict[str, float](), 0
        for name, queue in work.queues.items():
            counts = began[name]
            counts["expired"] = self._expire(work, queue, self._let_in(state), at)
            busy[name] = self._work(work, queue, at, counts)
            done += counts["begun"]
            self._meters.became(
                name, done=counts["completed"], failed=counts["failed"], retried=counts["retried"], expired=counts["expired"]
            )
            self._say(work, name, counts, busy[name])
        self._load(work, done)
        interactive = work.queues["interactive"]
        late = at - min((job.at for job in interactive.waiting), default=at)
        work.timeouts = min(1.0, max(0.0, late - interactive.slo_seconds) / 600)
        self._meters.show(work, at, busy, self._waits)

    # ---- the pool ----

    def _run_workers(self, work: Work, at: float) -> None:
        """Workers that are wanted are started, those that are too many end; what somebody held too long is delivered again."""
        gone = sum(one.factor for one in work.of("starved"))
        wanted = max(0, work.pool.workers - round(gone))
        if work.pool.launches or wanted < len(work.workers):
            names = [f"worker-{number}" for number in range(1, wanted + 1)]
            for name in names:
                work.workers.setdefault(name, Worker(name))
            for name in [name for name in work.workers if name not in names]:
                gives_back(work, name, at)
                del work.workers[name]
        for restart in work.restarts.values():
            if restart.done_at <= at:
                end_restart(work, restart, at)
        for held in [one for one in work.held if one.until <= at]:
            work.held.remove(held)
            job = held.job
            enqueue(work, Job(job.id, job.queue, job.tenant, job.at, at, job.attempts, job.poison, copy=True))
            worker = work.workers.get(held.worker)
            if worker is not None and worker.stuck_since is None:  # who held it does it as well
                work.completed[job.id] = work.completed.get(job.id, 0) + 1

    # ---- arrivals ----

    def _let_in(self, state: State) -> float:
        """The share of the requests that the gateway in front lets in: who is turned away enqueues nothing."""
        service = state.fleet.services.get(self._service)
        limit = None if service is None else service.gateway.rate_limit_rps
        return 1.0 if service is None or limit is None else min(1.0, limit / service.rps)

    def _arrive(self, work: Work, queue: Queue, let_in: float, at: float) -> Counter[str]:
        counts, tenants = Counter[str](), Counter[str]()
        for tenant, share in self._weights.items():
            factor = 1.0
            for one in work.troubles:
                if one.kind in ("burst", "collapse") and one.queue == queue.name:
                    factor *= one.factor
            extra = sum(one.factor for one in work.of("hot_tenant") if one.queue == queue.name and one.tenant == tenant)
            asked = self._whole((queue.usual_rate * share * factor + queue.usual_rate * extra) * STEP_SECONDS)
            wanted, allowed = round(asked * let_in), work.intake.get(tenant, None)
            work.turned_away += asked - wanted
            taken = wanted if allowed is None else min(wanted, self._whole(allowed * STEP_SECONDS))
            work.turned_away += wanted - taken
            self._make(work, queue, tenant, taken, at)
            if taken:
                tenants[tenant] += taken
                self._meters.arrived(queue.name, tenant, taken)
        counts["arrived"] = sum(tenants.values())
        self._asked[queue.name].append(tenants)
        return counts

    def _make(self, work: Work, queue: Queue, tenant: str, many: int, at: float) -> None:
        for n in range(many):
            work.arrived += 1
            when = at - STEP_SECONDS * (many - n) / (many + 1)
            queue.waiting.append(Job(work.arrived, queue.name, tenant, when, when))

    def _whole(self, wanted: float) -> int:
        """A whole number of jobs; what is left over is drawn."""
        many = int(wanted)
        return many + (self._chance.random() < wanted - many)

    def _expire(self, work: Work, queue: Queue, let_in: float, at: float) -> int:
        """Jobs whose time is over before somebody begins them; in a collapse their clients ask again."""
        collapsing = [one for one in work.of("collapse") if one.queue == queue.name]
        ttl = 120.0 if collapsing else queue.ttl_seconds
        if ttl is None:
            return 0
        over = [job for job in queue.waiting if at - job.at > ttl]
        if over:
            queue.waiting = [job for job in queue.waiting if at - job.at <= ttl]
            work.expired += [job.id for job in over]
            for job in over if collapsing else ():
                if work.intake.get(job.tenant, None) is None and let_in >= 1:
                    self._make(work, queue, job.tenant, RESUBMITTED, at)
                    self._meters.arrived(queue.name, job.tenant, RESUBMITTED)
        return len(over)

    # ---- work ----

    def _work(self, work: Work, queue: Queue, at: float, counts: Counter[str]) -> float:
        """The workers of a queue do what they can in a step. How busy they were, 0 to 1."""
        mine = [one for one in work.mine(queue.name) if one.down_until <= at]
        able = [one for one in mine if one.stuck_since is None]
        serving = able[: round(len(able) * queue.consumers)] if queue.consumers < 1 else able
        seconds = work.seconds * (1 + SLOWER * max(0.0, work.saturation - FULL)) * (3.0 if work.of("dependency") else 1.0)
        room = len(serving) * STEP_SECONDS / seconds + queue.carried
        if queue.rate is not None:
            room = min(room, queue.rate * STEP_SECONDS + queue.carried)
        many, taken = int(room), 0
        queue.carried = min(1.0, room - many)
        running, left = Counter[str](), list[Job]()
        caps = {tenant: most for tenant, most in work.caps.items() if most is not None}
        crashed, waits = 0, list[float]()
        for n, job in enumerate(queue.waiting):
            if taken >= many or crashed >= len(serving) > 0 or not serving:
                left += queue.waiting[n:]
                break
            most = caps.get(job.tenant)
            if job.visible_at > at or (most is not None and running[job.tenant] >= max(1.0, most * STEP_SECONDS / seconds)):
                left.append(job)
                continue
            running[job.tenant] += 1
            taken += 1
            job.attempts += 1
            counts["begun"] += 1
            if job.poison:
                crashed += 1
                serving[crashed - 1].down_until = at + CRASHED_SECONDS
                taken += int(STEP_SECONDS / seconds) - 1
                left.append(job)
                counts["failed"] += 1
                counts["retried"] += 1
            elif self._fails(work, queue):
                self._failed(queue, job, at, left, counts)
            else:
                work.completed[job.id] = work.completed.get(job.id, 0) + 1
                counts["completed"] += 1
                waits.append(at - job.at)
        self._waits[queue.name] = sorted(waits)[int(0.95 * len(waits))] if waits else self._waits.get(queue.name, USUAL_WAIT)
        queue.waiting = sorted(left, key=lambda job: (job.at, job.id))
        return min(1.0, taken / many) if many else float(bool(mine))

    def _fails(self, work: Work, queue: Queue) -> bool:
        share = max((one.factor for one in work.of("retry_storm") if one.queue == queue.name), default=0.0)
        return bool(share) and self._chance.random() < share

    def _failed(self, queue: Queue, job: Job, at: float, left: list[Job], counts: Counter[str]) -> None:
        """It comes again after its back-off; after its last attempt it is given up, and kept."""
        counts["failed"] += 1
        if job.attempts >= queue.max_attempts:
            queue.dead.append(job)
            return
        counts["retried"] += 1
        job.visible_at = at + queue.backoff_seconds
        left.append(job)

    def _load(self, work: Work, begun: int) -> None:
        slow = sum(one.factor for one in work.of("dependency"))
        work.saturation = round(BASE_LOAD + LOAD_PER_JOB * begun / STEP_SECONDS * (2.0 if slow else 1.0) + slow, 4)

    def _say(self, work: Work, name: str, counts: Counter[str], busy: float) -> None:
        recent, asked = self._recent[name], self._asked[name]
        recent.append(counts)
        seconds = len(recent) * STEP_SECONDS
        whole = sum(recent, Counter[str]())
        work.rates[name] = {what: whole[what] / seconds for what in ("arrived", "completed", "failed", "retried", "expired")} | {
            "busy": busy
        }
        arrivals = sum(asked, Counter[str]())
        work.tenants[name] = {tenant: many / seconds for tenant, many in arrivals.items()}


def pause(work: Work, queue: Queue, share: float, at: float) -> None:
    """Take consumers away or give them back. Workers that prefetch keep what they hold until it is delivered again."""
    if share < queue.consumers and work.prefetch:
        reserved, queue.waiting = queue.waiting[:4], queue.waiting[4:]
        work.held += [Held(job, f"worker-{n + 1}", at + queue.visibility_seconds) for n, job in enumerate(reserved)]
    if share > queue.consumers:
        for held in [one for one in work.held if one.job.queue == queue.name and work.workers.get(one.worker) is not None]:
            if work.workers[held.worker].stuck_since is None:
                work.held.remove(held)
                queue.waiting.insert(0, held.job)
    queue.consumers = share


def gives_back(work: Work, worker: str, at: float) -> None:
    """What a worker held is delivered again."""
    for held in [one for one in work.held if one.worker == worker]:
        work.held.remove(held)
        held.job.visible_at = at
        enqueue(work, held.job)


def enqueue(work: Work, job: Job) -> None:
    """At its place by age."""
    waiting = work.queues[job.queue].waiting
    place = next((n for n, other in enumerate(waiting) if other.at > job.at), len(waiting))
    waiting.insert(place, job)


def end_restart(work: Work, restart: Restart, at: float) -> None:
    """The next generation of a worker works."""
    worker = work.workers.get(restart.worker)
    if worker is not None and worker.generation < restart.generation:
        worker.generation, worker.stuck_since, worker.doing = restart.generation, None, None
        gives_back(work, worker.name, at)


def looked_at(work: Work, restart: Restart, at: float) -> None:
    """It is done at the second look, or when its time is over."""
    restart.looks += 1
    if restart.looks >= LOOKS or restart.done_at <= at:
        restart.done_at = min(restart.done_at, at)
        end_restart(work, restart, at)
