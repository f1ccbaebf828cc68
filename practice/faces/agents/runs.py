"""Runs of agents: what they do, pausing them with a checkpoint, and ending them with their children."""

from __future__ import annotations

from dataclasses import asdict

from pydantic import Field

from practice.agents.runtime import LIVE, REPEATED, Agent, Cancellation, Run
from practice.faces.agents.base import FACE, run_of, runtime_of
from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.http.resource import Resource
from practice.world.state import JSON


class Effect(Shown):
    """Something that a run has brought about outside. `what` is a hash."""

    tool: str
    what: str
    reversible: bool
    at: str


class RunShown(Shown):
    """A run. `repeats`: how often it called the same tool with the same arguments in a row; `repeated`: which, as a hash."""

    trace: str
    parent: str
    tenant: str
    agent: str
    session: str
    schedule: str
    state: str
    started_at: str
    depth: int
    steps: int
    calls: int
    failed_calls: int
    tokens: float
    repeats: int
    repeated: str
    alternations: int
    checkpoint: str
    side_effects: list[Effect]


class Runs(Shown):
    """Runs, the oldest first; `next` is where the next page begins."""

    runs: list[RunShown]
    next: str | None


class WhichRuns(Query):
    """Whose runs, in which state, from where on."""

    tenant: str | None = None
    agent: str | None = None  # its id
    state: str | None = None
    under: str | None = None  # a trace: itself and its children
    after: str | None = None
    limit: int = Field(100, ge=1, le=500)


@FACE.reads("runs.list", "/agents/v1/runs", models=RouteModels(query=WhichRuns, shows=Runs))
def list_runs(call: Call) -> Reply:
    """Runs, with what they have done."""
    asked, runtime = call.asked(WhichRuns), runtime_of(call)
    among = runtime.tree(asked.under) if asked.under else runtime.runs.values()
    found = sorted(
        (
            run for run in among
            if asked.tenant in (None, run.tenant) and asked.agent in (None, run.agent) and asked.state in (None, run.state)
        ),
        key=lambda run: run.trace,
    )  # fmt: skip
    left = [run for run in found if asked.after is None or run.trace > asked.after]
    page = left[: asked.limit]
    return Reply({"runs": [_row(call, run) for run in page], "next": page[-1].trace if len(left) > len(page) else None})


@FACE.reads("runs.get", "/agents/v1/runs/{trace}", models=RouteModels(shows=RunShown))
def get_run(call: Call) -> Reply:
    """One run."""
    return Reply(_row(call, run_of(call)))


def _row(call: Call, run: Run) -> JSON:
    stamp = call.world.clock.stamp
    return {
        **{name: getattr(run, name) for name in RunShown.model_fields if hasattr(run, name) and name != "side_effects"},
        "started_at": stamp(run.started), "failed_calls": run.failed, "repeated": "/".join(REPEATED) if run.repeats else "",
        "side_effects": [{**asdict(one), "at": stamp(one.at)} for one in run.side_effects],
    }  # fmt: skip


class AgentShown(Shown):
    """An agent of a tenant, and what is usual of it."""

    id: str
    tenant: str
    name: str
    key: str
    tools: list[str]
    autonomous: bool
    tokens_per_minute_usual: float
    tokens_per_call_usual: float


class Agents(Shown):
    agents: list[AgentShown]


class WhichAgents(Query):
    tenant: str | None = None


@FACE.reads("agents.list", "/agents/v1/agents", models=RouteModels(query=WhichAgents, shows=Agents))
def list_agents(call: Call) -> Reply:
    """All agents, or those of one tenant. Two tenants may have one of the same name."""
    tenant = call.asked(WhichAgents).tenant
    return Reply({"agents": [_agent(one) for one in runtime_of(call).agents.values() if tenant in (None, one.tenant)]})


def _agent(one: Agent) -> JSON:
    return {
        "id": one.id, "tenant": one.tenant, "name": one.name, "key": one.key, "tools": one.tools, "autonomous": one.autonomous,
        "tokens_per_minute_usual": one.tokens_per_minute, "tokens_per_call_usual": one.tokens_per_call,
    }  # fmt: skip


