"""The traffic model: every 15 world seconds the tenants ask, providers answer or fail, and the metrics move.

A right mitigation lowers the errors because the requests really go elsewhere; a wrong one does not.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from random import Random

from practice.llm.faults import TRANSIENT, Condition, condition
from practice.llm.gateway_log import Calls, GatewayLog, Served, Step
from practice.llm.latency import REFUSED, RETRIEVAL, SLOW, TIMEOUT, Shape, usual
from practice.llm.load import STEP_SECONDS, ProviderLoad, Retrying
from practice.llm.meters import VANTAGES, Meters
from practice.world.chance import binomial, poisson, split
from practice.world.state import Provider, State, Tenant

SERVICE_BACKGROUND_ERROR = 0.0008
QUALITY_SAMPLE_SHARE = 0.1
PRIMARY_PASS_RATE = 0.985
COST_USD_PER_CALL = 0.004
SHAPES = {"slow": SLOW, "timeout": TIMEOUT, "refused": REFUSED, "retrieval": RETRIEVAL}
"""How long answers take that do not take the provider's usual time."""


@dataclass(frozen=True)
class Odds:
    """What a call to a provider meets in one step: reckoned once, and drawn from for every tenant."""

    persistent: float
    stumbles: float  # of those that do not fail for good
    stays_failed: float  # of those that stumble
    tries_more: float
    slow: float
    timeouts: float  # as a share of transient failures
    usual: Shape


