"""Sign-in under attack: whose accounts were opened, who must choose another password, and a second factor that is really asked for."""

from datetime import timedelta
from typing import Any

import pytest

from activities.action import Limits, Risk, action_of
from activities.sign_in.accounts import Accounts, ForceReset, Opened, OpenedOf, Resets
from activities.sign_in.factors import SecondFactors, step_up
from activities.sign_in.limits import SignInLimits, limit
from activities.sign_in.numbers import SignInNumbers
from activities.sign_in.words import Attempts, AttemptsOf, Store
from practice.credentials.cast import credentials
from practice.signin.model import ATTACKERS, SignIn
from practice.tenancy.cast import tenancy
from tests.activities.kit.rows.credentials.sign_in import TENANT, store
from tests.activities.kit.stage import FollowingClock, Stage, attempt, refused, stage, tried

KEYCLOAK: Store = "keycloak sign-in"
STORES = pytest.mark.parametrize("name", ["sign-in", KEYCLOAK])
WAVE = tuple(f"{one}/32" for one in ATTACKERS)


def attacked() -> Stage:
    played = stage()
    credentials(played.world.state, played.world.clock.now()).dials.stuffing = True
    played.pass_time(120)
    return played


def tenants(played: Stage) -> tuple[str, ...]:
    return tuple(sorted(played.world.state.tenants))


async def opened(played: Stage, name: str) -> Opened:
    order = OpenedOf(window=timedelta(minutes=5), addresses=WAVE, tenants=tenants(played), store=name)
    found: Opened = await attempt(Accounts.opened, Accounts(store(played, name)), order, played.call())
    return found


async def reset(played: Stage, name: str, *accounts: str, tenant: str = TENANT, **more: Any) -> Any:
    order = ForceReset(tenant=tenant, accounts=accounts, store=name, **more)
    effect, _ = await tried(Resets.run, Resets(store(played, name), FollowingClock()), order, played.call(key="k"))
    return effect


@STORES
async def test_accounts_that_were_opened_are_found_and_those_that_were_only_tried_are_counted(name: str) -> None:
    played = attacked()
    found = await opened(played, name)
    one, other, third = tenants(played)[:3]
    assert found.accounts == {one: (f"{one}.user-1", f"{one}.user-2"), other: (f"{other}.user-1", f"{other}.user-2")}
    assert set(found.tried) == {one, other, third} and not found.unread and "4 accounts of 2 tenants were opened" in found.summary


async def test_a_realm_that_keeps_no_events_is_unknown_and_never_unharmed() -> None:
    played = attacked()
    first = tenants(played)[0]
    played.world.state.part(SignIn).dials.no_events = [first]
    found = await opened(played, KEYCLOAK)
    assert found.unread == (first,) and first not in found.accounts and "nobody can say" in found.summary


@STORES
async def test_an_account_of_the_list_must_choose_another_password_and_is_signed_out(name: str) -> None:
    played = stage()
    effect = await reset(played, name, f"{TENANT}.user-1")
    there, auth = played.world.state.part(SignIn), tenancy(played.world.state, 0).auth
    alive = [one.user for one in auth.sessions.values() if one.tenant == TENANT and auth.alive(one)]
    assert there.accounts[f"{TENANT}.user-1"].must_reset and sorted(alive) == ["svc", "user-2"], "nobody else is touched"
    assert "none of them is signed in" in effect.proven_by
    again = await reset(played, name, f"{TENANT}.user-1")
    assert again.adopted


@STORES
@pytest.mark.parametrize("mode", ["commit_then_drop", "fail"])
async def test_a_list_that_broke_off_is_finished(name: str, mode: str) -> None:
    played = stage()
    played.inject("auth.accounts.reset" if name == "sign-in" else "keycloak.users.update", mode, times=1)
    await reset(played, name, f"{TENANT}.user-1", f"{TENANT}.user-2")
    there = played.world.state.part(SignIn)
    assert all(there.accounts[f"{TENANT}.user-{n}"].must_reset for n in (1, 2))


