"""The health of a service at the edge: from inside its regions, from outside by several networks, and what it stands on (A.1 T1, T3)."""

import asyncio
from collections.abc import Sequence
from itertools import chain

from activities.action import Call, System, action
from activities.edge.health import Dependencies, DependenciesOf, HealthMap, Inside, Vantages
from activities.edge.probe import EdgeProbe, Met
from activities.platform.control_plane import ControlPlane


class Edge(System):
    """What inside and outside say of a service."""

    def __init__(self, plane: ControlPlane, edge: EdgeProbe) -> None:
        self._plane = plane
        self._edge = edge

    @action("edge.health")
    async def health(self, order: Vantages, call: Call) -> HealthMap:
        """The service from inside every region and from outside, by several networks (A.1 T1). No answer is a finding, not an error."""
        vantages = order.numbers.vantages
        inside, outside = await asyncio.gather(
            asyncio.gather(*(self._edge.status(call, order.service, region) for region in order.regions)),
            asyncio.gather(*(self._from(call, order, vantage) for vantage in vantages)),
        )
        pinned = {r: [met for _, by_region in outside for met in by_region[r]] for r in order.regions}
        return HealthMap(
            service=order.service,
            inside={region: _inside(said) for region, said in zip(order.regions, inside, strict=True)},
            outside={region: _well(met) for region, met in pinned.items()},
            vantages={vantage: _well(balanced) for vantage, (balanced, _) in zip(vantages, outside, strict=True)},
            answered=sum(any(met.status for met in chain(balanced, *pins.values())) for balanced, pins in outside),
            wanted=order.numbers.least_vantages,
            at=call.at,
        )

    @action("edge.dependencies")
    async def dependencies(self, order: DependenciesOf, call: Call) -> Dependencies:
        """What the service stands on, as the control plane knows it (A.1 T3)."""
        said = (await self._plane.of_service(call, order.service, "dependencies"))["dependencies"]
        up = {name: bool(row["up"]) for name, row in said.items()}
        return Dependencies(up=up, detail={name: str(row.get("detail", "")) for name, row in said.items()}, at=call.at)

    async def _from(self, call: Call, order: Vantages, vantage: str) -> tuple[list[Met], dict[str, list[Met]]]:
        """What one network meets: through the balancer, and pinned to every region."""
        asked = ["" for _ in range(order.times)] + [region for region in order.regions for _ in range(order.times)]
        said = await asyncio.gather(*(self._edge.health(call, order.service, region, vantage) for region in asked))
        pinned: dict[str, list[Met]] = {region: [] for region in order.regions}
        for region, met in zip(asked[order.times :], said[order.times :], strict=True):
            pinned[region].append(met)
        return said[: order.times], pinned


def _inside(said: dict[str, object] | None) -> Inside:
    if said is None:
        return Inside(ok=None)
    return Inside.model_validate({name: said.get(name) for name in Inside.model_fields if said.get(name) is not None})


def _well(met: Sequence[Met]) -> float | None:
    """The share of probes that were answered well; those that were turned away or met nothing at all say nothing of the service."""
    said = [one for one in met if one.status and one.status != 429]
    return sum(one.ok for one in said) / len(said) if said else None
