"""What the platform runs: services, their revisions and regions, where their traffic goes, and what protects them. A part of `State`.

A service runs on one of two platforms: `cloud_run` (traffic is split between revisions, by region) or `kubernetes` (the newest replica
set serves everything, by region). Instants are world seconds; those of the past that a world is born with do not tell two worlds apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from practice.world.versions import fingerprint

CHANGE_KINDS = ("deploy", "config", "flag", "migration", "iam", "prompt", "model", "scheduler", "vendor")
FAULT_KINDS = ("region", "load", "dependency", "integrity", "flag")
DEPENDENCIES = ("load_balancer", "dns", "certificate", "database", "cache")
IN_FRONT = DEPENDENCIES[:3]
"""Without these a request does not even arrive; the others are called by the service."""
EVERY_SERVICE = "*"


@dataclass
class SideCar:
    """A container that stands before the application's own."""

    name: str
    digest: str
    secrets: dict[str, int] = field(default_factory=dict)


@dataclass
class Revision:
    """One build of a service. `error_rate` and `latency_factor` are what is wrong with it."""

    name: str  # api-00041
    number: int
    digest: str  # sha256:…, of its image
    created: float = field(compare=False)
    actor: str = "ci"
    secrets: dict[str, int] = field(default_factory=dict)  # secret → pinned version
    mounted: dict[str, int] = field(default_factory=dict)  # the same, of those in volumes
    side_cars: list[SideCar] = field(default_factory=list)
    schema_min: int = 1
    schema_max: int = 9
    dependencies: str = ""  # the digest of the set that it was built with
    image_present: bool = True
    ready: bool = True
    green_minutes: float = 0.0  # how long it has served with errors inside the SLO
    error_rate: float = 0.0
    latency_factor: float = 1.0

    def needs(self) -> set[str]:
        """`NAME:version` of every secret of every container and volume."""
        held = [self.secrets, self.mounted, *(one.secrets for one in self.side_cars)]
        return {f"{name}:{version}" for secrets in held for name, version in secrets.items()}

    def content(self) -> tuple[object, ...]:
        """What tells its template from another one's."""
        beside = [(one.name, one.digest) for one in self.side_cars]
        return self.digest, sorted(self.needs()), beside, self.schema_min, self.schema_max

    def fits(self, schema: int, disabled_secrets: list[str]) -> bool:
        """Whether instances of it can run at all: its image is there, its secrets are enabled, it knows the schema."""
        return self.image_present and not self.needs().intersection(disabled_secrets) and self.schema_min <= schema <= self.schema_max


@dataclass
class WriteGate:
    """Whether the application takes writes. `admitted` is the share of writes that are let through: 1 all, 0 read-only."""

    admitted: Annotated[float, Field(ge=0, le=1)] = 1.0


@dataclass
class Place:
    """A service in one region: what it serves, and on how many instances."""

    region: str
    split: dict[str, float]  # revision → share of the region's traffic; "LATEST" follows the newest ready revision
    replicas: int
    ready_replicas: int
    least: int = 2  # what the autoscaler keeps running; instances become ready about a minute after they are wanted
    most: int = 20
    generation: int = 1
    template: str = ""  # the revision that the template describes: the newest that was wanted here
    history: list[str] = field(default_factory=list)  # revisions that were wanted here, oldest first
    gate: WriteGate = field(default_factory=WriteGate)  # of this region alone, beside that of the whole service

    @property
    def etag(self) -> str:
        return fingerprint([self.region, self.split, self.replicas, self.least, self.most, self.generation, self.template])


@dataclass
class Gateway:
    """What stands before a service: a limit on what is admitted, and a breaker towards its dependencies."""

    rate_limit_rps: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    breaker: bool = False


