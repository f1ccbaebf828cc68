"""The words of the metrics store: what is asked of it, and what it answers (spec §2.3, §7.1).

Durations are policy time; ratios are 0 to 1. None is unknown, and never nothing.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from activities.action import Order, Value
from activities.kit.words import promql, shell
from activities.metrics import queries
from activities.metrics.slo import SloPolicy
from activities.organisation.numbers import Impact, Stability
from activities.values import Symptom

MATERIAL = 0.1  # of all tenants: a change of the blast radius that people are told of


class Surface(Order, target="service/{service}", effect="read the metrics of {service}"):
    """A service, over the window before the call's instant.

    `revisions`: only what these answered. `usual_before`: the instant before which its traffic was as usual. `fresh`: see `Stability`.
    """

    service: str
    window: timedelta = timedelta(minutes=5)
    revisions: tuple[str, ...] = ()
    usual_before: datetime | None = None
    fresh: timedelta = Stability().fresh

    def by_hand(self) -> tuple[str, ...]:
        query = promql.total(promql.increase(queries.requests(self.service), self.window), "outcome")
        return (queries.by_hand("query", query=query),)


class BudgetOf(Order, target="service/{service}", effect="count what is left of the error budget of {service}"):
    """The error budget of a service, over the window of its objective."""

    service: str
    slo_target: float = Stability().slo_target
    slo: SloPolicy = SloPolicy()

    def by_hand(self) -> tuple[str, ...]:
        return (shell.command("incident", "slo", self.service),)


class ServiceHealth(Value):
    """How a service does, beside what is usual for it. Ratios are 0 to 1; None where unknown.

    `requests` are all that came; `turned_away_ratio` is the part of them that our own gateway refused. The other ratios are of the rest, less
    the writes that the write gate refused: of the requests that the service was to serve.
    """

    error_ratio: float | None
    degraded_ratio: float | None
    requests: float
    turned_away_ratio: float = 0.0
    p99_seconds: float | None
    usual_requests: float | None = None  # in a window as long
    usual_p99_seconds: float | None = None
    blind: bool
    at: datetime

    @property
    def served(self) -> float:
        """Requests that were not turned away."""
        return self.requests * (1 - self.turned_away_ratio)


class EstimateQuality(StrEnum):
    """How far an estimate may be trusted."""

    LOW = "LOW"
    MED = "MED"
    HIGH = "HIGH"


class BlastRadius(Value):
    """Who is hit. `quality` is LOW when two independent estimates are more than 20 % apart, or there is no second one."""

    tenants: tuple[str, ...] = ()
    tenant_ratio: float = 0.0
    regions: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    error_ratio_by_region: dict[str, float] = {}
    requests_by_region: dict[str, float] = {}  # how many stand behind each share
    quality: EstimateQuality = EstimateQuality.LOW
    at: datetime

    @property
    def in_words(self) -> str:
        where = f", in {', '.join(self.regions)}" if self.regions else ""
        return f"{len(self.tenants)} tenants are hit ({self.tenant_ratio:.0%}){where}; the estimate's quality is {self.quality}"

    def differs(self, before: "BlastRadius") -> bool:
        """Whether it has changed materially: other regions, or so many more or fewer of all tenants."""
        return set(self.regions) != set(before.regions) or abs(self.tenant_ratio - before.tenant_ratio) >= MATERIAL


class Gate(Order, target="service/{service}", effect="ask whether {service} was stable from {start:%H:%M:%S} to {end:%H:%M:%S}"):
    """Was a service stable between two real instants (spec §7.1)? Errors and synthetic users always count; `proof`: what counts beside them."""

    service: str
    start: datetime
    end: datetime
    stability: Stability = Stability()
    proof: tuple[Symptom, ...] = ()
    impact: Impact = Impact()
    usual_before: datetime | None = None


class ProviderGate(
    Order, target="provider/{provider}", effect="ask whether {provider} was healthy from {start:%H:%M:%S} to {end:%H:%M:%S}"
):
    """Was a provider healthy between two real instants, by probes and by what little traffic it had?"""

    provider: str
    start: datetime
    end: datetime
    most_errors: float = 0.01
    longest_gap: timedelta = Stability().longest_gap
    fresh: timedelta = Stability().fresh


class StabilityVerdict(Value):
    """The answer: `violated_at` and `blind_at` are the latest real instants at which it was not so; `watched` is policy time."""

    stable: bool
    violated_at: datetime | None = None
    blind_at: datetime | None = None
    why: str = ""
    watched: timedelta

    def beside(self, other: "StabilityVerdict") -> "StabilityVerdict":
        """Both: stable only where each is, since the later of two instants."""
        return StabilityVerdict(
            stable=self.stable and other.stable,
            violated_at=max(filter(None, (self.violated_at, other.violated_at)), default=None),
            blind_at=max(filter(None, (self.blind_at, other.blind_at)), default=None),
            why="; ".join(filter(None, (self.why, other.why))),
            watched=min(self.watched, other.watched),
        )


class Links(Value):
    """Links to the metrics, at absolute instants: they show the same in a year."""

    links: tuple[tuple[str, str], ...]
