"""The settings of a service: where its traffic goes, what is let in, how much runs, and whether writes are taken."""

from __future__ import annotations

import math

from pydantic import Field

from practice.faces.platform.base import FACE, named, of_service, service_of
from practice.http.face import Ask, Call, Shown
from practice.http.resource import Resource, held
from practice.services.fleet import Gateway, Place, WriteGate
from practice.world.state import JSON

held(FACE, "gateway", of_service("gateway"), Gateway, service_of, "gateway", services=named)
held(FACE, "write_gate", of_service("write-gate"), WriteGate, service_of, "gate", services=named)


def _place(call: Call) -> Place:
    service = service_of(call)
    found = service.places.get(call.path["region"])
    if found is None:
        raise call.refuse(404, f"{service.name} does not run in {call.path['region']}")
    return found


held(FACE, "region_write_gate", of_service("regions/{region}/write-gate"), WriteGate, _place, "gate", services=named)


class Regions(Ask):
    """Shares of a service's traffic by region: all of its regions, summing to 1."""

    weights: dict[str, float]


def _regions(call: Call) -> Regions:
    return Regions(weights=service_of(call).weights)


def _send(call: Call, wanted: Regions) -> None:
    service, shares = service_of(call), wanted.weights
    if set(shares) != set(service.places):
        raise call.invalid(f"weights must name exactly {', '.join(sorted(service.places))}")
    if any(not 0 <= share <= 1 for share in shares.values()) or not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        raise call.invalid("shares lie between 0 and 1 and sum to 1")
    service.weights = dict(shares)


Resource(FACE, "regions", of_service("regions"), Regions, _regions, services=named).takes(Regions, _send)


class Bounds(Ask):
    """The least instances in one region."""

    least: int = Field(ge=0)


class AutoscalerBounds(Ask):
    """The least instances in some regions. Those that are new become ready in a minute or so; what runs above them is left alone."""

    regions: dict[str, Bounds] = Field(min_length=1)


class Instances(Shown):
    """What runs in one region, and the bounds of the autoscaler there."""

    replicas: int
    ready: int
    least: int
    most: int


class Autoscaler(Shown):
    """The instances of a service by region. It has no epoch."""

    regions: dict[str, Instances]

    def settable(self) -> JSON:
        """Instances that come and go are no change of it."""
        return {name: one.least for name, one in self.regions.items()}


def _autoscaler(call: Call) -> Autoscaler:
    places = service_of(call).places
    return Autoscaler(
        regions={
            name: Instances(replicas=place.replicas, ready=place.ready_replicas, least=place.least, most=place.most)
            for name, place in places.items()
        }
    )


def _scale(call: Call, wanted: AutoscalerBounds) -> None:
    service = service_of(call)
    for region, bounds in wanted.regions.items():
        if region not in service.places:
            raise call.invalid(f"{service.name} has no region {region}")
        if bounds.least > service.places[region].most:
            raise call.invalid(f"least {bounds.least} is above the most, {service.places[region].most}, in {region}")
    for region in call.each(sorted(wanted.regions)):
        place = service.places[region]
        place.least = wanted.regions[region].least
        place.replicas = max(place.replicas, place.least)


Resource(FACE, "autoscaler", of_service("autoscaler"), Autoscaler, _autoscaler, epochs=False, services=named).takes(
    AutoscalerBounds, _scale
)