@dataclass
class Service:
    """One service as the platform runs it."""

    name: str
    platform: str  # cloud_run | kubernetes
    repository: str  # owner/name of its source; a push to its default branch is deployed
    rps: float
    rps_per_replica: float
    latency_ms: float  # usual 99th percentile
    write_share: float = 0.2
    revisions: dict[str, Revision] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)  # region → share, at the global load balancer
    gateway: Gateway = field(default_factory=Gateway)
    gate: WriteGate = field(default_factory=WriteGate)
    schema: int = 5  # the version of its database schema
    migrating: bool = False  # a migration is under way: old and new rows stand side by side
    depends_on: list[str] = field(default_factory=lambda: ["database", "cache"])
    used_rps: dict[str, float] = field(default_factory=dict)  # region → requests per second that were let in, in the last step
    integrity_errors_per_minute: float = 0.0  # in the last step

    def takes_writes(self, region: str) -> float:
        """The share of a region's writes that is let through: by the gate of the service, and by its own."""
        return min(self.gate.admitted, self.places[region].gate.admitted)

    def serving(self, region: str) -> dict[str, float]:
        """Revision → share of the region's traffic, with `LATEST` resolved to the newest ready revision."""
        place = self.places[region]
        found: dict[str, float] = {}
        for name, share in place.split.items():
            revision = self.latest_ready(region) if name == "LATEST" else name
            found[revision] = found.get(revision, 0.0) + share
        return {name: share for name, share in found.items() if share > 0}

    def latest_ready(self, region: str) -> str:
        """The newest ready revision that was ever wanted in a region."""
        wanted = [name for name in self.places[region].history if self.revisions[name].ready]
        return wanted[-1] if wanted else self.places[region].template

    def newest(self) -> Revision:
        """The revision with the highest number."""
        return max(self.revisions.values(), key=lambda revision: revision.number)

    def capacity_rps(self, region: str) -> float:
        """What the ready instances of a region can serve."""
        return self.places[region].ready_replicas * self.rps_per_replica


@dataclass
class Feed:
    """A generated artefact that services read (a feature file, a rule set): a generator makes a new version every `period_seconds`."""

    name: str
    services: list[str]
    running: bool = True
    version: int = 1
    pinned: int | None = None  # services read this version, whatever is newest
    bad_from: int | None = None  # versions from here on are bad
    good_from: int | None = None  # and from here on good again, once the generator was mended
    period_seconds: float = 120.0
    made_at: float = field(default=0.0, compare=False)
    error_rate: float = 0.0  # of requests, while a bad version is read

    @property
    def read(self) -> int:
        """The version that services read."""
        return self.version if self.pinned is None else self.pinned

    def is_bad(self, version: int) -> bool:
        return self.bad_from is not None and self.bad_from <= version and (self.good_from is None or version < self.good_from)

    @property
    def bad(self) -> bool:
        """Whether the version that services read is bad."""
        return self.is_bad(self.read)

    @property
    def last_good(self) -> int:
        """The newest version that is not bad."""
        return (self.bad_from or 1) - 1 if self.is_bad(self.version) else self.version

    def make(self, at: float) -> None:
        self.version, self.made_at = self.version + 1, at


@dataclass
class ServiceFault:
    """Something that is wrong with a service and with none of its revisions. `kind` is region, load, dependency, integrity or flag."""

    service: str  # or "*": all of them
    kind: str
    rate: float = 0.5
    since: float = 0.0
    until: float | None = None
    region: str = ""  # kind region: where; empty: everywhere
    dependency: str = ""  # kind dependency: which
    flag: str = ""  # kind flag: requests fail while this flag is on
    factor: float = 1.0  # kind load: the traffic is multiplied by this; below 1 customers stay away

    def hits(self, service: str) -> bool:
        return self.service in {service, EVERY_SERVICE}

    def active(self, at: float) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


@dataclass
class Change:
    """An entry of the change feed. `kind`: deploy config flag migration iam prompt model scheduler vendor."""

    id: str
    kind: str
    at: float = field(compare=False)
    actor: str
    services: list[str]
    what: str
    reversible: bool = True
    digest: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass
class Fleet:
    services: dict[str, Service] = field(default_factory=dict)
    feeds: dict[str, Feed] = field(default_factory=dict)
    faults: list[ServiceFault] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)  # kinds of change that the feed cannot see now
    dependencies: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(DEPENDENCIES, True))  # up? follows the faults
    saturation: dict[str, float] = field(default_factory=lambda: {"database": 0.3, "cache": 0.2})  # 0..1, follows the load
    blocked_digests: list[str] = field(default_factory=list)
    disabled_secrets: list[str] = field(default_factory=list)  # "NAME:version"
    dead_secrets: list[str] = field(default_factory=list)  # of keys that their issuers do not let in any more
