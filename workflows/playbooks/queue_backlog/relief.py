"""What relieves a backlog: shed, isolate, lend, scale, restart, and at last let jobs expire (spec §9.8, Mitigation). Each is narrow, or asked."""

import math
from collections.abc import Iterable, Sequence
from datetime import timedelta

from activities.action import Role
from activities.capacity.autoscaler import AutoscalerOf, Autoscalers
from activities.capacity.pools import SCALED_POOL, PoolOf, Scaler, Size, WorkerPools
from activities.edge.gateway import LIMITED, limit
from activities.queues.control import broker_of, by_people, cannot
from activities.queues.holding import EASED, PAUSED, JobRetries, RetriesOf, Retrying, pause
from activities.queues.parking import PARKED, Parked, park
from activities.queues.queues import JobsOf, Queues, WorkOf
from activities.queues.seen import QueueSeen, WorkerSeen
from activities.queues.tenants import (
    CAPPED,
    INTAKE_LIMITED,
    CapsOf,
    Intake,
    Intakes,
    IntakesOf,
    TenantCaps,
    TenantConcurrency,
    TenantIntakes,
    TenantJobs,
)
from activities.queues.workers import LENT, AllotmentOf, Allotments, JobsCopy, QueueEvidence, Restarts, RestartWorker, StacksOf
from activities.values import listed
from workflows.engine.verbs import Verbs
from workflows.incident import Silence
from workflows.people.questions import ApprovalTerms
from workflows.playbooks.queue_backlog.causes import Cause, Found, Seen

SCALERS: dict[str, Scaler] = {"pool on kubernetes": "pool on kubernetes", "pool on cloud run": "pool on cloud run"}
LEAST_INTAKE = 0.02  # jobs per second: a limit of nothing would be an outage of this tenant


