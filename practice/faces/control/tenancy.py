"""`/practice`, continued: the hands on tenancy. What leaks and how, what was shipped against it, and what nobody can see."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal, get_args

from pydantic import Field

from practice.faces.control.face import FACE
from practice.http.face import Ask, Call, Reply
from practice.tenancy.cast import tenancy
from practice.tenancy.leaking import begin
from practice.tenancy.model import KINDS, Fix

Kind = Literal["missing_where", "pooled", "cache_key", "cdn", "sessions"]
assert get_args(Kind) == KINDS  # noqa: S101 - a new leak is named in both


class BreakTenancy(Ask):
    """How data crosses from now on, and by which endpoints (the usual ones, unless they are named)."""

    kind: Kind
    endpoints: list[str] = Field(default_factory=list)


class Ship(Ask):
    """A build against it. `breaks`: tenants do not read their own data by it. `still`: endpoints that it has forgotten."""

    build: str = "api-fixed"
    service: bool = True
    database: bool = True
    breaks: bool = False
    still: list[str] = Field(default_factory=list)


class Turn(Ask):
    """What people cannot see; what is left out stays as it is."""

    unlogged: bool | None = None
    two_homes: str | None = None
    unreadable: bool | None = None
    tests_away: bool | None = None
    layer_unknown: bool | None = None


@FACE.writes("tenancy.break", "/practice/tenancy-faults")
def break_tenancy(call: Call) -> Reply:
    """Let data cross."""
    wanted, there = call.ask(BreakTenancy), tenancy(call.state, call.now)
    if unknown := sorted(set(wanted.endpoints) - there.endpoints.keys()):
        raise call.refuse(404, f"there is no endpoint {', '.join(unknown)}")
    begin(call.state, there, wanted.kind, wanted.endpoints, call.now)
    call.did("tenancy", None, wanted.model_dump())
    return Reply({"leaks": [asdict(one) for one in there.leaks]})


@FACE.writes("tenancy.ship", "/practice/tenancy-fixes")
def ship(call: Call) -> Reply:
    """What people ship against it."""
    wanted, there = call.ask(Ship), tenancy(call.state, call.now)
    before, there.fix = there.fix, Fix(**wanted.model_dump())
    call.did("tenancy/fix", asdict(before), asdict(there.fix))
    return Reply(asdict(there.fix))


@FACE.writes("tenancy.turn", "/practice/tenancy-dials")
def turn(call: Call) -> Reply:
    """Take away what people could see."""
    there = tenancy(call.state, call.now)
    for name, value in call.ask(Turn).model_dump(exclude_none=True).items():
        setattr(there.dials, name, value)
    call.did("tenancy/dials", None, asdict(there.dials))
    return Reply(asdict(there.dials))


@FACE.reads("tenancy", "/practice/tenancy")
def look(call: Call) -> Reply:
    """All of it."""
    there = tenancy(call.state, call.now)
    shown = asdict(there)
    del shown["auth"]["sessions"]
    return Reply(shown)
