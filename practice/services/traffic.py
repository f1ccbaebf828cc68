"""The traffic of the services: every 15 world seconds customers ask, revisions answer or fail, and the metrics move.

Customers come in through the global balancer (weights), the gateway (limit), a region's instances (capacity) and a revision (split).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from random import Random

from practice.llm.latency import Mixture, Shape, shown
from practice.llm.load import STEP_SECONDS
from practice.llm.meters import VANTAGES
from practice.services.conditions import SLO_ERROR, Conditions, Met, admitted_share, conditions, either, runs, utilisation
from practice.services.fleet import DEPENDENCIES, Fleet, Place, Service
from practice.services.meters import ServiceMeters
from practice.world.cast import REGIONS
from practice.world.chance import binomial, poisson, split
from practice.world.state import State

HOMES = {"ams": "eu-west", "fra": "eu-west", "iad": "us-east", "sfo": "us-east"}
"""The region that is nearest to a vantage point."""
DEPENDENCY_RPS = {"database": 40.0, "cache": 60.0}
"""What the services together may ask of a dependency before it is saturated."""
DOWN = 0.5
"""A dependency that fails for so great a share is called down."""
CATCHING_UP = 4
"""In every step a quarter of the missing instances become ready, at least one."""
MANY = 300
_NORMAL_P99, _SPREAD = 2.3263, 0.5

Mix = tuple[tuple[str, ...], tuple[float, ...]]
"""Tenants of a region, and their cumulated weights."""


@dataclass
class Tally:
    """What became of a region's requests in one step."""

    outcomes: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    spoilt: int = 0
    fails: float = 0.0  # the chance that a request from outside met


class ServiceTraffic:
    """Steps the services forward. It keeps nothing of the state: a write that is undone is undone here too."""

    def __init__(self, seed: int, meters: ServiceMeters) -> None:
        self._rng = Random(seed)
        self._meters = meters

    def step(self, state: State, end: float) -> None:
        """Simulate the step that ends at `end`."""
        for feed in state.fleet.feeds.values():
            if feed.running and end - feed.made_at >= feed.period_seconds:
                feed.make(end)
            self._meters.made(feed)
        tenants = tuple((t.name, t.residency, t.rps) for t in state.tenants.values()) if state.fleet.services else ()
        for service in state.fleet.services.values():
            self._serve(state, service, end, _mixes(tenants, tuple(service.weights.items())))
        _strain(state.fleet, end)

    def _serve(self, state: State, service: Service, end: float, mixes: dict[str, Mix]) -> None:
        met = conditions(state, service, end)
        offered = poisson(self._rng, service.rps * met.load * (1 - met.unreached) * STEP_SECONDS)
        arriving = split(self._rng, offered, service.weights)
        share = admitted_share(service, offered / STEP_SECONDS)
        took: Mixture = []
        green: dict[str, bool] = {}
        failing: dict[str, float] = {}
        spoilt = 0
        for region, place in service.places.items():
            _scale(place)
            n = arriving.get(region, 0)
            admitted = n if share >= 1 else round(n * share)
            service.used_rps[region] = admitted / STEP_SECONDS
            tally = self._answer(state, service, region, met, admitted, took, green)
            tally.outcomes["limited"] = n - admitted
            self._count(service.name, region, tally, mixes.get(region))
            failing[region] = tally.fails
            spoilt += tally.spoilt
        service.integrity_errors_per_minute = spoilt * 60 / STEP_SECONDS
        self._meters.spoilt(service.name, spoilt)
        self._meters.took(service.name, took)
        self._meters.standing(service, shown(_shape(service.latency_ms, 1.0), 0.99))
        for name, inside in green.items():
            revision = service.revisions[name]
            revision.green_minutes += STEP_SECONDS / 60 if inside else 0.0
            self._meters.green(service.name, revision)
        self._probe(service, met, failing)

    def _answer(
        self, state: State, service: Service, region: str, met: Conditions, admitted: int, took: Mixture, green: dict[str, bool]
    ) -> Tally:
        """Let a region's revisions answer what was let in."""
        tally, shares = Tally(), service.serving(region)
        busy = utilisation(service, region)
        dealt = {next(iter(shares)): admitted} if len(shares) == 1 else split(self._rng, admitted, shares)
        mass = sum(shares.values())
        for name, share in shares.items():
            revision, n = service.revisions.get(name), dealt.get(name, 0)
            up = service.places[region].ready_replicas > 0 and runs(state.fleet, service, revision)
            here = met.met(region, revision, up, busy)
            tally.fails += here.fails * share / mass
            if revision is not None and n:
                inside = either(here.fails, here.spoils * service.write_share * service.takes_writes(region)) <= SLO_ERROR
                green[name] = inside and green.get(name, True)
            self._draw(service, region, name, n, here, tally)
            took.append((n, _shape(service.latency_ms, round(here.slower, 1))))
        return tally

    def _draw(self, service: Service, region: str, revision: str, n: int, met: Met, tally: Tally) -> None:
        """What became of `n` requests to one revision. A write that the gate refuses is no error, and no answer of the revision."""
        if not n:
            return
        rng = self._rng
        asked = binomial(rng, n, service.write_share)
        taken = service.takes_writes(region)
        refused = asked if taken <= 0 else binomial(rng, asked, 1 - taken)
        writes, valid = asked - refused, n - refused
        failed = binomial(rng, valid, met.fails)
        lost = binomial(rng, failed, writes / valid) if failed else 0
        lost = min(lost, writes)
        spoilt = binomial(rng, writes - lost, met.spoils)
        degraded = binomial(rng, valid - failed - spoilt, met.degrades)
        outcomes = {"ok": valid - failed - spoilt - degraded, "degraded": degraded, "error": failed + spoilt, "refused": refused}
        for outcome, count in outcomes.items():
            if count:
                self._meters.answered(service.name, region, revision, outcome, count)
                tally.outcomes[outcome] += count
        tally.writes.update(ok=writes - lost - spoilt, refused=refused, error=lost + spoilt)
        tally.spoilt += spoilt

    def _count(self, service: str, region: str, tally: Tally, mix: Mix | None) -> None:
        for outcome, n in tally.writes.items():
            self._meters.wrote(service, region, outcome, n)
        self._meters.limited(service, region, tally.outcomes["limited"])
        if mix is None:
            return
        for outcome, n in tally.outcomes.items():
            for tenant, count in self._deal(n, mix).items():
                self._meters.met(service, tenant, outcome, count)

    def _deal(self, n: int, mix: Mix) -> dict[str, int]:
        """Which tenants' requests they were."""
        names, cumulated = mix
        if n > MANY:
            weights = [b - a for a, b in zip((0.0, *cumulated), cumulated, strict=False)]
            return split(self._rng, n, dict(zip(names, weights, strict=True)))
        return Counter(self._rng.choices(names, cum_weights=cumulated, k=n)) if n else {}

    def _probe(self, service: Service, met: Conditions, failing: dict[str, float]) -> None:
        """Synthetic customers, from five places of the world."""
        for vantage in VANTAGES:
            chance = either(met.unreached, failing.get(nearest(service, vantage), 1.0))
            self._meters.synthetic(service.name, vantage, self._rng.random() >= chance)


