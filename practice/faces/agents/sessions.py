"""Sessions of agents: what is in them, holding them as they are, and taking their tokens away."""

from __future__ import annotations

from dataclasses import asdict

from practice.agents.runtime import PLATFORM, REPEATED, Profile, Session
from practice.faces.agents.base import FACE, runtime_of, session_of
from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.http.own_api import problem
from practice.http.resource import Resource
from practice.injection.attacks import Trace, injections
from practice.world.state import JSON


class SessionShown(Shown):
    """A session. `user` is a hash; what was said in it is in its export only. `score`: the highest that the guardrails gave a text in it."""

    id: str
    tenant: str
    agent: str
    user: str
    opened_at: str
    quarantined: bool
    revoked: bool
    traces: list[str]
    score: float
    rule: str
    trips: int


class Sessions(Shown):
    sessions: list[SessionShown]


class WhichSessions(Query):
    tenant: str | None = None
    agent: str | None = None


class SessionExport(Shown):
    """Everything in a session: its turns, the runs that worked in it, what it read, what its tools did, what it has remembered, what the
    guardrails said. The last four are null where no trace of it was kept."""

    session: SessionShown
    turns: list[str]
    runs: list[dict[str, object]]
    retrieved: list[dict[str, object]] | None
    tool_calls: list[dict[str, object]] | None
    memory_writes: list[dict[str, object]] | None
    guardrail: list[dict[str, object]] | None
    versions: dict[str, str]


def _row(call: Call, one: Session) -> JSON:
    traces = [run.trace for run in runtime_of(call).runs.values() if run.session == one.id]
    shown = {name: getattr(one, name) for name in ("id", "tenant", "agent", "user", "quarantined", "revoked")}
    trips = injections(call.state).traces.get(one.id, Trace()).trips
    worst = max(trips, key=lambda trip: trip.score, default=None)
    judged = {"score": worst.score if worst else 0.0, "rule": worst.rule if worst else "", "trips": len(trips)}
    return {**shown, "opened_at": call.world.clock.stamp(one.opened), "traces": traces, **judged}


@FACE.reads("sessions.list", "/agents/v1/sessions", models=RouteModels(query=WhichSessions, shows=Sessions))
def list_sessions(call: Call) -> Reply:
    """Sessions, without what was said in them."""
    asked = call.asked(WhichSessions)
    found = [one for one in runtime_of(call).sessions.values() if asked.tenant in (None, one.tenant) and asked.agent in (None, one.agent)]
    return Reply({"sessions": [_row(call, one) for one in found]})


@FACE.reads("sessions.get", "/agents/v1/sessions/{session}", models=RouteModels(shows=SessionShown))
def get_session(call: Call) -> Reply:
    """One session."""
    return Reply(_row(call, session_of(call)))


@FACE.reads("sessions.export", "/agents/v1/sessions/{session}/export", models=RouteModels(shows=SessionExport))
def export(call: Call) -> Reply:
    """Everything in a session, for evidence."""
    one = session_of(call)
    runs = [
        {"trace": run.trace, "state": run.state, "steps": run.steps, "tools": [REPEATED[0]] * bool(run.repeats), "checkpoint": run.checkpoint}
        for run in runtime_of(call).runs.values() if run.session == one.id
    ]  # fmt: skip
    serves = call.state.providers[next(iter(call.state.route.weights))].model
    versions = {"model": serves, "prompt": "assistant-7", "guard": "chain-3"}
    return Reply({"session": _row(call, one), "turns": one.turns, "runs": runs, **_traced(call, one.id), "versions": versions})


def _traced(call: Call, session: str) -> JSON:
    """What is known of it beside its turns; nothing at all where no traces are kept."""
    there, stamp = injections(call.state), call.world.clock.stamp
    if not there.kept:
        return dict.fromkeys(("retrieved", "tool_calls", "memory_writes", "guardrail"))
    trace = there.traces.get(session, Trace())
    return {
        "retrieved": [asdict(one) for one in trace.read],
        "tool_calls": [{**asdict(one), "at": stamp(one.at)} for one in trace.calls],
        "memory_writes": [{"store": store, "document": document} for store, document in trace.writes],
        "guardrail": [{**asdict(one), "at": stamp(one.at)} for one in trace.trips],
    }


class Quarantining(Ask):
    """Whether a session is held as it is, and why: nothing in it may call a tool or a model."""

    quarantined: bool
    reason: str


def _quarantine(call: Call) -> Quarantining:
    one = session_of(call)
    return Quarantining(quarantined=one.quarantined, reason=one.reason)


def _set_quarantine(call: Call, wanted: Quarantining) -> None:
    """Hold a session as it is, or let it go on."""
    one = session_of(call)
    one.quarantined, one.reason = wanted.quarantined, wanted.reason if wanted.quarantined else ""


Resource(FACE, "quarantine", "/agents/v1/sessions/{session}/quarantine", Quarantining, _quarantine).takes(Quarantining, _set_quarantine)


class Revoking(Ask):
    """Whether the tokens are revoked by which a session calls tools and models. They do not come back: a new session gets new ones."""

    revoked: bool


def _revoked(call: Call) -> Revoking:
    return Revoking(revoked=session_of(call).revoked)


def _revoke(call: Call, wanted: Revoking) -> None:
    """Revoke a session's tokens."""
    one = session_of(call)
    if one.revoked and not wanted.revoked:
        raise call.invalid("revoked tokens do not come back: open a new session")
    one.revoked = wanted.revoked


Resource(FACE, "tokens", "/agents/v1/sessions/{session}/tokens", Revoking, _revoked).takes(Revoking, _revoke)


class ToolCall(Ask):
    """A harmless call of a tool, with the tokens of a session: to see whether it is let through."""

    tool: str


class ToolAnswer(Shown):
    allowed: bool


@FACE.reads(
    "sessions.try", "/agents/v1/sessions/{session}/try", "POST",
    models=RouteModels(asks=ToolCall, shows=ToolAnswer, refuses=(401, 403)),
)  # fmt: skip
def try_tool(call: Call) -> Reply:
    """Call a tool as a session would, without any effect: 401 where its tokens are revoked, 403 where it or the tool is held."""
    one, tool = session_of(call), call.ask(ToolCall).tool
    if one.revoked:
        return problem(401, "unauthorized", "the session's tokens are revoked")
    if one.quarantined:
        return problem(403, "quarantined", f"session {one.id} is quarantined")
    if runtime_of(call).blocked(tool, one.tenant) or runtime_of(call).profiles.get(PLATFORM, Profile()).refuses(tool):
        return problem(403, "tool_blocked", f"{tool} is blocked for {one.tenant}")
    return Reply({"allowed": True})
