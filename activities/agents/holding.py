"""What of agents is held for a while: runs, schedules, tools, and how strictly a tenant's agents work."""

from datetime import timedelta
from typing import ClassVar, Literal, Self

from activities.action import Call, Limits, NotYet, Risk, Role
from activities.agents.agent_runtime import AgentRuntime, RuntimeResource
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, Reading, Restore, SettingValue
from activities.kit.setting.write import SOON
from activities.usage.usage_meter import UsageMeter
from activities.values import listed


class PauseOf(RuntimeResource, path="runs/{trace}/pause", called="run {trace}"):
    trace: str

    def target(self) -> str:
        return f"run/{self.trace}"


class Paused(SettingValue):
    """Whether a run rests at a checkpoint."""

    paused: bool

    def __str__(self) -> str:
        return "paused at a checkpoint" if self.paused else "going on"

    def effect(self, of: PauseOf) -> str:
        return f"save a checkpoint of {of} and pause it" if self.paused else f"let {of} go on"

    def back(self, of: PauseOf) -> str:
        return f"leave {of} paused, as it was" if self.paused else f"let {of} go on from its checkpoint"


class PauseReading(Reading[Paused]):
    """A pause, where the run will go on from, and how it is."""

    checkpoint: str = ""
    state: str = ""


class Pauses(
    RestSetting[PauseOf, Paused, PauseReading], read="agents.pause_of", change="agents.pause", restore="agents.resume", risk=Risk.C1,
    asks=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """Runs that rest at a checkpoint, proven by the checkpoint and by the meter of model calls."""

    values_compare = True  # on or off: there is no third value by which a change between would show

    def __init__(self, runtime: AgentRuntime, meter: UsageMeter) -> None:
        self.rest, self._meter = runtime, meter

    async def prove(self, call: Call, order: Change[PauseOf, Paused], now: PauseReading) -> str:
        if not order.wanted.paused:
            return ""
        if not now.checkpoint:
            raise NotYet(f"{order.of} is paused, and no checkpoint is shown", after=SOON)
        seen = await self._meter.traces(call, under=order.of.trace)
        calling = [one.trace for one in seen.traces if one.trace == order.of.trace and one.tokens_per_minute]
        if calling:
            raise NotYet(f"{order.of} reads back paused, and still calls a model", after=timedelta(seconds=15) / call.pace)
        return f"checkpoint {now.checkpoint}; the meter sees no call of it"


CHECKPOINTED = Pauses.measure("checkpointed")


class SchedulesOf(RuntimeResource, path="schedules/{kind}/{name}", called="the schedules of {name}"):
    """The schedules of one agent (by its id), or of all agents of one tenant."""

    kind: Literal["agents", "tenants"]
    name: str


class Scheduling(SettingValue, effect="pause {of}: it starts no new runs", back="let {of} start runs again"):
    running: bool

    def __str__(self) -> str:
        return "starting runs" if self.running else "paused"


class Schedules(
    RestSetting[SchedulesOf, Scheduling], read="agents.schedules_of", change="agents.pause_schedules", restore="agents.resume_schedules",
    risk=Risk.C1, asks=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """Schedules that start nothing, seen in the list of all schedules."""

    values_compare = True  # on or off: there is no third value by which a change between would show

    def __init__(self, runtime: AgentRuntime) -> None:
        self.rest = runtime

    async def shown(self, call: Call, of: SchedulesOf, value: Scheduling) -> str:
        listed_ = (await self.rest.get(call, "/v1/schedules"))["schedules"]
        mine = [one for one in listed_ if one["agent" if of.kind == "agents" else "tenant"] == of.name]
        if not mine:
            return f"{of.name} has no schedule"
        wrong = [one["agent"] for one in mine if one["running"] and not value.running]
        if wrong:
            raise NotYet(f"accepted, but {', '.join(wrong)} is still listed as running", after=SOON)
        return f"{len(mine)} schedules are listed as {'running' if value.running else 'paused'}"


PAUSED_SCHEDULES = Schedules.measure("schedules paused")


class ToolOf(RuntimeResource, path="tools/{tool}/block", called="tool {tool}"):
    tool: str


class ToolBlock(SettingValue):
    """For which tenants a tool is blocked."""

    tenants: tuple[str, ...] = ()
    everywhere: bool = False

    def __str__(self) -> str:
        return "blocked for everybody" if self.everywhere else f"blocked for {listed(self.tenants)}" if self.tenants else "not blocked"

    def same(self, other: Self) -> bool:
        return (set(self.tenants), self.everywhere) == (set(other.tenants), other.everywhere)

    def met(self, now: Self) -> bool:
        return now.everywhere or (not self.everywhere and set(self.tenants) <= set(now.tenants))

    def both(self, other: Self) -> Self:
        tenants = tuple(sorted({*self.tenants, *other.tenants}))
        return self.model_copy(update={"tenants": tenants, "everywhere": self.everywhere or other.everywhere})


def _tool_risk(order: Change[ToolOf, ToolBlock] | Restore[ToolOf, ToolBlock], limits: Limits) -> Risk:
    to = order.wanted if isinstance(order, Change) else order.left
    return Risk.C2 if to.everywhere or len(to.tenants) > limits.tenants else Risk.C1


class ToolBlocks(
    RestSetting[ToolOf, ToolBlock], read="agents.tool", change="agents.block_tool", restore="agents.unblock_tool", risk=_tool_risk,
    asks=(Role.OPS_LEAD, Role.SECURITY_LEAD), contains=True,
):  # fmt: skip
    """Tools that are blocked, proven by a session that is refused them."""

    def __init__(self, runtime: AgentRuntime) -> None:
        self.rest, self._runtime = runtime, runtime

    async def shown(self, call: Call, of: ToolOf, value: ToolBlock) -> str:
        if not (value.everywhere or value.tenants):
            return ""
        sessions = (await self.rest.get(call, "/v1/sessions"))["sessions"]
        for one in sessions:
            held = one["quarantined"] or one["revoked"]
            if not held and (value.everywhere or one["tenant"] in value.tenants):
                let_through, status = await self._runtime.let_through(call, one["id"], of.tool)
                if let_through:
                    raise NotYet(f"accepted, but session {one['id']} of {one['tenant']} may still call {of.tool}", after=SOON)
                return f"a session of {one['tenant']} is refused it with {status}"
        return "no session is open that could show it"


BLOCKED = ToolBlocks.measure("tool blocked")


PLATFORM = "all"  # the profile that holds for every tenant, beside its own


class ProfileOf(RuntimeResource, path="tenants/{tenant}/profile", called="the agent profile of {tenant}"):
    """The profile of one tenant; `all`: of every tenant."""

    tenant: str


class Profile(SettingValue):
    """The strict guard chain, outputs checked by a schema, the only tools that may be called (none: all), and those that may not."""

    lists: ClassVar[tuple[str, ...]] = ("allow", "deny")

    strict: bool = False
    schema_validated: bool = False
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = (
            "strict" if self.strict else "usual", "outputs checked by a schema" if self.schema_validated else "",
            f"only {listed(self.allow)}" if self.allow else "", f"without {listed(self.deny)}" if self.deny else "",
        )  # fmt: skip
        return ", ".join(filter(None, said))

    def same(self, other: Self) -> bool:
        switches = (self.strict, self.schema_validated) == (other.strict, other.schema_validated)
        return switches and all(set(getattr(self, name)) == set(getattr(other, name)) for name in self.lists)

    def met(self, now: Self) -> bool:
        allowed = not self.allow or (bool(now.allow) and set(now.allow) <= set(self.allow))
        return now.strict >= self.strict and now.schema_validated >= self.schema_validated and allowed and set(self.deny) <= set(now.deny)

    def both(self, other: Self) -> Self | None:
        """The stricter of each; where both allow some tools only, those that both allow."""
        allow = set(self.allow) & set(other.allow) if self.allow and other.allow else {*self.allow, *other.allow}
        if self.allow and other.allow and not allow:
            return None
        told = {"strict": self.strict or other.strict, "schema_validated": self.schema_validated or other.schema_validated}
        return self.model_copy(update={**told, "allow": tuple(sorted(allow)), "deny": tuple(sorted({*self.deny, *other.deny}))})


def _profile_risk(order: Change[ProfileOf, Profile] | Restore[ProfileOf, Profile], limits: Limits) -> Risk:
    """A whole tenant works otherwise than usual; all of them is for two people (A.3 M6)."""
    return Risk.C3 if order.of.tenant == PLATFORM and isinstance(order, Change) else Risk.C2


class Profiles(
    RestSetting[ProfileOf, Profile], read="agents.profile", change="agents.hold_strictly", restore="agents.loosen", risk=_profile_risk,
    asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER, Role.AI_ML_LEAD), contains=True,
):  # fmt: skip
    """Profiles of tenants, proven by a tool that a session is refused."""

    def __init__(self, runtime: AgentRuntime) -> None:
        self.rest, self._runtime = runtime, runtime

    async def shown(self, call: Call, of: ProfileOf, value: Profile) -> str:
        if not value.deny:
            return ""
        whose = {} if of.tenant == PLATFORM else {"tenant": of.tenant}
        sessions = (await self.rest.get(call, "/v1/sessions", **whose))["sessions"]
        open_ = next((one["id"] for one in sessions if not (one["quarantined"] or one["revoked"])), None)
        if open_ is None:
            return "no session is open that could show it"
        let_through, status = await self._runtime.let_through(call, open_, value.deny[0])
        if let_through:
            raise NotYet(f"accepted, but session {open_} may still call {value.deny[0]}", after=SOON)
        return f"session {open_} is refused {value.deny[0]} with {status}"


STRICT = Profiles.measure("held strictly")
