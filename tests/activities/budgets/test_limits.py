"""Limits: what is used goes down, by a meter that is not the router; they are given back in steps; what would allow more is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from activities.action import Limits, Risk, action_of
from activities.budgets.limit import Limit
from activities.budgets.limits import Clamps, clamp
from activities.budgets.quotas import KeyQuotas, lower
from activities.kit.setting import Change
from tests.activities.agents.worlds import Played, played
from tests.activities.kit.stage import refused, tried


async def clamped(world: Played, order: Change[Any, Any], key: str = "k") -> Any:
    system = world.system(Clamps)
    order = order.given(await system.look_at(world.stage.call(), order.of))
    effect, broke = await tried(Clamps.change, system, order, world.stage.call(key=key))
    return order, effect, broke


async def test_a_clamp_counts_when_the_meter_shows_it() -> None:
    world = played()
    agent = world.runs_away()
    order, effect, broke = await clamped(world, clamp("agent", {agent.id: Limit(spend_usd_per_hour=20.0)}, usual={agent.id: 8.4}))
    assert any("still uses" in str(one) for one in broke), "the meter needs a moment"
    assert f"{agent.id} uses" in effect.proven_by
    assert sum(run.usd_per_hour for run in world.runtime.of(agent.id)) <= 20.01
    assert len(world.stage.effects("policy.limits.put")) == 1 and "8.4 USD per hour are usual" in order.effect()


async def test_it_is_given_back_in_steps_and_a_step_that_lets_it_run_away_again_is_taken_back() -> None:
    world = played()
    agent = world.runs_away()
    order, _, _ = await clamped(world, clamp("agent", {agent.id: Limit(spend_usd_per_hour=10.0)}, usual={agent.id: 8.4}))
    back = order.undo()
    assert [step.each[agent.id].spend_usd_per_hour for step in back.steps] == [20.0, 40.0, None]
    why = await refused(lambda: tried(Clamps.restore, world.system(Clamps), back, world.stage.call(key="back")))
    assert "step 1 of 3 was taken back" in why and "8.4 USD per hour are usual" in why
    assert world.budgets.limit("agent", agent.id).spend_usd_per_hour == 10.0


async def test_a_tenants_own_cap_comes_back_by_quarters() -> None:
    world = played()
    tenant = world.agent().tenant
    before = world.budgets.limit("tenant", tenant).psu_daily_cap
    assert before
    low = Limit(psu_daily_cap=before / 2)
    order, _, _ = await clamped(world, clamp("tenant", {tenant: low}))
    assert [step.each[tenant].psu_daily_cap for step in order.undo().steps] == [before * 0.625, before * 0.75, before]
    await tried(Clamps.restore, world.system(Clamps), order.undo(), world.stage.call(key="back"))
    assert world.budgets.limit("tenant", tenant).psu_daily_cap == before


async def test_several_names_are_written_one_by_one_and_a_write_that_broke_off_is_finished() -> None:
    world = played()
    names = list(world.stage.world.state.tenants)[:3]
    caps = {name: world.budgets.limit("tenant", name).psu_daily_cap for name in names}
    order = clamp("tenant", {name: Limit(psu_daily_cap=cap, llm_rate="low") for name, cap in caps.items()})
    world.stage.inject("policy.limits.put", "commit_then_drop", times=1)
    _, effect, _ = await clamped(world, order)
    assert [world.budgets.limit("tenant", name).llm_rate for name in names] == ["low"] * 3
    assert len(world.stage.effects("policy.limits.put")) == 3 and effect.proven_by


@pytest.mark.parametrize(
    ("order", "risk"),
    [
        (clamp("run", {"tr-1": Limit(llm_rate=0)}), Risk.C2),
        (clamp("agent", {"a.b": Limit(spend_usd_per_hour=5.0)}), Risk.C1),
        (clamp("tenant", {"a": Limit(spend_usd_per_hour=5.0)}), Risk.C1),
        (clamp("tenant", {"a": Limit(psu_daily_cap=5.0), "b": Limit(psu_daily_cap=5.0)}), Risk.C2),
        (clamp("tenant", {"a": Limit(psu_daily_cap=0)}), Risk.C3),
        (clamp("all", {"all": Limit(spend_usd_per_hour=500.0)}), Risk.C3),
        (clamp("tier", {"starter": Limit(spend_usd_per_hour=500.0)}), Risk.C3),
    ],
)
def test_the_wider_the_graver(order: Change[Any, Any], risk: Risk) -> None:
    assert action_of(Clamps.change).risk(order, Limits()) is risk


@pytest.mark.parametrize("name", ["*", "cedar-*", "[ab]", "{a,b}", "?", " "])
async def test_a_pattern_is_no_name(name: str) -> None:
    world = played()
    why = await refused(lambda: clamped(world, clamp("tenant", {name: Limit(psu_daily_cap=1)})))
    assert "is no name of a tenant" in why and "name each of them" in why
    assert not world.stage.effects("policy")


async def test_nothing_is_ever_raised() -> None:
    world = played()
    tenant = next(iter(world.stage.world.state.tenants))
    why = await refused(lambda: clamped(world, clamp("tenant", {tenant: Limit(psu_daily_cap=1e8)})))
    assert f"{tenant} would be allowed more than now" in why and "automation never raises a limit" in why
    why = await refused(lambda: tried(KeyQuotas.change, world.system(KeyQuotas), lower("key-nobody", 5), world.stage.call(key="k")))
    assert "there is no key key-nobody" in why
    assert not world.stage.effects("policy")


ABSURD: list[dict[str, Any]] = [
    {"psu_daily_cap": -1}, {"spend_usd_per_hour": 1e9}, {"spend_usd_per_hour": float("nan")}, {"concurrency": -2}, {"llm_rate": -5},
]  # fmt: skip


@pytest.mark.parametrize("wrong", ABSURD)
def test_an_absurd_cap_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"(greater|less) than or equal to|finite number"):
        Limit.model_validate(wrong)


async def test_the_providers_own_quota_holds_a_stolen_key_back() -> None:
    world = played()
    world.runtime.stolen["key-batch"] = 900_000.0
    world.stage.pass_time(60)
    system, order = world.system(KeyQuotas), lower("key-batch", 300_000)
    order = order.given(await system.look_at(world.stage.call(), order.of))
    effect, broke = await tried(KeyQuotas.change, system, order, world.stage.call(key="q"))
    assert any("the provider still counts" in str(one) for one in broke) and "with key-batch" in effect.proven_by
