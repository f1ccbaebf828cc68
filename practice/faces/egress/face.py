"""`/egress`: what may leave the platform, and what really left."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from practice.egress.outbound import SOURCES, Origin, Row, outbound
from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.http.resource import Resource
from practice.world.state import JSON

FACE = own_api(
    "egress", "What may leave the platform: hosts and tools that are denied, and the outbound calls that were really made or refused."
)
HOST = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+")
NAME = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
PAGE = 100


class Denial(Ask):
    """Whether calls there, or by this tool, are refused. A host stands for everything below it too."""

    denied: bool


class DenialShown(Shown):
    """`rule`: the id of the rule that refuses; empty where none does. `allow_listed`: the host is one that the product needs."""

    denied: bool
    rule: str
    allow_listed: bool

    def settable(self) -> JSON:
        return {"denied": self.denied}


def _what(call: Call) -> str:
    """`host/evil.example` or `tool/browser`. A pattern is neither: nothing is ever expanded here."""
    host, tool = call.path.get("host"), call.path.get("tool")
    if host is not None and not HOST.fullmatch(host):
        raise call.refuse(400, "a host is a full name in small letters, and no pattern")
    if tool is not None and not NAME.fullmatch(tool):
        raise call.refuse(400, "a tool is called by letters, digits and _.:-")
    return f"host/{host}" if host is not None else f"tool/{tool}"


def _denial(call: Call) -> DenialShown:
    there, what = outbound(call.state), _what(call)
    listed = there.listed(call.path.get("host", ""))
    return DenialShown(denied=what in there.denied, rule=there.denied.get(what, ""), allow_listed=listed)


def _deny(call: Call, wanted: Denial) -> None:
    outbound(call.state).deny(_what(call), wanted.denied)


Resource(FACE, "hosts", "/egress/v1/hosts/{host}", DenialShown, _denial).takes(Denial, _deny)
Resource(FACE, "tools", "/egress/v1/tools/{tool}", DenialShown, _denial).takes(Denial, _deny)


class ProbeWanted(Ask):
    """From which workload a connection is tried: to a host, or as a tool makes one."""

    workload: str = Field(min_length=1)
    host: str = ""
    tool: str = ""


class ProbeShown(Shown):
    """Whether a connection from there came about; if not, by which rule it was refused (empty: by none, nobody answers)."""

    reached: bool
    rule: str


@FACE.reads("probes.try", "/egress/v1/probes", "POST", models=RouteModels(asks=ProbeWanted, shows=ProbeShown, refuses=(422,)))
def probe(call: Call) -> Reply:
    """Try a connection from a workload, as it would make one itself. Nothing is sent over it."""
    wanted = call.ask(ProbeWanted)
    if not wanted.host and not wanted.tool:
        raise call.invalid("name a host or a tool")
    rule = outbound(call.state).rule(Origin(wanted.workload, wanted.host or "probe.example.com", tool=wanted.tool))
    return Reply(ProbeShown(reached=not rule, rule=rule).model_dump())


class Window(Query):
    """How far back, in seconds; for whom; and the place that the page before told."""

    window: float = Field(3600, gt=0, le=31 * 86400)
    workload: str = ""
    tenant: str = ""
    session: str = ""
    cursor: int = Field(0, ge=0)


class CallShown(Shown):
    """Outbound calls of one kind. `kind`: by a tool, by the workload itself, or by a client that rendered an answer."""

    workload: str
    tenant: str
    session: str
    host: str
    kind: Literal["tool", "fetch", "render"]
    tool: str
    surface: str
    source: str
    outcome: Literal["made", "refused"]
    rule: str
    allow_listed: bool
    n: int
    first_at: str
    last_at: str


class Calls(Shown):
    """What was seen. `sources`: by whom, and whether what it saw can be read; without one of them the list is not whole."""

    calls: list[CallShown]
    sources: dict[str, bool]
    next: int | None


@FACE.reads("calls.list", "/egress/v1/calls", models=RouteModels(query=Window, shows=Calls))
def calls(call: Call) -> Reply:
    """Outbound calls that were really made or refused, the newest first, in pages."""
    asked, there = call.asked(Window), outbound(call.state)
    rows = [row for row in there.rows.values() if _wanted(asked, row, call.now) and row.source not in there.unreadable]
    rows.sort(key=lambda row: (-row.last_at, row.origin.host))
    page = rows[asked.cursor : asked.cursor + PAGE]
    more = asked.cursor + PAGE if len(rows) > asked.cursor + PAGE else None
    sources = {name: name not in there.unreadable for name in SOURCES}
    return Reply(Calls(calls=[_shown(call, row) for row in page], sources=sources, next=more).model_dump())


def _wanted(asked: Window, row: Row, now: float) -> bool:
    origin = row.origin
    given = ((asked.workload, origin.workload), (asked.tenant, origin.tenant), (asked.session, origin.session))
    return row.last_at > now - asked.window and all(wanted in ("", found) for wanted, found in given)


def _shown(call: Call, row: Row) -> CallShown:
    origin, stamp = row.origin, call.world.clock.stamp
    return CallShown(
        workload=origin.workload, tenant=origin.tenant, session=origin.session, host=origin.host, tool=origin.tool, surface=origin.surface,
        kind=origin.kind, source=row.source, outcome=row.outcome, rule=row.rule, n=row.n,
        allow_listed=outbound(call.state).listed(origin.host), first_at=stamp(row.first_at), last_at=stamp(row.last_at),
    )  # fmt: skip
