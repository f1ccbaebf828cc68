"""The health of a service at the edge: from inside its regions, from outside by several networks, and what it stands on (A.1 T1, T3).

Shares are 0 to 1.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from itertools import chain

from activities.action import Call, Order, System, Value, action
from activities.edge.probe import EdgeProbe, Met
from activities.kit.words.shell import Var, address, curl
from activities.kit.words.urls import path
from activities.organisation.numbers import MitigationSettings
from activities.platform.control_plane import ControlPlane, PlatformLook
from activities.values import listed

EDGE = Var("EDGE_URL")
WELL = 0.95  # of the probes answered well: below, a region or a vantage point counts as ill


class Vantages(Order, target="service/{service}"):
    service: str
    regions: tuple[str, ...]
    numbers: MitigationSettings = MitigationSettings()
    times: int = 4

    def effect(self) -> str:
        return f"look at {self.service} from inside {listed(self.regions)} and from outside ({', '.join(self.numbers.vantages)})"

    def by_hand(self) -> tuple[str, ...]:
        outside = address(EDGE, path(self.service, "healthz"))
        inside = ((region, address(EDGE, path(self.service, "regions", region, "status"))) for region in self.regions)
        return tuple(chain.from_iterable((curl("GET", url), curl("GET", outside, ("X-Region: ", region))) for region, url in inside))


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


class DependenciesOf(PlatformLook, effect="ask what {service} stands on, and whether it holds", path="services/{service}/dependencies"):
    service: str


class Dependencies(Value):
    """Whether each of them is up, and what it says."""

    up: dict[str, bool]
    detail: dict[str, str] = {}
    at: datetime

    def down(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, up in self.up.items() if not up))


class Edge(System):
    def __init__(self, plane: ControlPlane, edge: EdgeProbe) -> None:
        self._plane, self._edge = plane, edge

    @action("edge.health")
    async def health(self, order: Vantages, call: Call) -> HealthMap:
        """The service from inside every region and from outside, by several networks (A.1 T1). No answer is a finding, not an error."""
        vantages = order.numbers.vantages
        asked = [(vantage, region) for vantage in vantages for region in ("", *order.regions) for _ in range(order.times)]
        inside, met = await asyncio.gather(
            asyncio.gather(*(self._edge.status(call, order.service, region) for region in order.regions)),
            asyncio.gather(*(self._edge.meet(call, order.service, region, vantage, "healthz") for vantage, region in asked)),
        )
        outside = [(vantage, region, one) for (vantage, region), one in zip(asked, met, strict=True)]
        return HealthMap(
            service=order.service,
            inside={region: _inside(said) for region, said in zip(order.regions, inside, strict=True)},
            outside={name: _well(one for _, region, one in outside if region == name) for name in order.regions},
            vantages={name: _well(one for vantage, region, one in outside if vantage == name and not region) for name in vantages},
            answered=len({vantage for vantage, _, one in outside if one.status}),
            wanted=order.numbers.least_vantages,
            at=call.at,
        )

    @action("edge.dependencies")
    async def dependencies(self, order: DependenciesOf, call: Call) -> Dependencies:
        """What the service stands on, as the control plane knows it (A.1 T3)."""
        said = (await self._plane.look(call, order))["dependencies"]
        up = {name: bool(row["up"]) for name, row in said.items()}
        return Dependencies(up=up, detail={name: str(row.get("detail", "")) for name, row in said.items()}, at=call.at)


def _inside(said: dict[str, object] | None) -> Inside:
    if said is None:
        return Inside(ok=None)
    return Inside.model_validate({name: said.get(name) for name in Inside.model_fields if said.get(name) is not None})


def _well(met: Iterable[Met]) -> float | None:
    """The share of probes that were answered well; those that were turned away or met nothing at all say nothing of the service."""
    said = [one for one in met if one.status and one.status != 429]
    return sum(one.ok for one in said) / len(said) if said else None
