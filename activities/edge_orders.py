"""The words of the edge: where a service is reached, how it is seen from inside and outside, where its traffic goes, what is let in.

Shares and ratios are 0 to 1; rates are requests per second. Durations are policy time.
"""

import math
from datetime import datetime
from typing import ClassVar, Self

from activities.action import Imposition, Order, Value
from activities.organisation import Levers
from activities.versioned import Versioned, named, part_of, put_by_hand, read_by_hand
from activities.wording import curl

WELL = 0.95  # of the probes answered well: below, a region or a vantage point counts as ill


# ---- health ----


class Vantages(Order):
    """Look at a service from inside every region, and from outside through the balancer, from several networks."""

    service: str
    regions: tuple[str, ...]
    levers: Levers = Levers()
    times: int = 4

    def target(self) -> str:
        """The service."""
        return f"service/{self.service}"

    def effect(self) -> str:
        """Nothing changes."""
        return f"look at {self.service} from inside {_and(self.regions)} and from outside ({', '.join(self.levers.vantages)})"

    def by_hand(self) -> tuple[str, ...]:
        """Inside and outside of each region, by curl."""
        return tuple(
            command
            for region in self.regions
            for command in (
                curl("GET", f"$EDGE_URL/{named(self.service)}/regions/{named(region)}/status"),
                curl("GET", f"$EDGE_URL/{named(self.service)}/healthz", f"X-Region: {named(region)}"),
            )
        )


class Inside(Value):
    """What a region says of itself. `ok` is None where it did not answer; `revisions` are shares of its traffic."""

    ok: bool | None
    revisions: dict[str, float] = {}
    ready: int | None = None
    replicas: int | None = None
    dependencies: dict[str, bool] = {}


class HealthMap(Value):
    """A service from inside and outside. A share is of the probes that said anything; None where none did.

    `outside` is by region, `vantages` by the network from which the probe came, through the balancer. `answered`: so many vantage points
    got an answer of any kind; below `wanted` the map proves nothing.
    """

    service: str
    inside: dict[str, Inside]
    outside: dict[str, float | None]
    vantages: dict[str, float | None]
    answered: int
    wanted: int
    at: datetime

    @property
    def believed(self) -> bool:
        """True when enough vantage points got an answer (A.1 T1)."""
        return self.answered >= self.wanted

    def ill_outside(self) -> tuple[str, ...]:
        """The regions that customers cannot use well."""
        return tuple(region for region, share in sorted(self.outside.items()) if share is not None and share < WELL)

    def ill_inside(self) -> tuple[str, ...]:
        """The regions that call themselves ill, or do not answer."""
        return tuple(region for region, seen in sorted(self.inside.items()) if seen.ok is not True)

    def in_front(self) -> bool:
        """True when every region calls itself well and none can be used: what is broken stands in front of them."""
        return not self.ill_inside() and bool(self.outside) and set(self.ill_outside()) == set(self.outside)


class DependenciesOf(Order):
    """Ask what a service stands on: balancer, names, certificate, database, cache."""

    service: str

    def target(self) -> str:
        """The service."""
        return f"service/{self.service}"

    def effect(self) -> str:
        """Nothing changes."""
        return f"ask what {self.service} stands on, and whether it holds"

    def by_hand(self) -> tuple[str, ...]:
        """The same, by curl."""
        return (read_by_hand(part_of(self.service, "dependencies")),)


class Dependencies(Value):
    """Whether each of them is up, and what it says."""

    up: dict[str, bool]
    detail: dict[str, str] = {}
    at: datetime

    def down(self) -> tuple[str, ...]:
        """Those that are not."""
        return tuple(sorted(name for name, up in self.up.items() if not up))


# ---- where traffic goes ----


class RegionsOf(Order):
    """Read where a service's traffic goes."""

    service: str

    def target(self) -> str:
        """The service's regions."""
        return f"service/{self.service}/regions"

    def effect(self) -> str:
        """Nothing changes."""
        return f"read the region weights of {self.service}"

    def by_hand(self) -> tuple[str, ...]:
        """The same, by curl."""
        return (read_by_hand(part_of(self.service, "regions")),)


class Weights(Versioned):
    """Shares of the traffic by region, at the global balancer."""

    service: str
    weights: dict[str, float]

    def without(self, region: str) -> dict[str, float]:
        """The same shares among the other regions; what `Drain` wants. Raises ValueError when there is no other with traffic."""
        rest = sum(share for name, share in self.weights.items() if name != region)
        if rest <= 0 or region not in self.weights:
            raise ValueError(f"nobody can take over from {region}")
        shares = {name: 0.0 if name == region else round(share / rest, 9) for name, share in self.weights.items()}
        greatest = max((name for name in shares if name != region), key=lambda name: (shares[name], name))
        return {**shares, greatest: round(1 - sum(share for name, share in shares.items() if name != greatest), 9)}


