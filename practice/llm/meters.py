"""The metrics that the platform exports, and how a step of traffic is counted in them."""

from __future__ import annotations

from practice.llm.faults import OUTCOMES
from practice.llm.gateway_log import Calls
from practice.llm.latency import Histogram, Mixture
from practice.metrics.metrics import Metrics, Series
from practice.world.cast import REGIONS
from practice.world.state import State

VANTAGES = ("ams", "fra", "iad", "sfo", "sin")


class Meters:
    """Series by what they count; made once, so that a step only adds numbers."""

    def __init__(self, metrics: Metrics, state: State) -> None:
        self._metrics = metrics
        self._service = state.route.alias
        self._known: dict[tuple[str, ...], Series] = {}
        self._answers: dict[tuple[str, str, str], tuple[Series, Series]] = {}
        self._tenant_calls: dict[tuple[str, str, str], Series] = {}
        self._durations: dict[str, Histogram] = {}
        self._service_duration = Histogram(metrics, "service_request_duration_seconds", {"service": self._service})
        self._born_at_zero(state)

    def _born_at_zero(self, state: State) -> None:
        for provider in state.providers.values():
            for region in provider.regions:
                for outcome in OUTCOMES:
                    self._calls_counter(provider.name, provider.model, region, outcome)
            self.duration(provider.name, provider.model)
            for verdict in ("pass", "fail"):
                self._counter("llm_quality_samples_total", provider=provider.name, verdict=verdict)
            self._counter("llm_cost_usd_total", provider=provider.name)
        for outcome in ("ok", "degraded", "error"):
            for region in REGIONS.values():
                self._counter("service_requests_total", service=self._service, region=region, outcome=outcome)
            for tenant in state.tenants:
                self._counter("tenant_requests_total", service=self._service, tenant=tenant, outcome=outcome)
        for tool in ("low_psu", "high_psu"):
            for outcome in ("ok", "blocked"):
                self._counter("tool_calls_total", **{"class": tool}, outcome=outcome)
        self._counter("orchestrator_timeouts_total", service=self._service)
        self._counter("batch_jobs_total")
        self._counter("autonomous_runs_total")

    def _counter(self, name: str, **labels: str) -> Series:
        key = (name, *labels.values())
        series = self._known.get(key)
        if series is None:
            series = self._known[key] = self._metrics.counter(name, labels)
        return series

    def _calls_counter(self, provider: str, model: str, region: str, outcome: str) -> Series:
        labels = {"provider": provider, "model": model, "region": region, "route": self._service, "outcome": outcome}
        return self._counter("llm_requests_total", **labels)

    def duration(self, provider: str, model: str) -> Histogram:
        key = f"{provider}/{model}"
        if key not in self._durations:
            labels = {"provider": provider, "model": model}
            self._durations[key] = Histogram(self._metrics, "llm_request_duration_seconds", labels)
        return self._durations[key]

    def called(self, provider: str, model: str, region: str, calls: Calls, baseline_latency_ms: float) -> None:
        for outcome, n in calls.by_outcome.items():
            self._calls_counter(provider, model, region, outcome).value += n
        self.duration(provider, model).observe(calls.mixture(baseline_latency_ms))

    def judged(self, provider: str, sampled: int, passed: int) -> None:
        self._counter("llm_quality_samples_total", provider=provider, verdict="pass").value += passed
        self._counter("llm_quality_samples_total", provider=provider, verdict="fail").value += sampled - passed

    def spent(self, provider: str, usd: float) -> None:
        self._counter("llm_cost_usd_total", provider=provider).value += usd

    def answered(self, tenant: str, region: str, outcome: str, n: int) -> None:
        """Answers of the service: ok, degraded (retrieval only) or error."""
        if not n:
            return
        found = self._answers.get((tenant, region, outcome))
        if found is None:
            whole = self._counter("service_requests_total", service=self._service, region=region, outcome=outcome)
            own = self._counter("tenant_requests_total", service=self._service, tenant=tenant, outcome=outcome)
            found = self._answers[tenant, region, outcome] = whole, own
        for series in found:
            series.value += n

    def tenant_called(self, tenant: str, provider: str, outcome: str, n: int) -> None:
        if not n:
            return
        series = self._tenant_calls.get((tenant, provider, outcome))
        if series is None:
            labels = {"tenant": tenant, "provider": provider, "mode": "normal", "outcome": outcome}
            series = self._tenant_calls[tenant, provider, outcome] = self._counter("llm_tenant_requests_total", **labels)
        series.value += n

    def took(self, mixture: Mixture) -> None:
        self._service_duration.observe(mixture)

    def timed_out(self, n: int) -> None:
        self._counter("orchestrator_timeouts_total", service=self._service).value += n

    def worked(self, name: str, n: int) -> None:
        self._counter(name).value += n

    def tools_called(self, tool: str, outcome: str, n: int) -> None:
        self._counter("tool_calls_total", **{"class": tool}, outcome=outcome).value += n

    def gauge(self, name: str, value: float, **labels: str) -> None:
        key = (name, *labels.values())
        series = self._known.get(key)
        if series is None:
            series = self._known[key] = self._metrics.gauge(name, labels)
        series.value = value

    def synthetic(self, vantage: str, ok: bool) -> None:
        self.gauge("synthetic_ok", float(ok), service=self._service, vantage=vantage)
