"""The edge: whom a preview would deny is counted, what is blocked really fails, and nobody else is hit without a person's word."""

from datetime import timedelta
from typing import Any

import pytest

from activities.action import Limits, Risk, action_of
from activities.waf.allow_lists import AllowListOf, AllowLists, OnList, take_off
from activities.waf.rules import Blocking, RuleOf, Rules, enforce, preview
from activities.waf.traffic import EdgeTraffic, Hits, HitsOf, Traffic, TrafficOf
from practice.credentials.cast import credentials
from practice.signin.model import ATTACKERS, DENIED, OFFICES, THIEF, SignIn
from tests.activities.kit.rows.credentials.edge import armor, own
from tests.activities.kit.stage import Stage, attempt, refused, stage, tried

PRODUCTS = pytest.mark.parametrize("product", ["waf", "cloud armor"])
WAVE = tuple(f"{one}/32" for one in ATTACKERS)
MINUTES = timedelta(minutes=2)


def edge(played: Stage, product: str) -> Any:
    return armor(played) if product == "cloud armor" else own(played)


def attacked(*, shared: bool = False, thief: str = "") -> Stage:
    """A wave of tried passwords, for two minutes now."""
    played = stage()
    there = credentials(played.world.state, played.world.clock.now())
    there.dials.stuffing, there.dials.thief = not thief, thief
    dials = played.world.state.part(SignIn).dials
    dials.shared, dials.by_edge = shared, bool(thief)
    played.pass_time(120)
    return played


async def traffic(played: Stage, product: str, *keys: str) -> Traffic:
    order = TrafficOf(window=MINUTES, keys=keys, store=product)
    found: Traffic = await attempt(EdgeTraffic.traffic, EdgeTraffic(edge(played, product)), order, played.call())
    return found


async def hits(played: Stage, product: str, *keys: str) -> Hits:
    order = HitsOf(priority=1000, window=timedelta(minutes=1), keys=keys)
    found: Hits = await attempt(EdgeTraffic.hits, EdgeTraffic(edge(played, product)), order, played.call())
    return found


async def imposed(played: Stage, product: str, order: Any, system: Any = Rules) -> Any:
    built = system(edge(played, product))
    order = order.given(await built.look_at(played.call(), order.of))
    effect, _ = await tried(system.change, built, order, played.call())
    return effect


def of(product: str) -> RuleOf:
    return RuleOf(priority=1000, store=product)


@PRODUCTS
async def test_who_tries_passwords_is_named_and_everybody_else_is_a_number(product: str) -> None:
    found = await traffic(attacked(), product)
    assert {one.address for one in found.attackers} == set(ATTACKERS) and found.attacked
    assert found.good >= 250 and not any(office in found.model_dump_json() for office in OFFICES), "an ordinary address leaves no activity"
    calm = await traffic(stage(), product)
    assert not calm.attackers and not calm.attacked, "a few who mistype are no attack"


@PRODUCTS
async def test_a_preview_denies_nobody_and_what_is_enforced_really_fails(product: str) -> None:
    played = attacked()
    wanted = Blocking(addresses=WAVE)
    await imposed(played, product, preview(of(product), wanted))
    played.pass_time(60)
    seen = played.world.state.part(SignIn).seen
    assert not any(row.outcome == DENIED for row in seen)
    met = await hits(played, product)
    assert met.attack >= 6 * 33 * 3 and met.others == 0 and met.through == met.attack and set(met.addresses) == set(ATTACKERS)
    order = enforce(of(product), wanted, met)
    assert action_of(Rules.change).risk(order, Limits()) is Risk.C1
    await imposed(played, product, order)
    played.pass_time(120)
    assert any(row.outcome == DENIED for row in seen)
    after = await hits(played, product)
    assert after.through == 0 and after.attack > 0
    assert not (await traffic(played, product)).attackers or played.world.state.part(SignIn).decided(ATTACKERS[0])[0] is False


@PRODUCTS
async def test_where_others_come_by_the_same_address_people_are_asked_with_the_number(product: str) -> None:
    played = attacked(shared=True)
    wanted = Blocking(addresses=WAVE)
    await imposed(played, product, preview(of(product), wanted))
    played.pass_time(60)
    met = await hits(played, product)
    assert met.others and not met.spares(wanted.counting) and f"{met.others} requests of others" in met.in_words
    assert action_of(Rules.change).risk(enforce(of(product), wanted, met), Limits()) is Risk.C2
    unknown = enforce(of(product), wanted, None)
    assert action_of(Rules.change).risk(unknown, Limits()) is Risk.C2, "nobody can say: people are asked"
    wide = enforce(of(product), wanted.model_copy(update={"addresses": ("198.51.100.0/24",)}), met.model_copy(update={"others": 0}))
    assert action_of(Rules.change).risk(wide, Limits()) is Risk.C2, "a whole network is wide, whatever was counted"


@PRODUCTS
async def test_what_was_harmless_in_preview_is_counted_again_before_it_is_enforced(product: str) -> None:
    played = attacked()
    wanted = Blocking(addresses=WAVE, window=timedelta(minutes=1))
    await imposed(played, product, preview(of(product), wanted))
    played.pass_time(60)
    met = await hits(played, product)
    played.world.state.part(SignIn).dials.shared = True
    played.pass_time(60)
    why = await refused(lambda: imposed(played, product, enforce(of(product), wanted, met)))
    assert "it was to hit nobody else" in why and played.world.state.part(SignIn).rules[1000].preview


