"""The words of the edge: where a service's traffic goes, and what is let in.

Shares and ratios are 0 to 1; rates are requests per second. Durations are policy time.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Self

from activities.action import Imposition, Order, Value
from activities.kit.versioned import Versioned, part_of, percents, put_by_hand, read_by_hand
from activities.organisation.numbers import MitigationSettings

# ---- where traffic goes ----


class RegionsOf(Order):
    """Read where a service's traffic goes."""

    service: str

    def target(self) -> str:
        return f"service/{self.service}/regions"

    def effect(self) -> str:
        return f"read the region weights of {self.service}"

    def by_hand(self) -> tuple[str, ...]:
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


class HeadroomOf(Order):
    """Read whether the other regions can take over from this one."""

    service: str
    region: str
    mitigation: MitigationSettings = MitigationSettings()

    def target(self) -> str:
        return f"service/{self.service}/regions"

    def effect(self) -> str:
        return f"read whether the other regions of {self.service} can take over from {self.region}"

    def by_hand(self) -> tuple[str, ...]:
        return (read_by_hand(part_of(self.service, "headroom")),)


class Headroom(Value):
    """What speaks against draining a region (spec §9.1: never more than half of the capacity, never without 1.3 times the headroom)."""

    service: str
    region: str
    against: tuple[str, ...]

    @property
    def summary(self) -> str:
        return "; ".join(self.against) or f"the other regions can take over from {self.region}"


class Drain(Imposition):
    """Send a region's traffic to the others. `weights` are absolute: all regions, the drained one at 0."""

    volatile: ClassVar[frozenset[str]] = frozenset({"prior", "epoch"})

    service: str
    region: str
    weights: dict[str, float]
    mitigation: MitigationSettings = MitigationSettings()
    prior: Weights | None = None
    epoch: int = 0

    def target(self) -> str:
        return f"service/{self.service}/regions"

    def effect(self) -> str:
        return f"drain {self.region}: traffic of {self.service} goes to {in_shares(self.weights)}"

    def inverse(self) -> str:
        """The weights before, in steps."""
        if self.prior is None:
            return f"send {self.region} its traffic back, in steps ({percents(self.mitigation.regions_return)} of the way)"
        return f"send traffic back to {in_shares(self.prior.weights)}, in steps ({percents(self.mitigation.regions_return)} of the way)"

    def by_hand(self) -> tuple[str, ...]:
        """Read the version, then write, by curl."""
        return put_by_hand(part_of(self.service, "regions"), {"epoch": "$EPOCH", "weights": self.weights})

    def look(self) -> Order:
        return RegionsOf(service=self.service)

    def met(self, now: Weights) -> bool:
        return now.weights.get(self.region, 0.0) <= 0.001

    def given(self, prior: Weights) -> Self:
        """The same, with the weights before, to be written under the epoch after them."""
        return self.model_copy(update={"prior": prior, "epoch": prior.epoch + 1})

    def undo(self) -> "ReturnTraffic":
        if self.prior is None:
            raise ValueError("this drain does not carry the weights before; give it the weights first")
        return ReturnTraffic(
            service=self.service,
            region=self.region,
            weights=self.prior.weights,
            left=self.weights,
            shares=self.mitigation.regions_return,
            mitigation=self.mitigation,
        )

    def undo_steps(self, shares: Sequence[float]) -> tuple[Order, ...]:
        """The region's traffic comes back a share at a time (INV-19)."""
        whole = self.undo()
        steps = whole.model_copy(update={"shares": tuple(shares)}).steps()
        return tuple(
            whole.model_copy(update={"weights": to, "left": since, "shares": (1.0,)}) for since, to in pairwise((self.weights, *steps))
        )


class ReturnTraffic(Order):
    """Send traffic back to a drained region, in steps; each is watched before the next."""

    service: str
    region: str
    weights: dict[str, float]
    left: dict[str, float]
    shares: tuple[float, ...]  # of the way back, step by step; the last is 1
    mitigation: MitigationSettings = MitigationSettings()

    def target(self) -> str:
        return f"service/{self.service}/regions"

    def effect(self) -> str:
        """Where the traffic goes in the end, and how."""
        steps = f"in steps of {percents(self.shares)} of the way, each" if len(self.shares) > 1 else "and is"
        return f"traffic of {self.service} again goes to {in_shares(self.weights)}, {steps} watched for {_span(self.mitigation)}"

    def inverse(self) -> str:
        return f"drain {self.region} again"

    def by_hand(self) -> tuple[str, ...]:
        return tuple(
            line
            for share, weights in zip(self.shares, self.steps(), strict=True)
            for line in (
                f"# {share:.0%} of the way; then look at the errors for {_span(self.mitigation)}",
                *put_by_hand(part_of(self.service, "regions"), {"epoch": "$EPOCH", "weights": weights}),
            )
        )

    def steps(self) -> tuple[dict[str, float], ...]:
        """The weights of every step; the last are those from before."""
        return tuple(
            self.weights
            if share >= 1
            else {r: round(self.left.get(r, 0.0) + share * (w - self.left.get(r, 0.0)), 9) for r, w in self.weights.items()}
            for share in self.shares
        )


