"""`/footholds`: what somebody may have left behind to come back by, class by class; switched off and never deleted, and tried."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from practice.http.face import Call, Query, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.http.resource import held
from practice.intrusion.cast import intrusion
from practice.intrusion.model import KINDS, Foothold, Holding
from practice.intrusion.ways import lets_in

FACE = own_api(
    "footholds",
    "What an intruder may have left behind: identities, keys, OAuth apps, mail rules, CI workflows, scheduled jobs, agent configurations. A class "
    "that nobody could look through says so. What is found is switched off, and kept as it is.",
)
OF = "/footholds/v1"
PAGE = 20
Kind = Literal["identity", "key", "oauth", "mail_rule", "ci", "schedule", "agent"]


class Checked(Shown):
    """One class. `checked`: all of it was looked through; `found`: so many were made or changed since."""

    kind: Kind
    checked: bool
    found: int


class Classes(Shown):
    classes: list[Checked]


class Since(Query):
    since: datetime
    kind: Kind | None = None
    offset: int = Field(0, ge=0)


class FootholdShown(Shown):
    """`reads_chat`: whoever holds it can read our chat. `enabled`: it is not switched off."""

    id: str
    kind: Kind
    name: str
    made_at: datetime
    reads_chat: bool
    enabled: bool


class Footholds(Shown):
    """`next`: the offset of the next page; null on the last one."""

    footholds: list[FootholdShown]
    next: int | None


class Tried(Shown):
    """Whether somebody comes in by it, as tried from an isolated place."""

    lets_in: bool


def _find(call: Call) -> Foothold:
    found = intrusion(call.state, call.now).footholds.get(call.path["foothold"])
    if found is None:
        raise call.refuse(404, f"there is no {call.path['foothold']}")
    return found


def _seen(call: Call, since: datetime) -> list[Foothold]:
    """What was made since an instant (real time), and what is still hidden from everybody is not among it."""
    begins = call.world.clock.to_world(since.timestamp())
    return [one for one in intrusion(call.state, call.now).footholds.values() if one.made >= begins and one.hidden_until <= call.now]


@FACE.reads("classes.list", OF + "/classes", models=RouteModels(query=Since, shows=Classes))
def classes(call: Call) -> Reply:
    """Each class: whether it was looked through, and how many were found."""
    asked, unread = call.asked(Since), intrusion(call.state, call.now).dials.unchecked
    seen = _seen(call, asked.since)
    shown = [
        Checked(kind=kind, checked=kind not in unread, found=sum(one.kind == kind for one in seen if kind not in unread)) for kind in KINDS
    ]
    return Reply(Classes(classes=shown).model_dump())


@FACE.reads("footholds.list", OF + "/footholds", models=RouteModels(query=Since, shows=Footholds))
def everything(call: Call) -> Reply:
    """What was made or changed since an instant, by nobody who may."""
    asked, unread = call.asked(Since), intrusion(call.state, call.now).dials.unchecked
    found = [one for one in _seen(call, asked.since) if one.kind not in unread and asked.kind in (None, one.kind)]
    last = asked.offset + PAGE >= len(found)
    shown = [_shown(call, one) for one in found[asked.offset : asked.offset + PAGE]]
    return Reply(Footholds(footholds=shown, next=None if last else asked.offset + PAGE).model_dump(mode="json"))


def _shown(call: Call, one: Foothold) -> FootholdShown:
    made = datetime.fromisoformat(call.world.clock.stamp(one.made))
    return FootholdShown(id=one.id, kind=one.kind, name=one.name, made_at=made, reads_chat=one.reads_chat, enabled=one.state.enabled)


@FACE.reads("footholds.try", OF + "/footholds/{foothold}/try", "POST", models=RouteModels(shows=Tried))
def attempt(call: Call) -> Reply:
    """Try to come in by it. Nothing is done there."""
    return Reply(Tried(lets_in=lets_in(_find(call))).model_dump())


held(FACE, "state", OF + "/footholds/{foothold}/state", Holding, _find, "state")
