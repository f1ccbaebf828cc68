"""A surface of the product, taken off the load balancer: rather down than leaking (A.5 M4). Broad: a person says so, or a signed policy."""

from typing import Self

from activities.action import Call, NotYet, Refused, Risk, Role
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.shell import comment
from activities.platform.control_plane import ControlPlane, PlatformResource
from activities.tenancy.canaries import CanaryDoor
from activities.tenancy.plane import Canary
from activities.values import listed


class SurfaceOf(PlatformResource, path="services/{service}/surfaces/{surface}", called="the surface {surface} of {service}"):
    """`endpoint`: one of its endpoints, by which canaries see whether it answers."""

    service: str
    surface: str
    endpoint: str = ""
    canaries: tuple[Canary, ...] = ()

    def target(self) -> str:
        return f"surface/{self.service}/{self.surface}"

    def watch_by_hand(self, value: "Online") -> tuple[str, ...]:
        return (comment("let a canary tenant ask for its own object, in every region"),)


class Online(SettingValue):
    """Whether it is taken off the load balancer."""

    offline: bool

    def __str__(self) -> str:
        return "offline" if self.offline else "online"

    @property
    def felt(self) -> bool:
        return self.offline

    def met(self, now: Self) -> bool:
        return now.offline >= self.offline

    def both(self, other: Self) -> Self:
        return self if self.offline else other

    def effect(self, of: SurfaceOf) -> str:
        what = f"take {of} off the load balancer: nobody reads or writes by it, in any region"
        return what if self.offline else f"put {of} back behind the load balancer"

    def back(self, of: SurfaceOf) -> str:
        return f"put {of} back online, behind the load balancer" if not self.offline else f"leave {of} offline, as it was"


class Surfaces(
    RestSetting[SurfaceOf, Online], read="surfaces.read", change="surfaces.take_offline", restore="surfaces.bring_back", risk=Risk.C2,
    asks=(Role.INCIDENT_COMMANDER, Role.SECURITY_LEAD), contains=True,
):  # fmt: skip
    """Surfaces, proven by canary tenants in every region."""

    values_compare = True  # on or off: there is no third value by which a change between would show

    def __init__(self, plane: ControlPlane, canaries: CanaryDoor) -> None:
        self.rest, self._canaries = plane, canaries

    async def check(self, call: Call, order: Change[SurfaceOf, Online] | Restore[SurfaceOf, Online], to: Online) -> None:
        if not order.of.canaries or not order.of.endpoint:
            raise Refused("a surface that is offline is proven by canary tenants at one of its endpoints, and none was named")

    async def prove(self, call: Call, order: Change[SurfaceOf, Online], now: Reading[Online]) -> str:
        of, regions = order.of, dict.fromkeys(one.region for one in order.of.canaries)
        for region in regions:
            who = next(one.name for one in of.canaries if one.region == region)
            met = await self._canaries.read(call, of.service, region, who, of.endpoint, who)
            if met.got and order.wanted.offline:
                raise NotYet(f"accepted, but {who} still reads by {of.surface} in {region}", after=SOON)
            if not (met.got or met.denied):
                raise NotYet(f"accepted, but nothing in {region} says whether {of.surface} answers ({met.status})", after=SOON)
        return (
            f"canary tenants read nothing by it in {listed(tuple(regions))}" if order.wanted.offline else "it answers canary tenants again"
        )


OFFLINE = Surfaces.measure("surface offline", sticky=True)


def take_offline(of: SurfaceOf, why: str = "") -> Change[SurfaceOf, Online]:
    return Surfaces.order(of, Online(offline=True), why=why)
