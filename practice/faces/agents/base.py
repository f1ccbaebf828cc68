"""What all routes of the agent runtime share."""

from __future__ import annotations

from practice.agents.runtime import Run, Runtime, Session
from practice.http.face import Call
from practice.http.own_api import own_api

FACE = own_api("agents", "The agent runtime: sessions, runs, schedules and tools of agents; what of them is held, and how they are ended.")


def runtime_of(call: Call) -> Runtime:
    return call.state.part(Runtime)


def run_of(call: Call) -> Run:
    found = runtime_of(call).runs.get(call.path["trace"])
    if found is None:
        raise call.refuse(404, f"there is no run {call.path['trace']}")
    return found


def session_of(call: Call) -> Session:
    found = runtime_of(call).sessions.get(call.path["session"])
    if found is None:
        raise call.refuse(404, f"there is no session {call.path['session']}")
    return found
