"""What of agents is held by tenant, by agent and by tool: schedules, tools, and how strictly a tenant's agents work."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from practice.agents.runtime import PLATFORM, Profile
from practice.faces.agents.base import FACE, runtime_of
from practice.http.face import Ask, Call, Reply, RouteModels, Shown
from practice.http.resource import Resource


class Scheduling(Ask):
    """Whether the schedules of an agent, or of all agents of a tenant, start runs."""

    running: bool


class ScheduleShown(Shown):
    """A schedule: which agent it starts, and whether it does."""

    agent: str
    tenant: str
    running: bool
    started: int  # runs, of those that are known


class Schedules(Shown):
    schedules: list[ScheduleShown]


@FACE.reads("schedules.list", "/agents/v1/schedules", models=RouteModels(shows=Schedules))
def list_schedules(call: Call) -> Reply:
    """Every schedule that starts runs."""
    runtime, flags = runtime_of(call), call.state.flags
    on = flags["scheduler.enabled"] and flags["orchestrator.autonomy"]
    rows = [
        {"agent": one.id, "tenant": one.tenant, "running": on and runtime.schedules_run(one), "started": len(runtime.of(one.id))}
        for one in runtime.agents.values() if one.autonomous
    ]  # fmt: skip
    return Reply({"schedules": rows})


def _whose(call: Call) -> str:
    kind, name, runtime = call.path["kind"], call.path["name"], runtime_of(call)
    known: dict[str, Collection[str]] = {"agents": runtime.agents, "tenants": call.state.tenants}
    if name not in known.get(kind, ()):
        raise call.refuse(404, f"there is no {name} among the {kind}")
    return name


def _scheduling(call: Call) -> Scheduling:
    return Scheduling(running=not runtime_of(call).paused_schedules.get(_whose(call), False))


def _schedule(call: Call, wanted: Scheduling) -> None:
    """Pause the schedules of an agent or of a tenant, or let them go on. A run that is going goes on."""
    runtime_of(call).paused_schedules[_whose(call)] = not wanted.running


Resource(FACE, "schedules", "/agents/v1/schedules/{kind}/{name}", Scheduling, _scheduling).takes(Scheduling, _schedule)


class Blocking(Ask):
    """The tenants for which a tool is blocked; none: for nobody. `everywhere`: for all of them."""

    tenants: list[str]
    everywhere: bool


def _tool(call: Call) -> str:
    tool = call.path["tool"]
    if not any(tool in agent.tools for agent in runtime_of(call).agents.values()):
        raise call.refuse(404, f"no agent has a tool {tool}")
    return tool


def _blocked(call: Call) -> Blocking:
    found = runtime_of(call).blocked_tools.get(_tool(call))
    return Blocking(tenants=found or [], everywhere=found == [])


def _block(call: Call, wanted: Blocking) -> None:
    """Block a tool for some tenants, or for all."""
    unknown = [name for name in wanted.tenants if name not in call.state.tenants]
    if unknown:
        raise call.invalid(f"unknown tenants: {', '.join(unknown)}")
    blocked = runtime_of(call).blocked_tools
    if wanted.everywhere or wanted.tenants:
        blocked[_tool(call)] = [] if wanted.everywhere else sorted(wanted.tenants)
    else:
        blocked.pop(_tool(call), None)


Resource(FACE, "tools", "/agents/v1/tools/{tool}/block", Blocking, _blocked).takes(Blocking, _block)


class Strictness(Ask):
    """How strictly a tenant's agents work: the strict guard chain, outputs checked by a schema, the only tools that may be called, and those
    that may not."""

    strict: bool
    schema_validated: bool
    allow: list[str]
    deny: list[str]


def _profile(call: Call) -> Strictness:
    if call.path["tenant"] not in (*call.state.tenants, PLATFORM):
        raise call.refuse(404, f"there is no tenant {call.path['tenant']}")
    found = runtime_of(call).profiles.get(call.path["tenant"], Profile())
    return Strictness(strict=found.strict, schema_validated=found.schema_validated, allow=found.allow, deny=found.deny)


def _set_profile(call: Call, wanted: Strictness) -> None:
    """Hold a tenant's agents more strictly, or less; those of every tenant where the name is `all`."""
    _profile(call)
    kept = Profile(**wanted.model_dump(include=set(Strictness.model_fields)))
    runtime_of(call).profiles[call.path["tenant"]] = replace(kept, allow=sorted(kept.allow), deny=sorted(kept.deny))


Resource(FACE, "profile", "/agents/v1/tenants/{tenant}/profile", Strictness, _profile).takes(Strictness, _set_profile)
