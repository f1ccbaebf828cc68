"""The doors to tenants' data at the gateway: an endpoint is denied, and comes back a share at a time (A.5 M1, R2; spec §8 S-FLAG, S-CANARY).

A denial is proven by canary tenants who ask for what is their own, in every region, and are refused as agreed. It comes back while no canary
and no counter sees anything cross.
"""

import asyncio
import json
import math
from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, Protocol, Self

from activities.action import Call, Limits, NotYet, Refused, Risk, Role
from activities.kit.clock import Clock
from activities.kit.setting import Change, Reading, Restore, Setting, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.promql import selector
from activities.kit.words.shell import Var, address, comment, curl, kubectl
from activities.kit.words.urls import path
from activities.metrics.counting import again, chance
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import MitigationSettings, TenantIsolation
from activities.platform.control_plane import PlatformResource
from activities.tenancy.canaries import CanaryDoor, Met
from activities.tenancy.plane import Canary
from activities.values import listed

CANARIES, TOKEN = Var("CANARIES_URL"), Var("CANARIES_TOKEN")
GATEWAY_API, CONFIG_CLUSTER = "gateway api", "config"  # the context of the cluster that holds the routes of all regions
WHOLE = 1000  # the weights of a route's two backends sum to it
PARTLY = 40  # reads in every region while only a share is let through
ABSURD = 0.001  # a share is contradicted when what was met would be rarer than this


def read_route(of: "EndpointOf") -> tuple[str, ...]:
    """On the Gateway API."""
    return (kubectl(CONFIG_CLUSTER, of.service, "get", f"httproute/{of.endpoint}", "-o", "yaml"),)


def write_route(of: "EndpointOf", admitted: float) -> tuple[str, ...]:
    """The backends' weights, of a thousand."""
    weights = [
        {"op": "replace", "path": f"/spec/rules/0/backendRefs/{n}/weight", "value": weight} for n, weight in enumerate(weights_of(admitted))
    ]
    return (kubectl(CONFIG_CLUSTER, of.service, "patch", f"httproute/{of.endpoint}", "--type=json", "-p", json.dumps(weights)),)


def weights_of(admitted: float) -> tuple[int, int]:
    """Of the service, and of what refuses as agreed."""
    return round(WHOLE * admitted), WHOLE - round(WHOLE * admitted)


class EndpointOf(PlatformResource, path="services/{service}/endpoints/{endpoint}", called="{endpoint} of {service}"):
    """One endpoint. `canaries`: who prove it, by their regions. `gate`: the product that admits, where it is not our own gateway."""

    service: str
    endpoint: str
    canaries: tuple[Canary, ...] = ()
    gate: str = ""

    def target(self) -> str:
        return f"endpoint/{self.service}/{self.endpoint}"

    @property
    def regions(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.region for one in self.canaries))

    def in_region(self, region: str) -> tuple[str, ...]:
        return tuple(one.name for one in self.canaries if one.region == region)

    def read_by_hand(self) -> tuple[str, ...]:
        return read_route(self) if self.gate == GATEWAY_API else super().read_by_hand()

    def write_by_hand(self, value: "Admission", prior: "Admission | None" = None) -> tuple[str, ...]:
        return write_route(self, value.admitted) if self.gate == GATEWAY_API else super().write_by_hand(value, prior)

    def watch_by_hand(self, value: "Admission") -> tuple[str, ...]:
        return tuple(
            curl(
                "GET", address(CANARIES, path(self.service, "objects", self.endpoint, f"{one.name}.{self.endpoint}")),
                ("Authorization: Bearer ", TOKEN), f"X-Tenant: {one.name}", f"X-Region: {one.region}",
            )
            for one in self.canaries
        ) or (comment("let a canary tenant ask for its own object, in every region"),)  # fmt: skip


class Admission(SettingValue, says="{admitted:.0%} of its requests"):
    """The share of an endpoint's requests that is let through. `steps`, `watched`: how it comes back."""

    volatile: ClassVar[frozenset[str]] = frozenset({"steps", "watched"})

    admitted: float
    steps: tuple[float, ...] = TenantIsolation().reopen
    watched: timedelta = TenantIsolation().reopen_step

    @property
    def felt(self) -> bool:
        return self.admitted < 1

    def same(self, other: Self) -> bool:
        return math.isclose(self.admitted, other.admitted, abs_tol=1e-6)

    def met(self, now: Self) -> bool:
        return now.admitted <= self.admitted + 1e-9

    def both(self, other: Self) -> Self:
        """Nobody's data leaks for the sake of another: the smaller share."""
        return self if self.admitted <= other.admitted else other

    def effect(self, of: EndpointOf) -> str:
        if self.admitted <= 0:
            return f"deny {of}: whoever asks gets 403 endpoint_denied, in every region"
        return f"let {self} of {of} through"

    def back(self, of: EndpointOf) -> str:
        return f"let {self} of {of} through again" if self.admitted > 0 else f"leave {of} denied, as it was"

    def pause(self, numbers: MitigationSettings) -> timedelta:
        return self.watched

    def way_back(self, before: Self, numbers: MitigationSettings, shares: Sequence[float] | None) -> tuple[Self, ...]:
        """1, 5, 25, 100 % (policy), whatever the shares of others."""
        steps = dict.fromkeys(round(before.admitted * share, 6) for share in self.steps if before.admitted * share > self.admitted)
        return tuple(self.model_copy(update={"admitted": share}) for share in steps) or (before,)


