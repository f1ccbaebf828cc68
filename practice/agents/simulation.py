"""Every 15 world seconds agents call models and tools, spend, loop, or are held back; the meters of ours and of the providers move."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from practice.agents.budgets import USD_PER_TOKEN, Budgets, held_back
from practice.agents.cast import DAY, PSU_TOKENS, begin
from practice.agents.life import begun_and_ended
from practice.agents.meters import SpendMeters
from practice.agents.runtime import REPEATED, Run, Runtime
from practice.llm.load import STEP_SECONDS
from practice.metrics.metrics import Metrics
from practice.quality.registry import OFFERS, Registry
from practice.world.state import State

OVERLONG, RETRIED = 6.0, 0.8  # how much longer contexts become; the share of calls that fail in a retry storm
MORNING_MINUTES = 8 * 60.0
MINUTES = STEP_SECONDS / 60
OFFERS_BY_MODEL = {offer.model: offer for offer in OFFERS}


class Simulation:
    """The agents' part of a world."""

    def __init__(self, seed: int, metrics: Metrics, state: State) -> None:
        self._rng = Random(seed)
        begin(state, self._rng)
        self._meters = SpendMeters(metrics, state)

    def step(self, state: State, at: float) -> None:
        runtime, budgets = state.part(Runtime), state.part(Budgets)
        if budgets.day != (day := int(at // DAY)):
            self._new_day(runtime, budgets, day, at)
        begun_and_ended(state, runtime, at)
        calling = [run for run in runtime.runs.values() if run.live and self._may_call(runtime, run)]
        draw = self._rng.random
        wanted = {run.trace: run.wants * (0.85 + 0.3 * draw()) for run in calling}
        cheaper = state.part(Registry).models
        prices = {name: self._price(state, runtime, cheaper, name) for name in state.tenants}
        given = held_back(
            budgets, calling, wanted, lambda name: state.tenants[name].tier, lambda run: prices[run.tenant] * USD_PER_TOKEN, runtime.stolen
        )
        for run in runtime.runs.values():
            if run.usd_per_hour and not given.get(run.trace):
                run.tokens_per_minute = run.usd_per_hour = 0.0
        models = {name: self._model(state, cheaper, name) for name in state.tenants}
        for run in calling:
            if given[run.trace]:
                self._call(runtime, budgets, run, given[run.trace], prices[run.tenant] * USD_PER_TOKEN, models[run.tenant], at)
        self._meters.show(state, runtime, budgets)

    def _new_day(self, runtime: Runtime, budgets: Budgets, day: int, at: float) -> None:
        """What was used today; a world that begins in the middle of a day has had a usual morning, whatever the hour is here."""
        passed = 0.0 if budgets.day else MORNING_MINUTES
        budgets.day, budgets.psu_used = day, dict.fromkeys((agent.tenant for agent in runtime.agents.values()), 0.0)
        for agent in runtime.agents.values():
            budgets.psu_used[agent.tenant] += agent.tokens_per_minute * passed / PSU_TOKENS

    def _may_call(self, runtime: Runtime, run: Run) -> bool:
        session = runtime.sessions[run.session]
        if session.revoked:
            return False
        if session.quarantined and not runtime.dials.quarantine_leaks:
            return False
        return not (run.kind == "loop" and runtime.blocked(REPEATED[0], run.tenant))

    def _price(self, state: State, runtime: Runtime, cheaper: Mapping[str, str], tenant: str) -> float:
        """Of a token, beside the usual one: by who serves the tenant, or by the cheaper model that it was given."""
        if offer := OFFERS_BY_MODEL.get(cheaper.get(tenant, "")):
            return offer.price_ratio * runtime.price.get(offer.provider, 1.0)
        shares = state.route.shares(tenant)
        return sum(share * state.providers[name].price_ratio * runtime.price.get(name, 1.0) for name, share in shares.items())

    def _model(self, state: State, cheaper: Mapping[str, str], tenant: str) -> str:
        if tenant in cheaper:
            return cheaper[tenant]
        shares = state.route.shares(tenant)
        return state.providers[max(shares, key=lambda name: shares[name])].model

    def _call(
        self, runtime: Runtime, budgets: Budgets, run: Run, tokens_per_minute: float, usd_per_token: float, model: str, at: float
    ) -> None:
        tokens, agent = tokens_per_minute * MINUTES, runtime.agents[run.agent]
        usd = tokens * usd_per_token
        run.tokens_per_minute, run.usd_per_hour = tokens_per_minute, tokens_per_minute * 60 * usd_per_token
        calls = max(1, round(tokens / (agent.tokens_per_call * (OVERLONG if run.kind == "bloat" else 1.0))))
        run.calls, run.steps, run.last_call_at = run.calls + calls, run.steps + (4 if run.kind == "loop" else 1), at
        run.tokens, run.usd = run.tokens + tokens, run.usd + usd
        if run.kind == "loop":
            run.repeats, run.alternations = run.repeats + 4, run.alternations + (2 if run.depth else 0)
        elif run.kind == "retries":
            run.failed += round(calls * RETRIED)
        budgets.psu_used[run.tenant] += tokens / PSU_TOKENS
        self._meters.spent(run, agent, model, tokens, usd, runtime.dials.meter_gap)
