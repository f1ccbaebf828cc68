"""`/practice`, continued: the hands on a breach. Who comes in, what they leave behind, what is claimed, and what nobody can see."""

from __future__ import annotations

from dataclasses import asdict

from pydantic import Field

from practice.faces.breach.footholds import Kind
from practice.faces.control.face import FACE
from practice.http.face import Ask, Call, Reply
from practice.intrusion.cast import intrusion
from practice.intrusion.faults import ROWS, USUAL, claim, intrude, leave
from practice.intrusion.ways import ways_in


class Intrude(Ask):
    """Somebody has the exporter's credential, reads by it, and has left these behind."""

    rows: int = Field(ROWS, ge=1)
    footholds: list[Kind] = Field(default_factory=lambda: list(USUAL))  # type: ignore[arg-type]  # names of classes


class Leave(Ask):
    """One thing more to come back by. `hidden_for`: world seconds in which nobody sees it."""

    kind: Kind
    hidden_for: float = Field(0, ge=0)
    reads_chat: bool = False
    sticks: bool = False


class MakeClaim(Ask):
    """Somebody claims to have records, and shows some: real ones, or made up."""

    id: str
    true: bool = True
    samples: int = Field(5, ge=0)


class Turn(Ask):
    """What people cannot see; what is left out stays as it is. `log_hours`: so many hours the log reaches back."""

    unchecked: list[Kind] | None = None
    unread: list[str] | None = None
    gap: bool | None = None
    log_hours: float | None = None
    sluggish: float | None = None


@FACE.writes("breach.intrude", "/practice/intrusions")
def come_in(call: Call) -> Reply:
    wanted = call.ask(Intrude)
    there = intrude(call.state, call.now, rows=wanted.rows, footholds=tuple(wanted.footholds))
    call.did("intrusion", None, wanted.model_dump())
    return Reply({"footholds": list(there.footholds)})


@FACE.writes("breach.leave", "/practice/footholds")
def leave_behind(call: Call) -> Reply:
    wanted, there = call.ask(Leave), intrusion(call.state, call.now)
    made = leave(there, wanted.kind, call.now, hidden_for=wanted.hidden_for, reads_chat=wanted.reads_chat)
    made.sticks = wanted.sticks
    call.did(f"footholds/{made.id}", None, wanted.model_dump())
    return Reply({"foothold": made.id})


@FACE.writes("breach.claim", "/practice/claims")
def make_claim(call: Call) -> Reply:
    wanted = call.ask(MakeClaim)
    claim(intrusion(call.state, call.now), wanted.id, true=wanted.true, n=wanted.samples)
    call.did(f"claims/{wanted.id}", None, wanted.model_dump())
    return Reply({"claim": wanted.id})


@FACE.writes("breach.turn", "/practice/breach-dials")
def turn(call: Call) -> Reply:
    there, wanted = intrusion(call.state, call.now), call.ask(Turn).model_dump(exclude_none=True)
    hours = wanted.pop("log_hours", None)
    if hours is not None:
        there.dials.log_begins = call.now - 3600.0 * hours
    for name, value in wanted.items():
        setattr(there.dials, name, value)
    call.did("intrusion/dials", None, asdict(there.dials))
    return Reply(asdict(there.dials))


@FACE.reads("breach", "/practice/breach")
def look(call: Call) -> Reply:
    """Who is in, by what, and how much has been read."""
    there = intrusion(call.state, call.now)
    rows = sum(one.rows for one in there.reads if there.intruder is not None and one.identity == there.intruder.identity)
    return Reply({
        "ways_in": ways_in(call.state, there, call.now), "rows": rows, "footholds": {id: asdict(one) for id, one in there.footholds.items()},
        "intruder": None if there.intruder is None else asdict(there.intruder), "dials": asdict(there.dials),
    })  # fmt: skip