class Relief:
    """It decides nothing: what is done about which cause, and what comes next, is the playbook's."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs, self._numbers = verbs, verbs.policy.queue_backlog
        self.broker = broker_of(verbs.policy.systems)
        scaler = verbs.policy.systems.get("worker pools", "")
        self.pool = PoolOf(pool="workers", scaler=SCALERS.get(scaler, "pool control"))
        self._handed = set[str]()

    def say_what_is_by_people(self) -> None:
        """What the broker cannot do is said before anything is tried, once."""
        if (what := by_people(self.broker)) and self.broker not in self._handed:
            self._handed.add(self.broker)
            self._verbs.note(f"on {self.broker} this is a person's task: {what}; the rest goes on by itself", "finding")

    def by_people(self, what: str, task: str) -> bool:
        """Whether the broker cannot do this: then it is a person's task, once, with the reason; and the playbook goes on."""
        why = cannot(self.broker, what)
        if why and task not in self._handed:
            self._handed.add(task)
            self._verbs.task(f"{task}: {why}", Role.OPS_LEAD)
        return bool(why)

    # -- shed (M1, M4) ------------------------------------------------------------------------------------------------------------

    async def hold_back(self, tenants: Sequence[str], queues: Sequence[QueueSeen], facts: tuple[str, ...], share: float) -> bool:
        """What the API takes of these tenants: as much as leaves the queues as much as usual (M1); and few of their jobs at once (M4)."""
        if not tenants:
            return False
        verbs, names, numbers = self._verbs, tuple(tenants), self._verbs.policy.mitigation
        rates = {name: self._allowed(name, tenants, queues, share) for name in tenants}
        if self.by_people("intake", f"Hold back {listed(names)}, who bring the most jobs"):
            return False
        if not any(one.arrivals_usual for one in queues):
            verbs.task(f"Say how much {listed(names)} may enqueue, and limit it: nobody can say what usually arrives", Role.OPS_LEAD)
            return False
        intake = Intakes(each={name: Intake(jobs_per_second=rate) for name, rate in rates.items()})
        caps = TenantCaps(each={name: TenantJobs(most=self._numbers.tenant_jobs) for name in tenants})
        limited, _ = await verbs.together(
            verbs.impose(
                INTAKE_LIMITED, TenantIntakes.order(IntakesOf(names=names, broker=self.broker), intake, numbers=numbers), facts=facts
            ),
            verbs.impose(CAPPED, TenantConcurrency.order(CapsOf(names=names, broker=self.broker), caps, numbers=numbers), facts=facts),
        )
        if limited:
            said = ", ".join(f"{name}: {rate:g} jobs per second" for name, rate in rates.items())
            verbs.task(f"Tell the tenants that are held back what, why and until when ({said})", Role.COMMS_LEAD)
        return bool(limited)

    def _allowed(self, name: str, among: Sequence[str], queues: Sequence[QueueSeen], share: float) -> float:
        """Others keep what they bring; these share what is left of the usual."""
        usual = sum(one.arrivals_usual or 0.0 for one in queues)
        others = sum((one.arrivals_per_second or 0.0) * (1 - sum(one.tenants.get(n, 0.0) for n in among)) for one in queues)
        left = max(0.0, usual - others) if usual > others else usual / max(1, sum(len(one.tenants) for one in queues)) * len(among)
        return round(max(LEAST_INTAKE, share * left / len(among)), 4)

    async def hold_everybody_back(self, share: float, facts: tuple[str, ...]) -> bool:
        """The gateway lets in a share of the requests: wide, so a person is asked. False: nobody has said yes."""
        verbs = self._verbs
        capacity = await verbs.look(Autoscalers.read, Autoscalers.look(AutoscalerOf(service=verbs.service)))
        asked = sum(capacity.used_rps.values()) if capacity is not None else 0.0
        if not asked:
            verbs.task(f"Let in {share:.0%} of the requests at the gateway: how many are asked for is not known here", Role.OPS_LEAD)
            return False
        order = limit(verbs.service, round(share * asked, 2), verbs.policy.mitigation, asked)
        everybody = cannot(self.broker, "intake")
        facts += (f"everybody, because no tenant can be held back alone there: {everybody}",) if everybody else ()
        return bool(await verbs.impose(LIMITED, order, facts=facts, silence=Silence.SAFE))

    # -- isolate (M2, M3, M5) -----------------------------------------------------------------------------------------------------

    async def pause_deferrable(self, seen: Seen) -> bool:
        """What can wait waits. A queue of which nobody has said what it is goes on, and its owner is asked."""
        verbs = self._verbs
        for one in seen.work.queues:
            if one.kind is None:
                verbs.task(f"Say of which class {one.name} is (critical, standard, deferrable): it is not paused until then", Role.OPS_LEAD)
        names = [one.name for one in seen.work.queues if one.deferrable]
        if self.broker == "rabbitmq":
            for name in names:
                verbs.task(
                    f"Pause the consumers of {name}, and look that it stays so when they restart", Role.OPS_LEAD, _paused_by_hand(name)
                )
            return False
        held = [f"{one.name}: {one.in_flight} jobs are in workers' hands" for one in seen.work.queues if one.deferrable and one.in_flight]
        orders = (pause(name, self.broker, numbers=verbs.policy.mitigation) for name in names)
        done = await verbs.together(*(verbs.impose(PAUSED, order, facts=tuple(held)) for order in orders))
        return any(done)

    async def park_poison(self, found: Found) -> bool:
        """By id, after a copy; in a bin of its own, from which it can be put back."""
        verbs, numbers = self._verbs, self._numbers
        if self.broker == "rabbitmq":
            verbs.task(f"Move the poisoned jobs of {found.queue} into {found.queue}.parked.poison, one by one, after a copy", Role.OPS_LEAD)
            return False
        look = JobsOf(queue=found.queue, limit=numbers.most_poison, least_attempts=numbers.poison_attempts, broker=self.broker)
        seen = await verbs.look(Queues.jobs, look)
        ids = tuple(one.id for one in seen.jobs) if seen is not None else ()
        if not ids:
            return False
        copy = await verbs.do(QueueEvidence.jobs, JobsCopy(incident_id=verbs.incident_id, queue=found.queue, ids=ids, count=len(ids)))
        wanted = Parked(ids=ids, attempts=numbers.poison_attempts, evidence=str(copy.after.get("sha256", "")), count=len(ids))
        return bool(await verbs.impose(PARKED, park(found.queue, "poison", wanted, self.broker), facts=found.evidence))

    async def ease_retries(self, found: Found, seen: Seen) -> bool:
        """Fewer attempts, further apart; never so far that the broker delivers a job again meanwhile."""
        if self.by_people("retries", f"Ease the retries of {found.queue}"):
            return False
        queue = seen.work.of(found.queue)
        backoff = self._numbers.backoff.total_seconds()
        if queue is not None and queue.visibility_seconds is not None:
            backoff = min(backoff, queue.visibility_seconds / 2)
        wanted = Retrying(max_attempts=self._numbers.retries, backoff_seconds=backoff)
        order = JobRetries.order(RetriesOf(queue=found.queue, broker=self.broker), wanted, why=found.name)
        return bool(await self._verbs.impose(EASED, order, facts=found.evidence))

    # -- lend and scale (M6) ------------------------------------------------------------------------------------------------------

    async def lend(self, seen: Seen) -> bool:
        """Workers of deferrable queues work for what is late."""
        verbs = self._verbs
        if self.by_people("allotment", "Let workers of what can wait work for what is late"):
            return False
        now = await verbs.look(Allotments.read, Allotments.look(AllotmentOf(broker=self.broker)))
        to, by = [one.name for one in seen.ill], [one.name for one in seen.work.queues if one.deferrable]
        if now is None or not to or not by:
            return False
        wanted = now.value.lent(to, by, self._numbers.lent)
        return bool(await verbs.impose(LENT, Allotments.order(AllotmentOf(broker=self.broker), wanted), facts=(seen.work.summary,)))

    async def scale(self, seen: Seen) -> bool:
        """More workers, within what the platform may run, and only while what they stand on has room."""
        verbs, numbers, work = self._verbs, self._numbers, seen.work
        if why := self.no_room(seen):
            verbs.note(f"not scaled: {why}; more workers would make it worse", "finding")
            return False
        now = await verbs.look(WorkerPools.read, WorkerPools.look(self.pool))
        if now is None:
            verbs.task(
                "Scale the workers by hand, while what they stand on is less than 80 % full: the platform cannot be asked", Role.OPS_LEAD
            )
            return False
        wanted = math.ceil(now.value.workers * numbers.scale_by)
        if now.most is not None:
            wanted = min(wanted, now.most)
        if work.db_connections_free is not None:
            wanted = min(wanted, now.value.workers + work.db_connections_free // numbers.connections_per_worker)
        if wanted <= now.value.workers:
            verbs.note(
                f"not scaled: {now.value.workers} workers are wanted, {now.most} may run, {work.db_connections_free} connections are free"
            )
            return False
        full = work.fullest
        size = Size(
            workers=wanted, most=now.most, fullest=full[1] if full else None, connections=work.db_connections_free,
            each=numbers.connections_per_worker,
        )  # fmt: skip
        facts = (f"{full[0]} {full[1]:.0%} full" if full else "nobody can say how full it is what they stand on",)
        if not await verbs.impose(SCALED_POOL, WorkerPools.order(self.pool, size, numbers=verbs.policy.mitigation), facts=facts):
            return False
        await self._launched(wanted)
        return True

    def no_room(self, seen: Seen) -> str:
        """Why more workers would not help; empty when they would."""
        full, numbers, free = seen.work.fullest, self._numbers, seen.work.db_connections_free
        if full is not None and full[1] >= numbers.saturation:
            return f"the {full[0]} is {full[1]:.0%} full"
        if free is not None and free < numbers.connections_per_worker:
            return f"the database has {free} connections free, and a worker takes {numbers.connections_per_worker}"
        return ""

    async def _launched(self, wanted: int) -> None:
        """Workers that were wanted and do not come are no help: that is said, and other steps follow."""
        verbs = self._verbs
        if verbs.rehearsing:
            return
        await verbs.rest(self._numbers.launched_within, "whether the new workers start")
        now = await verbs.read(WorkerPools.read, WorkerPools.look(self.pool))
        if now.running is not None and now.running < wanted:
            verbs.note(f"the platform does not start them: {now.running} of {wanted} workers run", "finding")
            verbs.task(f"Find out why the platform starts no workers: {now.running} of {wanted} run", Role.OPS_LEAD)

    # -- restart (M7) -------------------------------------------------------------------------------------------------------------

    async def restart(self, found: Found, workers: int) -> bool:
        """What they are doing is kept first; one is restarted, and if it works again the others, a tenth of all in a minute."""
        verbs, stuck = self._verbs, found.stuck
        names = tuple(one.name for one in stuck)
        if self.by_people("stacks", f"Keep the stacks of {listed(names)}, then restart one of them"):
            return False
        kept = await verbs.look(QueueEvidence.stacks, StacksOf(incident_id=verbs.incident_id, workers=names, broker=self.broker))
        if kept is None:
            verbs.task(f"Keep the stacks of {', '.join(names)} by hand, then restart one of them: they could not be read", Role.OPS_LEAD)
            return False
        stacks = str(kept.after.get("sha256") or "assumed")
        orders = [RestartWorker(worker=one.name, generation=one.generation, stacks=stacks, broker=self.broker) for one in stuck]
        terms = ApprovalTerms(
            asks=f"Restart {', '.join(names)}, one first, then at most {self._numbers.restarts_per_minute:.0%} of the workers in a minute?",
            facts=(*found.evidence, "a job that is in the middle of a payment outside is no job to end: look at the stacks"),
            silence=Silence.SKIP, lasting=verbs.policy.for_people(self._numbers.drain_patience),
        )  # fmt: skip
        decision = await verbs.approve_all(Restarts.run, orders, terms)
        if decision.grant is None:
            return False
        at_once = max(1, math.floor(workers * self._numbers.restarts_per_minute))
        for first, batch in _batches(orders, at_once):
            if not first:
                await verbs.rest(self._numbers.look_again, "whether the restarted workers make progress")
                if await self._stuck_again(stuck):
                    return True
            for order in batch:
                await verbs.propose(Restarts.run, order, under=decision.grant)
        return True

    async def _stuck_again(self, stuck: Sequence[WorkerSeen]) -> bool:
        now = await self._verbs.read(Queues.work, WorkOf(broker=self.broker))
        known = {one.name: one.generation for one in stuck}
        again = [
            one.name for one in now.workers if one.name in known and one.generation > known[one.name] and one.stuck_seconds is not None
        ]
        if again:
            self._verbs.note(f"{', '.join(again)} stands still again after its restart: no further worker is restarted", "finding")
        return bool(again)

    # -- let expire (M8) ----------------------------------------------------------------------------------------------------------

    async def let_expire(self, queue: QueueSeen) -> bool:
        """Jobs that are of no use any more, on the word of two people: exported first, and kept; nothing is deleted."""
        verbs, age = self._verbs, queue.objective_seconds
        if age is None:
            return False
        old = timedelta(seconds=age)
        copy = await verbs.do(
            QueueEvidence.jobs, JobsCopy(incident_id=verbs.incident_id, queue=queue.name, before_age=old, count=queue.depth or 0)
        )
        count = int(str(copy.after.get("count", 0)))
        if not count and not copy.assumed:
            return False
        verbs.task(
            f"Tell {queue.owner}, whose jobs they are, that {count} of {queue.name} may be let expire, and what that costs", Role.OPS_LEAD
        )
        wanted = Parked(
            before=verbs.clock() - old / verbs.policy.pace, evidence=str(copy.after.get("sha256", "")), count=count, owner=queue.owner
        )
        facts = (f"{count} jobs of {queue.name} are older than {age / 60:.0f} min; they belong to {queue.owner}", *self.replay(queue))
        return bool(await verbs.impose(PARKED, park(queue.name, "expired", wanted, self.broker), facts=facts))

    def replay(self, queue: QueueSeen) -> Iterable[str]:
        return (f"jobs of {queue.name} may {'' if queue.idempotent else 'not '}be done twice",)


def _batches(orders: Sequence[RestartWorker], size: int) -> Iterable[tuple[bool, Sequence[RestartWorker]]]:
    """One alone, then so many at a time."""
    yield True, orders[:1]
    for start in range(1, len(orders), size):
        yield False, orders[start : start + size]


def _paused_by_hand(name: str) -> tuple[str, ...]:
    return pause(name, "rabbitmq").by_hand()


def noisy(seen: Seen, most: int) -> tuple[str, ...]:
    """The tenants that are held back: those that are loud; in a burst of many those that bring most."""
    loud = [one.tenant for one in seen.of(Cause.TENANT)]
    if loud or not (seen.of(Cause.BURST) or seen.of(Cause.COLLAPSE)):
        return tuple(dict.fromkeys(loud))[:most]
    brought: dict[str, float] = {}
    for queue in seen.ill:
        for name, share in queue.tenants.items():
            brought[name] = brought.get(name, 0.0) + share * (queue.arrivals_per_second or 0.0)
    return tuple(sorted(brought, key=lambda name: (-brought[name], name))[:most])
