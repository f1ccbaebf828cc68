"""`/keycloak`: a realm for each tenant (keycloak.org, Admin REST API). Users with their sessions; logging one out dates what it was issued."""

from __future__ import annotations

from typing import Any

from practice.http.face import Call, Face, Reply
from practice.signin.model import SignIn
from practice.tenancy.cast import tenancy
from practice.tenancy.model import Auth, AuthSession

FACE = Face(
    "keycloak",
    refused=lambda status, message: Reply({"error": message}, status),
    unauthorised=lambda headers: Reply({"error": "HTTP 401 Unauthorized"}, 401),
)
REALM = "/keycloak/admin/realms/{realm}"
SERVICE = "service-account-"


def _auth(call: Call) -> Auth:
    return tenancy(call.state, call.now).auth


def _of_realm(call: Call) -> list[AuthSession]:
    found = [one for one in _auth(call).sessions.values() if one.tenant == call.path["realm"]]
    if not found:
        raise call.refuse(404, "Realm not found.")
    return found


def _users(call: Call) -> dict[str, str]:
    """Id → name. Service accounts are users as well."""
    return {f"{one.tenant}.{one.user}": f"{SERVICE}{one.user}" if one.service_account else one.user for one in _of_realm(call)}


def _user(call: Call) -> str:
    if call.path["user"] not in _users(call):
        raise call.refuse(404, "User not found")
    return call.path["user"].rpartition(".")[2]


@FACE.reads("realm", REALM)
def realm(call: Call) -> Reply:
    _of_realm(call)
    there = call.state.part(SignIn).of(call.path["realm"])
    guarded = {"bruteForceProtected": there.limits.per_account is not None, "failureFactor": there.limits.per_account or 30}
    return Reply(
        {"id": call.path["realm"], "realm": call.path["realm"], "enabled": True, "notBefore": 0, "browserFlow": there.flow, **guarded}
    )


@FACE.reads("users", REALM + "/users")
def users(call: Call) -> Reply:
    """A page of users: `first`, `max` (100 unless it is said)."""
    first, most = int(call.one("first") or 0), int(call.one("max") or 100)
    shown = [_told(call, id, name) for id, name in sorted(_users(call).items())]
    return Reply(shown[first : first + most])


@FACE.reads("users.get", REALM + "/users/{user}")
def user(call: Call) -> Reply:
    _user(call)
    return Reply(_told(call, call.path["user"], _users(call)[call.path["user"]]))


def _told(call: Call, id: str, name: str) -> dict[str, Any]:
    tenant, _, who = id.rpartition(".")
    dated = _auth(call).not_before.get(f"{tenant}/{who}", 0.0)
    not_before = int(call.world.clock.to_real(dated)) if dated else 0
    service = {"serviceAccountClientId": name.removeprefix(SERVICE)} if name.startswith(SERVICE) else {}
    known = call.state.part(SignIn).accounts.get(id)
    actions = [*known.actions, *(["UPDATE_PASSWORD"] if known.must_reset else [])] if known else []
    return {"id": id, "username": name, "enabled": True, "notBefore": not_before, "requiredActions": actions, **service}


@FACE.reads("users.sessions", REALM + "/users/{user}/sessions")
def user_sessions(call: Call) -> Reply:
    """Those that are alive; `start` in milliseconds since 1970."""
    who, auth = _user(call), _auth(call)
    mine = [one for one in _of_realm(call) if one.user == who and auth.alive(one)]
    return Reply([{"id": one.id, "userId": call.path["user"], "username": who, "start": _ms(call, one.issued)} for one in mine])


def _ms(call: Call, at: float) -> int:
    return int(1000 * call.world.clock.to_real(at))


@FACE.writes("users.logout", REALM + "/users/{user}/logout")
def logout(call: Call) -> Reply:
    """End the user's sessions, and refuse what was issued before now."""
    who, auth, place = _user(call), _auth(call), f"{call.path['realm']}/{call.path['user'].rpartition('.')[2]}"
    before = auth.not_before.get(place, 0.0)
    auth.not_before[place] = call.now
    call.did(f"realms/{call.path['realm']}/users/{who}", before, call.now)
    return Reply(None, 204)
