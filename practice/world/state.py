"""Everything in the world that a write can change. One picklable tree, so that any write can be undone or shown as it was before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from practice.llm.faults import ProviderFault
from practice.services.cluster import Cluster
from practice.services.fleet import Fleet
from practice.services.repositories import Repository

JSON = dict[str, Any]
Shares = dict[str, float]
PartT = TypeVar("PartT")


@dataclass
class Quota:
    """What a provider has sold us. `used` is the requests per minute of the last minute."""

    tpm: int
    rpm: int
    contracted_rpm: int
    spend_cap_usd: float
    used: float = 0.0


@dataclass
class Capabilities:
    """What a provider's model can do."""

    tools: bool
    json_mode: bool
    context_tokens: int
    modality: list[str]


@dataclass
class Provider:
    """A model provider. `baseline_latency_ms` is its usual 95th percentile; `parity` its quality against the primary's."""

    name: str
    model: str
    regions: list[str]
    capabilities: Capabilities
    evaluated: bool
    parity: float
    price_ratio: float
    quota: Quota
    capacity_rps: float
    shared_tags: list[str]
    prompt_profile: str
    baseline_latency_ms: float
    self_hosted: bool = False


@dataclass
class Tenant:
    """A customer. `allowed` lists `provider@region`; `rps` is its traffic in requests per second."""

    name: str
    tier: str
    residency: str
    allowed: list[str]
    contact: str
    rps: float

    def region_at(self, provider: str) -> str | None:
        """Where this tenant may be served by `provider`; None where it may not."""
        return next((place.partition("@")[2] for place in self.allowed if place.startswith(f"{provider}@")), None)


@dataclass
class Lease:
    """A promise to come back: without renewal before `expires` (world seconds) the safe weights return by themselves."""

    expires: float
    safe_weights: Shares
    tenants: list[str] | str


@dataclass
class Route:
    """Who serves whom: shares per provider, exceptions per tenant, and modes."""

    alias: str
    weights: Shares
    overrides: dict[str, Shares] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    lease: Lease | None = None

    def shares(self, tenant: str) -> Shares:
        return self.overrides.get(tenant, self.weights)

    def mode(self, tenant: str) -> str:
        return self.modes.get(tenant, "normal")

    def lapse(self) -> None:
        """Put the lease's safe weights back for the tenants that it covers, and end it."""
        lease, self.lease = self.lease, None
        if lease is None:
            return
        if isinstance(lease.tenants, str):
            self.weights, self.overrides = dict(lease.safe_weights), {}
        else:
            self.overrides.update({tenant: dict(lease.safe_weights) for tenant in lease.tenants})


@dataclass
class Breaker:
    """When the gateway stops calling a failing provider."""

    enabled: bool = False
    failure_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    min_calls: Annotated[int, Field(ge=1)] = 20
    window_seconds: Annotated[float, Field(gt=0)] = 60.0


@dataclass
class ClientPolicy:
    """How the gateway retries. `retry_budget` is the share of failed calls that may be tried again."""

    max_attempts: Annotated[int, Field(ge=1, le=10)] = 5
    backoff: Literal["none", "exponential_jitter"] = "none"
    retry_budget: Annotated[float, Field(ge=0, le=1)] = 1.0
    breaker: Breaker = field(default_factory=Breaker)


@dataclass
class Version:
    """Of a setting: the epoch it was last written under, how often it was changed, and by whom.

    `asked` is the last write itself: the same request again must be known from a competing one.
    """

    epoch: int = 0
    writes: int = 0
    by: str = ""
    asked: Any = None


@dataclass
class Person:
    name: str
    role: str
    inbox: list[JSON] = field(default_factory=list)
    pagerduty_role: str = "user"

    @property
    def slack_id(self) -> str:
        return f"U_{self.name.upper()}"

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"

    @property
    def pagerduty_id(self) -> str:
        return f"P_{self.name.upper()}"


@dataclass
class State:
    """The whole changeable world. What only one face knows is in a part of its own: a class of that face (`part`)."""

    providers: dict[str, Provider]
    tenants: dict[str, Tenant]
    route: Route
    people: dict[str, Person]
    policy: ClientPolicy = field(default_factory=ClientPolicy)
    versions: dict[str, Version] = field(default_factory=dict)  # setting (services/api/gateway) → its version
    flags: dict[str, bool] = field(default_factory=dict)
    provider_faults: list[ProviderFault] = field(default_factory=list)
    blind: bool = False
    repositories: dict[str, Repository] = field(default_factory=dict)  # owner/repo → its branches and rulesets
    fleet: Fleet = field(default_factory=Fleet)
    clusters: dict[str, Cluster] = field(default_factory=dict)  # region → its Kubernetes cluster
    parts: dict[str, Any] = field(default_factory=dict)  # what faces keep for themselves, by the name of its type
    asked_for: set[str] = field(default_factory=set, compare=False)  # parts that may have changed since they were last kept

    def part(self, kind: type[PartT]) -> PartT:
        """What a face keeps for itself. It begins empty. Ask for it each time: nobody holds a part from one request to the next."""
        name = f"{kind.__module__}.{kind.__qualname__}"
        self.asked_for.add(name)
        if name not in self.parts:
            self.parts[name] = kind()
        found: PartT = self.parts[name]
        return found

    def deliver(self, person: str, at: str, via: str, text: str, incident_key: str | None, **more: object) -> None:
        """Make a person's phone ring: `via` is page, dm or note."""
        entry = {"at": at, "via": via, "text": text, "incident_key": incident_key, **more}
        self.people[person].inbox.append(entry)
