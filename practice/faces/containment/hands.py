"""`/practice`, continued: the hands on containment. What takes a rule and does nothing, what nobody can try, and how long a copy takes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field

from practice.containment.cast import there
from practice.containment.model import Containment
from practice.containment.simulation import audited, isolated, restricted
from practice.faces.control.face import FACE
from practice.http.face import Ask, Call, Reply


class Turn(Ask):
    """What is left out stays as it is. By asset: `leaky` takes rules and does nothing, `dark` cannot be tried, `walled` lets no forensics in.

    `unenforced`: regions whose network plugin does nothing of policies; `deaf`: scopes whose log takes nothing; `copied_in`: world seconds that
    a copy of a disk takes; `failed`: copies that break.
    """

    leaky: list[str] | None = None
    dark: list[str] | None = None
    walled: list[str] | None = None
    unenforced: list[str] | None = None
    deaf: list[str] | None = None
    copied_in: Annotated[float, Field(gt=0)] | None = None
    failed: list[str] | None = None


@FACE.writes("containment.turn", "/practice/containment-dials")
def turn(call: Call) -> Reply:
    """Turn them."""
    wanted, found = call.ask(Turn), there(call.state, call.now)
    for name in ("leaky", "dark", "walled"):
        if (named := getattr(wanted, name)) is not None:
            for asset in found.assets.values():
                setattr(asset, name, asset.name in named)
    if wanted.deaf is not None:
        for scope, log in found.logs.items():
            log.deaf = scope in wanted.deaf
    found.unenforced = found.unenforced if wanted.unenforced is None else wanted.unenforced
    found.copied_in = wanted.copied_in or found.copied_in
    for name in wanted.failed or ():
        found.snapshots[name].failed = True
    call.did("containment/dials", None, wanted.model_dump(exclude_none=True))
    return Reply(_shown(call, found))


@FACE.reads("containment", "/practice/containment")
def look(call: Call) -> Reply:
    """Who is cut off, who is logged, whose access is narrowed, and the copies; no names of people."""
    return Reply(_shown(call, there(call.state, call.now)))


def _shown(call: Call, found: Containment) -> dict[str, Any]:
    return {
        "isolated": [name for name in found.assets if isolated(call.state, name, call.now)],
        "audited": [scope for scope in found.logs if audited(call.state, scope)],
        "restricted": [scope for scope in found.projects if restricted(call.state, scope, call.real())],
        "snapshots": [asdict(one) for one in found.snapshots.values()],
        "unenforced": found.unenforced, "copied_in": found.copied_in,
    }  # fmt: skip