@STORES
async def test_a_200_that_did_nothing_is_no_reset(name: str) -> None:
    played = stage()
    played.inject("auth.accounts.reset" if name == "sign-in" else "keycloak.users.update", "nothing_changed", times=None)
    order = ForceReset(tenant=TENANT, accounts=(f"{TENANT}.user-1",), store=name)
    system = Resets(store(played, name), FollowingClock())
    with pytest.raises(BaseException):  # noqa: B017 - it never says that it is done
        await attempt(Resets.run, system, order, played.call(key="k"), start_to_close_timeout=timedelta(seconds=0.5))


async def test_what_a_user_has_to_do_besides_stays() -> None:
    played = stage()
    await reset(played, KEYCLOAK, f"{TENANT}.user-1")
    there = played.world.state.part(SignIn).accounts[f"{TENANT}.user-1"]
    there.must_reset, there.actions = False, ["VERIFY_EMAIL"]
    await reset(played, KEYCLOAK, f"{TENANT}.user-1")
    assert there.actions == ["VERIFY_EMAIL"] or played.world.state.part(SignIn).accounts[f"{TENANT}.user-1"].actions == ["VERIFY_EMAIL"]


@STORES
@pytest.mark.parametrize("accounts", [(), ("*",), ("",), tuple(f"u{n}" for n in range(101))], ids=["none", "star", "empty", "mass"])
async def test_everybody_is_never_on_the_list(name: str, accounts: tuple[str, ...]) -> None:
    played = stage()
    why = await refused(lambda: reset(played, name, *accounts))
    assert why and not played.effects("auth") and not played.effects("keycloak")


def test_a_list_is_for_people_whatever_its_length_and_a_limit_of_one_tenant_is_narrow() -> None:
    one = ForceReset(tenant=TENANT, accounts=("a",))
    assert action_of(Resets.run).risk(one, Limits()) is Risk.C2
    assert action_of(SecondFactors.change).risk(step_up(TENANT, "sign-in"), Limits()) is Risk.C2
    assert action_of(SignInLimits.change).risk(limit(TENANT, "sign-in", SignInNumbers()), Limits()) is Risk.C1


async def test_a_flow_that_asks_for_nothing_is_no_second_factor() -> None:
    played = stage()
    played.world.state.part(SignIn).dials.hollow = True
    system, order = SecondFactors(store(played, KEYCLOAK)), step_up(TENANT, KEYCLOAK)
    order = order.given(await system.look_at(played.call(), order.of))
    with pytest.raises(AssertionError, match="not asked for a second factor"):
        await tried(SecondFactors.change, system, order, played.call(key="k"))


async def test_keycloak_limits_no_address_and_nobody_is_limited_to_nothing() -> None:
    played = stage()
    system = SignInLimits(store(played, KEYCLOAK))
    for value, why in ((Attempts(per_address=5), "limits no address"), (Attempts(per_account=0), "the least")):
        order = SignInLimits.order(AttemptsOf(tenant=TENANT, store=KEYCLOAK), value)
        assert why in await refused(lambda: tried(SignInLimits.change, system, order, played.call(key="k")))  # noqa: B023


@STORES
async def test_a_second_factor_keeps_accounts_shut(name: Store) -> None:
    """What was opened by then stays open: only a reset ends that."""
    played = stage()
    system = SecondFactors(store(played, name))
    for tenant in tenants(played)[:3]:
        order = step_up(tenant, name)
        order = order.given(await system.look_at(played.call(), order.of))
        await tried(SecondFactors.change, system, order, played.call(key=tenant))
    credentials(played.world.state, played.world.clock.now()).dials.stuffing = True
    played.pass_time(120)
    assert not any(one.good for one in played.world.state.part(SignIn).accounts.values())


@STORES
def test_it_can_be_done_by_hand(name: Store) -> None:
    said = "\n".join([*step_up(TENANT, name).by_hand(), *ForceReset(tenant=TENANT, accounts=("a",), store=name).by_hand()])
    assert ("browser-second-factor" if name == KEYCLOAK else "step-up") in said and ("UPDATE_PASSWORD" in said) is (name == KEYCLOAK)
