"""Every 15 world seconds: tenants read their data; where it leaks, some of them read somebody else's, and both counters and the log see it."""

from __future__ import annotations

from random import Random

from practice.metrics.metrics import Metrics, Series
from practice.tenancy.cast import region_of, tenancy
from practice.tenancy.leaking import leaks, open_
from practice.tenancy.model import MOST_ACCESSES, Access, Endpoint, Tenancy
from practice.world.cast import REGIONS
from practice.world.state import State

READS = 40  # of a region in one step
CROSSING = 2  # of them cross, where an endpoint leaks and all of its requests are let through
FIELDS = ("contact", "content", "billing")


class Simulation:
    def __init__(self, seed: int, metrics: Metrics, state: State) -> None:
        self._chance, self._metrics = Random(seed), metrics
        self._service = next(iter(state.fleet.services), "api")
        self._reads: list[Series] = []
        self._crossed: dict[tuple[str, str], Series] = {}
        self._canaries: dict[tuple[str, str], Series] = {}

    def step(self, state: State, at: float) -> None:
        there = tenancy(state, at)
        if not self._reads:
            self._be_born(state, there)
        for series in self._reads:
            series.value += READS
        for leak in there.leaks if there.leaks else ():
            for endpoint in there.endpoints.values():
                if leaks(state, there, leak, endpoint) and open_(there, endpoint):
                    self._cross(state, there, endpoint, at)

    def _be_born(self, state: State, there: Tenancy) -> None:
        """Every counter is there from the beginning: one that is born at 1 is invisible to `increase()`."""
        self._service = next(iter(state.fleet.services), self._service)
        of = [{"service": self._service, "region": region} for region in REGIONS.values()]
        self._reads = [self._metrics.counter("tenant_reads_total", one) for one in of]
        for one in of:
            self._metrics.counter("rls_denied_total", one)
            for name in there.endpoints:
                self._crossed[name, one["region"]] = self._metrics.counter("tenant_mismatch_total", {**one, "endpoint": name})
                self._canaries[name, one["region"]] = self._metrics.counter("canary_cross_reads_total", {**one, "endpoint": name})

    def _cross(self, state: State, there: Tenancy, endpoint: Endpoint, at: float) -> None:
        """In every region some tenants get an object of another one. With a small share let through, only sometimes."""
        if self._chance.random() >= endpoint.admission.admitted:
            return
        for region in REGIONS.values():
            tenants = sorted(name for name, one in state.tenants.items() if region_of(one) == region)
            for _ in range(CROSSING):
                viewer, owner = self._chance.sample(tenants, 2)
                found = f"{owner}.{endpoint.name}.{self._chance.randrange(40):02d}"
                field = self._chance.choice(FIELDS)
                there.accesses.append(Access(viewer, owner, found, field, at, endpoint.name, region))
            del there.accesses[:-MOST_ACCESSES]
            self._crossed[endpoint.name, region].value += CROSSING
            self._canaries[endpoint.name, region].value += 1  # the scheduled ones read one another too