def nearest(service: Service, vantage: str) -> str:
    """The region that serves a vantage point: its own while that has weight, otherwise the one with the most."""
    home = HOMES.get(vantage, "")
    return home if service.weights.get(home, 0.0) > 0 else max(service.weights, key=lambda region: service.weights[region], default="")


def _scale(place: Place) -> None:
    """The autoscaler wants `least`; instances that are missing take about a minute to become ready."""
    place.replicas = max(0, min(place.least, place.most))
    missing = place.replicas - place.ready_replicas
    place.ready_replicas += min(missing, max(1, -(-missing // CATCHING_UP))) if missing > 0 else missing


def _strain(fleet: Fleet, at: float) -> None:
    """What the services' load and the faults make of the dependencies."""
    active = [fault for fault in fleet.faults if fault.kind == "dependency" and fault.active(at)]
    for name in DEPENDENCIES:
        fleet.dependencies[name] = not any(fault.dependency == name and fault.rate >= DOWN for fault in active)
    asked = sum(min(used, service.capacity_rps(region)) for service in fleet.services.values() for region, used in service.used_rps.items())
    for name, rps in DEPENDENCY_RPS.items():
        broken = max((0.6 + 0.4 * fault.rate for fault in active if fault.dependency == name), default=0.0)
        fleet.saturation[name] = round(min(1.0, max(asked / rps, broken)), 3)


@lru_cache(maxsize=512)
def _shape(p99_ms: float, slower: float) -> Shape:
    """A service by its usual 99th percentile, so much slower."""
    return Shape(p99_ms * slower / 1000 / math.exp(_NORMAL_P99 * _SPREAD), _SPREAD)


@lru_cache(maxsize=32)
def _mixes(tenants: tuple[tuple[str, str, float], ...], weights: tuple[tuple[str, float], ...]) -> dict[str, Mix]:
    """Whose requests a region serves: those of its own tenants, and what does not fit elsewhere.

    Tenants are (name, residency, requests per second). The balancer keeps a tenant in its home region as far as the weights allow.
    """
    total = sum(rps for _, _, rps in tenants)
    if not total:
        return {}
    homes = {name: REGIONS.get(residency, "") for name, residency, _ in tenants}
    at_home: dict[str, float] = {}
    for name, _, rps in tenants:
        at_home[homes[name]] = at_home.get(homes[name], 0.0) + rps / total
    room = {region: max(0.0, share - at_home.get(region, 0.0)) for region, share in weights}
    kept = {region: min(1.0, dict(weights).get(region, 0.0) / share) for region, share in at_home.items()}
    mixes: dict[str, Mix] = {}
    for region, _ in weights:
        spilt = room[region] / (sum(room.values()) or 1.0)
        shares = {
            name: rps / total * (kept[homes[name]] if homes[name] == region else (1 - kept[homes[name]]) * spilt)
            for name, _, rps in tenants
        }
        served = {name: share for name, share in shares.items() if share > 1e-9}
        if served:
            mixes[region] = (tuple(served), tuple(accumulate(served.values())))
    return mixes
