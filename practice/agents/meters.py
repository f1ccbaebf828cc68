"""The meters of what agents use: ours, by tenant, agent, model and key; the provider's own, by key; what is usual; what of a day's cap is used."""

from __future__ import annotations

from practice.agents.budgets import Budgets
from practice.agents.cast import usual_usd_per_hour
from practice.agents.runtime import Agent, Run, Runtime
from practice.llm.load import STEP_SECONDS
from practice.metrics.metrics import Metrics, Series
from practice.world.state import State

USERS_PER_RPS = 400.0
LOOPING = 5  # times the same call in a row


class SpendMeters:
    """Series by what they count; made once, so that a step only adds numbers."""

    def __init__(self, metrics: Metrics, state: State) -> None:
        self._metrics, self._service = metrics, state.route.alias
        runtime, budgets = state.part(Runtime), state.part(Budgets)
        self._spent: dict[tuple[str, str, str], tuple[Series, Series]] = {}
        self._looping: dict[str, Series] = {}
        self._provider = {
            name: metrics.counter("provider_meter_tokens_total", {"service": self._service, "provider": key.provider, "key": name})
            for name, key in budgets.keys.items()
        }
        model = state.providers[next(iter(state.route.weights))].model
        for agent in runtime.agents.values():
            self._of(agent, model, agent.key)
            labels = {"service": self._service, "tenant": agent.tenant, "agent": agent.name}
            metrics.gauge("llm_spend_usd_per_hour_usual", labels).value = usual_usd_per_hour(agent)
            metrics.gauge("llm_spend_usd_per_hour_last_week", labels).value = usual_usd_per_hour(agent)
            self._looping[agent.id] = metrics.gauge("agent_looping_runs", labels)
        self._used = {name: metrics.gauge("tenant_psu_used_today", {"service": self._service, "tenant": name}) for name in state.tenants}
        self._caps = {name: metrics.gauge("tenant_psu_daily_cap", {"service": self._service, "tenant": name}) for name in state.tenants}
        self._users = {name: metrics.gauge("users_active", {"service": self._service, "tenant": name}) for name in state.tenants}
        for name, tenant in state.tenants.items():
            metrics.gauge("users_active_last_week", {"service": self._service, "tenant": name}).value = tenant.rps * USERS_PER_RPS
        self._rps = {name: tenant.rps for name, tenant in state.tenants.items()}

    def _of(self, agent: Agent, model: str, key: str) -> tuple[Series, Series]:
        labels = {"service": self._service, "tenant": agent.tenant, "agent": agent.name, "model": model, "key": key}
        made = self._metrics.counter("llm_spend_usd_total", labels), self._metrics.counter("llm_tokens_total", labels)
        self._spent[agent.id, model, key] = made
        return made

    def spent(self, run: Run, agent: Agent, model: str, tokens: float, usd: float, gap: float) -> None:
        money, used = self._spent.get((agent.id, model, run.key)) or self._of(agent, model, run.key)
        money.value += usd
        used.value += tokens
        self._provider[run.key].value += tokens * gap

    def show(self, state: State, runtime: Runtime, budgets: Budgets) -> None:
        for name, gauge in self._used.items():
            gauge.value = budgets.psu_used.get(name, 0.0)
            self._caps[name].value = budgets.limit("tenant", name).psu_daily_cap or 0.0
            self._users[name].value = self._rps[name] * USERS_PER_RPS * runtime.users.get(name, 1.0)
        for trouble in runtime.troubles:  # what the runtime's own detector says
            runs = (runtime.runs.get(trace) for trace in trouble.traces)
            self._looping[trouble.agent].value = float(sum(run is not None and run.live and run.repeats >= LOOPING for run in runs))
        for name, tokens in runtime.stolen.items():
            self._provider[name].value += tokens * budgets.keys[name].share * STEP_SECONDS / 60