class Pausing(Ask):
    """Whether a run rests at a checkpoint."""

    paused: bool


class PauseShown(Shown):
    """A pause, where the run will go on from, and how it is now."""

    paused: bool
    checkpoint: str
    state: str

    def settable(self) -> JSON:
        return {"paused": self.paused}


def _pause(call: Call) -> PauseShown:
    run = run_of(call)
    return PauseShown(paused=run.state == "paused", checkpoint=run.checkpoint, state=run.state)


def _set_pause(call: Call, wanted: Pausing) -> None:
    """Save a checkpoint and pause the run, or let it go on from there."""
    run = run_of(call)
    if run.state not in ("running", "paused"):
        raise call.invalid(f"run {run.trace} is over: it is {run.state}")
    if wanted.paused and run.state == "running":
        run.state, run.checkpoint = "paused", f"ck-{run.trace}-{run.steps}"
    elif not wanted.paused and run.state == "paused":
        run.state = "running"


Resource(FACE, "pause", "/agents/v1/runs/{trace}/pause", PauseShown, _pause).takes(Pausing, _set_pause)


class Cancel(Ask):
    """End a run and its children: they are asked to stop, and terminated after so many seconds. `key`: the same key is the same request."""

    trace: str
    key: str = Field(min_length=1)
    grace_seconds: float = Field(ge=0, le=3600)
    reason: str


class CancellationShown(Shown):
    """How far it is. `going`: traces that have not ended; `terminated`: those that did not stop by themselves."""

    id: str
    key: str
    trace: str
    traces: list[str]
    state: str
    going: list[str]
    terminated: list[str]
    asked_at: str


class Cancellations(Shown):
    cancellations: list[CancellationShown]


class WhichCancellations(Query):
    key: str | None = None


@FACE.writes("cancellations.start", "/agents/v1/cancellations", models=RouteModels(asks=Cancel, shows=CancellationShown, refuses=(404,)))
def cancel(call: Call) -> Reply:
    """Ask a run and its children to end."""
    wanted, runtime = call.ask(Cancel), runtime_of(call)
    known = next((one for one in runtime.cancellations.values() if one.key == wanted.key), None)
    if known is None:
        run = run_of(call.at(trace=wanted.trace))
        tree = [one for one in runtime.tree(run.trace) if one.live or one.state == "paused"]
        if not tree:
            raise call.invalid(f"run {run.trace} is over already: it is {run.state}, and so are its children")
        known = Cancellation(
            f"cx-{call.world.number()}", wanted.key, run.trace, [one.trace for one in tree], call.now, wanted.grace_seconds
        )
        runtime.cancellations[known.id] = known
        for one in tree:
            one.state = "cancelling"
        call.did(f"runs/{run.trace}", {"state": "running"}, {"state": "cancelling"})
    else:
        call.did(f"runs/{known.trace}", {"state": "cancelling"}, {"state": "cancelling"})
    return Reply(_cancellation(call, known))


@FACE.reads("cancellations.list", "/agents/v1/cancellations", models=RouteModels(query=WhichCancellations, shows=Cancellations))
def list_cancellations(call: Call) -> Reply:
    """Cancellations, or that of one key."""
    key = call.asked(WhichCancellations).key
    return Reply({"cancellations": [_cancellation(call, one) for one in runtime_of(call).cancellations.values() if key in (None, one.key)]})


@FACE.reads("cancellations.get", "/agents/v1/cancellations/{id}", models=RouteModels(shows=CancellationShown))
def get_cancellation(call: Call) -> Reply:
    """One cancellation."""
    found = runtime_of(call).cancellations.get(call.path["id"])
    if found is None:
        raise call.refuse(404, f"there is no cancellation {call.path['id']}")
    return Reply(_cancellation(call, found))


def _cancellation(call: Call, one: Cancellation) -> JSON:
    runs = runtime_of(call).runs
    going = [trace for trace in one.traces if trace in runs and runs[trace].state in LIVE]
    shown = {name: getattr(one, name) for name in ("id", "key", "trace", "traces", "state", "terminated")}
    return {**shown, "going": going, "asked_at": call.world.clock.stamp(one.asked)}
