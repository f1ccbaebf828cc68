"""What the services export, and how a step of their traffic is counted."""

from __future__ import annotations

from collections.abc import Mapping

from practice.llm.latency import Histogram, Mixture
from practice.metrics.metrics import Metrics, Series
from practice.services.fleet import Feed, Fleet, Revision, Service
from practice.world.state import Tenant

WRITES = ("ok", "refused", "error")


class ServiceMeters:
    """Series by what they count; found again by name and label values, so that a step only adds numbers."""

    def __init__(self, metrics: Metrics, fleet: Fleet, tenants: Mapping[str, Tenant]) -> None:
        self._metrics = metrics
        self._known: dict[tuple[str, ...], Series] = {}
        self._tenants: dict[tuple[str, str, str], Series] = {}
        self._took: dict[str, Histogram] = {}
        for service in fleet.services.values():
            self._born_at_zero(service, tenants)
        for feed in fleet.feeds.values():
            self.made(feed)

    def _born_at_zero(self, service: Service, tenants: Mapping[str, Tenant]) -> None:
        self.took(service.name, [])
        for region in service.places:
            for revision in service.serving(region):
                for outcome in ("ok", "error"):
                    self.answered(service.name, region, revision, outcome, 0)
            for outcome in WRITES:
                self.wrote(service.name, region, outcome, 0)
            self.limited(service.name, region, 0)
        for tenant in tenants:
            for outcome in ("ok", "error"):
                self.met(service.name, tenant, outcome, 0)
        self.spoilt(service.name, 0)
        for one in service.revisions.values():
            self.green(service.name, one)

    def _counter(self, name: str, **labels: str) -> Series:
        key = (name, *labels.values())
        series = self._known.get(key)
        if series is None:
            series = self._known[key] = self._metrics.counter(name, labels)
        return series

    def _gauge(self, name: str, **labels: str) -> Series:
        key = (name, *labels.values())
        series = self._known.get(key)
        if series is None:
            series = self._known[key] = self._metrics.gauge(name, labels)
        return series

    def answered(self, service: str, region: str, revision: str, outcome: str, n: int) -> None:
        self._counter("service_requests_total", service=service, region=region, revision=revision, outcome=outcome).value += n

    def limited(self, service: str, region: str, n: int) -> None:
        """Turned away at the gateway: no revision saw them."""
        self._counter("service_limited_total", service=service, region=region).value += n
        self._counter("service_requests_total", service=service, region=region, outcome="limited").value += n

    def wrote(self, service: str, region: str, outcome: str, n: int) -> None:
        self._counter("service_writes_total", service=service, region=region, outcome=outcome).value += n

    def met(self, service: str, tenant: str, outcome: str, n: int) -> None:
        key = (service, tenant, outcome)
        series = self._tenants.get(key)
        if series is None:
            series = self._tenants[key] = self._counter("tenant_requests_total", service=service, tenant=tenant, outcome=outcome)
        series.value += n

    def spoilt(self, service: str, n: int) -> None:
        self._counter("service_integrity_errors_total", service=service).value += n

    def took(self, service: str, mixture: Mixture) -> None:
        if service not in self._took:
            self._took[service] = Histogram(self._metrics, "service_request_duration_seconds", {"service": service})
        self._took[service].observe(mixture)

    def synthetic(self, service: str, vantage: str, ok: bool) -> None:
        self._gauge("synthetic_ok", service=service, vantage=vantage).value = float(ok)

    def standing(self, service: Service, usual_p99: float) -> None:
        """What is there to serve with, and what is usual, as the same histogram shows it (seconds)."""
        self._gauge("service_p99_baseline_seconds", service=service.name).value = usual_p99
        for region, place in service.places.items():
            self._gauge("service_replicas", service=service.name, region=region).value = float(place.ready_replicas)
            self._gauge("service_capacity_rps", service=service.name, region=region).value = service.capacity_rps(region)

    def green(self, service: str, revision: Revision) -> None:
        self._gauge("service_revision_green_minutes", service=service, revision=revision.name).value = revision.green_minutes

    def made(self, feed: Feed) -> None:
        """The newest version of an artefact, and the one that is read."""
        self._gauge("artefact_version", feed=feed.name).value = float(feed.version)
        self._gauge("artefact_read_version", feed=feed.name).value = float(feed.read)
