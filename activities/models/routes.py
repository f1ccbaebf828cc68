"""The words of routing: where calls go, and the watch over one step of the canary back to a provider (spec §9.2).

Leases are policy time. Shares and ratios are 0 to 1.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal, Self, cast

from activities.action import Imposition, Limits, Order, Value
from activities.kit.holding import Claim, Json
from activities.kit.rest import RestLook, RestResource
from activities.kit.words import shell, urls
from activities.kit.words.shell import Var
from activities.models.canary_core import CanaryPolicy, Evidence, Verdict

EVERYBODY = ("*",)
GATEWAY, TOKEN = Var("MODEL_GATEWAY_URL"), Var("MODEL_GATEWAY_TOKEN")
AUTH = ("Authorization: Bearer ", TOKEN)


class GatewayLook(RestLook, target="route/{route}"):
    base, token = GATEWAY, TOKEN


class RouteResource(RestResource, path="routes/{route}"):
    """A route, to be written under its version and the next epoch."""

    base, token = GATEWAY, TOKEN

    route: str

    def target(self) -> str:
        return f"route/{self.route}"


class RouteOf(GatewayLook, effect="read route {route}", path="routes/{route}"):
    route: str


class RouteState(Value):
    """A route: shares per provider, exceptions per tenant, modes, and the lease that puts the safe weights back by itself."""

    alias: str
    etag: str
    epoch: int
    weights: dict[str, float]
    overrides: dict[str, dict[str, float]] = {}
    modes: dict[str, str] = {}
    leased_until: datetime | None = None
    safe_weights: dict[str, float] = {}

    def primary(self) -> str:
        return max(self.weights, key=lambda provider: self.weights[provider])

    def weights_for(self, tenant: str) -> dict[str, float]:
        """The shares of one tenant; `*` for those without an exception."""
        return self.overrides.get(tenant, self.weights)

    def mode(self, tenant: str) -> str:
        """`normal` or `retrieval_only`."""
        return self.modes.get(tenant, "normal")

    def routes_like(self, other: "RouteState") -> bool:
        """True when the other sends everybody as this one does; modes aside."""
        routing = {"weights", "overrides", "leased_until", "safe_weights"}
        return self.model_dump(include=routing) == other.model_dump(include=routing)

    def sends(self, tenants: tuple[str, ...], weights: dict[str, float]) -> bool:
        """True when these tenants are sent by exactly these weights. `("*",)`: everybody, without exception."""
        everybody = (self.weights, *self.overrides.values())
        return all(same_weights(own, weights) for own in (everybody if tenants == EVERYBODY else map(self.weights_for, tenants)))


def same_weights(one: dict[str, float], other: dict[str, float]) -> bool:
    """Equal shares; a provider that is not named has none."""
    return all(math.isclose(one.get(p, 0.0), other.get(p, 0.0), abs_tol=1e-6) for p in {*one, *other})


Purpose = Literal["fail over", "canary back", "fall back", "return"]


class Shift(Imposition):
    """Send tenants to providers by these weights. `("*",)` alone means everybody and removes every exception.

    The epoch fences it: the router refuses an older one, so that a late duplicate cannot win. 0 means *the next, whatever it is*; then
    only the version (etag) read in the same try guards the write. When exactly one write came between, and it changed nothing but modes
    (somebody degraded tenants meanwhile), the order still stands and takes the epoch after that.
    """

    volatile: ClassVar[frozenset[str]] = frozenset({"prior", "epoch"})

    route: str
    tenants: tuple[str, ...]
    weights: dict[str, float]
    purpose: Purpose
    parity: float = 0.0
    price_ratio: float = 99.0
    lease_seconds: float | None = None
    safe_weights: dict[str, float] = {}
    prior: RouteState | None = None
    epoch: int = 0

    def concerns_nobody(self) -> bool:
        return not self.tenants

    def puts_back(self) -> bool:
        return self.purpose in ("fall back", "return")

    def within_limits(self, limits: Limits) -> bool:
        """A failover that nobody is asked about goes to an equal provider at a like price (spec §9.2)."""
        return self.purpose != "fail over" or (self.parity >= limits.parity and self.price_ratio <= limits.price_ratio)

    def target(self) -> str:
        return f"route/{self.route}"

    def effect(self) -> str:
        lease = f"; without us it falls back to {_shares(self.safe_weights)} after {self.lease_seconds:g} s" if self.lease_seconds else ""
        return f"{self.purpose}: {people(self.tenants)} of route {self.route} go to {_shares(self.weights)}{lease}"

    def inverse(self) -> str:
        before = self._before()
        return f"put {_shares(before)} back for {people(self.tenants)} of route {self.route}" if before else "put the weights before back"

    def by_hand(self) -> tuple[str, ...]:
        return RouteResource(route=self.route).put_by_hand(self.body(), "weights")

    def body(self) -> dict[str, Any]:
        """What is sent, without the epoch."""
        lease = {"seconds": self.lease_seconds, "safe_weights": self.safe_weights} if self.lease_seconds else None
        return {"tenants": "*" if self.tenants == EVERYBODY else list(self.tenants), "weights": self.weights, "lease": lease}

    def look(self) -> Order:
        return RouteOf(route=self.route)

    def met(self, now: RouteState) -> bool:
        return now.sends(self.tenants, self.weights)

    def given(self, prior: RouteState) -> Self:
        """The same, with the route before, to be written under the epoch after it."""
        return self.model_copy(update={"prior": prior, "epoch": prior.epoch + 1})

    def claim(self) -> Claim:
        """What these tenants need of the route; with everybody back where they were, nothing."""
        back = self.purpose == "return" or (self.purpose == "canary back" and self.tenants == EVERYBODY)
        return Claim(need=None if back else {"tenants": list(self.tenants), "weights": {**self.weights}}, says=self.effect())

    def agrees(self, need: Json) -> bool:
        """Other tenants, or the same weights."""
        theirs = tuple(cast("list[str]", need["tenants"]))
        apart = EVERYBODY not in (self.tenants, theirs) and not {*self.tenants} & {*theirs}
        return apart or same_weights(self.weights, cast("dict[str, float]", need["weights"]))

    def undo(self) -> "Shift":
        """Return these tenants to the weights before, without a lease. Give it the route as it is then, to fence it too.

        Where the tenants had different weights before, it is the weights that most of them had.
        """
        if self.prior is None:
            raise ValueError("this shift does not carry the route before; give it the route first")
        return Shift(route=self.route, tenants=self.tenants, weights=self._before(), purpose="return")

    def _before(self) -> dict[str, float]:
        if self.prior is None:
            return {}
        if self.tenants == EVERYBODY:
            return self.prior.weights
        had = [self.prior.weights_for(tenant) for tenant in self.tenants]
        return max(had, key=had.count, default=self.prior.weights)


class Watch(Order):
    """Watch one step of the way back to `provider`, and renew the route's lease while it goes well."""

    volatile: ClassVar[frozenset[str]] = frozenset({"epoch"})

    route: str
    provider: str
    control: str
    weight: float
    step: int
    steps: int
    epoch: int
    lease_ticks: int = 3
    policy: CanaryPolicy = CanaryPolicy()
    cost_ratio: float = 1.3
    quality_drop: float = 0.03

    def target(self) -> str:
        return f"route/{self.route}"

    def effect(self) -> str:
        share = f"{self.weight:.0%} of the traffic" if self.weight else "probes only"
        return f"watch step {self.step} of {self.steps} of the canary back to {self.provider} ({share}), renewing the lease"

    def inverse(self) -> str:
        return "stop watching: the lease lapses and the router returns to the safe weights by itself"

    def by_hand(self) -> tuple[str, ...]:
        """The lease, by curl, to be repeated before it lapses."""
        url = shell.address(GATEWAY, urls.path("v1", "routes", self.route, "lease"))
        lease = {"epoch": self.epoch, "seconds": self.lease_seconds}
        return (shell.curl("POST", url, AUTH, body=lease),) if self.weight else ()

    @property
    def lease_seconds(self) -> float:
        """How long the lease is renewed for, in policy seconds."""
        return self.lease_ticks * self.policy.tick.total_seconds()


class Watched(Value):
    """How a step of the canary ended. `cost_ratio` is the cost of an answer against the control's; None where one has no traffic.

    `lapsed`: the lease ran out while nobody renewed it, and the router is back on the safe weights: the step must be taken again.
    """

    verdict: Verdict
    reason: str
    evidence: Evidence
    ticks: int
    ended_at: datetime
    control_n: int = 0
    cost_ratio: float | None = None
    lapsed: bool = False


def _shares(weights: dict[str, float]) -> str:
    return " / ".join(f"{provider} {share:.4g}" for provider, share in weights.items() if share) or "nothing"


def people(tenants: tuple[str, ...]) -> str:
    if tenants == EVERYBODY:
        return "all tenants"
    if len(tenants) > 4:
        return f"{len(tenants)} tenants ({', '.join(tenants[:3])}, …)"
    return ("tenant " if len(tenants) == 1 else "tenants ") + ", ".join(tenants)


def spread(tenants: Sequence[str], n: int) -> list[str]:
    """`n` of them, evenly; again from the start when there are fewer."""
    if len(tenants) <= n:
        return [tenants[i % len(tenants)] for i in range(n)]
    return [tenants[i * len(tenants) // n] for i in range(n)]
