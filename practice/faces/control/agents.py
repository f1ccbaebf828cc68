"""`/practice`, continued: the hands on the agents. What runs away, what is stolen, what becomes dear, and how runtime and meters misbehave."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field

from practice.agents.budgets import Budgets
from practice.agents.runtime import Runtime, Trouble
from practice.http.face import Ask, Call, Face, Reply
from practice.services.deploying import change

FACE = Face("practice", authorised=lambda headers: True, control=True)
THEIR_NETWORK = "AS64666"
FACTORS = {"loop": 8.0, "retries": 6.0, "bloat": 6.0, "slow": 2.4, "launch": 5.0}


class SetTrouble(Ask):
    """What makes one agent use more: `factor` times of what is usual. `slow` is a loop of days that never spikes; `launch` is no trouble."""

    kind: Literal["loop", "retries", "bloat", "slow", "launch"]
    tenant: str = ""  # the first one without a name
    agent: str = ""  # its name; the tenant's autonomous one without
    factor: float | None = Field(None, gt=1)
    after_seconds: float = Field(0, ge=0)
    for_seconds: float | None = Field(None, gt=0)


class SetPrice(Ask):
    """What a provider takes from now on, as a multiple of what is usual."""

    provider: str
    factor: float = Field(gt=0)


class Steal(Ask):
    """Others use a key of ours: only the provider's meter counts that. None: nobody does any more."""

    key: str
    tokens_per_minute: float | None = Field(200_000.0, ge=0)


class TurnDials(Ask):
    """How the runtime and the meters misbehave; what is not given stays."""

    children_call_on: bool | None = None
    quarantine_leaks: bool | None = None
    cancel_ignored: bool | None = None
    meter_gap: float | None = Field(None, ge=0)


class RunEdit(Ask):
    """A run that does not end when it is asked to."""

    trace: str
    stubborn: bool


@FACE.reads("agents", "/practice/agents")
def agents(call: Call) -> Reply:
    """Everything about agents and their limits."""
    runtime, budgets = call.state.part(Runtime), call.state.part(Budgets)
    return Reply({"runtime": asdict(runtime), "budgets": asdict(budgets)})


@FACE.writes("agent_troubles.set", "/practice/agent-troubles")
def set_trouble(call: Call) -> Reply:
    """Let an agent run away, or let a tenant launch something: that is in the change feed, with its tenant."""
    wanted, runtime = call.ask(SetTrouble), call.state.part(Runtime)
    tenant = wanted.tenant or next(iter(call.state.tenants))
    among = [agent for agent in runtime.agents.values() if agent.tenant == tenant and wanted.agent in ("", agent.name)]
    if not among:
        raise call.refuse(404, f"{tenant} has no agent {wanted.agent}")
    agent, since = among[-1], call.now + wanted.after_seconds
    until = None if wanted.for_seconds is None else since + wanted.for_seconds
    trouble = Trouble(wanted.kind, agent.id, wanted.factor or FACTORS[wanted.kind], since, until)
    runtime.troubles.append(trouble)
    if wanted.kind == "launch":
        what = f"{tenant} opens {agent.name} to all of its users"
        change(call.world, [], "config", what, actor="customer-success", details={"tenant": tenant, "agent": agent.name, "release": True})
    call.did(f"agent-troubles/{agent.id}", None, wanted.kind)
    return Reply(asdict(trouble))


@FACE.writes("agent_troubles.clear", "/practice/agent-troubles", "DELETE")
def clear_troubles(call: Call) -> Reply:
    """End them all: what they had begun ends with the next step."""
    runtime = call.state.part(Runtime)
    before = [one.kind for one in runtime.troubles]
    for one in runtime.troubles:
        one.until = min(call.now, one.until or call.now)
    runtime.stolen.clear()
    runtime.price.clear()
    call.did("agent-troubles", before, [])
    return Reply({"agent_troubles": []})


@FACE.writes("prices.set", "/practice/prices")
def set_price(call: Call) -> Reply:
    wanted, runtime = call.ask(SetPrice), call.state.part(Runtime)
    if wanted.provider not in call.state.providers:
        raise call.refuse(404, f"there is no provider {wanted.provider}")
    before = runtime.price.get(wanted.provider, 1.0)
    runtime.price[wanted.provider] = wanted.factor
    details = {"provider": wanted.provider, "factor": wanted.factor}
    change(call.world, [], "vendor", f"{wanted.provider} changes its prices", actor=wanted.provider, details=details)
    call.did(f"prices/{wanted.provider}", before, wanted.factor)
    return Reply({"prices": runtime.price})


@FACE.writes("stolen_keys.set", "/practice/stolen-keys")
def steal(call: Call) -> Reply:
    wanted, runtime, budgets = call.ask(Steal), call.state.part(Runtime), call.state.part(Budgets)
    key = budgets.keys.get(wanted.key)
    if key is None:
        raise call.refuse(404, f"there is no key {wanted.key}; there are {', '.join(budgets.keys)}")
    before = runtime.stolen.pop(key.name, None)
    if wanted.tokens_per_minute is not None:
        runtime.stolen[key.name] = wanted.tokens_per_minute
        key.networks = list(dict.fromkeys([*key.networks, THEIR_NETWORK]))
    call.did(f"stolen-keys/{key.name}", before, wanted.tokens_per_minute)
    return Reply({"stolen": runtime.stolen})


@FACE.writes("agent_dials.turn", "/practice/agent-dials")
def turn(call: Call) -> Reply:
    dials = call.state.part(Runtime).dials
    before, wanted = asdict(dials), call.ask(TurnDials).model_dump(exclude_none=True)
    for name, value in wanted.items():
        setattr(dials, name, value)
    after: dict[str, Any] = asdict(dials)
    call.did("agent-dials", before, after)
    return Reply(after)


@FACE.writes("agent_runs.edit", "/practice/agent-runs")
def edit_run(call: Call) -> Reply:
    wanted, runs = call.ask(RunEdit), call.state.part(Runtime).runs
    if wanted.trace not in runs:
        raise call.refuse(404, f"there is no run {wanted.trace}")
    before, runs[wanted.trace].stubborn = runs[wanted.trace].stubborn, wanted.stubborn
    call.did(f"agent-runs/{wanted.trace}", before, wanted.stubborn)
    return Reply(asdict(runs[wanted.trace]))
