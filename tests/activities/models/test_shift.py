"""A shift is proven by who serves, is done once whatever happens, and never sends anybody where they may not go.

It is no setting of the kit: it holds a lease, which lapses to safe weights by itself, and it covers tenants of one route that others share.
"""

import asyncio
import os
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from activities.action import Call, Lapsed, NotYet, Refused, Risk, action_of
from activities.models.candidates import Split
from activities.models.logs import Served
from activities.models.models import Models, contradiction
from activities.models.modes import TenantModes, degrade
from activities.models.routes import EVERYBODY, RouteOf, Shift
from practice.world.state import Version
from practice.world.world import World
from tests.activities.conftest import MISHAPS, MakeCall, effects, granted, inject, pass_time, until_done
from tests.activities.models.worlds import movable, sovereign, to_borealis

WEIGHTS = "llm.routes.weights"


async def route_of(models: Models, call: Call) -> Any:
    return await models.route(RouteOf(route="chat"), call)


async def on(models: Models, order: Shift, call: Call) -> Shift:
    """The order, with the route before."""
    return order.given(await models.route(RouteOf(route="chat"), call))


async def shifted(models: Models, order: Shift, call: Call) -> Any:
    """Carried out with a yes to it."""
    return await models.shift(order, granted(Models.shift, order, call))


async def test_a_failover_is_proven_by_who_serves(world: World, models: Models, call: MakeCall) -> None:
    order = await on(models, to_borealis(world), call())
    effect = await shifted(models, order, call())
    assert "24 probes were served by borealis (24)" in effect.proven_by
    assert effect.before["epoch"] == 0 and effect.after["epoch"] == 1
    pass_time(world, 60)
    served = await models.served(Served(route="chat", window=timedelta(seconds=45)), call())
    assert {by for tenant in order.tenants for by in served.tenants[tenant].by} == {"borealis"}
    assert {by for tenant in sovereign(world) for by in served.tenants[tenant].by} == {"aurora"}
    assert "answers were good" in served.summary and "USD per hour" in served.summary
    undone = await shifted(models, order.undo(), call())
    assert not undone.adopted
    assert all(world.state.route.shares(t) == {"aurora": 1.0, "borealis": 0.0, "cumulus": 0.0} for t in order.tenants)


async def shift_of(models: Models, call: MakeCall) -> Any:
    tenants = (await models.split(Split(route="chat", primary="aurora", to="borealis"), call())).movable
    order = Shift(route="chat", tenants=tenants, weights={"borealis": 1.0}, purpose="fall back")
    return await on(models, order, call())


@pytest.mark.parametrize(("mode", "settings"), MISHAPS, ids=[mode for mode, _ in MISHAPS])
async def test_whatever_happens_to_a_write_it_is_done_once(
    world: World, models: Models, call: MakeCall, mode: str, settings: dict[str, Any]
) -> None:
    order = await shift_of(models, call)
    made = granted(Models.shift, order, call(key="the key"))
    inject(world, WEIGHTS, mode, **settings)
    effect, broke = await until_done(lambda: models.shift(order, made))
    assert effect.adopted == (mode == "commit_then_drop")
    assert broke or mode == "latency"
    done = [e for e in effects(world, WEIGHTS) if e["key"] == "the key"]
    assert len(done) == (2 if mode == "partial" else 1)  # the second half is an effect of its own
    again = await models.shift(order, made)
    assert again.adopted and [e for e in effects(world, WEIGHTS) if e["key"] == "the key"] == done


async def test_a_200_that_changed_nothing_is_never_an_effect(world: World, models: Models, call: MakeCall) -> None:
    order = await shift_of(models, call)
    made = granted(Models.shift, order, call(key="the key"))
    inject(world, WEIGHTS, "nothing_changed")
    for _ in range(3):
        with pytest.raises(NotYet, match="accepted, but"):
            await models.shift(order, made)
    assert not [e for e in effects(world, WEIGHTS) if e["key"] == "the key"]


async def test_a_stale_reading_is_read_again(world: World, models: Models, call: MakeCall) -> None:
    order = await shift_of(models, call)
    made = granted(Models.shift, order, call(key="the key"))
    inject(world, "llm.routes.get", "stale_read", times=2)
    effect, _ = await until_done(lambda: models.shift(order, made))
    assert effect.proven_by
    assert len([e for e in effects(world, WEIGHTS) if e["key"] == "the key"]) == 1


async def test_a_router_that_says_so_but_serves_otherwise_proves_nothing(world: World, models: Models, call: MakeCall) -> None:
    order = await on(models, to_borealis(world), call())
    inject(world, "llm.chat.completions", "stale_read")
    with pytest.raises(NotYet, match="the data plane still shows otherwise"):
        await shifted(models, order, call())


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


