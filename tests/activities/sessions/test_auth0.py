"""Auth0: sessions and refresh tokens are revoked user by user, some time after it said yes; lists are read to their end; machines go on."""

from datetime import timedelta

import pytest

from activities.sessions.auth0 import Auth0
from activities.sessions.sessions import IssuedOf, Revocations, RevokeSessions, Sessions
from practice.faces.signin.auth0 import Pending
from practice.tenancy.cast import tenancy
from practice.tenancy.model import AuthSession
from tests.activities.kit.stage import FollowingClock, Stage, attempt, refused, stage, tried

TENANT = "canary-eu-1"


class _Impatient(FollowingClock):
    """Waits a few times, and then no longer."""

    def __init__(self) -> None:
        self._left = 3

    async def sleep(self, duration: timedelta) -> None:
        self._left -= 1
        if self._left < 0:
            raise TimeoutError("nobody waits for ever")


def auth0(played: Stage) -> Auth0:
    return Auth0(played.client("/auth0"))


def alive(played: Stage, tenant: str = TENANT) -> list[str]:
    auth = tenancy(played.world.state, 0).auth
    return sorted(one.user for one in auth.sessions.values() if one.tenant == tenant and auth.alive(one))


async def revoked(played: Stage, **more: object) -> tuple[str, list[Exception]]:
    order = RevokeSessions.model_validate({"tenant": TENANT, "revoked_before": played.call().at, **more})
    effect, broke = await tried(Revocations.run, Revocations(auth0(played), FollowingClock()), order, played.call(key="k"))
    return effect.proven_by, broke


async def test_everybody_of_a_tenant_is_signed_out_and_refresh_tokens_go_too() -> None:
    """Accepted is not done: it is looked at until the lists are empty."""
    played = stage()
    others = alive(played, "canary-eu-2")
    proven, _ = await revoked(played)
    assert alive(played) == ["svc"] and alive(played, "canary-eu-2") == others and "no session from before is alive" in proven
    gone = played.world.state.part(Pending).refresh_before
    assert set(gone) == {f"auth0|{TENANT}.user-1", f"auth0|{TENANT}.user-2"}
    routes = [one["route"] for one in played.effects("auth0.*")] or [one["route"] for one in played.effects("auth0")]
    assert routes[0].endswith("refreshTokens.delete"), "or a session could be begun again"


async def test_one_user_alone() -> None:
    played = stage()
    await revoked(played, user=f"auth0|{TENANT}.user-1")
    assert alive(played) == ["svc", "user-2"]


async def test_an_old_refresh_token_alone_is_enough_to_be_revoked() -> None:
    """The session is over, and whoever holds the token could begin another one."""
    played = stage()
    auth = tenancy(played.world.state, 0).auth
    now = played.world.clock.now()
    auth.not_before.update({f"{TENANT}/user-{n}": now for n in (1, 2)})
    assert await auth0(played).find(played.call(), RevokeSessions(tenant=TENANT, revoked_before=played.call().at)) is None
    await revoked(played)
    assert len(played.world.state.part(Pending).refresh_before) == 2


async def test_what_was_issued_since_is_no_reason() -> None:
    played = stage()
    auth = tenancy(played.world.state, 0).auth
    for one in auth.sessions.values():
        one.issued = played.world.clock.now()
    effect, _ = await revoked(played, revoked_before=played.call().at - timedelta(minutes=1))
    assert not played.effects("auth0") and "no session from before" in effect


@pytest.mark.parametrize("mode", ["fail", "commit_then_drop", "hang"])
async def test_it_is_finished_whatever_happens_on_the_way(mode: str) -> None:
    played = stage()
    played.inject("auth0.users.sessions.delete", mode, times=1)
    _, broke = await revoked(played)
    assert broke and alive(played) == ["svc"]


async def test_a_deletion_that_is_never_done_is_never_an_effect() -> None:
    played = stage()
    played.world.state.part(Pending).slow = 10_000
    order = RevokeSessions(tenant=TENANT, revoked_before=played.call().at)
    with pytest.raises(TimeoutError):
        await attempt(Revocations.run, Revocations(auth0(played), _Impatient()), order, played.call(key="k"))
    assert len(alive(played)) == 3


async def test_a_tenant_of_more_users_than_a_page_is_read_to_its_end() -> None:
    played = stage()
    auth, now = tenancy(played.world.state, 0).auth, played.world.clock.now()
    for n in range(130):
        auth.sessions[f"s-{n}"] = AuthSession(f"s-{n}", f"more-{n:03d}", TENANT, now - 60)
    sessions, call = Sessions(auth0(played)), played.call()
    asked = IssuedOf(tenants=(TENANT,), since=call.at - timedelta(days=30))
    assert (await sessions.issued(asked, call)).by[TENANT] == 132


async def test_a_tenant_that_is_no_organisation_is_refused() -> None:
    played = stage()
    assert "No organization" in await refused(lambda: revoked(played, tenant="nobody"))