@PRODUCTS
async def test_a_log_that_is_not_kept_says_nothing_and_never_nobody(product: str) -> None:
    played = attacked()
    played.world.state.part(SignIn).dials.unlogged = True
    assert "nobody can say" in (await traffic(played, product)).summary
    met = await hits(played, product)
    assert met.others is None and met.share is None and not met.spares(Blocking().counting)


@PRODUCTS
async def test_the_bearer_of_a_stolen_key_is_denied_wherever_it_comes_from(product: str) -> None:
    played = attacked(thief="database")
    wanted = Blocking(key="db-3", keys=("db-3",))
    if product == "waf":
        assert (await traffic(played, product, "db-3")).keys["db-3"] > 0
    await imposed(played, product, preview(of(product), wanted))
    played.pass_time(60)
    met = await hits(played, product, "db-3")
    assert met.attack > 0 and met.others == 0 and met.addresses == (THIEF,)
    await imposed(played, product, enforce(of(product), wanted, met))
    there = credentials(played.world.state, played.world.clock.now())
    before = dict(there.keys["db-3"].uses)
    played.pass_time(60)
    thief = next(name for name in before if name.startswith("AS64500"))
    assert there.keys["db-3"].uses[thief] == before[thief], "it does not get as far as whoever checks it"


async def test_what_an_allow_list_lets_in_is_not_denied_until_it_is_taken_off() -> None:
    played = attacked()
    partners = played.world.state.part(SignIn).rules[100]
    partners.addresses.append(WAVE[0])
    played.world.state.part(SignIn).changed()
    found = await traffic(played, "waf")
    assert found.letting_in == {100: (WAVE[0],)}
    with pytest.raises(AssertionError, match="let in by rule 100"):
        await imposed(played, "waf", enforce(of("waf"), Blocking(addresses=WAVE), None).model_copy(update={"prior": None}))


@PRODUCTS
async def test_only_the_address_of_the_attack_is_taken_off_an_allow_list(product: str) -> None:
    played = attacked()
    there = played.world.state.part(SignIn)
    there.rules[100].addresses.append(WAVE[0])
    there.changed()
    before = set(there.rules[100].addresses)
    order = AllowListOf(priority=100, addresses=WAVE, store=product)
    lists = AllowLists(edge(played, product))
    now = await lists.look_at(played.call(), order)
    await imposed(played, product, take_off(order, now), AllowLists)
    assert set(played.world.state.part(SignIn).rules[100].addresses) == before - {WAVE[0]}
    assert OFFICES[0] not in now.model_dump_json()


@PRODUCTS
async def test_a_whole_network_on_an_allow_list_is_for_people(product: str) -> None:
    played = attacked()
    inside = AllowListOf(priority=100, addresses=("192.0.2.3",), store=product)
    now = await AllowLists(edge(played, product)).look_at(played.call(), inside)
    order = take_off(inside, now)
    assert order.wanted.wide and action_of(AllowLists.change).risk(order, Limits()) is Risk.C2
    narrow = order.model_copy(update={"wanted": OnList()})
    assert "a whole network" in await refused(lambda: imposed(played, product, narrow, AllowLists))


@pytest.mark.parametrize(
    "value",
    [
        Blocking(at="enforced"),
        Blocking(at="preview", addresses=WAVE * 2),
        Blocking(at="preview", key="a\nb"),
        Blocking(at="preview", key="a' || true"),
        Blocking(at="preview", addresses=("everybody",)),
    ],
    ids=str,
)
async def test_a_rule_that_would_meet_everybody_or_cannot_be_written_is_never_made(value: Blocking) -> None:
    played = stage()
    why = await refused(lambda: imposed(played, "waf", Rules.order(of("waf"), value)))
    assert why and not played.effects("waf")


async def test_cloud_armor_gives_an_operation_up_and_it_is_no_effect() -> None:
    played = stage()
    played.world.state.part(SignIn).dials.gives_up = True
    why = await refused(lambda: imposed(played, "cloud armor", preview(of("cloud armor"), Blocking(addresses=WAVE))))
    assert "Cloud Armor gave it up" in why and 1000 not in played.world.state.part(SignIn).rules


@pytest.mark.parametrize(
    "theirs", ["evaluatePreconfiguredWaf('sqli')", "request.headers['x-key-id'] == 'db-3' || origin.region_code == 'AU'"]
)
async def test_a_rule_that_somebody_else_made_is_not_written_over(theirs: str) -> None:
    """Nobody knows whom it meets; a priority that was taken meanwhile is a conflict, and not a bad request."""
    played = stage()
    at = {"priority": 1000, "action": "deny(403)", "preview": False, "match": {"expr": {"expression": theirs}}}
    made = await played.client("/cloudarmor").ask(
        played.call(), "POST", "/compute/v1/projects/acme/global/securityPolicies/edge/addRule", json=at
    )
    assert made.is_success
    why = await refused(lambda: imposed(played, "cloud armor", preview(of("cloud armor"), Blocking(addresses=WAVE))))
    assert "not as we make it" in why


async def test_cloud_armor_is_read_to_the_end_of_its_log() -> None:
    played = attacked()
    rows = (await armor(played).seen(played.call(), MINUTES)).rows
    assert sum(one.n for one in rows) > 1500, "more than one page"


@PRODUCTS
def test_it_can_be_done_by_hand(product: str) -> None:
    order = enforce(of(product), Blocking(addresses=WAVE[:1]), None)
    said = "\n".join(order.by_hand())
    expected = "security-policies rules create 1000" if product == "cloud armor" else "/v1/rules/1000"
    assert expected in said and "198.51.100.1/32" in said
    keyed = "\n".join(enforce(of(product), Blocking(key="db-3"), None).by_hand())
    assert "db-3" in keyed
