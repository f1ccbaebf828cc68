"""The watch over one step of the canary back to a provider (spec §9.2). The lease is policy time; shares and ratios are 0 to 1."""

from datetime import datetime
from typing import ClassVar

from activities.action import Order, Value
from activities.kit.words import shell, urls
from activities.models.canary_core import CanaryPolicy, Evidence, Verdict
from activities.models.routes import GATEWAY, TOKEN


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
        """What happens when nobody watches."""
        return "stop watching: the lease lapses and the router returns to the safe weights by itself"

    def by_hand(self) -> tuple[str, ...]:
        """The lease, by curl, to be repeated before it lapses."""
        url = shell.address(GATEWAY, urls.path("v1", "routes", self.route, "lease"))
        lease = {"epoch": self.epoch, "seconds": self.lease_seconds}
        return (shell.curl("POST", url, TOKEN, body=lease),) if self.weight else ()

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
    control_bad: int = 0
    quality: float | None = None
    cost_ratio: float | None = None
    lapsed: bool = False