class EndpointGate(Protocol):
    """What lets requests in: the port. One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def read(self, call: Call, of: EndpointOf) -> Reading[Admission]:
        """The share that is let through now."""

    async def write(self, call: Call, of: EndpointOf, admitted: float, over: Reading[Admission], epoch: int) -> None:
        """Write it over what was read. Raises `Conflict` when it is not that any more."""


def _risk(order: Change[EndpointOf, Admission] | Restore[EndpointOf, Admission], limits: Limits) -> Risk:
    """One endpoint is narrow, and denying it only takes away. Letting it in again is not."""
    return Risk.C1 if isinstance(order, Change) and order.wanted.admitted <= 0 else Risk.C2


class Endpoints(
    Setting[EndpointOf, Admission], read="endpoints.read", change="endpoints.deny", restore="endpoints.reopen", risk=_risk,
    restore_risk=Risk.C2, asks=(Role.SECURITY_LEAD, Role.OPS_LEAD, Role.INCIDENT_COMMANDER), watched=True, contains=True,
):  # fmt: skip
    def __init__(self, gate: EndpointGate, canaries: CanaryDoor, prometheus: Prometheus, clock: Clock) -> None:
        self._gate, self._canaries, self._prometheus, self.clock = gate, canaries, prometheus, clock

    async def look_at(self, call: Call, of: EndpointOf) -> Reading[Admission]:
        return await self._gate.read(call, of)

    async def write(self, call: Call, of: EndpointOf, wanted: Admission, over: Reading[Admission], epoch: int) -> None:
        await self._gate.write(call, of, wanted.admitted, over, epoch)

    async def check(self, call: Call, order: Change[EndpointOf, Admission] | Restore[EndpointOf, Admission], to: Admission) -> None:
        if not order.of.canaries:
            raise Refused("a denial is proven by canary tenants in every region, and none was named")

    async def prove(self, call: Call, order: Change[EndpointOf, Admission], now: Reading[Admission]) -> str:
        return await self._share_met(call, order.of, order.wanted)

    async def prove_step(self, call: Call, order: Restore[EndpointOf, Admission], step: Admission) -> str:
        return await self._share_met(call, order.of, step)

    async def trouble(self, call: Call, order: Restore[EndpointOf, Admission], step: Admission) -> str:
        """What crossed since the step: by the counter, and by canaries who try."""
        of, pause = order.of, order.pause
        series = selector("tenant_mismatch_total", service=of.service, endpoint=of.endpoint)
        crossed = await self._prometheus.grown(call, series, pause) if pause else 0.0
        if crossed is None:
            raise NotYet("no metrics: nothing is called healthy on missing data", after=again(call, order.numbers))
        if crossed >= 1:
            return f"{crossed:.0f} reads by {of.endpoint} have crossed tenants"
        for region in of.regions:
            pair = of.in_region(region)
            for viewer, owner in zip(pair, pair[1:] + pair[:1], strict=True):
                for _ in range(PARTLY if step.admitted < 1 else 1):
                    if (await self._canaries.read(call, of.service, region, viewer, of.endpoint, owner)).owner == owner != viewer:
                        return f"{viewer} reads what belongs to {owner} by {of.endpoint} in {region}"
        return ""

    async def _share_met(self, call: Call, of: EndpointOf, value: Admission) -> str:
        """Canaries ask for their own: that many are let through, in every region. Raises `NotYet` when what was met is all but impossible."""
        for region in of.regions:
            who, share = of.in_region(region)[0], value.admitted
            times = PARTLY if 0 < share < 1 else 2
            met = await asyncio.gather(*(self._canaries.read(call, of.service, region, who, of.endpoint, who) for _ in range(times)))
            said = [one for one in met if one.got or one.denied]
            if not said:
                raise NotYet(f"accepted, but nothing in {region} says whether {of.endpoint} answers: {_words(met)}", after=SOON)
            through = sum(one.got for one in said)
            if (share <= 0 and through) or (share > 0 and chance(through, len(said), share) < ABSURD):
                raise NotYet(f"accepted, but {through} of {len(said)} reads by {of.endpoint} in {region} came through", after=SOON)
        how = "are refused as agreed" if value.admitted <= 0 else "get that share of their own"
        return f"canary tenants {how} in {listed(of.regions)}"


DENIED = Endpoints.measure("endpoint denied", sticky=True)


def deny(of: EndpointOf, numbers: TenantIsolation, why: str = "") -> Change[EndpointOf, Admission]:
    return Endpoints.order(of, Admission(admitted=0.0, steps=numbers.reopen, watched=numbers.reopen_step), why=why)


def _words(met: Sequence[Met]) -> str:
    return ", ".join(sorted({f"{one.status} {one.error}".strip() for one in met}))
