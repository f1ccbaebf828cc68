"""What a request to a service meets: what is wrong with the service, with its region, and with the revision that answers it."""

from __future__ import annotations

from dataclasses import dataclass, field

from practice.services.fleet import IN_FRONT, Fleet, Revision, Service, ServiceFault
from practice.world.state import State

BACKGROUND_ERROR = 0.0004
"""A healthy service also fails now and then, inside its SLO."""
SLO_ERROR = 0.001
BREAKER_SAVES = 0.97
"""An open breaker fails fast towards a broken dependency, and the service answers without it; the rest are its trial calls."""
WAITING = 4.0
"""Without a breaker, requests wait for the broken dependency: so much slower, times the share that meets it."""
BUSY = 0.7
"""Above this utilisation requests queue."""
SLOWEST = 8.0


@dataclass(frozen=True)
class Met:
    """Chances in one region on one revision. `spoils` is of those writes that would have been good; `slower` is a factor."""

    fails: float
    degrades: float = 0.0
    spoils: float = 0.0
    slower: float = 1.0


@dataclass
class Conditions:
    """One service at one instant, whatever the revision."""

    load: float = 1.0  # times the usual traffic
    unreached: float = 0.0  # share of requests that never arrive
    fails: float = BACKGROUND_ERROR
    depends: float = 0.0  # share of requests that need a dependency which is broken
    breaker: bool = False
    spoils: float = 0.0
    by_region: dict[str, float] = field(default_factory=dict)

    def met(self, region: str, revision: Revision | None, runs: bool, utilisation: float) -> Met:
        """What requests to a revision meet. `runs` is whether its instances can run at all; without a revision nothing answers."""
        if revision is None or not runs:
            return Met(1.0)
        fails = either(self.fails, revision.error_rate, self.by_region.get(region, 0.0))
        if utilisation > 1:
            fails = either(fails, 1 - 1 / utilisation)
        slower = revision.latency_factor * queueing(utilisation)
        if self.breaker:
            fails = either(fails, self.depends * (1 - BREAKER_SAVES))
            return Met(fails, self.depends * BREAKER_SAVES, self.spoils, min(slower, SLOWEST))
        return Met(either(fails, self.depends), 0.0, self.spoils, min(slower * (1 + WAITING * self.depends), SLOWEST))


def conditions(state: State, service: Service, at: float) -> Conditions:
    """Everything that is wrong with a service at an instant and with none of its revisions."""
    found = Conditions(breaker=service.gateway.breaker)
    for feed in state.fleet.feeds.values():
        if service.name in feed.services and feed.bad:
            found.fails = either(found.fails, feed.error_rate)
    for fault in state.fleet.faults:
        if fault.hits(service.name) and fault.active(at):
            _suffer(found, fault, service, state)
    return found


def _suffer(found: Conditions, fault: ServiceFault, service: Service, state: State) -> None:
    if fault.kind == "load":
        found.load *= fault.factor
    elif fault.kind == "region":
        for region in [fault.region] if fault.region else list(service.places):
            found.by_region[region] = either(found.by_region.get(region, 0.0), fault.rate)
    elif fault.kind == "integrity":
        found.spoils = either(found.spoils, fault.rate)
    elif fault.kind == "flag":
        if state.flags.get(fault.flag, False):
            found.fails = either(found.fails, fault.rate)
    elif fault.dependency in IN_FRONT:
        found.unreached = either(found.unreached, fault.rate)
    elif fault.dependency in service.depends_on:
        found.depends = either(found.depends, fault.rate)


def met_by(state: State, service: Service, region: str, revision: str, at: float) -> Met:
    """What one request to a revision in a region meets, under the load of the last step."""
    place, known = service.places[region], service.revisions.get(revision)
    return conditions(state, service, at).met(
        region, known, place.ready_replicas > 0 and runs(state.fleet, service, known), utilisation(service, region)
    )


def broken(fleet: Fleet, service: Service, at: float) -> dict[str, float]:
    """The dependencies that fail a service now, and for what share of its requests."""
    rates: dict[str, float] = {}
    for fault in fleet.faults:
        if fault.kind == "dependency" and fault.hits(service.name) and fault.active(at):
            rates[fault.dependency] = either(rates.get(fault.dependency, 0.0), fault.rate)
    return rates


def runs(fleet: Fleet, service: Service, revision: Revision | None) -> bool:
    """Whether instances of a revision can serve at all."""
    unusable = [*fleet.disabled_secrets, *fleet.dead_secrets]
    return revision is not None and revision.ready and revision.fits(service.schema, unusable)


def utilisation(service: Service, region: str) -> float:
    """What is asked of a region's ready instances, as a share of what they can do."""
    used, capacity = service.used_rps.get(region, 0.0), service.capacity_rps(region)
    return used / capacity if capacity else 0.0 if not used else float("inf")


def queueing(utilisation: float) -> float:
    """How much slower requests become by waiting for an instance."""
    if utilisation <= BUSY:
        return 1.0
    return 1 + (utilisation - BUSY) / (1 - BUSY) if utilisation <= 1 else 2 * utilisation


def admitted_share(service: Service, offered_rps: float) -> float:
    """The share of requests that the gateway's limit lets through."""
    limit = service.gateway.rate_limit_rps
    return 1.0 if limit is None or offered_rps <= limit else limit / offered_rps


def either(*chances: float) -> float:
    """The chance that at least one of several independent things happens."""
    none = 1.0
    for chance in chances:
        none *= 1 - chance
    return 1 - none
