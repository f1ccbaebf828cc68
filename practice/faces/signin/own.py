"""`/auth/api/v1/auth`, continued: a second factor, limits of attempts, who has tried what, and accounts that must choose another password."""

from __future__ import annotations

from pydantic import Field

from practice.faces.tenancy.auth import FACE, OF
from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.http.resource import held
from practice.signin.model import Account, Factor, Limits, SignIn, TenantSignIn
from practice.tenancy.cast import tenancy

PAGE = 100


def _tenant(call: Call) -> TenantSignIn:
    name = call.path["tenant"]
    if not any(one.tenant == name for one in tenancy(call.state, call.now).auth.sessions.values()):
        raise call.refuse(404, f"nobody of {name} has ever signed in")
    return call.state.part(SignIn).of(name)


held(FACE, "step_up", OF + "/step-up/{tenant}", Factor, _tenant, "factor")
held(FACE, "limits", OF + "/limits/{tenant}", Limits, _tenant, "limits")


class ProbeAsked(Ask):
    tenant: str = Field(min_length=1, max_length=200)


class ProbeShown(Shown):
    """What a sign-in to an account of ours in this tenant is asked for."""

    second_factor: bool


@FACE.reads("probes.try", OF + "/probes", "POST", models=RouteModels(asks=ProbeAsked, shows=ProbeShown))
def probe(call: Call) -> Reply:
    """Begin to sign in with an account of ours, and leave it at that."""
    asked = _tenant(call.at(tenant=call.ask(ProbeAsked).tenant)).factor.asked
    return Reply(ProbeShown(second_factor=asked).model_dump())


class Window(Query):
    """How far back, in seconds, and the place that the page before told."""

    window: float = Field(600, gt=0, le=86400)
    cursor: int = Field(0, ge=0)


class AttemptsShown(Shown):
    """Attempts to sign in to one account from one address. `account`: an id that says nobody's name."""

    tenant: str
    account: str
    address: str
    good: bool
    n: int


class AttemptsPage(Shown):
    attempts: list[AttemptsShown]
    next: int | None


@FACE.reads("attempts.list", OF + "/attempts", models=RouteModels(query=Window, shows=AttemptsPage))
def attempts(call: Call) -> Reply:
    """Who has tried what, by account and address, in pages."""
    asked = call.asked(Window)
    rows = [
        AttemptsShown(tenant=one.tenant, account=name, address=address, good=good, n=n)
        for name, one in sorted(call.state.part(SignIn).accounts.items())
        if one.last_at > call.now - asked.window
        for good, counts in ((True, one.good), (False, one.failed))
        for address, n in counts.items()
    ]
    more = asked.cursor + PAGE if len(rows) > asked.cursor + PAGE else None
    return Reply(AttemptsPage(attempts=rows[asked.cursor : asked.cursor + PAGE], next=more).model_dump())


class OfTenant(Query):
    tenant: str


class AccountShown(Shown):
    """Whether an account must choose another password, and how many sessions it has."""

    must_reset: bool
    sessions: int


def _sessions(call: Call, tenant: str, account: str) -> int:
    auth, user = tenancy(call.state, call.now).auth, account.rpartition(".")[2]
    return sum(one.tenant == tenant and one.user == user and auth.alive(one) and not one.service_account for one in auth.sessions.values())


@FACE.reads("accounts.get", OF + "/accounts/{account}", models=RouteModels(query=OfTenant, shows=AccountShown))
def account(call: Call) -> Reply:
    """One account of a tenant."""
    tenant, name = call.asked(OfTenant).tenant, call.path["account"]
    known = call.state.part(SignIn).accounts.get(name)
    return Reply(AccountShown(must_reset=bool(known and known.must_reset), sessions=_sessions(call, tenant, name)).model_dump())


class ResetAsked(Ask):
    tenant: str = Field(min_length=1, max_length=200)


@FACE.writes("accounts.reset", OF + "/accounts/{account}/reset", models=RouteModels(asks=ResetAsked, shows=AccountShown))
def reset(call: Call) -> Reply:
    """Let one account choose another password at its next sign-in, and end its sessions. There is no call for several."""
    tenant, name = call.ask(ResetAsked).tenant, call.path["account"]
    known = call.state.part(SignIn).accounts.setdefault(name, Account(tenant))
    before, known.must_reset = known.must_reset, True
    tenancy(call.state, call.now).auth.not_before[f"{tenant}/{name.rpartition('.')[2]}"] = call.now
    call.did(f"auth/accounts/{name}", before, True)
    return Reply(AccountShown(must_reset=True, sessions=_sessions(call, tenant, name)).model_dump())
