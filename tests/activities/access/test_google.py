"""Access for responders on Google IAM: everybody else's rests and comes back exactly; nobody is locked out who must not be."""

from copy import deepcopy
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from activities.access.google import GoogleAccess
from activities.access.project_policy import ProjectPolicies
from activities.access.responders import Access, AccessOf, ResponderAccess, restrict
from activities.action import Risk, action_of
from practice.containment.cast import BREAK_GLASS, DATA_ROLES, there
from practice.containment.iam import members
from practice.containment.model import Policy
from practice.containment.simulation import restricted
from tests.activities.kit.stage import Stage, attempt, refused, stage, tried

PEOPLE = ("dana@example.com", "sam@example.com")
HOURS = timedelta(hours=8)


def system(played: Stage, *restricted_too: str) -> ResponderAccess:
    policies = ProjectPolicies(played.client("/crm"))
    return ResponderAccess(GoogleAccess(policies, (*DATA_ROLES, *restricted_too), DATA_ROLES[0], [BREAK_GLASS]))


def policy(played: Stage) -> Policy:
    return there(played.world.state, 0.0).projects["acme"]


def plainly(bindings: list[dict[str, Any]]) -> dict[str, set[str]]:
    """A policy, whatever the order of its bindings and members."""
    return {f"{one['role']} {one.get('condition')}": set(one["members"]) for one in bindings}


async def given(played: Stage, on: ResponderAccess, lasts: timedelta = HOURS, people: tuple[str, ...] = PEOPLE) -> Any:
    order = restrict("acme", people, played.call().at + lasts, "a stolen key")
    return order.given(await attempt(ResponderAccess.read, on, order.look(), played.call()))


async def narrowed(played: Stage, on: ResponderAccess, order: Any, key: str = "k") -> Any:
    return (await tried(ResponderAccess.change, on, order, played.call(key=key)))[0]


async def test_responders_have_it_until_the_end_others_rest_and_everything_comes_back_exactly() -> None:
    played = stage()
    on, before = system(played), deepcopy(policy(played).bindings)
    order = await given(played, on)
    effect = await narrowed(played, on, order)
    now, later = played.world.clock.now(), (order.wanted.until - timedelta(seconds=1)).timestamp()
    able = members(policy(played), DATA_ROLES[0], now) | members(policy(played), DATA_ROLES[1], now)
    assert {one for one in able if one.startswith("user:")} == {f"user:{one}" for one in PEOPLE}
    assert {BREAK_GLASS, "serviceAccount:api@acme.iam.gserviceaccount.com"} <= able, "never touched (INV-9)"
    assert "2 responders; the access of 7 others rests" in effect.proven_by and "we may give it back" in effect.proven_by
    assert restricted(played.world.state, "acme", now)
    assert members(policy(played), DATA_ROLES[0], later) - members(policy(played), DATA_ROLES[0], later + 2) == {
        f"user:{one}" for one in PEOPLE
    }
    await tried(ResponderAccess.restore, on, order.undo(), played.call(key="lift"))
    assert plainly(policy(played).bindings) == plainly(before), "also the condition that one of them had"


async def test_an_end_that_has_passed_is_seen_as_what_it_is_and_to_extend_it_is_a_new_order() -> None:
    played = stage()
    on = system(played)
    order = await given(played, on)
    await narrowed(played, on, order)
    played.pass_time(HOURS.total_seconds() + 60)
    now = await attempt(ResponderAccess.read, on, order.look(), played.call())
    assert now.ended and now.resting == 7 and not order.met(now), "others rest still, and nobody has access"
    assert "has ended at" in await refused(lambda: narrowed(played, on, order, "again"))
    past = await given(played, on, -HOURS)
    assert "give an end that is to come" in await refused(lambda: narrowed(played, on, past, "past"))
    assert action_of(ResponderAccess.change).risk(order, played.call().limits) is Risk.C2
    more = await given(played, on)
    assert "2 responders" in (await narrowed(played, on, more, "more")).proven_by
    await tried(ResponderAccess.restore, on, more.undo(), played.call(key="lift-1"))
    await tried(ResponderAccess.restore, on, order.undo(), played.call(key="lift-2"))
    assert not restricted(played.world.state, "acme", played.world.clock.now())
    assert not any("2001" in str(one) or "incident-playbooks" in str(one) for one in policy(played).bindings)


