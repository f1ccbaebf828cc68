"""Whose the spending is; and a meter that says what cannot be says nothing."""

import pytest

from activities.agents.seen import Agents, RunsOf
from activities.organisation.numbers import LoopNumbers
from activities.usage.attribution import Spending, Usage
from activities.usage.spend_reading import SpendReading
from tests.activities.agents.worlds import Played, played
from tests.activities.kit.stage import attempt


async def read(world: Played) -> SpendReading:
    found: SpendReading = await attempt(Usage.spending, world.system(Usage), Spending(service="chat"), world.stage.call())
    return found


async def test_the_offender_stands_first_with_its_multiple_and_everything_is_somebodys() -> None:
    world = played()
    agent = world.runs_away()
    world.stage.pass_time(200)
    found = await read(world)
    first = found.offenders[0]
    assert (first.tenant, first.agent) == (agent.tenant, agent.name) and first.multiple and first.multiple > 5
    assert found.attributed and found.attributed >= 0.9 and found.traces[0].agent == agent.id
    assert found.multiple and 1 < found.multiple < 2 and not found.broken and not found.blind


async def test_two_agents_of_one_name_are_two() -> None:
    world = played()
    agent = world.runs_away()
    world.stage.pass_time(200)
    same = [one for one in world.runtime.agents.values() if one.name == agent.name and one.tenant != agent.tenant]
    found = await read(world)
    assert same and all((other := found.of(one.tenant, one.name)) is None or (other.multiple or 0) < 2 for one in same)


async def test_a_quiet_day_is_what_is_usual() -> None:
    world = played()
    world.stage.pass_time(300)
    found = await read(world)
    assert found.multiple and 0.8 < found.multiple < 1.2
    assert all(one.gap is not None and abs(one.gap) < 0.05 for one in found.keys if one.own)


async def test_a_stolen_key_shows_on_the_providers_meter_only() -> None:
    world = played()
    world.runtime.stolen["key-batch"] = 200_000.0
    world.stage.pass_time(300)
    found = await read(world)
    batch = next(one for one in found.keys if one.key == "key-batch")
    assert batch.gap and batch.gap > 1 and found.multiple and found.multiple < 1.2


async def test_a_looping_run_is_told_from_an_ordinary_one() -> None:
    world = played()
    agent = world.runs_away()
    seen = await attempt(Agents.runs, world.system(Agents), RunsOf(tenant=agent.tenant), world.stage.call())
    looping = {run.trace: run.looping(LoopNumbers()) for run in seen.runs}
    assert {trace for trace, said in looping.items() if said} == {run.trace for run in world.runaways()}
    assert "times the same call in a row" in looping[world.runaways()[0].trace][0]


@pytest.mark.parametrize("value", [-5.0, float("nan"), float("inf")])
async def test_a_meter_that_says_what_cannot_be_is_unknown(value: float) -> None:
    world = played()
    agent = world.agent()
    labels = {"service": "chat", "tenant": agent.tenant, "agent": agent.name}
    world.stage.world.metrics.gauge("llm_spend_usd_per_hour_usual", labels).value = value
    world.stage.pass_time(300)
    found = await read(world)
    offender = found.of(agent.tenant, agent.name)
    assert found.broken == ("usual",) and (offender is None or offender.multiple is None)


async def test_a_store_that_takes_no_samples_is_blind_and_not_a_store_without_spending() -> None:
    world = played()
    world.stage.world.state.blind = True
    world.stage.pass_time(700)
    found = await read(world)
    assert found.blind and found.usd_per_hour is None and found.multiple is None and found.attributed is None
