"""Who the agents are when a world begins: two of each paying tenant, one of the small ones; a name that two tenants share; three keys."""

from __future__ import annotations

from random import Random

from practice.agents.budgets import USD_PER_TOKEN, Budgets, Key, Limit
from practice.agents.runtime import Agent, Runtime, Session
from practice.world.state import State

TOKENS_PER_MINUTE = {
    "enterprise": (20_000.0, 14_000.0),
    "sovereign": (10_000.0, 7_000.0),
    "business": (7_000.0, 5_000.0),
    "starter": (1_500.0,),
}
"""What the agents of a tenant of this tier usually use."""
AUTONOMOUS = ("researcher", "reconciler", "triager", "planner", "scraper", "auditor", "reporter")
TOOLS = {"assistant": ["kb.search", "crm.lookup", "tickets.create"]}
WORKS_WITH = ["crm.lookup", "web.fetch", "mail.send", "files.write"]
KEYS = {"key-product": "aurora", "key-batch": "aurora", "key-spare": "borealis"}
OUR_NETWORK = "AS64500"
PSU_TOKENS = 1_000.0
ROOM = 2.5
"""A daily cap, as a multiple of a usual day."""
DAY = 86_400.0


def usual_usd_per_hour(agent: Agent) -> float:
    return agent.tokens_per_minute * 60 * USD_PER_TOKEN


def begin(state: State, rng: Random) -> None:
    """Put the agents, their keys and their tenants' caps into a world."""
    runtime, budgets = state.part(Runtime), state.part(Budgets)
    for name, provider in KEYS.items():
        budgets.keys[name] = Key(name, provider, [OUR_NETWORK])
    for index, tenant in enumerate(state.tenants.values()):
        names = ("assistant", AUTONOMOUS[index // 2 % len(AUTONOMOUS)])  # every second name is there in two tenants, or more
        for name, tokens in zip(names, TOKENS_PER_MINUTE[tenant.tier], strict=False):
            alone = name != "assistant"
            agent = Agent(
                f"{tenant.name}.{name}", tenant.name, name, "key-batch" if alone else "key-product", tokens, 3_000.0 if alone else 1_200.0,
                list(TOOLS.get(name, WORKS_WITH)), autonomous=alone,
            )  # fmt: skip
            runtime.agents[agent.id] = agent
        usual = sum(agent.tokens_per_minute for agent in runtime.agents.values() if agent.tenant == tenant.name) * 1440 / PSU_TOKENS
        budgets.limits["tenant"][tenant.name] = Limit(psu_daily_cap=round(ROOM * usual, -2))


def opened(runtime: Runtime, agent: Agent, at: float) -> Session:
    """The session in which an agent works from now on: the one it has, or a new one."""
    for session in runtime.sessions.values():
        if session.agent == agent.id and not (session.quarantined or session.revoked or session.closed):
            return session
    number = runtime.number()
    made = Session(
        f"s-{number:05x}", agent.tenant, agent.id, f"u-{number * 7919 % 65536:04x}", at, [f"asks {agent.name} to work", "it works"]
    )
    runtime.sessions[made.id] = made
    return made
