"""Every 15 world seconds: how many instances run a build that an advisory concerns, what scanners have found, and what calls home."""

from __future__ import annotations

from practice.egress.outbound import MADE, outbound
from practice.metrics.metrics import Metrics, Series
from practice.supply.cast import supply
from practice.supply.model import Artefact, Supply
from practice.world.state import State

HIGH = 7.0


class Simulation:
    def __init__(self, seed: int, metrics: Metrics, state: State) -> None:
        self._metrics = metrics
        self._affected: dict[str, Series] = {}

    def step(self, state: State, at: float) -> None:
        there = supply(state, at)
        if not self._affected:
            self._affected = {name: self._metrics.gauge("supply_affected_instances", {"service": name}) for name in state.fleet.services}
        if not there.advisories:
            return
        first = next(iter(state.fleet.services), "")
        for name, series in self._affected.items():
            series.value = sum(many for one, many in running(state, there, name) if there.bad(one))
        for advisory in there.advisories.values():
            of = {"advisory": advisory.id, "package": advisory.package, "kind": "malicious" if advisory.malicious else "vulnerability"}
            for name in state.fleet.services:
                hit = any(advisory in there.bad(one) for one, _ in running(state, there, name))
                grave = "critical" if advisory.malicious or (advisory.epss or 0) >= 0.1 else "high"
                self._metrics.gauge("sca_finding", {"service": name, "severity": grave, "path": "runtime", **of}).value = float(hit)
            for install in there.installs:
                if install.package == advisory.package and install.version in advisory.bad and advisory.malicious:
                    kind = there.hosts[install.host].kind
                    labels = {"service": first, "advisory": advisory.id, "host": install.host, "kind": kind}
                    self._metrics.counter("malicious_installs_total", labels).value = 1.0
        self._calls_home(state, there, first)

    def _calls_home(self, state: State, there: Supply, service: str) -> None:
        """What left for a host that an advisory names."""
        hosts = {host for one in there.advisories.values() for host in one.iocs}
        for (origin, _, outcome), row in outbound(state).rows.items():
            if origin.host in hosts and outcome == MADE:
                labels = {"service": service, "workload": origin.workload, "host": origin.host}
                self._metrics.counter("ioc_egress_total", labels).value = float(row.n)


def running(state: State, there: Supply, name: str) -> list[tuple[Artefact, int]]:
    """The builds that run for a service, each with how many instances of it there are; strays that serve nobody too."""
    service, counts = state.fleet.services[name], dict[str, int]()
    for region, place in service.places.items():
        for revision, share in service.serving(region).items():
            digest = service.revisions[revision].digest
            counts[digest] = counts.get(digest, 0) + max(1, round(share * place.ready_replicas))
    for digest in there.stray.get(name, []):
        counts[digest] = counts.get(digest, 0) + 1
    return [(there.artefacts[digest], many) for digest, many in counts.items() if digest in there.artefacts]
