"""The stage of the stories of §2.6: an agent runs away, and the metrics have seen it."""

from datetime import timedelta
from typing import Any

from practice.agents.budgets import Budgets, Limit
from practice.agents.runtime import Agent, Runtime
from tests.stage.drill import Drill
from tests.stage.organisation import OTHERS, brisk
from tests.stage.running import RunningIncident

BRISK = brisk(
    more=OTHERS
    + """
[policy.cost_runaway]
resting = "PT0S"
after_restoring = "PT5M"
[policy.mitigation]
return_pause = "PT1M"
"""
)


def runtime(stage: Drill) -> Runtime:
    """As it is now: the state is another after each write."""
    return stage.world.state.part(Runtime)


def autonomous(stage: Drill) -> Agent:
    """The agent that works by itself of the first tenant."""
    return next(one for one in runtime(stage).agents.values() if one.autonomous)


def limit(stage: Drill, scope: str, name: str) -> Limit:
    return stage.world.state.part(Budgets).limit(scope, name)


async def control(stage: Drill, path: str, **given: Any) -> Any:
    """One of the hands on the world (docs/practice-platform.md, The agents)."""
    answer = await stage.http.post(f"/practice/{path}", json=given)
    answer.raise_for_status()
    return answer.json()


async def mended(stage: Drill) -> None:
    """The root cause is repaired."""
    (await stage.http.delete("/practice/agent-troubles")).raise_for_status()


async def pass_time(stage: Drill, seconds: float) -> None:
    stage.forward(seconds)
    await stage.env.sleep(timedelta(seconds=seconds))


async def runs_away(stage: Drill, kind: str = "loop", factor: float = 12.0, **given: Any) -> RunningIncident:
    """An agent runs away; after four minutes the incident is declared."""
    await control(stage, "agent-troubles", kind=kind, factor=factor, **given)
    return await declared(stage)


async def declared(stage: Drill, **incident: Any) -> RunningIncident:
    await pass_time(stage, 240)
    return await stage.declare("CostRunaway", **incident)
