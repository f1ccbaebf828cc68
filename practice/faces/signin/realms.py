"""`/keycloak`, continued: the flow that a realm signs in with, its brute force detection, its events, and required actions of users."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from practice.faces.tenancy.keycloak import FACE, REALM
from practice.faces.tenancy.keycloak import realm as shown_realm
from practice.faces.tenancy.keycloak import user as shown_user
from practice.http.face import Ask, Call, Reply
from practice.signin.model import Account, SignIn
from practice.world.state import JSON

USUAL, WITH_FACTOR = "browser", "browser-second-factor"


class RealmAsked(Ask):
    """Fields that are not given stay."""

    browserFlow: str | None = None  # noqa: N815 - as Keycloak spells it
    bruteForceProtected: bool | None = None  # noqa: N815
    failureFactor: int | None = Field(None, ge=1)  # noqa: N815


class UserAsked(Ask):
    requiredActions: list[str]  # noqa: N815


@FACE.writes("realm.update", REALM, "PUT")
def update_realm(call: Call) -> Reply:
    """A flow that is not there is refused."""
    shown_realm(call)
    wanted, there = call.ask(RealmAsked), call.state.part(SignIn).of(call.path["realm"])
    before: JSON = {"flow": there.flow, "per_account": there.limits.per_account}
    if wanted.browserFlow is not None:
        if wanted.browserFlow not in (USUAL, WITH_FACTOR):
            raise call.refuse(400, f"Authentication flow {wanted.browserFlow} not found")
        there.flow, there.factor.asked = wanted.browserFlow, wanted.browserFlow == WITH_FACTOR and not call.state.part(SignIn).dials.hollow
    if wanted.bruteForceProtected is not None:
        there.limits.per_account = (wanted.failureFactor or 30) if wanted.bruteForceProtected else None
    call.did(f"realms/{call.path['realm']}", before, {"flow": there.flow, "per_account": there.limits.per_account})
    return Reply(None, 204)


@FACE.reads("flows.executions", REALM + "/authentication/flows/{flow}/executions")
def executions(call: Call) -> Reply:
    shown_realm(call)
    if call.path["flow"] not in (USUAL, WITH_FACTOR):
        raise call.refuse(404, "Flow not found")
    steps: list[dict[str, Any]] = [
        {"providerId": "auth-cookie", "requirement": "ALTERNATIVE", "level": 0},
        {"providerId": "auth-username-password-form", "requirement": "REQUIRED", "level": 1},
    ]
    if call.path["flow"] == WITH_FACTOR and not call.state.part(SignIn).dials.hollow:
        steps.append({"providerId": "auth-otp-form", "requirement": "REQUIRED", "level": 1})
    return Reply(steps)


@FACE.reads("events.config", REALM + "/events/config")
def events_config(call: Call) -> Reply:
    shown_realm(call)
    return Reply({"eventsEnabled": call.path["realm"] not in call.state.part(SignIn).dials.no_events, "eventsExpiration": 86400})


@FACE.reads("events", REALM + "/events")
def events(call: Call) -> Reply:
    """A page of them: `type` (may be given twice), `dateFrom` (milliseconds), `first`, `max` (100 unless it is said)."""
    shown_realm(call)
    kinds, first, most = call.query.get("type", ()), int(call.one("first") or 0), int(call.one("max") or 100)
    since = float(call.one("dateFrom") or 0) / 1000
    found = [
        {"time": int(1000 * call.world.clock.to_real(one.last_at)), "type": kind, "realmId": call.path["realm"], "userId": name, "ipAddress": address}
        for name, one in sorted(call.state.part(SignIn).accounts.items())
        if one.tenant == call.path["realm"] and call.world.clock.to_real(one.last_at) >= since
        for kind, counts in (("LOGIN", one.good), ("LOGIN_ERROR", one.failed))
        for address, n in counts.items()
        for _ in range(min(n, 40))
        if not kinds or kind in kinds
    ]  # fmt: skip
    return Reply(found[first : first + most])


@FACE.writes("users.update", REALM + "/users/{user}", "PUT")
def update_user(call: Call) -> Reply:
    shown_user(call)
    name, wanted = call.path["user"], call.ask(UserAsked).requiredActions
    known = call.state.part(SignIn).accounts.setdefault(name, Account(call.path["realm"]))
    before = [*known.actions, *(["UPDATE_PASSWORD"] if known.must_reset else [])]
    known.must_reset, known.actions = "UPDATE_PASSWORD" in wanted, [one for one in wanted if one != "UPDATE_PASSWORD"]
    call.did(f"realms/{call.path['realm']}/users/{name}", before, wanted)
    return Reply(None, 204)