def test_only_going_back_is_narrow_and_a_standing_policy_covers_an_equal_provider_at_a_like_price(world: World) -> None:
    risk, limits = action_of(Models.shift).risk, Call.model_fields["limits"].default
    assert [risk(to_borealis(world, purpose=purpose), limits) for purpose in ("fail over", "canary back", "fall back")] == [
        Risk.C2, Risk.C2, Risk.C1,
    ]  # fmt: skip
    assert to_borealis(world).within_limits(limits)
    assert not to_borealis(world, parity=0.93).within_limits(limits)
    assert not to_borealis(world, price_ratio=1.4).within_limits(limits)
    assert to_borealis(world, purpose="fall back", parity=0.1).within_limits(limits)


async def test_nothing_happens_without_a_grant_for_this_very_order(world: World, models: Models, call: MakeCall) -> None:
    order = await on(models, to_borealis(world), call())
    with pytest.raises(Refused, match="needs an approval"):
        await models.shift(order, call())
    with pytest.raises(Refused, match="something else"):
        await models.shift(order, granted(Models.shift, to_borealis(world, 0.5), call()))
    assert not effects(world, "llm")
    assert await models.shift(order, granted(Models.shift, to_borealis(world), call()))  # prior and epoch are not asked about


async def test_a_tenant_never_goes_where_it_may_not(world: World, models: Models, call: MakeCall) -> None:
    order = await on(models, to_borealis(world, tenants=EVERYBODY), call())
    with pytest.raises(Refused, match="not_permitted"):
        await shifted(models, order, call())
    assert not effects(world, "llm")


async def test_a_late_duplicate_does_not_win_against_a_newer_change(world: World, models: Models, call: MakeCall) -> None:
    late = await on(models, to_borealis(world, 0.1), call())
    newer = await on(models, to_borealis(world), call())
    await shifted(models, newer, call(key="newer"))
    with pytest.raises(Refused, match="newer route change"):
        await shifted(models, late, call(key="late"))
    assert world.state.route.shares(movable(world)[0]) == {"borealis": 1.0, "aurora": 0.0}
    await shifted(models, await on(models, to_borealis(world, 0.5), call()), call())
    with pytest.raises(Refused, match=r"newer route change \(epoch 2\)"):
        await shifted(models, newer, call(key="newer"))


async def test_a_change_made_by_hand_is_adopted(world: World, models: Models, call: MakeCall) -> None:
    order = await on(models, to_borealis(world), call())
    world.state.route.overrides = {tenant: {"borealis": 1.0} for tenant in movable(world)}
    world.state.versions["routes/chat"] = Version(epoch=9)
    assert (await shifted(models, order, call())).adopted
    assert not effects(world, "llm")


async def test_a_step_whose_lease_lapsed_is_not_claimed(world: World, models: Models, call: MakeCall) -> None:
    order = await on(models, to_borealis(world, 0.5, lease_seconds=90.0, safe_weights={"aurora": 1.0}), call())
    assert not (await shifted(models, order, call())).adopted
    assert (await shifted(models, order, call())).adopted
    pass_time(world, 120)
    with pytest.raises(Lapsed, match="lapsed"):
        await shifted(models, order, call())
    assert (await route_of(models, call())).weights_for(movable(world)[0]) == {"aurora": 1.0}


async def test_degrading_others_meanwhile_does_not_void_a_failover(
    world: World, models: Models, modes: TenantModes, call: MakeCall
) -> None:
    order, aside = await on(models, to_borealis(world), call()), degrade("chat", sovereign(world)[:3])
    await modes.change(aside.given(await modes.read(aside.look(), call())), call(key="aside"))
    effect = await shifted(models, order, call())
    assert effect.after["epoch"] == 2 and world.state.route.mode(sovereign(world)[0]) == "retrieval_only"


async def test_by_hand_does_the_same(world: World, models: Models, call: MakeCall, practice_url: str) -> None:
    order = await shift_of(models, call)
    settings = {**os.environ, "MODEL_GATEWAY_URL": f"{practice_url}/llm", "MODEL_GATEWAY_TOKEN": "practice-token"}
    shell = await asyncio.create_subprocess_exec("bash", "-ec", "\n".join(order.by_hand()), env=settings, stdout=asyncio.subprocess.DEVNULL)
    assert await shell.wait() == 0
    assert len(effects(world, WEIGHTS)) == 1
    assert (await shifted(models, order, call(later=60))).adopted
