"""Queues and workers as they were seen. None is *nobody can say*; a reply that is missing is unknown, and not idle."""

from typing import Literal

from activities.action import Value

Kind = Literal["critical", "standard", "deferrable"]


class QueueSeen(Value):
    """One queue. Rates are jobs per second; `attempts`: how many jobs wait that were begun so often; `tenants`: whose share of the arrivals."""

    name: str
    kind: str | None
    owner: str
    depth: int | None
    depth_usual: float | None
    oldest_age_seconds: float | None
    objective_seconds: float | None
    arrivals_per_second: float | None
    arrivals_usual: float | None
    completions_per_second: float | None
    retry_share: float | None
    expired_share: float | None
    attempts: dict[str, int] = {}
    in_flight: int | None
    parked: int = 0
    dead_letters: int | None = None
    ttl_seconds: float | None = None
    visibility_seconds: float | None = None
    idempotent: bool | None = None
    workers: int | None = None
    busy: float | None = None
    tenants: dict[str, float] = {}

    @property
    def deferrable(self) -> bool:
        return self.kind == "deferrable"

    @property
    def late(self) -> float | None:
        """Its oldest age, as a share of what its jobs may wait. None: nobody can say."""
        if self.oldest_age_seconds is None or not self.objective_seconds:
            return None
        return self.oldest_age_seconds / self.objective_seconds

    @property
    def drains_in(self) -> float | None:
        """Seconds until it is empty at these rates; infinite where more arrives than is done. None: nobody can say."""
        if self.depth is None or self.arrivals_per_second is None or self.completions_per_second is None:
            return None
        spare = self.completions_per_second - self.arrivals_per_second
        return self.depth / spare if spare > 0 else float("inf")

    @property
    def much(self) -> float:
        """How much more arrives than usual."""
        return (self.arrivals_per_second or 0.0) / self.arrivals_usual if self.arrivals_usual else 1.0

    def begun(self, least: int) -> int:
        """How many wait that were begun so often, or more often."""
        return sum(many for times, many in self.attempts.items() if int(times) >= least)

    def __str__(self) -> str:
        age = "an unknown age" if self.oldest_age_seconds is None else f"{self.oldest_age_seconds / 60:.1f} min old"
        depth = "of unknown depth" if self.depth is None else f"{self.depth} waiting"
        known = self.arrivals_per_second is not None or self.completions_per_second is not None
        rates = (
            f"{self.arrivals_per_second or 0:.2f} in and {self.completions_per_second or 0:.2f} out a second" if known else "rates unknown"
        )
        return f"{self.name}: {depth}, the oldest {age}, {rates}"


class WorkerSeen(Value):
    """One worker. `answered`: it did, when it was asked; what is known of one that did not is nothing."""

    name: str
    generation: int = 1
    answered: bool = True
    stuck_seconds: float | None = None
    job: str | None = None


class PoolSeen(Value):
    """How many workers are wanted, may be at most, and run. None: nobody can say."""

    workers: int | None
    most: int | None
    running: int | None


class WorkSeen(Value):
    """Everything. `downstream`: how full what the jobs stand on is, 0 to 1."""

    queues: tuple[QueueSeen, ...]
    workers: tuple[WorkerSeen, ...]
    pool: PoolSeen
    downstream: dict[str, float] = {}
    db_connections_free: int | None = None

    def of(self, name: str) -> QueueSeen | None:
        return next((one for one in self.queues if one.name == name), None)

    @property
    def fullest(self) -> tuple[str, float] | None:
        """What the jobs stand on that is fullest. None: nobody can say."""
        return max(self.downstream.items(), key=lambda one: one[1], default=None)

    @property
    def silent(self) -> tuple[str, ...]:
        """Workers that are expected and did not answer."""
        return tuple(one.name for one in self.workers if not one.answered)

    @property
    def summary(self) -> str:
        return "; ".join(str(one) for one in self.queues)


class JobSeen(Value):
    """One job that waits: a reference, and never what is in it."""

    id: str
    tenant: str = ""
    age_seconds: float | None = None
    attempts: int | None = None


class JobsSeen(Value):
    jobs: tuple[JobSeen, ...]

    @property
    def oldest(self) -> float | None:
        return max((one.age_seconds for one in self.jobs if one.age_seconds is not None), default=None)


class Census(Value):
    """Every job by its id, as far as the broker can count them. None: nobody can say. `doubled`: in two places, or done twice."""

    arrived: int | None
    completed: int | None
    waiting: int
    in_flight: int | None
    parked: int
    expired: int | None = None
    dead_letters: int | None = None
    lost: tuple[str, ...] | None = ()
    doubled: tuple[str, ...] | None = ()

    @property
    def balanced(self) -> bool | None:
        """Whether every job that arrived is in exactly one place. None: nobody can say."""
        if self.lost is None or self.doubled is None:
            return None
        counted = (self.completed, self.waiting, self.in_flight, self.parked, self.expired, self.dead_letters)
        known = [one for one in counted if one is not None]
        if self.arrived is not None and len(known) == len(counted) and not self.doubled and sum(known) != self.arrived:
            return False
        return not self.lost and not self.doubled

    @property
    def summary(self) -> str:
        def said(many: int | None, what: str) -> str:
            return "" if many is None else f"{many} {what}"

        parts = (
            said(self.arrived, "arrived"), said(self.completed, "done"), said(self.waiting, "waiting"), said(self.in_flight, "in flight"),
            said(self.parked, "parked"), said(self.expired, "expired"), said(self.dead_letters, "given up"),
            "" if self.lost is None else f"{len(self.lost)} lost", "" if self.doubled is None else f"{len(self.doubled)} doubled",
        )  # fmt: skip
        return ", ".join(filter(None, parts))
