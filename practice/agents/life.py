"""How runs begin and end: ordinary ones one after the other, those that a trouble makes, and what was cancelled."""

from __future__ import annotations

from practice.agents.cast import opened
from practice.agents.runtime import Agent, Cancellation, Run, Runtime, SideEffect, Trouble
from practice.world.state import State

LASTS = 1_200.0
"""Seconds of an ordinary run."""
KEPT = 1
"""Runs of an agent that are kept after they have ended."""
SHARES = (0.5, 0.25, 0.25)  # of what a trouble uses: the run itself, and each of its children
LONG_AGO = 11 * 86_400.0
"""A slow burn began eleven days ago."""


def begun_and_ended(state: State, runtime: Runtime, at: float) -> None:
    """Everything that begins or ends by itself up to this instant."""
    for cancellation in runtime.cancellations.values():
        if cancellation.state == "asked":
            _cancel(runtime, cancellation, at)
    live: dict[str, list[Run]] = {}
    for run in list(runtime.runs.values()):
        if run.state == "running" and not run.kind and at - run.started >= LASTS:
            run.end("done", at)
        if run.live or run.state == "paused":
            live.setdefault(run.agent, []).append(run)
    for agent in runtime.agents.values():
        ordinary = sum(not run.kind for run in live.get(agent.id, ()))
        if ordinary < agent.parallel and _starts(state, runtime, agent):
            for _ in range(agent.parallel - ordinary):
                _start(runtime, agent, at, agent.tokens_per_minute)
            _forget(runtime, agent)
    for trouble in runtime.troubles:
        _trouble(state, runtime, trouble, at)


def _starts(state: State, runtime: Runtime, agent: Agent) -> bool:
    """Whether new runs of it begin: those of autonomous agents by a schedule."""
    flags = state.flags
    return not agent.autonomous or (flags["scheduler.enabled"] and flags["orchestrator.autonomy"] and runtime.schedules_run(agent))


def _start(runtime: Runtime, agent: Agent, at: float, wants: float, kind: str = "", parent: Run | None = None) -> Run:
    trace, session = f"tr-{runtime.number():06x}", opened(runtime, agent, at)
    run = Run(
        trace, agent.tenant, agent.id, session.id, agent.key, at, wants, parent=parent.trace if parent else "",
        root=(parent.root or parent.trace) if parent else "", schedule=f"every-10-min.{agent.id}" if agent.autonomous else "", kind=kind,
        depth=parent.depth + 1 if parent else 0,
    )  # fmt: skip
    runtime.runs[trace] = run
    return run


def _forget(runtime: Runtime, agent: Agent) -> None:
    cancelled = {trace for one in runtime.cancellations.values() for trace in one.traces}
    over = sorted(
        (run for run in runtime.of(agent.id) if run.ended and not run.live and run.trace not in cancelled), key=lambda run: run.ended or 0
    )
    for run in over[:-KEPT]:
        del runtime.runs[run.trace]


def _trouble(state: State, runtime: Runtime, trouble: Trouble, at: float) -> None:
    """Begin what a trouble makes; a schedule begins it again when it was ended, unless somebody holds the schedule."""
    agent = runtime.agents[trouble.agent]
    if trouble.kind == "launch":
        agent.parallel = round(trouble.factor) if trouble.active(at) else 1
        runtime.users[agent.tenant] = trouble.factor if trouble.active(at) else 1.0
        return
    going = [
        runtime.runs[trace]
        for trace in trouble.traces
        if trace in runtime.runs and runtime.runs[trace].state in ("running", "cancelling", "paused")
    ]
    if not trouble.active(at):
        for run in going:
            run.end("done", at)
        return
    if going or (trouble.traces and not (agent.autonomous and _starts(state, runtime, agent))):
        return
    wants = agent.tokens_per_minute * (trouble.factor - 1)
    root = _start(runtime, agent, at, wants * SHARES[0], trouble.kind)
    if trouble.kind == "slow":
        root.started, root.steps, root.wants = at - LONG_AGO, 3_000, wants
    root.side_effects.append(SideEffect("mail.send" if agent.autonomous else "tickets.create", "b7e2c1", agent.autonomous is False, at))
    children = [_start(runtime, agent, at, wants * share, trouble.kind, root) for share in SHARES[1:] if trouble.kind != "slow"]
    trouble.traces = [root.trace, *(child.trace for child in children)]


def _cancel(runtime: Runtime, cancellation: Cancellation, at: float) -> None:
    """Runs end at their next step after they were asked to; those that do not are terminated when the grace is over."""
    over, traces = at - cancellation.asked > cancellation.grace_seconds, cancellation.traces
    for trace in traces:
        run = runtime.runs.get(trace)
        if run is None or run.state != "cancelling" or runtime.dials.cancel_ignored:
            continue
        if not run.stubborn:
            run.end("cancelled", at)
        elif over:
            run.end("terminated", at)
            cancellation.terminated.append(trace)
        run.calls_on = run.calls_on or (bool(run.parent) and runtime.dials.children_call_on and not run.live)
    if all(trace not in runtime.runs or runtime.runs[trace].state != "cancelling" for trace in traces):
        cancellation.state = "done"
