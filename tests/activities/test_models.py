"""The model gateway: what is claimed was read back, whatever happens on the way; and nobody goes where they may not."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from temporalio.testing import ActivityEnvironment

from activities.action import Call, Effect, Imposition, Lapsed, NotYet, Order, Refused, Risk, Verb, action_of
from activities.models.model_gateway import classify
from activities.models.models import Models, contradiction
from activities.models.orders import ErrorClass, Log, Probe, Served, Split, Survey
from activities.models.route_orders import EVERYBODY, BackOffOrder, ClientPolicyOf, Degrade, RouteOf, Shift
from activities.organisation.numbers import BackOff
from practice.world.world import World
from tests.activities.conftest import MakeCall, break_provider, dial, effects, granted, pass_time, until_done

MISHAPS: list[tuple[str, dict[str, Any]]] = [
    ("fail", {"times": 2}),
    ("commit_then_drop", {"times": 1}),
    ("nothing_changed", {"times": 1}),
    ("partial", {"times": 1}),
    ("throttle", {"times": 2}),
    ("hang", {"times": 1}),
]
Story = Callable[[Models, MakeCall], Awaitable[tuple[Verb[Any, Effect], Order]]]


def movable(world: World) -> tuple[str, ...]:
    return tuple(t.name for t in world.state.tenants.values() if t.tier != "sovereign")


def sovereign(world: World) -> tuple[str, ...]:
    return tuple(t.name for t in world.state.tenants.values() if t.tier == "sovereign")


def to_borealis(world: World, share: float = 1.0, **more: Any) -> Shift:
    weights = {"borealis": share, "aurora": round(1 - share, 6)}
    within = {"purpose": "fail over", "parity": 0.97, "price_ratio": 1.1}
    return Shift.model_validate({"route": "chat", "tenants": movable(world), "weights": weights, **within, **more})


async def route_of(models: Models, call: Call) -> Any:
    return await models.route(RouteOf(route="chat"), call)


async def on(models: Models, order: Imposition, call: Call) -> Any:
    """The order, with the state before."""
    look = models.client_policy if isinstance(order, BackOffOrder) else models.route
    return order.given(await look(order.look(), call))  # type: ignore[arg-type]


# ---- looking ----


async def test_an_outage_is_told_from_our_own_trouble(world: World, models: Models, call: MakeCall) -> None:
    break_provider(world, "aurora", "overload", 0.6)
    pass_time(world, 300)
    calls = await models.calls(Log(route="chat", window=timedelta(minutes=5)), call())
    assert calls.dominant("aurora") is ErrorClass.OVERLOAD
    assert calls.failed_share("aurora") > 0.4
    assert calls.classified_share() == 1
    assert calls.n("borealis") == 0


@pytest.mark.parametrize(
    ("fault", "met"),
    [
        ("overload", ErrorClass.OVERLOAD),
        ("down", ErrorClass.OVERLOAD),
        ("rate_limit", ErrorClass.RATE_LIMIT),
        ("spend_cap", ErrorClass.SPEND_CAP),
        ("auth", ErrorClass.AUTH),
        ("bad_request", ErrorClass.BAD_REQUEST),
        ("content_filter", ErrorClass.CONTENT_FILTER),
        ("timeout", ErrorClass.TIMEOUT),
    ],
)
async def test_a_probe_says_what_it_met(world: World, models: Models, call: MakeCall, fault: str, met: ErrorClass) -> None:
    break_provider(world, "aurora", fault)
    probed = await models.probe(Probe(provider="aurora", route="chat"), call())
    assert not probed.ok
    assert probed.by_class == {met: 3}
    assert probed.spend_capped == (met is ErrorClass.SPEND_CAP)


async def test_a_probe_that_is_not_answered_in_time_is_a_timeout(world: World, models: Models, call: MakeCall) -> None:
    dial(world, "llm.chat.completions", "hang")
    assert (await models.probe(Probe(provider="aurora", route="chat"), call())).by_class == {ErrorClass.TIMEOUT: 3}


@pytest.mark.parametrize(
    ("status", "headers", "body", "met"),
    [
        (429, {"Retry-After": "2"}, {"error": {"code": "rate_limit"}}, ErrorClass.RATE_LIMIT),
        (429, {}, {"error": {"code": "rate_limit"}}, ErrorClass.SPEND_CAP),
        (429, {"Retry-After": "2"}, {"error": {"code": "spend_cap"}}, ErrorClass.SPEND_CAP),
        (400, {}, {"error": {"code": "spend_cap"}}, ErrorClass.SPEND_CAP),
        (529, {}, {}, ErrorClass.OVERLOAD),
        (403, {}, {"error": "forbidden"}, ErrorClass.AUTH),
        (418, {}, {}, ErrorClass.UNCLASSIFIED),
    ],
)
def test_error_classes_are_the_specs(status: int, headers: dict[str, str], body: Any, met: ErrorClass) -> None:
    assert classify(httpx.Response(status, headers=headers, json=body)) is met


async def test_the_survey_finds_who_can_carry_the_load_and_who_only_a_part(models: Models, call: MakeCall) -> None:
    found = await models.survey(Survey(route="chat", primary="aurora"), call())
    best = found.best(headroom=1.2)
    assert best is not None and best.id == "borealis"
    assert best.shared_with_primary == ("region:eu-west",)
    assert found.next_after("borealis", 1.2) is None
    assert found.fallback(headroom=1.2) == best


async def test_when_nobody_can_carry_everybody_the_one_that_carries_most_takes_the_highest_tiers(
    world: World, models: Models, call: MakeCall
) -> None:
    world.state.providers["borealis"].evaluated = False
    found = await models.survey(Survey(route="chat", primary="aurora"), call())
    small = found.fallback(headroom=1.2)
    assert small is not None and small.id == "cumulus" and 0.3 < small.carries(1.2) < 0.6
    tenants = await models.split(Split(route="chat", primary="aurora", to="cumulus"), call())
    carried, crowded = tenants.by_priority(small.free_rps / 1.2)
    assert sum(tenants.rps[t] for t in carried) * 1.2 <= small.free_rps
    assert {tenants.tiers[t] for t in carried} <= {"enterprise", "business"}
    assert {tenants.tiers[t] for t in crowded} >= {"starter"}
    assert set(carried) | set(crowded) == set(tenants.movable) and not set(carried) & set(crowded)


@pytest.mark.parametrize("flaw", ["never evaluated", "no prompt profile", "failing now"])
async def test_nobody_unfit_is_proposed(world: World, models: Models, call: MakeCall, flaw: str) -> None:
    borealis = world.state.providers["borealis"]
    if flaw == "never evaluated":
        borealis.evaluated = False
    elif flaw == "no prompt profile":
        borealis.prompt_profile = ""
    else:
        break_provider(world, "borealis", "overload")
    assert (await models.survey(Survey(route="chat", primary="aurora"), call())).best(headroom=1.2) is None


async def test_tenants_are_split_by_what_they_permit(world: World, models: Models, call: MakeCall) -> None:
    split = await models.split(Split(route="chat", primary="aurora", to="borealis"), call())
    assert split.movable == movable(world)
    assert split.stuck == sovereign(world)
    assert split.reasons[split.stuck[0]] == "permits only aurora@eu-west"
    nobody = await models.split(Split(route="chat", primary="aurora", to=""), call())
    assert (nobody.movable, len(nobody.stuck)) == ((), 20)


# ---- routing ----


async def test_a_failover_is_proven_by_who_serves(world: World, models: Models, call: MakeCall) -> None:
    order = await on(models, to_borealis(world), call())
    effect = await models.shift(order, call())
    assert "24 probes were served by borealis (24)" in effect.proven_by
    assert effect.before["epoch"] == 0 and effect.after["epoch"] == 1
    pass_time(world, 60)
    served = await models.served(Served(route="chat", window=timedelta(seconds=45)), call())
    assert served.share("borealis", order.tenants) == 1
    assert served.share("aurora", sovereign(world)) == 1
    undone = await models.shift(order.undo(), granted(Models.shift, order.undo(), call()))
    assert not undone.adopted
    assert all(world.state.route.shares(t) == {"aurora": 1.0, "borealis": 0.0, "cumulus": 0.0} for t in order.tenants)


async def _shift(models: Models, call: MakeCall) -> tuple[Verb[Any, Effect], Order]:
    tenants = (await models.split(Split(route="chat", primary="aurora", to="borealis"), call())).movable
    order = Shift(route="chat", tenants=tenants, weights={"borealis": 1.0}, purpose="fall back")
    return Models.shift, await on(models, order, call())


async def _degrade(models: Models, call: MakeCall) -> tuple[Verb[Any, Effect], Order]:
    tenants = (await models.split(Split(route="chat", primary="aurora", to="borealis"), call())).stuck
    return Models.degrade, await on(models, Degrade(route="chat", tenants=tenants), call())


async def _restore_modes(models: Models, call: MakeCall) -> tuple[Verb[Any, Effect], Order]:
    verb, order = await _degrade(models, call)
    assert isinstance(order, Degrade)
    before = call(key="before")
    await verb(models, order, granted(verb, order, before))
    return Models.restore_modes, order.undo()


async def _back_off(models: Models, call: MakeCall) -> tuple[Verb[Any, Effect], Order]:
    return Models.back_off, await on(models, BackOffOrder(), call())


async def _restore_client_policy(models: Models, call: MakeCall) -> tuple[Verb[Any, Effect], Order]:
    verb, order = await _back_off(models, call)
    assert isinstance(order, BackOffOrder)
    await verb(models, order, call(key="before"))
    return Models.restore_client_policy, order.undo()


WRITES: list[tuple[Story, str]] = [
    (_shift, "llm.routes.weights"),
    (_degrade, "llm.routes.modes"),
    (_restore_modes, "llm.routes.modes"),
    (_back_off, "llm.client_policy.put"),
    (_restore_client_policy, "llm.client_policy.put"),
]
writes = pytest.mark.parametrize(("story", "route"), WRITES, ids=[story.__name__.strip("_") for story, _ in WRITES])


@writes
@pytest.mark.parametrize(("mode", "settings"), MISHAPS, ids=[mode for mode, _ in MISHAPS])
async def test_whatever_happens_to_a_write_it_is_done_once(
    world: World, models: Models, call: MakeCall, story: Story, route: str, mode: str, settings: dict[str, Any]
) -> None:
    verb, order = await story(models, call)
    made = granted(verb, order, call(key="the key"))
    dial(world, route, mode, **settings)
    effect, broke = await until_done(lambda: verb(models, order, made))
    assert effect.adopted == (mode == "commit_then_drop" or (mode == "partial" and "policy" in route))
    assert broke
    done = [e for e in effects(world, route) if e["key"] == "the key"]
    assert len(done) == (2 if mode == "partial" and "routes" in route else 1)  # the second half is an effect of its own
    again = await verb(models, order, made)
    assert again.adopted and [e for e in effects(world, route) if e["key"] == "the key"] == done


@writes
async def test_a_200_that_changed_nothing_is_never_an_effect(
    world: World, models: Models, call: MakeCall, story: Story, route: str
) -> None:
    verb, order = await story(models, call)
    made = granted(verb, order, call(key="the key"))
    dial(world, route, "nothing_changed")
    for _ in range(3):
        with pytest.raises(NotYet, match="accepted, but"):
            await verb(models, order, made)
    assert not [e for e in effects(world, route) if e["key"] == "the key"]


@writes
async def test_a_stale_reading_is_read_again(world: World, models: Models, call: MakeCall, story: Story, route: str) -> None:
    verb, order = await story(models, call)
    made = granted(verb, order, call(key="the key"))
    dial(world, "llm.routes.get", "stale_read", times=2)
    dial(world, "llm.client_policy.get", "stale_read", times=1)
    effect, _ = await until_done(lambda: verb(models, order, made))
    assert effect.proven_by
    assert len([e for e in effects(world, route) if e["key"] == "the key"]) == 1


async def test_asked_to_slow_down_we_wait_as_long_as_they_say(world: World, models: Models, call: MakeCall) -> None:
    verb, order = await _back_off(models, call)
    dial(world, "llm.client_policy.put", "throttle", times=1, retry_after=7)
    with pytest.raises(NotYet) as said:
        await verb(models, order, call())
    assert said.value.next_retry_delay == timedelta(seconds=7)


async def test_a_router_that_says_so_but_serves_otherwise_proves_nothing(world: World, models: Models, call: MakeCall) -> None:
    order = await on(models, to_borealis(world), call())
    dial(world, "llm.chat.completions", "stale_read")
    with pytest.raises(NotYet, match="the data plane still shows otherwise"):
        await models.shift(order, call())


async def test_a_product_that_still_answers_in_the_old_mode_proves_nothing(world: World, models: Models, call: MakeCall) -> None:
    verb, order = await _degrade(models, call)
    world.before["app"] = (world.keep(), world.clock.now())
    dial(world, "app.chat", "stale_read")
    with pytest.raises(NotYet, match="the product still answers"):
        await verb(models, order, granted(verb, order, call()))


@pytest.mark.parametrize(
    ("weights", "served", "possible"),
    [
        ({"a": 1.0}, {"a": 24}, True),
        ({"a": 1.0}, {"a": 23, "b": 1}, False),
        ({"a": 0.9, "b": 0.1}, {"a": 24}, True),
        ({"a": 0.9, "b": 0.1}, {"a": 20, "b": 4}, True),
        ({"a": 0.9, "b": 0.1}, {"a": 12, "b": 12}, False),
        ({"a": 0.5, "b": 0.5}, {"a": 24}, False),
        ({"a": 0.5, "b": 0.5, "c": 0.0}, {"a": 12, "b": 11, "c": 1}, False),
    ],
)
def test_what_was_served_must_be_possible(weights: dict[str, float], served: dict[str, int], possible: bool) -> None:
    assert (contradiction(weights, Counter(served)) == "") == possible


# ---- who may, and what came first ----


def test_the_risk_of_a_shift_grows_with_what_it_costs(world: World) -> None:
    risk, limits = action_of(Models.shift).risk, Call.model_fields["limits"].default
    assert risk(to_borealis(world), limits) is Risk.C1
    assert risk(to_borealis(world, parity=0.93), limits) is Risk.C2
    assert risk(to_borealis(world, price_ratio=1.4), limits) is Risk.C2
    assert risk(to_borealis(world, purpose="canary back"), limits) is Risk.C2
    assert risk(to_borealis(world, purpose="fall back", parity=0.1), limits) is Risk.C1
    assert action_of(Models.degrade).risk(Degrade(route="chat", tenants=movable(world)), limits) is Risk.C2


async def test_beyond_the_limits_nothing_happens_without_a_grant_for_this_very_order(world: World, models: Models, call: MakeCall) -> None:
    order = await on(models, to_borealis(world, parity=0.9), call())
    with pytest.raises(Refused, match="needs an approval"):
        await models.shift(order, call())
    with pytest.raises(Refused, match="something else"):
        await models.shift(order, granted(Models.shift, to_borealis(world, 0.5, parity=0.9), call()))
    assert not effects(world, "llm")
    assert await models.shift(order, granted(Models.shift, to_borealis(world, parity=0.9), call()))  # prior and epoch are not asked about


async def test_a_tenant_never_goes_where_it_may_not(world: World, models: Models, call: MakeCall) -> None:
    order = await on(models, to_borealis(world, tenants=EVERYBODY), call())
    with pytest.raises(Refused, match="not_permitted"):
        await models.shift(order, call())
    assert not effects(world, "llm")


async def test_a_late_duplicate_does_not_win_against_a_newer_change(world: World, models: Models, call: MakeCall) -> None:
    late = await on(models, to_borealis(world, 0.1), call())
    newer = await on(models, to_borealis(world), call())
    await models.shift(newer, call(key="newer"))
    with pytest.raises(Refused, match="newer route change"):
        await models.shift(late, call(key="late"))
    assert world.state.route.shares(movable(world)[0]) == {"borealis": 1.0, "aurora": 0.0}
    await models.shift(await on(models, to_borealis(world, 0.5), call()), call())
    with pytest.raises(Refused, match=r"newer route change \(epoch 2\)"):
        await models.shift(newer, call(key="newer"))


async def test_degrading_others_meanwhile_does_not_void_a_failover(world: World, models: Models, call: MakeCall) -> None:
    order, aside = (
        await on(models, to_borealis(world), call()),
        await on(models, Degrade(route="chat", tenants=sovereign(world)[:3]), call()),
    )
    await models.degrade(aside, call(key="aside"))
    effect = await models.shift(order, call())
    assert effect.after["epoch"] == 2 and world.state.route.mode(sovereign(world)[0]) == "retrieval_only"


async def test_a_change_made_by_hand_is_adopted(world: World, models: Models, call: MakeCall) -> None:
    order = await on(models, to_borealis(world), call())
    world.state.route.overrides = {tenant: {"borealis": 1.0} for tenant in movable(world)}
    world.state.route.epoch = 9
    assert (await models.shift(order, call())).adopted
    assert not effects(world, "llm")


async def test_a_step_whose_lease_lapsed_is_not_claimed(world: World, models: Models, call: MakeCall) -> None:
    order = await on(models, to_borealis(world, 0.5, lease_seconds=90.0, safe_weights={"aurora": 1.0}), call())
    assert not (await models.shift(order, call())).adopted
    assert (await models.shift(order, call())).adopted
    pass_time(world, 120)
    with pytest.raises(Lapsed, match="lapsed"):
        await models.shift(order, call())
    assert (await route_of(models, call())).weights_for(movable(world)[0]) == {"aurora": 1.0}


async def test_modes_that_somebody_else_changed_are_left_to_people(world: World, models: Models, call: MakeCall) -> None:
    tenants = sovereign(world)[:2]
    world.state.route.modes[tenants[0]] = "retrieval_only"
    order = await on(models, Degrade(route="chat", tenants=tenants), call())
    await models.degrade(order, call())
    del world.state.route.modes[tenants[0]]
    with pytest.raises(Refused, match=tenants[0]):
        await models.restore_modes(order.undo(), call(key="lift"))


# ---- how clients retry ----


async def test_backing_off_is_proven_by_fewer_retries(world: World, models: Models, call: MakeCall) -> None:
    break_provider(world, "aurora", "overload", 0.6)
    pass_time(world, 120)
    order = await on(models, BackOffOrder(), call())
    made = call()
    with pytest.raises(NotYet, match="of calls are still retries") as said:
        await models.back_off(order, made)
    assert said.value.next_retry_delay == timedelta(seconds=30)
    second = ActivityEnvironment()
    second.info = _on_attempt(second.info, 3)
    effect = await second.run(models.back_off, order, made)
    assert "of the calls are retries" in effect.proven_by
    assert effect.before["max_attempts"] == 5
    assert len(effects(world, "llm.client_policy.put")) == 1


async def test_a_policy_that_somebody_else_changed_is_left_to_people(world: World, models: Models, call: MakeCall) -> None:
    order = await on(models, BackOffOrder(), call())
    await models.back_off(order, call())
    world.state.policy.max_attempts = 2
    with pytest.raises(Refused, match="somebody has changed"):
        await models.restore_client_policy(order.undo(), call(key="lift"))


def _on_attempt(info: Any, attempt: int) -> Any:
    import dataclasses

    return dataclasses.replace(info, attempt=attempt)


# ---- by hand ----


@writes
async def test_by_hand_does_the_same(world: World, models: Models, call: MakeCall, practice_url: str, story: Story, route: str) -> None:
    verb, order = await story(models, call)
    before = len(effects(world, route))
    settings = {**os.environ, "MODEL_GATEWAY_URL": f"{practice_url}/llm", "MODEL_GATEWAY_TOKEN": "practice-token"}
    shell = await asyncio.create_subprocess_exec("bash", "-ec", "\n".join(order.by_hand()), env=settings, stdout=asyncio.subprocess.DEVNULL)
    assert await shell.wait() == 0
    assert len(effects(world, route)) == before + 1
    assert (await verb(models, order, granted(verb, order, call(later=60)))).adopted


def test_orders_say_themselves_without_secrets(world: World) -> None:
    for order in (to_borealis(world), Degrade(route="chat", tenants=sovereign(world)), BackOffOrder(settings=BackOff()), ClientPolicyOf()):
        assert order.effect() and order.inverse() and order.target().isascii()
        assert "practice-token" not in "".join(order.by_hand())
