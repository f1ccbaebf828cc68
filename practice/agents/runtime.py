"""What the agent runtime knows: agents, their sessions, runs and schedules, the tools, and what is wrong with some of them."""

from __future__ import annotations

from dataclasses import dataclass, field

LIVE = ("running", "cancelling")
PLATFORM = "all"  # the profile that holds for every tenant, beside its own
REPEATED = ("crm.lookup", "a41f09c2")  # the tool and the hash of the arguments that a loop calls again and again


@dataclass
class SideEffect:
    """Something that a run has brought about outside. `what`: a hash, never the content."""

    tool: str
    what: str
    reversible: bool
    at: float


@dataclass
class Run:
    """One run of an agent: its trace, what it has done, and how much it spends.

    `wants`: tokens per minute that it would use if nothing held it. `kind`: what is wrong with it (`loop`, `retries`, `bloat`, `slow`).
    `calls_on`: it goes on calling, whatever its state says.
    """

    trace: str
    tenant: str
    agent: str
    session: str
    key: str
    started: float = field(compare=False)  # instants are those of the world's clock, which begins when it is made
    wants: float
    parent: str = ""
    root: str = ""
    schedule: str = ""
    kind: str = ""
    state: str = "running"
    ended: float | None = field(default=None, compare=False)
    calls_on: bool = False
    stubborn: bool = False  # it does not stop when it is asked to
    depth: int = 0
    steps: int = 0
    calls: int = 0
    failed: int = 0
    tokens: float = 0.0
    usd: float = 0.0
    tokens_per_minute: float = 0.0  # in the last step
    usd_per_hour: float = 0.0
    last_call_at: float | None = field(default=None, compare=False)
    repeats: int = 0  # of the same tool with the same arguments
    alternations: int = 0
    checkpoint: str = ""
    side_effects: list[SideEffect] = field(default_factory=list)

    @property
    def live(self) -> bool:
        return self.state in LIVE or self.calls_on

    def end(self, state: str, at: float) -> None:
        self.state, self.ended = state, at


@dataclass
class Agent:
    """An agent of a tenant. Two tenants may have one of the same name; `id` tells them apart. `parallel`: its ordinary runs at a time."""

    id: str
    tenant: str
    name: str
    key: str
    tokens_per_minute: float
    tokens_per_call: float
    tools: list[str]
    autonomous: bool = False
    parallel: int = 1


@dataclass
class Session:
    """Where an agent works for somebody. `turns` is its content, which only an export shows."""

    id: str
    tenant: str
    agent: str
    user: str  # a hash
    opened: float = field(compare=False)
    turns: list[str]
    quarantined: bool = False
    reason: str = ""
    revoked: bool = False  # its tool and model tokens
    closed: bool = False


@dataclass
class Profile:
    """How strictly a tenant's agents are held: tools that may be called (none: all that they have) and may not, checked outputs."""

    strict: bool = False
    schema_validated: bool = False
    allow: list[str] = field(default_factory=list)
    deny: list[str] = field(default_factory=list)

    def refuses(self, tool: str) -> bool:
        return tool in self.deny or bool(self.allow and tool not in self.allow)


@dataclass
class Cancellation:
    """A run that was asked to end, with its children."""

    id: str
    key: str
    trace: str
    traces: list[str]
    asked: float
    grace_seconds: float
    state: str = "asked"  # asked | done
    terminated: list[str] = field(default_factory=list)


@dataclass
class Trouble:
    """What makes an agent spend: `loop`, `retries`, `bloat`, `slow`, `launch`. `factor`: of what it usually uses."""

    kind: str
    agent: str
    factor: float
    since: float
    until: float | None = None
    traces: list[str] = field(default_factory=list)

    def active(self, at: float) -> bool:
        return at >= self.since and (self.until is None or at < self.until)


@dataclass
class Dials:
    """How the runtime and the meters misbehave."""

    children_call_on: bool = False  # the children of a run that was cancelled read `cancelled`, and call on
    quarantine_leaks: bool = False  # a session reads `quarantined`, and its run calls on
    cancel_ignored: bool = False  # runs do not end when they are asked to, nor when they are terminated
    meter_gap: float = 1.0  # what the provider's meter counts for one of our tokens


@dataclass
class Runtime:
    """The part of the state that the agent runtime keeps."""

    agents: dict[str, Agent] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    paused_schedules: dict[str, bool] = field(default_factory=dict)  # agent id, or `tenant`
    blocked_tools: dict[str, list[str]] = field(default_factory=dict)  # tool → tenants; an empty list: everywhere
    profiles: dict[str, Profile] = field(default_factory=dict)
    cancellations: dict[str, Cancellation] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    dials: Dials = field(default_factory=Dials)
    price: dict[str, float] = field(default_factory=dict)  # provider → factor of what it usually takes
    stolen: dict[str, float] = field(default_factory=dict)  # key → tokens per minute that others use it for
    users: dict[str, float] = field(default_factory=dict)  # tenant → factor of its usual active users
    counted: int = 0

    def imposed(self) -> dict[str, object]:
        """What is held back of agents: a recovery puts it back as it was."""
        return {
            "schedules": sorted(name for name, paused in self.paused_schedules.items() if paused), "tools": dict(self.blocked_tools),
            "profiles": sorted(name for name, profile in self.profiles.items() if profile != Profile()),
            "paused runs": sorted(run.trace for run in self.runs.values() if run.state == "paused"),
        }  # fmt: skip

    def number(self) -> int:
        self.counted += 1
        return self.counted

    def of(self, agent: str) -> list[Run]:
        return [run for run in self.runs.values() if run.agent == agent]

    def tree(self, trace: str) -> list[Run]:
        """A run and everything below it."""
        found = [run for run in self.runs.values() if trace in (run.trace, run.parent, run.root)]
        known = {run.trace for run in found}
        return found + [run for run in self.runs.values() if run.parent in known and run.trace not in known]

    def blocked(self, tool: str, tenant: str) -> bool:
        tenants = self.blocked_tools.get(tool)
        named = tenants is not None and (not tenants or tenant in tenants)
        return named or self.profiles.get(tenant, Profile()).refuses(tool)

    def schedules_run(self, agent: Agent) -> bool:
        return not (self.paused_schedules.get(agent.id) or self.paused_schedules.get(agent.tenant))
