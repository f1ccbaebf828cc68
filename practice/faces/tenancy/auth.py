"""`/auth/api/v1/auth`: sign-in of our own product (seed §1.5). Sessions are revoked by the instant before which they were issued."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from practice.http.face import Ask, Call, Query, Refusal, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.tenancy.cast import tenancy
from practice.tenancy.model import Auth, AuthSession, Revocation
from practice.world.clock import from_rfc3339

FACE = own_api("auth", "Sign-in of our own product: sessions, and their bulk revocation by the instant before which they were issued.")
OF = "/auth/api/v1/auth"
LOOKS = 2
Instant = Annotated[float, BeforeValidator(from_rfc3339), WithJsonSchema({"type": "string", "format": "date-time"})]


class RevokeAll(Ask):
    """Whose sessions die: of one user of a tenant, or of a whole tenant. What was issued before `revoked_before` is dead; service accounts may
    be left out. There is no call for everybody: whoever means everybody goes tenant by tenant, so that sign-in holds."""

    tenant: str = Field(min_length=1, max_length=200)
    user: str = Field(max_length=200)
    revoked_before: Instant
    exclude_service_accounts: bool


class RevocationShown(Shown):
    """How far it is: `running` or `done`; `left`: sessions that are alive still."""

    id: str
    state: str
    revoked: int
    left: int


class Revocations(Shown):
    revocations: list[RevocationShown]


class SessionShown(Shown):
    id: str
    user: str
    tenant: str
    issued_at: datetime
    service_account: bool


class Sessions(Shown):
    sessions: list[SessionShown]


class ByKey(Query):
    key: str


class OfTenant(Query):
    tenant: str


class Checked(Shown):
    """Whether a token and the refresh token of a session are taken."""

    access: bool
    refresh: bool


def _auth(call: Call) -> Auth:
    return tenancy(call.state, call.now).auth


@FACE.writes(
    "revoke_all", OF + "/sessions/revoke_all", models=RouteModels(asks=RevokeAll, shows=RevocationShown, headers={"Idempotency-Key": True})
)
def revoke_all(call: Call) -> Reply:
    """Begin to revoke. The same key again is the same revocation."""
    wanted, auth = call.ask(RevokeAll), _auth(call)
    key = call.headers.get("idempotency-key", "")
    if not key:
        raise call.refuse(400, "send an Idempotency-Key")
    if not any(one.tenant == wanted.tenant for one in auth.sessions.values()):
        raise call.refuse(404, f"nobody of {wanted.tenant} has ever signed in")
    found = auth.revocations.get(key)
    if found is None:
        asked = {**wanted.model_dump(), "revoked_before": call.world.clock.to_world(wanted.revoked_before)}
        found = auth.revocations[key] = Revocation(f"rev-{len(auth.revocations) + 1}", key, asked)
        _end(auth, found)
    call.did(f"sessions/{wanted.tenant}", None, found.id)
    return Reply(_shown(found).model_dump(), 202)


def _end(auth: Auth, one: Revocation) -> None:
    """Sessions are dead at once; how many they were is counted while somebody looks."""
    place = one.asked["tenant"] + (f"/{one.asked['user']}" if one.asked["user"] else "")
    before = [s for s in auth.sessions.values() if _meant(one, s) and auth.alive(s)]
    auth.not_before[place] = max(auth.not_before.get(place, 0.0), one.asked["revoked_before"])
    one.revoked = sum(not auth.alive(s) for s in before)


def _meant(one: Revocation, session: AuthSession) -> bool:
    asked = one.asked
    mine = session.tenant == asked["tenant"] and asked["user"] in ("", session.user)
    return mine and session.issued < asked["revoked_before"] and not session.service_account


@FACE.reads("revocations.list", OF + "/revocations", models=RouteModels(query=ByKey, shows=Revocations))
def find(call: Call) -> Reply:
    """Those that were begun under a key."""
    key = call.asked(ByKey).key
    found = [_shown(one) for one in _auth(call).revocations.values() if one.key == key]
    return Reply(Revocations(revocations=found).model_dump())


@FACE.reads("revocations.get", OF + "/revocations/{revocation}", models=RouteModels(shows=RevocationShown))
def get(call: Call) -> Reply:
    """How far one is."""
    found = next((one for one in _auth(call).revocations.values() if one.id == call.path["revocation"]), None)
    if found is None:
        raise call.refuse(404, f"there is no revocation {call.path['revocation']}")
    found.looks += 1
    return Reply(_shown(found).model_dump())


@FACE.reads("sessions.list", OF + "/sessions", models=RouteModels(query=OfTenant, shows=Sessions))
def sessions(call: Call) -> Reply:
    """Every session of a tenant that is alive."""
    tenant, auth = call.asked(OfTenant).tenant, _auth(call)
    alive = [one for one in auth.sessions.values() if one.tenant == tenant and auth.alive(one)]
    shown = [
        {
            "id": one.id, "user": one.user, "tenant": one.tenant, "issued_at": call.world.clock.stamp(one.issued),
            "service_account": one.service_account,
        }
        for one in alive
    ]  # fmt: skip
    return Reply({"sessions": shown})


@FACE.reads("sessions.check", OF + "/sessions/{session}/check", models=RouteModels(shows=Checked))
def check(call: Call) -> Reply:
    """Try a session's tokens where they are checked: an old one must be refused, and so must its refresh token."""
    auth = _auth(call)
    found = auth.sessions.get(call.path["session"])
    if found is None:
        raise Refusal(call.refuse(404, f"there is no session {call.path['session']}").reply)
    taken = auth.alive(found)
    return Reply(Checked(access=taken, refresh=taken).model_dump())


def _shown(one: Revocation) -> RevocationShown:
    state = "done" if one.looks >= LOOKS else "running"
    return RevocationShown(id=one.id, state=state, revoked=one.revoked, left=one.left)
