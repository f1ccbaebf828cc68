"""What is let in to a service: a rate limit, and a breaker towards its dependencies (spec §8 S-LIMIT; A.1 M6). Rates are per second."""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, Self

from pydantic import Field

from activities.action import Call, Limits, NotYet, Risk, Role
from activities.kit.clock import Clock
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.kit.words.promql import Other, selector
from activities.metrics.counting import again, beyond_chance, grown_since, too_many_errors
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings
from activities.platform.control_plane import ControlPlane, PlatformResource


class GatewayOf(PlatformResource, path="services/{service}/gateway", called="the gateway of {service}"):
    service: str


class Gateway(SettingValue, back="{of.service} again lets {self}"):
    """Requests per second that are let in (None: all), and whether a breaker guards the dependencies.

    `asked_rps`: what was asked for when it was decided, the fact by which its risk is judged; None: nobody knows.
    """

    volatile: ClassVar[frozenset[str]] = frozenset({"asked_rps"})

    rate_limit_rps: float | None = Field(default=None, gt=0)  # a limit of nothing would be an outage of its own
    breaker: bool = False
    asked_rps: float | None = None

    def same(self, other: Self) -> bool:
        return (self.rate_limit_rps, self.breaker) == (other.rate_limit_rps, other.breaker)

    @property
    def turns_away(self) -> bool:
        """Whether it is below today's traffic, or may be."""
        return self.rate_limit_rps is not None and (self.asked_rps is None or self.rate_limit_rps < self.asked_rps)

    @property
    def felt(self) -> bool:
        return self.rate_limit_rps is not None

    def __str__(self) -> str:
        much = "everything in" if self.rate_limit_rps is None else f"at most {self.rate_limit_rps:g} requests per second in"
        return f"{much}, breaker {'on' if self.breaker else 'off'}"

    def met(self, now: Self) -> bool:
        within = self.rate_limit_rps is None or (now.rate_limit_rps is not None and now.rate_limit_rps <= self.rate_limit_rps)
        return within and now.breaker >= self.breaker

    def both(self, other: Self) -> Self:
        """The lower limit, and a breaker if either needs one."""
        limits = [one for one in (self.rate_limit_rps, other.rate_limit_rps) if one is not None]
        return self.model_copy(update={"rate_limit_rps": min(limits, default=None), "breaker": self.breaker or other.breaker})

    def effect(self, of: GatewayOf) -> str:
        limit, asked = self.rate_limit_rps, self.asked_rps
        turned = "; who is turned away gets 429 with Retry-After" if limit is not None else ""
        if limit is not None and asked and limit < asked:
            turned = f"; {asked:.3g} a second are asked for now: {1 - limit / asked:.0%} of them get 429 with Retry-After"
        return f"{of.service} lets {self}{turned}"

    def pause(self, numbers: MitigationSettings) -> timedelta:
        return numbers.limit_pause

    def way_back(self, before: Self, numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple[Self, ...]:
        """The limit grows first, by so much at a time whatever the shares of others; the breaker goes back with the last step."""
        grown, rps = [], self.rate_limit_rps
        for _ in range(numbers.limit_steps if rps is not None else 0):
            rps = round((rps or 0) * numbers.limit_growth, 3)
            if before.rate_limit_rps is not None and rps >= before.rate_limit_rps:
                break
            grown.append(self.model_copy(update={"rate_limit_rps": rps}))
        return (*grown, before)


def _risk(order: Change[GatewayOf, Gateway] | Restore[GatewayOf, Gateway], limits: Limits) -> Risk:
    """Nobody's customers are turned away unasked."""
    return Risk.C2 if isinstance(order, Change) and order.wanted.turns_away else Risk.C1


class Gateways(
    RestSetting[GatewayOf, Gateway], read="edge.limits", change="edge.limit", restore="edge.loosen", risk=_risk, watched=True,
    asks=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """The gateways of all services, proven by what the metrics say is let in."""

    def __init__(self, plane: ControlPlane, prometheus: Prometheus, clock: Clock) -> None:
        self.rest, self.clock, self._prometheus = plane, clock, prometheus

    async def prove(self, call: Call, order: Change[GatewayOf, Gateway], now: Reading[Gateway]) -> str:
        most, window, service = order.wanted.rate_limit_rps, order.numbers.settled, order.of.service
        if most is None:
            return ""
        served = selector("service_requests_total", service=service, outcome=Other("limited"))
        n = await grown_since(self._prometheus, call, served, order.numbers, "how much is let in")
        if n is None:
            return "the metrics are blind"
        rate = n / window.total_seconds()
        if beyond_chance(n, 1.0, most * window.total_seconds()):
            raise NotYet(f"accepted, but {rate:.1f} requests per second are still let in", after=again(call, order.numbers))
        turned = await self._prometheus.grown(call, selector("service_limited_total", service=service), window) or 0.0
        return f"{rate:.1f} requests per second are let in, {turned / window.total_seconds():.1f} turned away"

    async def trouble(self, call: Call, order: Restore[GatewayOf, Gateway], step: Gateway) -> str:
        return await too_many_errors(self._prometheus, call, order.pause, order.numbers.step_error_ratio, service=order.of.service)


LIMITED = Gateways.measure("limited")


def limit(
    service: str, rps: float | None, numbers: MitigationSettings | None = None, asked: float | None = None
) -> Change[GatewayOf, Gateway]:
    """The order that lets at most so much in (None: everything), and guards the dependencies by a breaker. `asked`: today's traffic."""
    return Gateways.order(GatewayOf(service=service), Gateway(rate_limit_rps=rps, breaker=True, asked_rps=asked), numbers=numbers)
