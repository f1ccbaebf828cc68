"""`/practice/outbound`: who calls outside without being asked to, and what does not do as it is told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from practice.egress.outbound import Flow, Origin, outbound
from practice.faces.control.face import FACE
from practice.http.face import Ask, Call, Reply


class SetFlow(Ask):
    """Calls from now on. `session` and `tenant`: in whose name; `surface`: where a client renders it (`kind` render)."""

    workload: str = "agents"
    host: str
    kind: Literal["tool", "fetch", "render"] = "tool"
    tenant: str = ""
    session: str = ""
    tool: str = ""
    surface: str = ""
    per_minute: float = Field(4.0, gt=0, le=6000)
    after_seconds: float = Field(0, ge=0)
    for_seconds: float | None = Field(None, gt=0)


class Behaviour(Ask):
    """What is not as it should be: a proxy that does not enforce, clients that render all the same, sources that cannot be read."""

    enforced: bool | None = None
    honoured: bool | None = None
    unreadable: list[Literal["proxy", "cdn", "client"]] | None = None
    allowed: list[str] | None = None


@FACE.writes("outbound.flow", "/practice/outbound/flows")
def set_flow(call: Call) -> Reply:
    wanted = call.ask(SetFlow)
    origin = Origin(**wanted.model_dump(include={"workload", "host", "kind", "tenant", "session", "tool", "surface"}))
    since = call.now + wanted.after_seconds
    until = None if wanted.for_seconds is None else since + wanted.for_seconds
    outbound(call.state).flows.append(Flow(origin, wanted.per_minute, since, until))
    call.did("outbound/flows", None, wanted.model_dump())
    return Reply({"flows": len(outbound(call.state).flows)})


@FACE.writes("outbound.clear", "/practice/outbound/flows", "DELETE")
def clear_flows(call: Call) -> Reply:
    there = outbound(call.state)
    before, there.flows = len(there.flows), []
    call.did("outbound/flows", before, 0)
    return Reply({"flows": 0})


@FACE.writes("outbound.behave", "/practice/outbound")
def behave(call: Call) -> Reply:
    wanted, there = call.ask(Behaviour).model_dump(exclude_none=True), outbound(call.state)
    before = {name: getattr(there, name) for name in wanted}
    for name, value in wanted.items():
        setattr(there, name, value)
    call.did("outbound", before, wanted)
    return Reply(wanted)
