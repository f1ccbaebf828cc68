"""Jobs by their ids: where each is now, and what became of it. Counted one by one, so that none is lost or done twice unseen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Job:
    """One message. `at`: when it was enqueued; `visible_at`: not taken before; `attempts`: how often it was begun."""

    id: int
    queue: str
    tenant: str
    at: float
    visible_at: float
    attempts: int = 0
    poison: bool = False
    copy: bool = False  # delivered again while somebody still held it

    @property
    def name(self) -> str:
        return named(self.id)


def named(id: int) -> str:
    return f"job-{id:06d}"


def numbered(name: str) -> int | None:
    """The number of a job's id; None where it is none."""
    kind, _, digits = name.partition("-")
    return int(digits) if kind == "job" and digits.isdecimal() else None


@dataclass
class Queue:
    """One queue. `consumers`: the share of its workers that takes jobs; `rate`: jobs per second that are begun at most."""

    name: str
    kind: str | None  # critical, standard, deferrable; None: nobody has said
    slo_seconds: float
    ttl_seconds: float | None
    idempotent: bool
    owner: str
    usual_rate: float
    consumers: float = 1.0
    rate: float | None = None
    max_attempts: int = 8
    backoff_seconds: float = 15.0
    visibility_seconds: float = 3600.0
    stamped: bool = False  # its producers say when they made a message
    acks: bool = True  # its consumers acknowledge what they have done
    blind: bool = False  # its depth cannot be read
    waiting: list[Job] = field(default_factory=list)  # oldest first
    dead: list[Job] = field(default_factory=list)  # given up after its last attempt
    carried: float = 0.0  # of a job that fits no more into a step


@dataclass
class Held:
    """A job in somebody's hands. `until`: when it is delivered again all the same."""

    job: Job
    worker: str
    until: float


@dataclass
class Worker:
    """One process. `stuck_since`: it makes no progress; `down_until`: it has crashed, and is started again."""

    name: str
    generation: int = 1
    stuck_since: float | None = None
    down_until: float = 0.0
    silent: bool = False  # it works, and does not answer
    doing: int | None = None


@dataclass
class Parking:
    """Jobs that were taken out of a queue and are kept. What was selected stands beside them."""

    ids: list[str] = field(default_factory=list)
    before: float | None = None
    everything: bool = False
    jobs: list[Job] = field(default_factory=list)


@dataclass
class Pool:
    """How many workers are wanted, and may be at most. `launches`: the platform starts those that are wanted."""

    workers: int
    most: int
    launches: bool = True


@dataclass
class Restart:
    id: str
    key: str
    worker: str
    generation: int
    done_at: float
    looks: int = 0


@dataclass
class Trouble:
    kind: str
    queue: str = ""
    tenant: str = ""
    factor: float = 1.0
    until: float | None = None


@dataclass
class Work:
    """All of it."""

    queues: dict[str, Queue] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    pool: Pool = field(default_factory=lambda: Pool(8, 16))
    shares: dict[str, float] = field(default_factory=dict)  # of the workers, by queue
    held: list[Held] = field(default_factory=list)
    parked: dict[str, Parking] = field(default_factory=dict)  # by queue/bin
    intake: dict[str, float | None] = field(default_factory=dict)  # jobs per second that a tenant may enqueue
    caps: dict[str, int | None] = field(default_factory=dict)  # jobs of a tenant at once
    completed: dict[int, int] = field(default_factory=dict)  # how often each id was done
    expired: list[int] = field(default_factory=list)
    arrived: int = 0
    turned_away: int = 0
    troubles: list[Trouble] = field(default_factory=list)
    restarts: dict[str, Restart] = field(default_factory=dict)
    connections: int = 40  # of the database
    touched: bool = False  # from now on every job is followed
    saturation: float = 0.0
    rates: dict[str, dict[str, float]] = field(default_factory=dict)  # by queue: what the last minutes showed
    tenants: dict[str, dict[str, float]] = field(default_factory=dict)  # by queue: arrivals of the last minutes
    seconds: float = 4.0  # that one job takes a worker
    prefetch: bool = False  # workers that are paused keep what they hold
    timeouts: float = 0.0  # the share of API requests that wait for a job too long

    def of(self, kind: str) -> list[Trouble]:
        return [one for one in self.troubles if one.kind == kind]

    @property
    def free_connections(self) -> int:
        return max(0, self.connections - 2 * len(self.workers))

    def mine(self, queue: str) -> list[Worker]:
        """The workers of a queue: its share of them, always the same ones."""
        workers, first = list(self.workers.values()), 0.0
        for name, share in self.shares.items():
            if name == queue:
                return workers[int(first * len(workers) + 0.5) : int((first + share) * len(workers) + 0.5)]
            first += share
        return []

    def up(self, at: float) -> list[Worker]:
        return [one for one in self.workers.values() if one.down_until <= at]

    def imposed(self) -> dict[str, Any]:
        """What is held back otherwise than usual: a recovery puts it back. What is parked stays, in a name."""
        said: dict[str, Any] = {}
        for queue in self.queues.values():
            if queue.consumers != 1.0:
                said[f"queues/{queue.name}/consumers"] = queue.consumers
            if queue.rate is not None:
                said[f"queues/{queue.name}/rate"] = queue.rate
        said |= {f"tenants/{name}/intake": rate for name, rate in self.intake.items() if rate is not None}
        said |= {f"tenants/{name}/jobs": most for name, most in self.caps.items() if most is not None}
        return said