class Traffic:
    """Steps the world's traffic forward."""

    def __init__(self, seed: int, meters: Meters, log: GatewayLog) -> None:
        self._rng = Random(seed)
        self._meters = meters
        self._log = log
        self.loads: dict[str, ProviderLoad] = {}
        self.conditions: dict[str, Condition] = {}
        self._odds: dict[str, Odds] = {}
        self._took: Counter[str] = Counter()  # this step's answers: by whom in the usual time, or how else

    def load(self, provider: str) -> ProviderLoad:
        return self.loads.setdefault(provider, ProviderLoad())

    def breaker(self, provider: str) -> str:
        return self.load(provider).breaker

    def step(self, state: State, end: float) -> None:
        """Simulate the step that ends at `end`."""
        step = Step(end)
        asked = {tenant.name: poisson(self._rng, tenant.rps * STEP_SECONDS) for tenant in state.tenants.values()}
        sent = self._send(state, asked)
        self._meet(state, sent, end)
        for tenant in state.tenants.values():
            if state.route.mode(tenant.name) == "retrieval_only":
                self._retrieve(tenant, asked[tenant.name], step)
            else:
                self._serve(state, tenant, sent[tenant.name], step)
        self._meters.took([(n, SHAPES.get(how) or self._odds[how].usual) for how, n in self._took.items()])
        self._took.clear()
        self._count_calls(state, step)
        self._watch(state, step)
        self._log.append(step)

    def _send(self, state: State, asked: dict[str, int]) -> dict[str, dict[str, int]]:
        """How many requests of each tenant go to each provider."""
        route = state.route
        return {name: split(self._rng, n, route.shares(name)) if route.mode(name) == "normal" else {} for name, n in asked.items()}

    def _meet(self, state: State, sent: dict[str, dict[str, int]], end: float) -> None:
        """The condition of every provider in this step: its faults, and what the load adds."""
        retrying = Retrying(state.policy)
        for name, provider in state.providers.items():
            met = condition([fault for fault in state.provider_faults if fault.provider == name], end)
            load = self.load(name)
            requests = sum(by.get(name, 0) for by in sent.values())
            admitted = round(requests * load.admits(end))
            load.meet(end, admitted, provider.capacity_rps, met, retrying)
            self.conditions[name] = met
            self._odds[name] = _odds(met, retrying, provider)

    def _retrieve(self, tenant: Tenant, n: int, step: Step) -> None:
        served = step.tenant(tenant.name)
        served.n += n
        served.ok += n
        served.modes["retrieval_only"] += n
        step.requests += n
        self._meters.answered(tenant.name, _home(tenant), "degraded", n)
        self._took["retrieval"] += n

    def _serve(self, state: State, tenant: Tenant, sent: dict[str, int], step: Step) -> None:
        served = step.tenant(tenant.name)
        for name, n in sent.items():
            provider = state.providers[name]
            ok = self._call(state, tenant, provider, n, step)
            self._judge_quality(provider, ok, served)
            served.by[name] += ok
            broken = binomial(self._rng, ok, SERVICE_BACKGROUND_ERROR)
            good, bad = ok - broken, n - ok + broken
            served.n += n
            served.ok += good
            served.modes["normal"] += n
            step.requests += n
            step.errors += bad
            home = _home(tenant)
            self._meters.answered(tenant.name, home, "ok", good)
            self._meters.answered(tenant.name, home, "error", bad)

    def _call(self, state: State, tenant: Tenant, provider: Provider, n: int, step: Step) -> int:
        """Call a provider `n` times for a tenant, with retries; returns how many calls succeeded in the end."""
        rng, odds, load = self._rng, self._odds[provider.name], self.load(provider.name)
        admitted = n if load.breaker == "CLOSED" else binomial(rng, n, load.admits(step.end))
        persistent = binomial(rng, admitted, odds.persistent)
        stumbled = binomial(rng, admitted - persistent, odds.stumbles)
        failed = binomial(rng, stumbled, odds.stays_failed) if stumbled else 0
        further = round(stumbled * odds.tries_more + rng.random() - 0.5) if stumbled else 0
        retries = max(further, stumbled - failed)  # whoever recovered was tried at least once more
        ok = admitted - persistent - failed
        calls = step.call(provider.name, tenant.region_at(provider.name) or provider.regions[0])
        slow = binomial(rng, ok, odds.slow)
        calls.by_outcome["ok"] += ok
        calls.slow += slow
        calls.retries += retries
        self._blame(self.conditions[provider.name], persistent, retries + failed, calls)
        self._meters.tenant_called(tenant.name, provider.name, "ok", ok)
        self._meters.tenant_called(tenant.name, provider.name, "error", n - ok)
        timeouts = round(failed * odds.timeouts)
        self._meters.timed_out(timeouts + binomial(rng, slow, 0.15))
        took = self._took
        took[provider.name] += ok - slow
        took["slow"] += slow
        took["timeout"] += timeouts
        took["refused"] += n - ok - timeouts
        return ok

    def _blame(self, met: Condition, persistent: int, transient: int, calls: Calls) -> None:
        """Give each failed call its cause."""
        if transient:
            causes = {o: r for o, r in met.failures.items() if o in TRANSIENT}
            calls.by_outcome.update(split(self._rng, transient, causes))
        if persistent:
            causes = {o: r for o, r in met.failures.items() if o not in TRANSIENT}
            calls.by_outcome.update(split(self._rng, persistent, causes))

    def _judge_quality(self, provider: Provider, ok: int, served: Served) -> None:
        sampled = binomial(self._rng, ok, QUALITY_SAMPLE_SHARE)
        if not sampled:
            return
        met = self.conditions[provider.name]
        passed = binomial(self._rng, sampled, PRIMARY_PASS_RATE * min(1.0, provider.parity) * (1 - met.wrong))
        served.sampled += sampled
        served.passed += passed
        self._meters.judged(provider.name, sampled, passed)

    def _count_calls(self, state: State, step: Step) -> None:
        """What the gateway counts at its edge to the providers; and the breakers look at it."""
        by_provider: dict[str, Calls] = {}
        for (name, region), calls in step.calls.items():
            provider = state.providers[name]
            self._meters.called(name, provider.model, region, calls, provider.baseline_latency_ms)
            usd = calls.by_outcome["ok"] * COST_USD_PER_CALL * provider.price_ratio
            self._meters.spent(name, usd)
            step.cost_usd += usd
            by_provider.setdefault(name, Calls()).add(calls)
        for name, provider in state.providers.items():
            total = by_provider.get(name, Calls())
            self.load(name).judge(step.end, total.n, total.n - total.by_outcome["ok"], state.policy.breaker)
            lately = sum(c.n for s in self._log.within(step.end, 45.0) for (p, _), c in s.calls.items() if p == name)
            provider.quota.used = float(lately + total.n)

    def _watch(self, state: State, step: Step) -> None:
        """Probes, synthetic users and the product's own background work."""
        for name, provider in state.providers.items():
            met = self.conditions[name]
            healthy = 1 - met.transient - met.persistent
            self._meters.gauge("llm_probe_success", float(self._rng.random() < healthy), provider=name)
            self._meters.gauge("llm_breaker_open", float(self.breaker(name) == "OPEN"), provider=name)
            self._meters.gauge("llm_latency_baseline_seconds", provider.baseline_latency_ms / 1000, provider=name)
        ratio = step.errors / step.requests if step.requests else 0.0
        for vantage in VANTAGES:
            self._meters.synthetic(vantage, self._rng.random() >= ratio)
        self._work(state, step.requests - step.errors)

    def _work(self, state: State, answered: int) -> None:
        flags = state.flags
        self._meters.tools_called("low_psu", "ok", binomial(self._rng, answered, 0.3))
        high = binomial(self._rng, answered, 0.05)
        self._meters.tools_called("high_psu", "ok" if flags["tools.high_psu"] else "blocked", high)
        self._meters.worked("batch_jobs_total", poisson(self._rng, 3.0) if flags["batch.enabled"] else 0)
        running = flags["orchestrator.autonomy"] and flags["scheduler.enabled"]
        self._meters.worked("autonomous_runs_total", poisson(self._rng, 6.0) if running else 0)


def _odds(met: Condition, retrying: Retrying, provider: Provider) -> Odds:
    p = met.transient / max(1e-9, 1 - met.persistent)
    return Odds(
        met.persistent,
        p,
        retrying.stays_failed(p),
        retrying.tries_more(p),
        met.slow,
        met.failures.get("timeout", 0.0) / max(1e-9, met.transient),
        usual(provider.baseline_latency_ms),
    )


def _home(tenant: Tenant) -> str:
    """The region where the service answers a tenant."""
    return tenant.allowed[0].partition("@")[2] if tenant.allowed else "eu-west"


def stable_seed(seed: int, purpose: str) -> int:
    """A seed for another stream of chance, so that one does not disturb the other."""
    return seed ^ zlib.crc32(purpose.encode())
