"""Access for responders by Keycloak's groups: membership is moved and comes back; what broke off is finished, an end is only said."""

from datetime import timedelta
from typing import Any

import pytest

from activities.access.keycloak_groups import GroupNames, KeycloakGroups
from activities.access.responders import ResponderAccess, restrict
from practice.containment.cast import EXPORTS, RESPONDERS, SUSPENDED, there, user_id
from tests.activities.kit.stage import Stage, attempt, refused, stage, tried

REALM = "acme-staff"
KEYCLOAK = {"access": "keycloak groups"}


def system(played: Stage) -> ResponderAccess:
    return ResponderAccess(KeycloakGroups(played.client("/keycloak-staff"), GroupNames(EXPORTS, RESPONDERS, SUSPENDED), ["export-bot"]))


def groups(played: Stage) -> dict[str, set[str]]:
    return {one.name: set(one.members) for one in there(played.world.state, 0.0).groups.values()}


async def given(played: Stage, on: ResponderAccess, *people: str, lasts: float = 8) -> Any:
    order = restrict(REALM, people, played.call().at + timedelta(hours=lasts), systems=KEYCLOAK)
    return order.given(await attempt(ResponderAccess.read, on, order.look(), played.call()))


def ids(*names: str) -> set[str]:
    return {user_id(name) for name in names}


async def test_membership_is_moved_and_comes_back_and_break_glass_stays() -> None:
    played = stage()
    on, before = system(played), groups(played)
    order = await given(played, on, "sam", "lee")
    effect, _ = await tried(ResponderAccess.change, on, order, played.call(key="k"))
    assert groups(played)[EXPORTS] == ids("export-bot") and groups(played)[SUSPENDED] == ids("kim", "lee", "ravi")
    assert groups(played)[RESPONDERS] == ids("sam", "lee") and "Keycloak does not end it by itself" in effect.proven_by
    played.pass_time(9 * 3600)
    assert (await attempt(ResponderAccess.read, on, order.look(), played.call())).ended
    await tried(ResponderAccess.restore, on, order.undo(), played.call(key="lift"))
    assert groups(played) == before and not there(played.world.state, 0.0).groups["g-3"].attributes


@pytest.mark.parametrize("route", ["members.join", "members.leave", "groups.update"])
async def test_wherever_it_breaks_off_nobody_is_lost_and_the_next_attempt_goes_on(route: str) -> None:
    played = stage()
    on, before = system(played), groups(played)
    order = await given(played, on, "sam")
    everybody = before[EXPORTS]
    played.inject(f"keycloak_groups.{route}", "commit_then_drop", times=2)
    await tried(ResponderAccess.change, on, order, played.call(key="k"))
    assert groups(played)[EXPORTS] | groups(played)[SUSPENDED] == everybody
    played.inject(f"keycloak_groups.{route}", "commit_then_drop", times=2)
    await tried(ResponderAccess.restore, on, order.undo(), played.call(key="lift"))
    assert groups(played) == before


async def test_a_list_is_read_to_its_end() -> None:
    """Who stands on the second page has access as well: the first is full of service accounts, which keep it."""
    played = stage()
    found = there(played.world.state, 0.0).groups["g-2"]
    robots = [user_id(f"service-account-{n:03}") for n in range(150)]
    found.members += [*robots, user_id("zoe")]
    on = system(played)
    await tried(ResponderAccess.change, on, await given(played, on, "sam"), played.call(key="k"))
    assert groups(played)[EXPORTS] == ids("export-bot") | set(robots) and groups(played)[SUSPENDED] == ids("kim", "lee", "ravi", "zoe")


async def test_who_is_no_user_and_a_group_that_is_missing_are_refused_before_anything_is_moved() -> None:
    played = stage()
    on = system(played)
    order = await given(played, on, "sam", "nobody")
    assert "is no user of realm acme-staff" in await refused(lambda: tried(ResponderAccess.change, on, order, played.call(key="k")))
    there(played.world.state, 0.0).groups["g-4"].name = "renamed"
    order = restrict(REALM, ("sam",), played.call().at + timedelta(hours=8), systems=KEYCLOAK)
    why = await refused(lambda: attempt(ResponderAccess.read, on, order.look(), played.call()))
    assert "has no group customer-data-suspended" in why and not played.effects("keycloak_groups")


async def test_an_end_that_cannot_be_read_is_not_taken_for_none() -> None:
    played = stage()
    there(played.world.state, 0.0).groups["g-3"].attributes["incident-until"] = ["soon"]
    why = await refused(
        lambda: attempt(
            ResponderAccess.read, system(played), restrict(REALM, ("sam",), played.call().at, systems=KEYCLOAK).look(), played.call()
        )
    )
    assert "cannot be read" in why
