"""§2.2: the steps to the fallback provider, and the way back to the primary."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.playbooks.llm_provider_outage.outage import (
    FIVE,
    MINUTE,
    NO_TERTIARY,
    STANDING,
    asked,
    at_of,
    outage,
    retrieval_only,
    returns,
    story,
)
from tests.stage.drill import Drill
from tests.stage.organisation import brisk
from tests.stage.running import RunningIncident, until
from workflows.incident import Phase, Silence, State

# -- the ramp -------------------------------------------------------------------------------------------------------------------------


async def test_a_fallback_provider_that_saturates_sheds_the_lowest_tier_first(tmp_path: Path) -> None:
    """Starters are degraded, then business; enterprise stays with a model as long as it can be carried."""
    policy = brisk(
        outage='ramp = [0.25, 0.5, 0.75, 1.0]\nramp_step = "PT2M"'
    )  # no step is so great, or so soon, that it topples the provider
    async with outage(tmp_path, lasts=None, policy=policy) as (stage, incident):
        await incident.hears("borealis 0.25")
        await stage.edit(providers={"borealis": {"capacity_rps": 6.5}})  # enough for enterprise
        await incident.is_in(Phase.RECOVERY)
        tiers = {t: row["tier"] for t, row in (await stage.look())["tenants"].items()}
        degraded = {tiers[t] for t in await retrieval_only(stage)}
        assert degraded == {"sovereign", "starter", "business"}, story(await incident.timeline())
        asked_for = [q.asks for q in (await incident.status()).questions if "from retrieval only" in q.asks]
        first = [next(tiers[t] for t in tiers if t in asks) for asks in asked_for]
        assert first == ["sovereign", "starter", "business"]
        assert await stage.trespasses() == []


@pytest.mark.parametrize(("ramp", "topples"), [("[0.25, 0.6, 1.0]", False), ("[1.0]", True)])
async def test_the_ramp_keeps_the_fallback_provider_from_toppling(tmp_path: Path, ramp: str, topples: bool) -> None:
    """In steps the fallback provider carries everybody; in one step it falls over and we go back."""
    providers = {"borealis": {"capacity_rps": 12.0}}
    async with outage(tmp_path, lasts=None, providers=providers, policy=brisk(outage=f"ramp = {ramp}")) as (_, incident):
        await incident.answer("from retrieval only")
        await incident.hears("fall back" if topples else "borealis 1 (proven")
        await incident.pass_time(MINUTE)
        purposes = {row.effect.partition(":")[0] for row in incident.done("models.shift")}
        assert purposes == ({"fail over", "fall back"} if topples else {"fail over"}), story(await incident.timeline())


async def test_a_permission_that_is_withdrawn_during_the_ramp_stops_it_before_the_next_step(tmp_path: Path) -> None:
    """INV-13: permissions are read again at every step; a person decides, and nobody more is sent where they do not want to be."""
    async with outage(tmp_path, lasts=None, policy=brisk(outage="ramp = [0.25, 0.6, 1.0]")) as (stage, incident):
        await incident.hears("borealis 0.25")
        (moved,) = [order for order in await incident.orders("models.shift") if order["weights"].get("borealis") == 0.25][:1]
        tenant = moved["tenants"][0]
        await stage.edit(tenants={tenant: {"allowed": ["aurora@eu-west"]}})
        question = await incident.question("models.shift on")
        assert any(tenant in fact and "permit" in fact for fact in question.facts), question.facts
        assert [row.effect for row in incident.done("models.shift") if "0.6" in row.effect] == [], "no further step was made"


# -- the way back ---------------------------------------------------------------------------------------------------------------------


async def to_the_canary(stage: Drill, incident: RunningIncident) -> None:
    """Up to a first share of real traffic on the primary."""
    await incident.is_in(Phase.RECOVERY)
    await incident.answer("Canary back")
    await incident.hears("canary back: 16 tenants", skip=timedelta(seconds=15))


async def test_with_both_arms_failing_the_canary_holds_and_a_person_decides(tmp_path: Path) -> None:
    """Nothing is promoted in doubt, and the canary is not blamed for what hits both."""
    async with outage(tmp_path, lasts=200) as (stage, incident):
        await incident.is_in(Phase.RECOVERY)
        question = await incident.question("Canary back")
        code = await stage.code("dana", question.number)
        for provider in ("aurora", "borealis"):
            # Probes find the primary well; with the first share of traffic both fail.
            await stage.break_provider(provider=provider, kind="overload", rate=0.95, after_seconds=80)
        await incident.say("approve", code)
        held = await incident.question("undecided", skip=timedelta(seconds=15))
        assert "both arms" in held.asks, story(await incident.timeline())
        assert held.silence is Silence.ABORT
        await incident.answer("undecided", "decline")
        await incident.hears("done: models.shift route/chat: fall back")
        shares = (await stage.wrote("llm.routes.weights"))[-1]["after"]["overrides"]
        assert len(shares) == 16 and all(share == {"borealis": 1.0} for share in shares.values()), shares


async def test_a_primary_that_relapses_is_left_again_and_tried_later(tmp_path: Path) -> None:
    """Falls back at once, waits, tries again, and is promoted in the end."""
    async with outage(tmp_path, lasts=200) as (stage, incident):
        await to_the_canary(stage, incident)
        await stage.break_provider(provider="aurora", kind="overload", rate=0.9, for_seconds=120)
        await incident.hears("done: models.shift route/chat: fall back", skip=timedelta(seconds=15))
        status = await incident.ends()
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert (await stage.look())["route"]["weights"] == {"aurora": 1.0}
        assert sum("Canary back" in q.asks for q in status.questions) == 2


async def test_a_flapping_primary_gets_one_attempt_an_hour_and_none_within_the_lock(tmp_path: Path) -> None:
    """No ping-pong: the lock holds after a failover, and two attempts are an hour apart."""
    policy = brisk(outage='flap_lock = "PT30M"\nreturns_apart = "PT60M"\nlog_window = "PT15M"')
    async with outage(tmp_path, lasts=100, policy=policy) as (stage, incident):
        await incident.is_in(Phase.RECOVERY)
        moved = datetime.fromisoformat((await stage.wrote("llm.routes.weights"))[-1]["world_at"])
        await incident.answer("Canary back")
        await incident.hears("canary back: 16 tenants", skip=timedelta(seconds=15))
        await stage.break_provider(provider="aurora", kind="overload", rate=0.9, for_seconds=60)
        await incident.hears("done: models.shift route/chat: fall back", skip=timedelta(seconds=15))
        await until(lambda: _second_return(stage, incident), "a second return")
        first, second = (await returns(stage))[:2]
        assert first - moved >= timedelta(minutes=30)
        assert second - first >= timedelta(minutes=60)


async def _second_return(stage: Drill, incident: RunningIncident) -> bool:
    for question in (await incident.status()).asking:
        if "Canary back" in question.asks:
            await incident.answer("Canary back")
    await incident.pass_time(timedelta(minutes=2))
    return len(await returns(stage)) > 1


async def test_a_declined_canary_leaves_the_traffic_with_the_fallback_provider_in_somebodys_name(tmp_path: Path) -> None:
    """Allowed, and resolved, but never silently: the failover is held by a person. The degraded tenants, who permit only the primary, come back."""
    async with outage(tmp_path, lasts=200) as (stage, incident):
        status = await incident.ends({"Canary back": "decline"})
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert sum("Not resolved yet" in q.asks for q in status.questions) == 1
        assert {(m.name, m.held_by) for m in status.in_force} == {("failed over", "dana")}
        assert await retrieval_only(stage) == set()
        assert await returns(stage) == []
        outcome = await incident.handle.result()
        assert "held by dana" in outcome["in_force"][0]


async def test_a_fallback_provider_that_fails_during_recovery_is_noticed_within_the_lock(tmp_path: Path) -> None:
    """Customers are degraded, not left with a second broken provider until the lock is over."""
    policy = brisk(outage='flap_lock = "PT20M"', more=STANDING)
    async with outage(tmp_path, lasts=1500, policy=policy) as (stage, incident):
        await incident.is_in(Phase.RECOVERY)
        moved = datetime.fromisoformat((await stage.wrote("llm.routes.weights"))[-1]["world_at"])
        assert len(await retrieval_only(stage)) == 4
        await stage.break_provider(provider="borealis", kind="overload", rate=0.9, for_seconds=1200)
        await incident.hears("borealis fails too", skip=timedelta(minutes=2))
        assert await at_of(incident, "note") < moved + timedelta(minutes=15)
        await until(lambda: _all_degraded(stage, incident), "everybody to be degraded")
        status = await incident.ends()
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert await retrieval_only(stage) == set()
        assert (await stage.look())["route"]["weights"] == {"aurora": 1.0}


async def _all_degraded(stage: Drill, incident: RunningIncident) -> bool:
    await incident.pass_time(timedelta(seconds=15))
    return len(await retrieval_only(stage)) == 20


async def test_a_primary_that_never_comes_back_and_has_no_fallback_provider_is_handed_over(tmp_path: Path) -> None:
    """Nothing is restored onto a provider that is down."""
    policy = brisk(outage='longest_wait_for_primary = "PT30M"')
    async with outage(tmp_path, kind="down", lasts=None, policy=policy, providers=NO_TERTIARY) as (stage, incident):
        await stage.break_provider(provider="borealis", kind="down")
        await incident.is_in(Phase.RECOVERY)
        await incident.hears("handed over:", skip=FIVE)
        assert len(await retrieval_only(stage)) == 20
        assert not asked(await incident.status(), "Restore")
