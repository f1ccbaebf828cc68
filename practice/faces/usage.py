"""`/usage`: our own meter of model calls by trace, kept where the calls pass and not where the agents run."""

from __future__ import annotations

from pydantic import Field

from practice.agents.runtime import Run, Runtime
from practice.http.face import Call, Query, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.world.state import JSON

FACE = own_api("usage", "The meter of model calls by trace: what each trace has used, and when it called last.")


class TraceShown(Shown):
    """What one trace has used. Rates are those of the last quarter of a minute."""

    trace: str
    parent: str
    tenant: str
    agent: str
    key: str
    calls: int
    failed_calls: int
    tokens: float
    usd: float
    tokens_per_minute: float
    usd_per_hour: float
    last_call_at: str | None


class Traces(Shown):
    """Traces, those that spend most first. `observed_at`: up to when calls were counted."""

    traces: list[TraceShown]
    total: int
    observed_at: str


class Wanted(Query):
    """Whose traces, and how many of them."""

    tenant: str | None = None
    agent: str | None = None  # its id
    under: str | None = None  # a trace: itself and everything below it
    limit: int = Field(50, ge=1, le=500)


@FACE.reads("traces.list", "/usage/v1/traces", models=RouteModels(query=Wanted, shows=Traces))
def list_traces(call: Call) -> Reply:
    """The traces that were metered, those that spend most first."""
    asked, runtime = call.asked(Wanted), call.state.part(Runtime)
    among = runtime.tree(asked.under) if asked.under else list(runtime.runs.values())
    if asked.under and not among:
        raise call.refuse(404, f"no call was ever metered under {asked.under}")
    found = [run for run in among if asked.tenant in (None, run.tenant) and asked.agent in (None, run.agent)]
    found.sort(key=lambda run: (-run.usd_per_hour, -run.usd, run.trace))
    return Reply({"traces": [_row(call, run) for run in found[: asked.limit]], "total": len(found), "observed_at": _counted(call)})


def _counted(call: Call) -> str:
    """The world's calls are counted every 15 seconds; a blind meter stands still."""
    times = call.world.metrics.times
    return call.world.clock.stamp(times[-1] if times else call.now)


def _row(call: Call, run: Run) -> JSON:
    at = run.last_call_at
    return {
        "trace": run.trace, "parent": run.parent, "tenant": run.tenant, "agent": run.agent, "key": run.key, "calls": run.calls,
        "failed_calls": run.failed, "tokens": run.tokens, "usd": run.usd, "tokens_per_minute": run.tokens_per_minute,
        "usd_per_hour": run.usd_per_hour, "last_call_at": None if at is None else call.world.clock.stamp(at),
    }  # fmt: skip
