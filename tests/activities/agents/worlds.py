"""A practice world whose agents run away, and the systems of ours that look at it."""

from dataclasses import dataclass
from typing import Any

from activities.agents.agent_runtime import AgentRuntime
from activities.agents.cancelling import Cancellations
from activities.agents.seen import Agents
from activities.agents.sessions import Quarantines, SessionTokens
from activities.budgets.limits import Clamps
from activities.budgets.policy_router import PolicyRouter
from activities.budgets.quotas import KeyQuotas, Keys, ProviderKeys
from activities.metrics.prometheus import Prometheus
from activities.usage.attribution import Usage
from activities.usage.usage_meter import UsageMeter
from practice.agents.budgets import Budgets
from practice.agents.runtime import Agent, Run, Runtime, Trouble
from tests.activities.kit.stage import FollowingClock, Stage, stage

BIG = "researcher"  # the autonomous agent of the first tenant


@dataclass
class Played:
    """A world, and everything that looks at it."""

    stage: Stage

    @property
    def runtime(self) -> Runtime:
        return self.stage.world.state.part(Runtime)

    @property
    def budgets(self) -> Budgets:
        return self.stage.world.state.part(Budgets)

    def agent(self, *, autonomous: bool = True) -> Agent:
        """The first agent that works by itself, or for people."""
        return next(one for one in self.runtime.agents.values() if one.autonomous is autonomous)

    def runs_away(self, kind: str = "loop", factor: float = 8.0, *, agent: Agent | None = None, since: float = 0.0) -> Agent:
        """Let an agent run away, and let two minutes pass."""
        agent = agent or self.agent()
        self.runtime.troubles.append(Trouble(kind, agent.id, factor, since))
        self.stage.pass_time(150)
        return agent

    def runaways(self, kind: str = "loop") -> list[Run]:
        """Its runs, the first of all before its children."""
        return sorted((run for run in self.runtime.runs.values() if run.kind == kind), key=lambda run: run.depth)

    def system(self, kind: Any) -> Any:
        door = self.stage.client
        made: dict[Any, Any] = {
            Agents: lambda: Agents(AgentRuntime(door("/agents"))),
            Cancellations: lambda: Cancellations(AgentRuntime(door("/agents")), UsageMeter(door("/usage"))),
            Quarantines: lambda: Quarantines(AgentRuntime(door("/agents")), UsageMeter(door("/usage"))),
            SessionTokens: lambda: SessionTokens(AgentRuntime(door("/agents"))),
            Clamps: lambda: Clamps(PolicyRouter(door("/policy")), Prometheus(door("/prom")), UsageMeter(door("/usage")), FollowingClock()),
            KeyQuotas: lambda: KeyQuotas(ProviderKeys(door("/policy")), Prometheus(door("/prom"))),
            Keys: lambda: Keys(ProviderKeys(door("/policy"))),
            Usage: lambda: Usage(Prometheus(door("/prom")), UsageMeter(door("/usage"))),
        }
        return made[kind]()


def played() -> Played:
    return Played(stage())
