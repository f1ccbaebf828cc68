"""What makes a queue pile up, told apart by its rates, ages, attempts and workers (spec §9.8, Triage). Pure: decisions stay in the playbook."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from activities.metrics.curves import CurveReading
from activities.queues.numbers import QueueBacklog
from activities.queues.seen import QueueSeen, WorkerSeen, WorkSeen
from workflows.severity.facts import Facts, Scope, Slo


class Cause(StrEnum):
    COLLAPSE = "congestive collapse"
    POISON = "poisoned jobs"
    TENANT = "noisy tenant"
    RETRIES = "retry storm"
    STUCK = "stuck workers"
    DEPENDENCY = "saturated dependency"
    BURST = "burst of work"
    WORKERS = "too few workers"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Found:
    """One cause, of which queue, and what speaks for it."""

    cause: Cause
    evidence: tuple[str, ...]
    queue: str = ""
    tenant: str = ""
    stuck: tuple[WorkerSeen, ...] = ()

    @property
    def name(self) -> str:
        whose = " of ".join(filter(None, (self.tenant, self.queue)))
        return f"{self.cause}: {whose}" if whose else str(self.cause)


@dataclass(frozen=True)
class Seen:
    """What was seen at one look."""

    work: WorkSeen
    curve: CurveReading
    ill: tuple[QueueSeen, ...] = ()
    causes: tuple[Found, ...] = field(default=())

    def of(self, cause: Cause) -> tuple[Found, ...]:
        return tuple(one for one in self.causes if one.cause is cause)

    @property
    def late(self) -> float:
        """How late the oldest job of all is, where that is known, as a share of what it may wait."""
        return max((one.late for one in self.ill if one.late is not None), default=0.0)

    def facts(self) -> Facts:
        """As the severity function reads it: a backlog; graver when jobs wait longer than they may, or the API waits for them."""
        timeouts = any(one.part == "API timeouts" for one in self.curve.ill)
        burning = timeouts or self.late > 1
        return Facts(backlog=True, scope=Scope.FEATURE if burning else Scope.COMPONENT, slo=Slo.ACTIVE if burning else Slo.MAYBE)


def ill(work: WorkSeen, numbers: QueueBacklog) -> tuple[QueueSeen, ...]:
    """The queues that pile up, the critical ones and the latest first."""
    found = [one for one in work.queues if not one.deferrable and _ill(one, numbers)]
    return tuple(sorted(found, key=lambda one: (one.kind != "critical", -(one.late or 0.0))))


def _ill(queue: QueueSeen, numbers: QueueBacklog) -> bool:
    """Age beats depth: a deep queue is ill when its jobs are late, when it does not drain, or when nobody can say either."""
    deep = queue.depth is not None and queue.depth_usual is not None and queue.depth > numbers.deep * queue.depth_usual
    drains = queue.drains_in is not None and queue.drains_in <= numbers.drains_within.total_seconds()
    return (queue.late or 0.0) > numbers.late or (deep and not drains)


def diagnose(work: WorkSeen, queues: Sequence[QueueSeen], numbers: QueueBacklog, named: Collection[str] = ()) -> tuple[Found, ...]:
    """Every cause that something speaks for; what makes the others worse first. `named`: tenants that an alert has named."""
    found = [one for queue in queues for one in (*_collapse(queue, numbers), *_poison(queue, numbers), *_tenant(queue, numbers, named))]
    found += [one for queue in queues for one in _retries(queue, numbers)]
    found += [*_stuck(work, numbers), *_dependency(work, numbers)]
    noisy = {one.queue for one in found if one.cause in (Cause.TENANT, Cause.COLLAPSE)}
    found += [one for queue in queues if queue.name not in noisy for one in _burst(queue, numbers)]
    explained = {one.queue for one in found}
    if not any(one.cause in (Cause.STUCK, Cause.DEPENDENCY) for one in found):
        found += [one for queue in queues if queue.name not in explained for one in _workers(queue, numbers)]
    explained = {one.queue for one in found}
    if not any(one.cause in (Cause.STUCK, Cause.DEPENDENCY) for one in found):
        found += [Found(Cause.UNKNOWN, (str(queue),), queue.name) for queue in queues if queue.name not in explained]
    return tuple(found)


def _collapse(queue: QueueSeen, numbers: QueueBacklog) -> tuple[Found, ...]:
    """Work expires before it is done, and those who asked ask again: the more is done, the less of it is of use."""
    if queue.expired_share is None or queue.expired_share < numbers.expired_share or queue.much < numbers.burst:
        return ()
    said = (
        f"{queue.expired_share:.0%} of what arrives in {queue.name} expires before it is begun, and ×{queue.much:.1f} of the usual arrives"
    )
    return (Found(Cause.COLLAPSE, (said,), queue.name),)


def _poison(queue: QueueSeen, numbers: QueueBacklog) -> tuple[Found, ...]:
    many = queue.begun(numbers.poison_attempts)
    if not many or many > numbers.most_poison or many < numbers.poison_share * queue.begun(2):
        return ()  # where many jobs are tried again, it is not those few
    said = f"{many} jobs of {queue.name} were begun {numbers.poison_attempts} times and more, and never done"
    return (Found(Cause.POISON, (said,), queue.name),)


def _tenant(queue: QueueSeen, numbers: QueueBacklog, named: Collection[str]) -> tuple[Found, ...]:
    counted = queue.arrivals_per_second is not None  # otherwise whose jobs wait is all that is known
    if counted and queue.much < numbers.burst:
        return ()
    loud = [(share, name) for name, share in queue.tenants.items() if share >= numbers.tenant_share or (name in named and share > 0)]
    said = [
        (name, f"{share:.0%} of what {'arrives' if counted else 'waits'} in {queue.name} is of {name}")
        for share, name in sorted(loud, reverse=True)
    ]
    return tuple(Found(Cause.TENANT, (words,), queue.name, tenant=name) for name, words in said)


def _retries(queue: QueueSeen, numbers: QueueBacklog) -> tuple[Found, ...]:
    if queue.retry_share is None or queue.retry_share < numbers.retry_share or _poison(queue, numbers):
        return ()
    return (Found(Cause.RETRIES, (f"{queue.retry_share:.0%} of what is begun of {queue.name} was begun before",), queue.name),)


def _stuck(work: WorkSeen, numbers: QueueBacklog) -> tuple[Found, ...]:
    stuck = tuple(one for one in work.workers if one.stuck_seconds is not None and one.stuck_seconds >= numbers.stuck_for.total_seconds())
    if not stuck:
        return ()
    said = tuple(f"{one.name} makes no progress for {(one.stuck_seconds or 0) / 60:.0f} min with {one.job or 'a job'}" for one in stuck)
    return (Found(Cause.STUCK, said, stuck=stuck),)


def _dependency(work: WorkSeen, numbers: QueueBacklog) -> tuple[Found, ...]:
    full = work.fullest
    if full is None or full[1] < numbers.saturation:
        return ()
    return (Found(Cause.DEPENDENCY, (f"the {full[0]} is {full[1]:.0%} full",)),)


def _burst(queue: QueueSeen, numbers: QueueBacklog) -> tuple[Found, ...]:
    if queue.much < numbers.burst:
        return ()
    return (Found(Cause.BURST, (f"×{queue.much:.1f} of the usual arrives in {queue.name}, of many tenants",), queue.name),)


def _workers(queue: QueueSeen, numbers: QueueBacklog) -> tuple[Found, ...]:
    if (queue.busy or 0.0) < numbers.busy and queue.workers:
        return ()
    return (Found(Cause.WORKERS, (f"the {queue.workers or 0} workers of {queue.name} are {queue.busy or 0:.0%} busy",), queue.name),)