# ---- what is let in ----


class GatewayOf(Order):
    """Read what is let in to a service."""

    service: str

    def target(self) -> str:
        return f"service/{self.service}/gateway"

    def effect(self) -> str:
        return f"read the rate limit and the breaker of {self.service}"

    def by_hand(self) -> tuple[str, ...]:
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
    mitigation: MitigationSettings = MitigationSettings()
    prior: Gateway | None = None
    epoch: int = 0

    def target(self) -> str:
        return f"service/{self.service}/gateway"

    def effect(self) -> str:
        turned = "; who is turned away gets 429 with Retry-After" if self.rate_limit_rps is not None else ""
        return f"{self.service} lets {in_words(self.rate_limit_rps, self.breaker)}{turned}"

    def inverse(self) -> str:
        """The setting before, in steps."""
        before = f"to {in_words(self.prior.rate_limit_rps, self.prior.breaker)}" if self.prior else "to what it was"
        return f"loosen the limit of {self.service} {before}, by {self.mitigation.limit_growth - 1:.0%} at a time"

    def by_hand(self) -> tuple[str, ...]:
        """Read the version, then write, by curl."""
        return _gateway_by_hand(self.service, self.rate_limit_rps, self.breaker)

    def look(self) -> Order:
        return GatewayOf(service=self.service)

    def met(self, now: Gateway) -> bool:
        """At most so much is let in, and the breaker is as wanted."""
        within = self.rate_limit_rps is None or (now.rate_limit_rps is not None and now.rate_limit_rps <= self.rate_limit_rps)
        return within and now.breaker >= self.breaker

    def given(self, prior: Gateway) -> Self:
        """The same, with the setting before, to be written under the epoch after it."""
        return self.model_copy(update={"prior": prior, "epoch": prior.epoch + 1})

    def undo(self) -> "Loosen":
        if self.prior is None:
            raise ValueError("this limit does not carry the setting before; give it the setting first")
        return Loosen(
            service=self.service,
            rate_limit_rps=self.prior.rate_limit_rps,
            breaker=self.prior.breaker,
            left_rps=self.rate_limit_rps,
            left_breaker=self.breaker,
            mitigation=self.mitigation,
        )

    def undo_steps(self, shares: Sequence[float]) -> tuple[Order, ...]:
        """The limit grows by a quarter (policy) at a time, whatever the shares of others; the breaker goes back with the last step."""
        whole = self.undo()
        return tuple(
            whole.model_copy(
                update={"rate_limit_rps": to[0], "breaker": to[1], "left_rps": since[0], "left_breaker": since[1], "in_one": True}
            )
            for since, to in pairwise(((self.rate_limit_rps, self.breaker), *whole.steps()))
        )


class Loosen(Order):
    """Go back to the limit and the breaker before, in steps; each is watched before the next."""

    service: str
    rate_limit_rps: float | None
    breaker: bool
    left_rps: float | None
    left_breaker: bool
    in_one: bool = False  # one step of several, which others take before and after it
    mitigation: MitigationSettings = MitigationSettings()

    def target(self) -> str:
        return f"service/{self.service}/gateway"

    def effect(self) -> str:
        n = len(self.steps())
        return f"{self.service} again lets {in_words(self.rate_limit_rps, self.breaker)}" + (f", in {n} steps" if n > 1 else "")

    def inverse(self) -> str:
        return f"let {in_words(self.left_rps, self.left_breaker)} once more"

    def by_hand(self) -> tuple[str, ...]:
        return tuple(line for rps, breaker in self.steps() for line in _gateway_by_hand(self.service, rps, breaker))

    def steps(self) -> tuple[tuple[float | None, bool], ...]:
        """Limit and breaker of every step. The limit grows first; the breaker goes back with the last step."""
        grown: list[tuple[float | None, bool]] = []
        rps = self.left_rps
        for _ in range(self.mitigation.limit_steps if rps is not None and not self.in_one else 0):
            rps = round((rps or 0.0) * self.mitigation.limit_growth, 3)
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


def _span(mitigation: MitigationSettings) -> str:
    return f"{mitigation.return_pause.total_seconds() / 60:g} min"
