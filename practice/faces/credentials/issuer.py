"""An issuer of our own: API keys, OAuth grants, signing keys (the id is the kid), users of databases. A value is shown once, when it is made."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from practice.credentials.keys import make, revoke
from practice.credentials.model import OWN, Key
from practice.faces.credentials.base import FACE, OF, own_key, presented, there_of
from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.http.own_api import conflict, problem

PAGE = 50


class MakeKey(Ask):
    """A key for a subject. Among living keys a label is there once: the second request is refused with 409, and shows no value."""

    subject: str = Field(min_length=1, max_length=200)
    label: str = Field(min_length=1, max_length=300)
    scopes: list[str]
    lasting_seconds: float = Field(gt=0)


class Made(Shown):
    id: str
    value: str


class KeyShown(Shown):
    """`uses`: who was let in by it, and when last."""

    id: str
    subject: str
    label: str
    scopes: list[str]
    revoked: bool
    created_at: datetime
    uses: dict[str, datetime]


class Keys(Shown):
    """`next`: the offset of the next page; null on the last one."""

    keys: list[KeyShown]
    next: int | None


class OfSubject(Query):
    subject: str
    offset: int = Field(0, ge=0)


class Who(Shown):
    id: str
    scopes: list[str]


@FACE.reads("keys.list", OF + "/keys", models=RouteModels(query=OfSubject, shows=Keys))
def listed(call: Call) -> Reply:
    """The keys of a subject, also those that were revoked."""
    asked = call.asked(OfSubject)
    found = [one for one in there_of(call).keys.values() if one.issuer == OWN and one.subject == asked.subject]
    page = found[asked.offset : asked.offset + PAGE]
    more = asked.offset + PAGE if len(found) > asked.offset + PAGE else None
    return Reply(Keys(keys=[_shown(call, one) for one in page], next=more).model_dump(mode="json"))


@FACE.reads("keys.get", OF + "/keys/{key}", models=RouteModels(shows=KeyShown))
def get(call: Call) -> Reply:
    return Reply(_shown(call, own_key(call)).model_dump(mode="json"))


@FACE.writes("keys.make", OF + "/keys", models=RouteModels(asks=MakeKey, shows=Made))
def make_key(call: Call) -> Reply:
    """Make a key; the answer is the only place where its value is shown."""
    wanted, there = call.ask(MakeKey), there_of(call)
    if any(one.label == wanted.label and one.revoked is None for one in there.keys.values()):
        raise conflict("label_taken", f"a living key bears the label {wanted.label}")
    found = make(there, call.world.number(), OWN, wanted.subject, wanted.label, wanted.scopes, call.now)
    call.did(f"keys/{found.subject}", None, found.id)
    return Reply(Made(id=found.id, value=found.value).model_dump(), 201)


@FACE.writes("keys.revoke", OF + "/keys/{key}/revoke", models=RouteModels(shows=KeyShown))
def revoke_key(call: Call) -> Reply:
    """Revoke it: from now on it lets nobody in here. Once more does nothing."""
    found = own_key(call)
    before = found.revoked is not None
    revoke(there_of(call), call.state.fleet, found, call.now)
    call.did(f"keys/{found.id}", before, True)
    return Reply(_shown(call, found).model_dump(mode="json"))


@FACE.reads("whoami", OF + "/whoami", models=RouteModels(shows=Who, headers={"X-Credential": True}))
def whoami(call: Call) -> Reply:
    """Whom a key lets in: 401 when it is no key, or not any more."""
    found, there = presented(call), there_of(call)
    if found is None or not there.lets_in(found):
        return problem(401, "unauthorized", "that key lets nobody in")
    return Reply(Who(id=found.id, scopes=found.scopes).model_dump())


def _shown(call: Call, one: Key) -> KeyShown:
    stamp = call.world.clock.stamp
    return KeyShown.model_validate(
        {
            "id": one.id, "subject": one.subject, "label": one.label, "scopes": one.scopes, "revoked": one.revoked is not None,
            "created_at": stamp(one.made), "uses": {name: stamp(at) for name, at in one.uses.items()},
        }
    )  # fmt: skip
