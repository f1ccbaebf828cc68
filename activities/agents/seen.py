"""What the runtime shows of agents, runs, sessions and schedules: references and counts, never what was said."""

from datetime import datetime, timedelta
from typing import Any

from activities.action import Call, System, Value, action
from activities.agents.agent_runtime import AgentRuntime, RuntimeLook
from activities.organisation.numbers import LoopNumbers, PromptInjection


class RunsOf(RuntimeLook, target="agents/runs", effect="list the runs of {whose}", path="runs", asks=("tenant", "agent", "state", "under")):
    """Runs, with what they have done. None: whoever's, whatever state."""

    tenant: str | None = None
    agent: str | None = None
    state: str | None = None
    under: str | None = None

    @property
    def whose(self) -> str:
        given = {"tenant": self.tenant, "agent": self.agent, "state": self.state, "trace": self.under}
        return ", ".join(f"{name} {value}" for name, value in given.items() if value) or "everybody"

    def effect(self) -> str:
        return f"list the runs of {self.whose}"


class SideEffect(Value):
    """Something that a run brought about outside. `what` is a hash."""

    tool: str
    what: str
    reversible: bool
    at: datetime


class Run(Value):
    """A run of an agent. `repeats`: of the same tool with the same arguments in a row; `repeated`: which, as hashes."""

    trace: str
    parent: str = ""
    tenant: str
    agent: str
    session: str
    schedule: str = ""
    state: str
    started_at: datetime
    depth: int = 0
    steps: int = 0
    calls: int = 0
    failed_calls: int = 0
    tokens: float = 0.0
    repeats: int = 0
    repeated: str = ""
    alternations: int = 0
    checkpoint: str = ""
    side_effects: tuple[SideEffect, ...] = ()

    @property
    def over(self) -> bool:
        return self.state not in ("running", "paused", "cancelling")

    def looping(self, numbers: LoopNumbers) -> tuple[str, ...]:
        """What of it looks like a loop, in words."""
        found = (
            f"{self.repeats} times the same call in a row" if self.repeats >= numbers.same_call else "",
            f"{self.depth} runs below one another" if self.depth > numbers.depth else "",
            f"{self.steps} steps" if self.steps > numbers.steps else "",
            f"{self.alternations} turns between two agents" if self.alternations > numbers.alternations else "",
        )
        return tuple(filter(None, found))

    def lasting(self, at: datetime) -> timedelta:
        return at - self.started_at


class RunList(Value):
    runs: tuple[Run, ...]
    at: datetime

    def long(self, least: timedelta) -> tuple[Run, ...]:
        """Those that run for so long (real time) and are no child of another: with a run its children rest as well."""
        return tuple(run for run in self.runs if run.state == "running" and not run.parent and run.lasting(self.at) >= least)


class AgentsOf(RuntimeLook, target="agents", effect="list the agents of {tenant}", path="agents", asks=("tenant",)):
    tenant: str | None = None


class Agent(Value):
    """An agent, and what is usual of it. Two tenants may have one of the same name: `id` is what is acted on."""

    id: str
    tenant: str
    name: str
    key: str
    tools: tuple[str, ...]
    autonomous: bool
    tokens_per_minute_usual: float
    tokens_per_call_usual: float


class AgentList(Value):
    agents: tuple[Agent, ...]

    def of(self, tenant: str, name: str) -> Agent | None:
        return next((one for one in self.agents if (one.tenant, one.name) == (tenant, name)), None)


class SessionsOf(
    RuntimeLook, target="agents/sessions", effect="list the sessions of {tenant} {agent}", path="sessions", asks=("tenant", "agent")
):
    tenant: str | None = None
    agent: str | None = None


class Session(Value):
    """A session, without what was said in it. `user` is a hash. `score`: the highest that the guardrails gave a text in it, by which `rule`."""

    id: str
    tenant: str
    agent: str
    user: str
    opened_at: datetime
    quarantined: bool
    revoked: bool
    traces: tuple[str, ...]
    score: float = 0.0
    rule: str = ""
    trips: int = 0

    def suspicious(self, numbers: PromptInjection) -> bool:
        """One text of which the guardrails are sure, or several suspicions."""
        return self.score >= numbers.sure_score or (self.score >= numbers.suspect_score and self.trips >= numbers.suspect_times)


class SessionList(Value):
    sessions: tuple[Session, ...]


class SchedulesLook(RuntimeLook, target="agents/schedules", effect="list the schedules that start runs", path="schedules"):
    """Every schedule."""


class Schedule(Value):
    agent: str
    tenant: str
    running: bool
    started: int


class ScheduleList(Value):
    schedules: tuple[Schedule, ...]


class Agents(System):
    """What agents do, as their runtime sees it."""

    def __init__(self, runtime: AgentRuntime) -> None:
        self._runtime = runtime

    @action("agents.runs")
    async def runs(self, order: RunsOf, call: Call) -> RunList:
        """Runs, to the end of the list."""
        asked: dict[str, Any] = {name: value for name, value in order.asked().items() if value is not None}
        return RunList.model_validate({"runs": await self._runtime.runs(call, **asked), "at": call.at})

    @action("agents.list")
    async def list(self, order: AgentsOf, call: Call) -> AgentList:
        """Agents, and what is usual of them."""
        return AgentList.model_validate(await self._runtime.look(call, order))

    @action("agents.sessions")
    async def sessions(self, order: SessionsOf, call: Call) -> SessionList:
        """Sessions, without what was said in them."""
        return SessionList.model_validate(await self._runtime.look(call, order))

    @action("agents.schedules")
    async def schedules(self, order: SchedulesLook, call: Call) -> ScheduleList:
        """Every schedule that starts runs."""
        return ScheduleList.model_validate(await self._runtime.look(call, order))
