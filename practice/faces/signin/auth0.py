"""`/auth0/api/v2`: of Auth0's Management API (auth0.com/docs/api/management/v2), organisations, sessions and refresh tokens of users.

A deletion is accepted (202), and done at the second look after it. Lists have checkpoints: `take`, `from`, `next`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from practice.http.face import Call, Face, Query, Reply
from practice.tenancy.cast import tenancy
from practice.tenancy.model import Auth, AuthSession
from practice.world.state import JSON

NAMES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}


def _error(status: int, message: str) -> Reply:
    return Reply({"statusCode": status, "error": NAMES.get(status, "Internal Server Error"), "message": message}, status)


FACE = Face(
    "auth0",
    refused=_error,
    invalid=lambda problems: _error(400, "; ".join(problems)),
    unauthorised=lambda headers: _error(401, "Invalid token"),
    throttled=lambda: _error(429, "Global limit has been reached"),
)
OF = "/auth0/api/v2"
LOOKS = 1  # lists that show it still, after a deletion was accepted


@dataclass
class Pending:
    """What was asked for and is not done yet: user/what → how often it was looked at since, and the instant of the request."""

    asked: dict[str, list[float]] = field(default_factory=dict)
    refresh_before: dict[str, float] = field(default_factory=dict)  # user → refresh tokens from before are gone
    slow: int = LOOKS


class Checkpoint(Query):
    take: int = 50


def _auth(call: Call) -> Auth:
    return tenancy(call.state, call.now).auth


def _id(session: AuthSession) -> str:
    return f"auth0|{session.tenant}.{session.user}"


def _sessions(call: Call) -> list[AuthSession]:
    """Of people: machines have none."""
    return [one for one in _auth(call).sessions.values() if not one.service_account]


def _user(call: Call) -> str:
    user = call.path["user"]
    if user not in {_id(one) for one in _sessions(call)}:
        raise call.refuse(404, "The user does not exist.")
    return user


def _place(user: str) -> str:
    tenant, _, name = user.removeprefix("auth0|").rpartition(".")
    return f"{tenant}/{name}"


def _settled(call: Call, user: str, what: str) -> None:
    """At each look: what was accepted is done when it has been looked at often enough."""
    pending = call.state.part(Pending)
    asked = pending.asked.get(f"{user}/{what}")
    if asked is None:
        return
    asked[0] += 1
    if asked[0] <= pending.slow:
        return
    del pending.asked[f"{user}/{what}"]
    if what == "sessions":
        before = _auth(call).not_before
        before[_place(user)] = max(before.get(_place(user), 0.0), asked[1])
    else:
        pending.refresh_before[user] = asked[1]


def _page(call: Call, name: str, rows: list[JSON]) -> Reply:
    start, most = int(call.one("from") or 0), int(call.one("take") or 50)
    if most > 100:
        raise call.refuse(400, "take must be at most 100")
    more = {"next": str(start + most)} if start + most < len(rows) else {}
    return Reply({name: rows[start : start + most], **more})


def _stamp(call: Call, at: float) -> str:
    return call.world.clock.stamp(at)


@FACE.reads("organizations.byName", OF + "/organizations/name/{name}")
def organization(call: Call) -> Reply:
    name = call.path["name"]
    if not any(one.tenant == name for one in _sessions(call)):
        raise call.refuse(404, "No organization found by that name")
    return Reply({"id": f"org_{name}", "name": name, "display_name": name.title()})


@FACE.reads("organizations.members", OF + "/organizations/{organization}/members")
def members(call: Call) -> Reply:
    tenant = call.path["organization"].removeprefix("org_")
    users = sorted({_id(one) for one in _sessions(call) if one.tenant == tenant})
    return _page(call, "members", [{"user_id": one, "name": "…"} for one in users])


@FACE.reads("users.sessions", OF + "/users/{user}/sessions")
def sessions(call: Call) -> Reply:
    user, auth = _user(call), _auth(call)
    _settled(call, user, "sessions")
    alive = [one for one in _sessions(call) if _id(one) == user and auth.alive(one)]
    return _page(call, "sessions", [_shown(call, one) for one in alive])


def _shown(call: Call, one: AuthSession) -> JSON:
    at = _stamp(call, one.issued)
    return {"id": one.id, "user_id": _id(one), "created_at": at, "authenticated_at": at, "clients": [{"client_id": "app"}]}


@FACE.reads("users.refreshTokens", OF + "/users/{user}/refresh-tokens")
def refresh_tokens(call: Call) -> Reply:
    """They outlive their sessions."""
    user = _user(call)
    _settled(call, user, "refresh-tokens")
    before = call.state.part(Pending).refresh_before.get(user, 0.0)
    alive = [one for one in _sessions(call) if _id(one) == user and one.issued >= before]
    rows: list[dict[str, Any]] = [
        {"id": f"rt-{one.id}", "user_id": user, "created_at": _stamp(call, one.issued), "session_id": one.id, "client_id": "app"}
        for one in alive
    ]
    return _page(call, "tokens", rows)


@FACE.reads("sessions.get", OF + "/sessions/{session}")
def session(call: Call) -> Reply:
    found = next((one for one in _sessions(call) if one.id == call.path["session"] and _auth(call).alive(one)), None)
    if found is None:
        raise call.refuse(404, "The session does not exist.")
    return Reply(_shown(call, found))


@FACE.writes("users.sessions.delete", OF + "/users/{user}/sessions", "DELETE")
def end_sessions(call: Call) -> Reply:
    return _accepted(call, "sessions")


@FACE.writes("users.refreshTokens.delete", OF + "/users/{user}/refresh-tokens", "DELETE")
def end_refresh_tokens(call: Call) -> Reply:
    return _accepted(call, "refresh-tokens")


def _accepted(call: Call, what: str) -> Reply:
    user = _user(call)
    call.state.part(Pending).asked.setdefault(f"{user}/{what}", [0, call.now])
    call.did(f"auth0/{user}/{what}", None, "accepted")
    return Reply(None, 202)
