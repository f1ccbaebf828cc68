"""Undoing what a tool did for an attacker, and replaying a captured attack in the sandbox: only counts come out of it."""

from __future__ import annotations

from pydantic import Field

from practice.faces.agents.base import FACE, runtime_of, session_of
from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.injection.attacks import Replay, ToolCall, injections
from practice.injection.guard import judged
from practice.injection.simulation import refused, strictness
from practice.injection.variants import BENIGN, TRANSFORMATIONS, variants
from practice.world.state import JSON

TAKES = 30.0  # world seconds of a replay
TIMES = 25  # how often each benign text is asked


class ToolCallShown(Shown):
    """A call of a tool. Arguments are a hash; `external`: it has changed something that others own; `state`: `done` or `undone`."""

    id: str
    session: str
    tool: str
    args: str
    reversible: bool
    external: bool
    state: str


def _call_of(call: Call) -> ToolCall:
    found = injections(call.state).call(call.path["call"])
    if found is None:
        raise call.refuse(404, f"there is no tool call {call.path['call']}")
    return found


def _shown(one: ToolCall) -> JSON:
    return {name: getattr(one, name) for name in ToolCallShown.model_fields}


@FACE.reads("tool_calls.get", "/agents/v1/tool-calls/{call}", models=RouteModels(shows=ToolCallShown))
def get_call(call: Call) -> Reply:
    """One call of a tool, and whether what it did was undone."""
    return Reply(_shown(_call_of(call)))


class Undo(Ask):
    """Undo what a call did, in the system of the tool's owner. `key`: the same key is the same request."""

    key: str = Field(min_length=1)
    reason: str


@FACE.writes("tool_calls.undo", "/agents/v1/tool-calls/{call}/undo", models=RouteModels(asks=Undo, shows=ToolCallShown, refuses=(404,)))
def undo(call: Call) -> Reply:
    """Undo what a call did. Once it is undone, the same again changes nothing."""
    call.ask(Undo)
    one = _call_of(call)
    if not one.reversible:
        raise call.invalid(f"{one.tool} {one.id} cannot be undone")
    before, one.state = one.state, "undone"
    call.did(f"tool-calls/{one.id}", before, "undone")
    return Reply(_shown(one))


class Start(Ask):
    """Replay the attack that was captured in a session, and other ways to say it, against what holds now. `key`: the same key is the same replay."""

    key: str = Field(min_length=1)
    session: str


class ReplayShown(Shown):
    """A replay. Counts of variants and of benign texts; no text."""

    id: str
    key: str
    session: str
    state: str
    variants: int
    transformations: int
    bypassed: int
    benign: int
    benign_refused: int
    benign_refused_usually: int


class Replays(Shown):
    replays: list[ReplayShown]


class WhichReplays(Query):
    key: str | None = None


COUNTS = ("variants", "transformations", "bypassed", "benign", "benign_refused", "benign_refused_usually")


@FACE.writes("replays.start", "/agents/v1/replays", models=RouteModels(asks=Start, shows=ReplayShown, refuses=(404,)))
def start(call: Call) -> Reply:
    """Begin a replay. Refused where nothing was captured in the session."""
    wanted, there = call.ask(Start), injections(call.state)
    found = next((one for one in there.replays.values() if one.key == wanted.key), None)
    if found is None:
        session = session_of(call.at(session=wanted.session))
        if not (session.id in there.traces and there.traces[session.id].read and there.kept):
            raise call.invalid(f"nothing was captured in session {session.id}")
        found = Replay(f"rp-{call.world.number()}", wanted.key, session.id, "running", call.now + TAKES)
        there.replays[found.id] = found
    call.did(f"replays/{found.id}", None, found.session)
    return Reply(_told(call, found))


@FACE.reads("replays.list", "/agents/v1/replays", models=RouteModels(query=WhichReplays, shows=Replays))
def list_replays(call: Call) -> Reply:
    """Replays, or that of one key."""
    key = call.asked(WhichReplays).key
    return Reply({"replays": [_told(call, one) for one in injections(call.state).replays.values() if key in (None, one.key)]})


@FACE.reads("replays.get", "/agents/v1/replays/{id}", models=RouteModels(shows=ReplayShown))
def get_replay(call: Call) -> Reply:
    """One replay."""
    found = injections(call.state).replays.get(call.path["id"])
    if found is None:
        raise call.refuse(404, f"there is no replay {call.path['id']}")
    return Reply(_told(call, found))


def _told(call: Call, one: Replay) -> JSON:
    done = call.now >= one.due
    counts = _counted(call, one) if done else dict.fromkeys(COUNTS, 0)
    return {"id": one.id, "key": one.key, "session": one.session, "state": "done" if done else "running", **counts}


def _counted(call: Call, one: Replay) -> dict[str, int]:
    """What the replay has shown: counted once, when it ended."""
    if not one.counts:
        there, state = injections(call.state), call.state
        tenant, trace = runtime_of(call).sessions[one.session].tenant, there.traces[one.session]
        how = strictness(state, tenant)
        said = [text for read in trace.read for _, text in variants(read.text)]
        tools = {made.tool for made in trace.calls} or {"mail.send"}
        open_ = [tool for tool in tools if not refused(state, tool, tenant)]
        usually = sum(judged(text, "usual").blocked for text in BENIGN) * TIMES
        now = sum(judged(text, how).blocked for text in BENIGN) * TIMES + round(there.fix.refuses_more * len(BENIGN) * TIMES)
        one.counts = {
            "variants": len(said), "transformations": len(TRANSFORMATIONS) - 1,
            "bypassed": sum(not judged(text, how).blocked for text in said) if open_ else 0,
            "benign": len(BENIGN) * TIMES, "benign_refused": now, "benign_refused_usually": usually,
        }  # fmt: skip
    return one.counts