async def test_what_no_condition_can_be_put_to_is_named_and_nothing_is_narrowed_by_half() -> None:
    """Basic roles, and the public: to narrow the rest would look like an end of access, and be none."""
    played = stage()
    policy(played).bindings.append({"role": DATA_ROLES[1], "members": ["allUsers"]})
    on = system(played, "roles/viewer")
    order = await given(played, on)
    why = await refused(lambda: narrowed(played, on, order))
    assert "roles/viewer of 1 members and roles/storage.objectViewer of the public" in why
    assert not played.effects("crm")


async def test_what_others_change_in_the_same_policy_is_no_conflict_and_is_not_lost() -> None:
    """The audit log stands in the policy too, and is enhanced at the same time: the etag is another one then, and access is not."""
    played = stage()
    on = system(played)
    order = await given(played, on)
    policy(played).audit, policy(played).writes = [{"service": "allServices", "auditLogConfigs": [{"logType": "DATA_READ"}]}], 5
    policy(played).bindings.append({"role": "roles/run.viewer", "members": ["user:pat@example.com"]})
    await narrowed(played, on, order)
    policy(played).writes += 1
    await tried(ResponderAccess.restore, on, order.undo(), played.call(key="lift"))
    assert policy(played).audit and "user:pat@example.com" in members(policy(played), "roles/run.viewer", 0.0)


async def test_a_policy_that_changes_between_our_look_and_our_write_is_read_again() -> None:
    played = stage()
    on = system(played)
    order = await given(played, on)
    read, raced = ProjectPolicies.read, list[Policy]()

    async def reads(self: ProjectPolicies, call: Any, project: str) -> Any:
        said = await read(self, call, project)
        if len(raced) < 3:
            raced.append(policy(played))
            policy(played).bindings.append({"role": "roles/run.viewer", "members": [f"user:new-{len(raced)}@example.com"]})
            policy(played).writes += 1
        return said

    with patch.object(ProjectPolicies, "read", reads):
        await narrowed(played, on, order)
    assert len(members(policy(played), "roles/run.viewer", 0.0)) == 3, "nobody's change is overwritten"


async def test_somebody_who_is_let_in_meanwhile_is_seen() -> None:
    played = stage()
    on = system(played)
    order = await given(played, on)
    await narrowed(played, on, order)
    policy(played).bindings.append({"role": DATA_ROLES[0], "members": ["user:eve@example.com"]})
    policy(played).writes += 1
    now = await attempt(ResponderAccess.read, on, order.look(), played.call())
    assert now.value.partly and not order.met(now) and not restricted(played.world.state, "acme", played.world.clock.now())
    await narrowed(played, on, await given(played, on), "anew")
    assert restricted(played.world.state, "acme", played.world.clock.now())


async def test_where_we_could_not_give_it_back_it_is_not_proven() -> None:
    played = stage()
    on = system(played)
    order = await given(played, on)
    policy(played).bindings = [one for one in policy(played).bindings if "projectIamAdmin" not in one["role"]]
    with pytest.raises(AssertionError, match="nobody could be given back what rests"):
        await narrowed(played, on, await given(played, on))
    assert order.wanted.people == PEOPLE


@pytest.mark.parametrize(
    "person", ["", "dana", "allUsers", "user:dana@example.com,user:eve@example.com", 'a"@example.com', "domain:example.com"]
)
async def test_who_is_no_address_is_refused_and_not_repeated(person: str) -> None:
    played = stage()
    on = system(played)
    order = await given(played, on, people=(*PEOPLE, person))
    why = await refused(lambda: narrowed(played, on, order))
    assert "1 of the responders are no addresses" in why and "eve" not in why
    assert "nobody is named" in await refused(
        lambda: narrowed(played, on, ResponderAccess.order(order.of, Access(until=order.wanted.until)))
    )
    assert not played.effects("crm")


async def test_a_policy_is_read_with_its_conditions_and_never_written_without_an_etag() -> None:
    """With an older version Google leaves conditions out of what is read, and loses them by what is written."""
    played = stage()
    http, of = played.client("/crm"), "/v3/projects/acme:getIamPolicy"
    plain = (await http.ask(played.call(), "POST", of, json={})).json()
    assert any("_withcond_" in one["role"] for one in plain["bindings"]) and not any("condition" in one for one in plain["bindings"])
    read = await ProjectPolicies(http).read(played.call(), "acme")
    assert any("condition" in one for one in read["bindings"]) and read["etag"]
    old = {"policy": {**read, "version": 1}}
    assert (await http.ask(played.call(), "POST", "/v3/projects/acme:setIamPolicy", json=old)).status_code == 400
    assert AccessOf(scope="acme").target() == "access/acme"
