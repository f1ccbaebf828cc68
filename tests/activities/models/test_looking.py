"""What the model gateway tells: outages, probes, who could take over, and who may go where."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from activities.models.candidates import Probe, Split, Survey
from activities.models.logs import ErrorClass, Log
from activities.models.model_gateway import classify
from activities.models.models import Models
from practice.world.world import World
from tests.activities.conftest import MakeCall, break_provider, inject, pass_time
from tests.activities.models.worlds import movable, sovereign


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
    inject(world, "llm.chat.completions", "hang")
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


async def test_a_permission_counts_only_in_a_region_that_the_provider_has(world: World, models: Models, call: MakeCall) -> None:
    """INV-13: who permits a provider in one region has not permitted it in another; neither to move, nor to be counted as load that moves."""
    here, elsewhere = movable(world)[:2]
    world.state.providers["borealis"].regions = ["eu-west"]
    for tenant in movable(world):
        world.state.tenants[tenant].allowed = ["aurora@eu-west", "aurora@us-east", "borealis@us-east"]
    world.state.tenants[here].allowed = ["aurora@eu-west", "borealis@eu-west"]
    split = await models.split(Split(route="chat", primary="aurora", to="borealis"), call())
    assert split.movable == (here,)
    assert split.reasons[elsewhere] == "permits only aurora@eu-west, aurora@us-east, borealis@us-east"
    candidate = (await models.survey(Survey(route="chat", primary="aurora"), call())).of("borealis")
    assert candidate is not None and candidate.movable_rps == split.rps[here]
