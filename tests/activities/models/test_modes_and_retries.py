"""What is special about modes and the retry policy: how they are proven, and what is somebody else's. The rest is in the contract table."""

import pytest

from activities.action import Limits, NotYet, Refused, Risk, action_of
from activities.models.client_policy import SETTLED, ClientPolicies, back_off
from activities.models.modes import TenantModes, degrade
from activities.organisation.numbers import BackOff
from practice.world.world import World
from tests.activities.conftest import MakeCall, break_provider, effects, granted, inject, pass_time, tried
from tests.activities.models.worlds import movable, sovereign


def test_degrading_more_than_a_few_tenants_is_asked_about(world: World) -> None:
    risk = action_of(TenantModes.change).risk
    assert risk(degrade("chat", movable(world)[:3]), Limits()) is Risk.C1
    assert risk(degrade("chat", movable(world)), Limits()) is Risk.C2
    assert degrade("chat", ()).concerns_nobody()


async def test_a_product_that_still_answers_in_the_old_mode_proves_nothing(world: World, modes: TenantModes, call: MakeCall) -> None:
    order = degrade("chat", sovereign(world)[:3])
    order = order.given(await modes.read(order.look(), call()))
    world.before["app"] = (world.keep(), world.clock.now())
    inject(world, "app.chat", "stale_read")
    with pytest.raises(NotYet, match="the product still answers"):
        await modes.change(order, call())


async def test_modes_that_somebody_else_changed_are_left_to_people(world: World, modes: TenantModes, call: MakeCall) -> None:
    tenants = sovereign(world)[:2]
    world.state.route.modes[tenants[0]] = "retrieval_only"
    order = degrade("chat", tenants)
    order = order.given(await modes.read(order.look(), call()))
    await modes.change(order, call())
    del world.state.route.modes[tenants[0]]
    with pytest.raises(Refused, match=f"conflict: .*{tenants[0]}"):
        await modes.restore(order.undo(), call(key="lift"))


async def test_tenants_come_back_in_steps_and_each_goes_only_from_the_one_before(world: World, modes: TenantModes, call: MakeCall) -> None:
    tenants = movable(world)[:10]
    order = degrade("chat", tenants)
    order = order.given(await modes.read(order.look(), call()))
    await modes.change(order, granted(TenantModes.change, order, call()))
    left = []
    for n, step in enumerate(order.undo_steps((0.1, 0.5, 1.0))):
        made = call(key=f"lift-{n}")
        await modes.restore(step, granted(TenantModes.restore, step, made))  # type: ignore[arg-type]
        left.append(sum(world.state.route.mode(tenant) == "retrieval_only" for tenant in tenants))
    assert left == [9, 5, 0]


async def test_backing_off_is_proven_by_fewer_retries(world: World, client_policy: ClientPolicies, call: MakeCall) -> None:
    break_provider(world, "aurora", "overload", 0.6)
    pass_time(world, 120)
    order = back_off(BackOff(), "chat")
    order = order.given(await client_policy.read(order.look(), call()))
    effect, broke = await tried(ClientPolicies.change, client_policy, order, call())
    assert isinstance(broke[0], NotYet) and "of calls are still retries" in broke[0].message and broke[0].next_retry_delay == SETTLED
    assert "of the calls are retries" in effect.proven_by and effect.before["max_attempts"] == 5
    assert len(effects(world, "llm.client_policy.put")) == 1


async def test_a_policy_that_somebody_else_changed_is_left_to_people(world: World, client_policy: ClientPolicies, call: MakeCall) -> None:
    order = back_off(BackOff(), "chat")
    order = order.given(await client_policy.read(order.look(), call()))
    await client_policy.change(order, call())
    world.state.policy.max_attempts = 2
    with pytest.raises(Refused, match="has changed the retry policy of our clients since we left it"):
        await client_policy.restore(order.undo(), call(key="lift"))