class Drain(Imposition):
    """Send a region's traffic to the others. `weights` are absolute: all regions, the drained one at 0."""

    volatile: ClassVar[frozenset[str]] = frozenset({"prior", "epoch"})

    service: str
    region: str
    weights: dict[str, float]
    levers: Levers = Levers()
    prior: Weights | None = None
    epoch: int = 0

    def target(self) -> str:
        """The service's regions."""
        return f"service/{self.service}/regions"

    def effect(self) -> str:
        """Where the traffic goes."""
        return f"drain {self.region}: traffic of {self.service} goes to {in_shares(self.weights)}"

    def inverse(self) -> str:
        """The weights before, in steps."""
        if self.prior is None:
            return f"send {self.region} its traffic back, in steps ({_percents(self.levers.regions_return)} of the way)"
        return f"send traffic back to {in_shares(self.prior.weights)}, in steps ({_percents(self.levers.regions_return)} of the way)"

    def by_hand(self) -> tuple[str, ...]:
        """Read the version, then write, by curl."""
        return put_by_hand(part_of(self.service, "regions"), {"epoch": "$EPOCH", "weights": self.weights})

    def look(self) -> Order:
        """Read the weights."""
        return RegionsOf(service=self.service)

    def met(self, now: Weights) -> bool:
        """The region gets nothing."""
        return now.weights.get(self.region, 0.0) <= 0.001

    def given(self, prior: Weights) -> Self:
        """The same, with the weights before, to be written under the epoch after them."""
        return self.model_copy(update={"prior": prior, "epoch": prior.epoch + 1})

    def undo(self) -> "ReturnTraffic":
        """The weights before."""
        if self.prior is None:
            raise ValueError("this drain does not carry the weights before; give it the weights first")
        return ReturnTraffic(
            service=self.service, region=self.region, weights=self.prior.weights, left=self.weights, levers=self.levers
        )  # fmt: skip


class ReturnTraffic(Order):
    """Send traffic back to a drained region, in steps; each is watched before the next."""

    service: str
    region: str
    weights: dict[str, float]
    left: dict[str, float]
    levers: Levers = Levers()

    def target(self) -> str:
        """The service's regions."""
        return f"service/{self.service}/regions"

    def effect(self) -> str:
        """Where the traffic goes in the end, and how."""
        how = f"in steps of {_percents(self.levers.regions_return)} of the way, each watched for {_span(self.levers)}"
        return f"traffic of {self.service} goes to {in_shares(self.weights)} again, {how}"

    def inverse(self) -> str:
        """The drain."""
        return f"drain {self.region} again"

    def by_hand(self) -> tuple[str, ...]:
        """Step by step, by curl."""
        return tuple(
            line
            for share, weights in zip(self.levers.regions_return, self.steps(), strict=True)
            for line in (
                f"# {share:.0%} of the way; then look at the errors for {_span(self.levers)}",
                *put_by_hand(part_of(self.service, "regions"), {"epoch": "$EPOCH", "weights": weights}),
            )
        )

    def steps(self) -> tuple[dict[str, float], ...]:
        """The weights of every step; the last are those from before."""
        return tuple(
            self.weights
            if share >= 1
            else {r: round(self.left.get(r, 0.0) + share * (w - self.left.get(r, 0.0)), 9) for r, w in self.weights.items()}
            for share in self.levers.regions_return
        )


# ---- what is let in ----


class GatewayOf(Order):
    """Read what is let in to a service."""

    service: str

    def target(self) -> str:
        """The service's gateway."""
        return f"service/{self.service}/gateway"

    def effect(self) -> str:
        """Nothing changes."""
        return f"read the rate limit and the breaker of {self.service}"

    def by_hand(self) -> tuple[str, ...]:
        """The same, by curl."""
        return (read_by_hand(part_of(self.service, "gateway")),)


class Gateway(Versioned):
    """What stands before a service: how much is let in (None: everything), and whether a breaker guards its dependencies."""

    service: str
    rate_limit_rps: float | None
    breaker: bool


