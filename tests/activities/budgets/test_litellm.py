"""LiteLLM: what it cannot keep is refused before anything is sent, and what people have set there is not lost."""

from typing import Any

import pytest

from activities.action import Call
from activities.budgets.limit import Limit, LimitsOf
from activities.budgets.limits import clamp
from activities.budgets.litellm import LiteLLM
from practice.faces.litellm import Limits, Proxy
from tests.activities.agents.worlds import Played, played
from tests.activities.kit.stage import refused

TENANT = "cedar-homes"


def proxy(world: Played) -> LiteLLM:
    return LiteLLM(world.stage.client("/litellm"))


def call(world: Played) -> Call:
    return world.stage.call(key="k")


async def write(world: Played, limit: Limit, scope: str = "tenant", name: str = TENANT) -> None:
    before = await proxy(world).read(call(world), scope, name)
    await proxy(world).write(call(world), scope, name, limit, before.value, "")


async def test_a_key_is_limited_blocked_and_freed() -> None:
    world = played()
    for limit in (
        Limit(spend_usd_per_hour=5.0, llm_rate=9000, concurrency=2),
        Limit(spend_usd_per_hour=0.0),
        Limit(llm_rate="low"),
        Limit(),
    ):
        await write(world, limit, "key", "key-batch")
        assert (await proxy(world).read(call(world), "key", "key-batch")).value == limit
    assert [e["route"].rpartition(".")[2] for e in world.stage.effects("litellm")] == [
        "update",
        "update",
        "block",
        "update",
        "unblock",
        "update",
    ]


async def test_a_budget_of_another_period_is_not_touched() -> None:
    world = played()
    kept = world.stage.world.state.part(Proxy).held[f"team/{TENANT}"] = Limits(max_budget=900.0, budget_duration="30d")
    why = await refused(lambda: _anything(write(world, Limit(spend_usd_per_hour=5.0))))
    assert "has a budget of 900 USD for 30d, which would be lost" in why
    await write(world, Limit(llm_rate="low"))
    await write(world, Limit())
    assert (kept.max_budget, kept.budget_duration, kept.tpm_limit) == (900.0, "30d", None)


@pytest.mark.parametrize(
    ("scope", "limit", "why"),
    [
        ("run", Limit(llm_rate="low"), "LiteLLM keeps no limits of a run: limit its key or its team"),
        ("tenant", Limit(psu_daily_cap=4.0), "LiteLLM counts no PSU"),
        (
            "tenant",
            Limit(concurrency=2),
            "LiteLLM counts no parallel calls of a team: limit them at its keys, or limit its tokens per minute",
        ),
    ],
)
async def test_what_it_does_not_have_is_refused(scope: str, limit: Limit, why: str) -> None:
    world = played()
    assert why in await refused(lambda: _anything(write(world, limit, scope)))
    assert not world.stage.effects("litellm")


async def test_a_team_has_no_limit_of_parallel_calls() -> None:
    """A field that the proxy does not know is ignored there: it must never look kept (its OpenAPI document; `make judge`)."""
    world = played()
    await world.stage.client("/litellm").write(call(world), "POST", "/team/update", json={"team_id": TENANT, "max_parallel_requests": 1})
    assert (await proxy(world).read(call(world), "tenant", TENANT)).value == Limit()


def test_a_person_is_given_its_own_commands() -> None:
    order = clamp("tenant", {TENANT: Limit(llm_rate="low")}, store="litellm")
    assert isinstance(order.of, LimitsOf) and any("/team/update" in line and "LITELLM_TOKEN" in line for line in order.by_hand())


async def _anything(work: Any) -> Any:
    return await work
