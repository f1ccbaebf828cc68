"""Sessions that are revoked: by our own auth and by Keycloak, with what either does wrong; service accounts always go on."""

from datetime import timedelta
from functools import partial

import pytest

from activities.action import Risk, action_of
from activities.organisation.policy import Policy
from activities.sessions.auth import AuthService
from activities.sessions.keycloak import Keycloak
from activities.sessions.sessions import IssuedOf, Revocations, RevokeSessions, Sessions, SessionStore
from practice.tenancy.cast import tenancy
from practice.tenancy.model import AuthSession
from tests.activities.kit.stage import FollowingClock, Stage, refused, stage, tried

TENANT = "canary-eu-1"


def store_of(played: Stage, name: str) -> SessionStore:
    return AuthService(played.client("/auth")) if name == "auth" else Keycloak(played.client("/keycloak"))


def alive(played: Stage, tenant: str = TENANT) -> dict[str, AuthSession]:
    auth = tenancy(played.world.state, 0).auth
    return {one.id: one for one in auth.sessions.values() if one.tenant == tenant and auth.alive(one)}


async def revoked(played: Stage, name: str, **more: object) -> tuple[str, list[Exception]]:
    order = RevokeSessions.model_validate({"tenant": TENANT, "revoked_before": played.call().at, **more})
    effect, broke = await tried(Revocations.run, Revocations(store_of(played, name), FollowingClock()), order, played.call(key="k"))
    return effect.proven_by, broke


@pytest.mark.parametrize("name", ["auth", "keycloak"])
async def test_a_tenant_is_signed_out_and_its_service_account_goes_on(name: str) -> None:
    played = stage()
    others = alive(played, "canary-eu-2")
    proven, _ = await revoked(played, name)
    assert [one.user for one in alive(played).values()] == ["svc"] and "1 service accounts go on" in proven
    assert alive(played, "canary-eu-2") == others, "nobody else was signed out"


@pytest.mark.parametrize("name", ["auth", "keycloak"])
async def test_one_user_alone(name: str) -> None:
    played = stage()
    await revoked(played, name, user="user-1")
    assert {one.user for one in alive(played).values()} == {"user-2", "svc"}


@pytest.mark.parametrize("name", ["auth", "keycloak"])
async def test_what_was_issued_since_stays_alive_with_our_own_auth_and_is_ended_by_keycloak_only_where_something_is_old(name: str) -> None:
    """An instant, not a list. Keycloak can only end all sessions of a user: it does so where one of them is from before."""
    played = stage()
    auth = tenancy(played.world.state, 0).auth
    new = AuthSession("s-new", "user-3", TENANT, played.world.clock.now() - 10)
    auth.sessions[new.id] = new
    await revoked(played, name, revoked_before=played.call().at - timedelta(minutes=1))
    assert new.id in alive(played)


@pytest.mark.parametrize("mode", ["fail", "commit_then_drop", "hang"])
async def test_keycloak_ends_each_session_once_whatever_happens(mode: str) -> None:
    played = stage()
    played.inject("keycloak.users.logout", mode, times=1)
    _, broke = await revoked(played, "keycloak")
    assert broke and len(played.effects("keycloak.users.logout")) == 2, "two users, and neither twice"


async def test_nothing_changed_is_never_an_effect() -> None:
    played = stage()
    played.inject("keycloak.users.logout", "nothing_changed", times=None)
    system = Revocations(store_of(played, "keycloak"), _Impatient(played))
    order = RevokeSessions(tenant=TENANT, revoked_before=played.call().at)
    with pytest.raises(AssertionError, match="not done after"):
        await tried(Revocations.run, system, order, played.call(key="k"), tries=2)
    assert len(alive(played)) == 3


async def test_everybody_is_never_one_call_and_nothing_that_is_to_come_is_revoked() -> None:
    played = stage()
    system, at = Revocations(store_of(played, "auth"), FollowingClock()), played.call().at
    for tenant in ("", "*", "all"):
        order = RevokeSessions(tenant=tenant, revoked_before=at)
        assert "tenant by tenant" in await refused(partial(tried, Revocations.run, system, order, played.call(key="k")))
    later = RevokeSessions(tenant=TENANT, revoked_before=at + timedelta(hours=1))
    assert "has passed" in await refused(lambda: tried(Revocations.run, system, later, played.call(key="k")))


def test_a_few_tenants_are_narrow_and_more_are_for_two_people() -> None:
    limits, at = Policy().limits, stage().call().at
    risk = action_of(Revocations.run).risk
    assert risk(RevokeSessions(tenant="a", revoked_before=at, tenants=limits.tenants), limits) is Risk.C1
    assert risk(RevokeSessions(tenant="a", revoked_before=at, tenants=limits.tenants + 1), limits) is Risk.C3


class _Impatient(FollowingClock):
    """Waits a few times, and then no longer."""

    def __init__(self, played: Stage) -> None:
        self._left = 3

    async def sleep(self, duration: timedelta) -> None:
        self._left -= 1
        if self._left < 0:
            raise TimeoutError("nobody waits for ever")


@pytest.mark.parametrize("name", ["auth", "keycloak"])
async def test_who_has_signed_in_since_is_counted_and_whom_nobody_can_read_is_unknown_and_not_none(name: str) -> None:
    played = stage()
    users = [one for one in alive(played).values() if not one.service_account]
    sessions, call = Sessions(store_of(played, name)), played.call()
    long_ago = IssuedOf(tenants=(TENANT, "canary-eu-2"), since=call.at - timedelta(days=30))
    assert (await sessions.issued(long_ago, call)).by[TENANT] == len(users) > 0
    later = await sessions.issued(long_ago.model_copy(update={"since": call.at + timedelta(days=1)}), call)
    assert later.none == (TENANT, "canary-eu-2"), "service accounts do not count"
    played.inject("auth.sessions.list" if name == "auth" else "keycloak.*", "fail", status=403)
    unread = await sessions.issued(long_ago, call)
    assert set(unread.by.values()) == {None} and unread.none == () and "of 2 nobody can say" in unread.summary