class Limit(Imposition):
    """Let at most so much in, and guard the dependencies by a breaker; both absolute."""

    volatile: ClassVar[frozenset[str]] = frozenset({"prior", "epoch"})

    service: str
    rate_limit_rps: float | None
    breaker: bool
    levers: Levers = Levers()
    prior: Gateway | None = None
    epoch: int = 0

    def target(self) -> str:
        """The service's gateway."""
        return f"service/{self.service}/gateway"

    def effect(self) -> str:
        """In numbers."""
        return f"{self.service} lets {in_words(self.rate_limit_rps, self.breaker)}; who is turned away gets 429 with Retry-After"

    def inverse(self) -> str:
        """The setting before, in steps."""
        before = f"to {in_words(self.prior.rate_limit_rps, self.prior.breaker)}" if self.prior else "to what it was"
        return f"loosen the limit of {self.service} {before}, by {self.levers.limit_growth - 1:.0%} at a time"

    def by_hand(self) -> tuple[str, ...]:
        """Read the version, then write, by curl."""
        return _gateway_by_hand(self.service, self.rate_limit_rps, self.breaker)

    def look(self) -> Order:
        """Read the gateway."""
        return GatewayOf(service=self.service)

    def met(self, now: Gateway) -> bool:
        """At most so much is let in, and the breaker is as wanted."""
        within = self.rate_limit_rps is None or (now.rate_limit_rps is not None and now.rate_limit_rps <= self.rate_limit_rps)
        return within and now.breaker >= self.breaker

    def given(self, prior: Gateway) -> Self:
        """The same, with the setting before, to be written under the epoch after it."""
        return self.model_copy(update={"prior": prior, "epoch": prior.epoch + 1})

    def undo(self) -> "Loosen":
        """The setting before."""
        if self.prior is None:
            raise ValueError("this limit does not carry the setting before; give it the setting first")
        return Loosen(
            service=self.service,
            rate_limit_rps=self.prior.rate_limit_rps,
            breaker=self.prior.breaker,
            left_rps=self.rate_limit_rps,
            left_breaker=self.breaker,
            levers=self.levers,
        )


class Loosen(Order):
    """Go back to the limit and the breaker before, in steps; each is watched before the next."""

    service: str
    rate_limit_rps: float | None
    breaker: bool
    left_rps: float | None
    left_breaker: bool
    levers: Levers = Levers()

    def target(self) -> str:
        """The service's gateway."""
        return f"service/{self.service}/gateway"

    def effect(self) -> str:
        """In numbers."""
        return f"{self.service} lets {in_words(self.rate_limit_rps, self.breaker)} again, in {len(self.steps())} steps"

    def inverse(self) -> str:
        """The limit."""
        return f"let {in_words(self.left_rps, self.left_breaker)} again"

    def by_hand(self) -> tuple[str, ...]:
        """Step by step, by curl."""
        return tuple(line for rps, breaker in self.steps() for line in _gateway_by_hand(self.service, rps, breaker))

    def steps(self) -> tuple[tuple[float | None, bool], ...]:
        """Limit and breaker of every step. The limit grows first; the breaker goes back with the last step."""
        grown: list[tuple[float | None, bool]] = []
        rps = self.left_rps
        for _ in range(self.levers.limit_steps if rps is not None else 0):
            rps = round((rps or 0.0) * self.levers.limit_growth, 3)
            if self.rate_limit_rps is not None and rps >= self.rate_limit_rps:
                break
            grown.append((rps, self.left_breaker))
        return (*grown, (self.rate_limit_rps, self.breaker))


# ---- how orders say themselves ----


def same_shares(one: dict[str, float], other: dict[str, float]) -> bool:
    """Equal shares; a region that is not named has none."""
    return all(math.isclose(one.get(r, 0.0), other.get(r, 0.0), abs_tol=1e-6) for r in {*one, *other})


def in_shares(weights: dict[str, float]) -> str:
    """Shares as people say them: `eu-west 50 % / us-east 50 %`."""
    return " / ".join(f"{region} {share * 100:.4g} %" for region, share in sorted(weights.items()))


def in_words(rate_limit_rps: float | None, breaker: bool) -> str:
    """A gateway's setting as people say it."""
    much = "everything in" if rate_limit_rps is None else f"at most {rate_limit_rps:g} requests per second in"
    return f"{much}, breaker {'on' if breaker else 'off'}"


def _gateway_by_hand(service: str, rate_limit_rps: float | None, breaker: bool) -> tuple[str, ...]:
    return put_by_hand(part_of(service, "gateway"), {"epoch": "$EPOCH", "rate_limit_rps": rate_limit_rps, "breaker": breaker})


def _percents(shares: tuple[float, ...]) -> str:
    return ", ".join(f"{share * 100:g}" for share in shares) + " %"


def _span(levers: Levers) -> str:
    return f"{levers.return_pause.total_seconds() / 60:g} min"


def _and(names: tuple[str, ...]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)
