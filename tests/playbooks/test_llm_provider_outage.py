"""§2.2, told as stories: one for every branch of spec §9.2 and Annex A.2."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.stage.drill import Drill, drill
from tests.stage.organisation import brisk
from tests.stage.running import RunningIncident, until
from workflows.incident import Phase, Silence, State
from workflows.status import Status, StepState

LOW_PARITY = {"borealis": {"parity": 0.93}}
NO_TERTIARY = {"cumulus": {"evaluated": False}}
SECOND, MINUTE, FIVE, HALF_HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30)


@asynccontextmanager
async def outage(
    tmp: Path,
    *,
    policy: str = "",
    providers: dict[str, Any] | None = None,
    rate: float = 0.6,
    lasts: int | None = 400,
    kind: str = "overload",
) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """The primary fails and an incident is declared. Nobody has answered anything yet."""
    async with drill(tmp, policy=policy or brisk()) as stage:
        if providers:
            await stage.edit(providers=providers)
        await stage.break_provider(provider="aurora", kind=kind, rate=rate, **({"for_seconds": lasts} if lasts else {}))
        yield stage, await stage.declare()


def story(lines: list[str]) -> str:
    """A timeline, as an assertion shows it."""
    return "\n".join(lines)


def asked(status: Status, about: str) -> bool:
    """Whether a question about something was ever put."""
    return any(about.lower() in q.asks.lower() for q in status.questions)


def sends(effect: dict[str, Any], provider: str) -> float:
    """The greatest share that a write of weights sends anybody to a provider."""
    after = effect["after"]
    return float(max([after["weights"].get(provider, 0.0), *(o.get(provider, 0.0) for o in after["overrides"].values())]))


async def returns(stage: Drill) -> list[datetime]:
    """When traffic began to come back to the primary: every write that gives it back a share of a tenant who was all on another."""
    wrote = await stage.wrote("llm.routes.weights")
    return [
        datetime.fromisoformat(e["world_at"])
        for e in wrote
        if any(o.get("aurora", 0.0) == 0 and e["after"]["overrides"].get(t, e["after"]["weights"]).get("aurora", 0.0) > 0
               for t, o in e["before"]["overrides"].items())
    ]  # fmt: skip


async def retrieval_only(stage: Drill) -> set[str]:
    """The tenants that are answered from retrieval only."""
    return {t for t, mode in (await stage.look())["route"]["modes"].items() if mode == "retrieval_only"}


# -- from fault to resolution ---------------------------------------------------------------------------------------------------------


async def test_the_primary_fails_and_everybody_comes_back_to_it(tmp_path: Path) -> None:
    """Failover, degrade, canary back: nothing is left in force, every effect happened once, and the record is whole."""
    async with outage(tmp_path, providers=LOW_PARITY) as (stage, incident):
        status = await incident.ends()
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert status.in_force == []
        assert status.phases == (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)
        world = await stage.look()
        assert world["route"]["weights"] == {"aurora": 1.0}
        assert world["route"]["overrides"] == {}
        assert all(world["flags"].values())
        assert world["policy"]["max_attempts"] == 5
        assert await retrieval_only(stage) == set()
        assert await stage.trespasses() == []
        keys = [e["key"] for e in await stage.effects() if e["changed"] and e["face"] in ("llm", "unleash")]
        assert len(keys) == len(set(keys))
        assert stage.fleet.ledger.verify(incident.id).intact
        assert {row.outcome for row in incident.book()} <= {"done", "adopted"}
        assert {task.owner.value for task in status.follow_ups} == {"ai_ml_lead", "ops_lead", "finance"}
        texts = " ".join(task.text for task in status.tasks)
        assert "Checkpoint" in texts and "CAG" in texts


# -- who may move, and who asks -------------------------------------------------------------------------------------------------------


async def test_within_the_limits_nobody_is_asked_before_the_failover(tmp_path: Path) -> None:
    """Parity 97 %, price ×1.1: the pre-authorised failover needs no question (spec §9.2, C1)."""
    async with outage(tmp_path) as (stage, incident):
        await incident.hears("done: models.shift route/chat: fail over")
        status = await incident.status()
        assert not asked(status, "over from aurora")
        assert [row.risk for row in incident.done("models.shift")] == [1]
        assert await stage.wrote("llm.routes.weights")


async def test_below_the_parity_limit_the_failover_is_asked_and_waits(tmp_path: Path) -> None:
    """Nothing moves until somebody with the role says so, and one answer covers the whole ramp."""
    async with outage(tmp_path, providers=LOW_PARITY) as (stage, incident):
        question = await incident.question("over from aurora")
        assert {role.value for role in question.roles} == {"incident_commander", "ai_ml_lead"}
        assert "back" in question.inverse and question.by_hand
        assert await stage.wrote("llm.routes.weights") == []
        await incident.answer("over from aurora", by="ravi")
        await incident.hears("borealis 1 (proven")
        wrote = await stage.wrote("llm.routes.weights")
        assert [sends(e, "borealis") for e in wrote] == [0.5, 1.0]
        assert {row.question for row in incident.done("models.shift")} == {question.number}
        assert sum("over from aurora" in q.asks for q in (await incident.status()).questions) == 1


async def test_a_price_above_the_limit_is_asked_too(tmp_path: Path) -> None:
    async with outage(tmp_path, providers={"borealis": {"price_ratio": 1.4}}) as (stage, incident):
        await incident.question("over from aurora")
        assert await stage.wrote("llm.routes.weights") == []


async def test_with_the_secondary_down_a_large_enough_tertiary_takes_over(tmp_path: Path) -> None:
    """The small self-hosted model is used when it is evaluated and can carry the load; its parity has a question asked."""
    quota = {"tpm": 2_000_000, "rpm": 1400, "contracted_rpm": 1400, "spend_cap_usd": 5000.0, "used": 0.0}
    async with outage(tmp_path, providers={"cumulus": {"capacity_rps": 20.0, "quota": quota}}) as (stage, incident):
        await stage.break_provider(provider="borealis", kind="down")
        status = await incident.is_in(Phase.RECOVERY)
        assert asked(status, "over from aurora to cumulus"), story(await incident.timeline())
        assert {sends(e, "borealis") for e in await stage.wrote("llm.routes.weights")} == {0.0}
        assert await stage.trespasses() == []


async def test_a_fallback_provider_that_is_too_small_takes_the_highest_tiers_and_the_others_are_degraded(tmp_path: Path) -> None:
    """Capacity ≥ 1.2 × the load, else priority tiers (A.2 M3): what does not fit gets retrieval-only answers, and is told why."""
    async with outage(tmp_path, lasts=500) as (stage, incident):
        await stage.break_provider(provider="borealis", kind="down", for_seconds=600)
        question = await incident.question("from retrieval only")
        assert any("has room for" in fact for fact in question.facts), question.facts
        status = await incident.is_in(Phase.RECOVERY)
        assert asked(status, "over from aurora to cumulus"), story(await incident.timeline())
        tenants = (await stage.look())["tenants"]
        moved = {t for t, shares in (await stage.look())["route"]["overrides"].items() if shares.get("cumulus", 0) == 1}
        degraded = await retrieval_only(stage)
        assert moved and not moved & degraded and moved | degraded == set(tenants)
        assert sum(tenants[t]["rps"] for t in moved) * 1.2 <= 0.4 * sum(row["rps"] for row in tenants.values()) + 0.01
        left_out = {tenants[t]["tier"] for t in degraded} - {"sovereign"}
        assert "starter" in left_out and {tenants[t]["tier"] for t in moved} <= {"enterprise", "business"}
        assert await stage.trespasses() == []
        ended = await incident.ends()
        assert ended.state is State.RESOLVED and ended.in_force == [], story(await incident.timeline())


async def test_degraded_tenants_come_back_in_steps(tmp_path: Path) -> None:
    """INV-19: one question, then a share at a time with a look at the customers between; the impact coming back stops it."""
    only_the_primary = {name: {"evaluated": False} for name in ("borealis", "cumulus")}
    async with outage(tmp_path, providers=only_the_primary, lasts=200) as (stage, incident):
        await incident.is_in(Phase.RECOVERY)
        question = await incident.question("Restore tools")
        assert "in 3 steps" in question.effect
        await incident.answer("Restore tools")
        await incident.hears("done: models.restore_modes")
        assert len(await retrieval_only(stage)) == 18
        await stage.break_provider(provider="aurora", kind="overload", rate=0.9, for_seconds=3000)
        await incident.hears("handed over:", skip=SECOND)
        assert len(await retrieval_only(stage)) in (10, 18)
        await stage.mend()
        ended = await incident.ends()
        assert ended.in_force == [] and await retrieval_only(stage) == set(), story(await incident.timeline())


async def test_with_no_provider_fit_as_fallback_everybody_is_degraded(tmp_path: Path) -> None:
    """The secondary is down and the tertiary never evaluated: retrieval-only answers for all, after a question, and the service answers."""
    async with outage(tmp_path, providers=NO_TERTIARY) as (stage, incident):
        await stage.break_provider(provider="borealis", kind="down", for_seconds=400)
        question = await incident.question("from retrieval only")
        assert "20 tenants" in question.asks
        status = await incident.is_in(Phase.RECOVERY)
        assert status.mitigated_at is not None
        assert len(await retrieval_only(stage)) == 20
        assert await stage.wrote("llm.routes.weights") == []
        answer = await stage.http.post(
            "/app/chat",
            headers={"X-Tenant": next(iter((await stage.look())["tenants"])), "Authorization": "Bearer practice-token"},
            json={},
        )
        assert answer.status_code in (200, 422)
        ended = await incident.ends()
        assert ended.state is State.RESOLVED, story(await incident.timeline())
        assert await retrieval_only(stage) == set()


async def test_with_no_healthy_provider_at_all_the_service_still_answers(tmp_path: Path) -> None:
    """All three down: everybody degraded, the impact ends by the metrics, and it is graver than the floor."""
    async with outage(tmp_path, kind="down", lasts=None) as (stage, incident):
        for provider in ("borealis", "cumulus"):
            await stage.break_provider(provider=provider, kind="down")
        status = await incident.is_in(Phase.RECOVERY)
        assert status.mitigated_at is not None, story(await incident.timeline())
        assert status.severity <= 2
        assert len(await retrieval_only(stage)) == 20


async def test_a_never_evaluated_model_is_never_used(tmp_path: Path) -> None:
    async with outage(tmp_path, providers={"borealis": {"evaluated": False}, **NO_TERTIARY}) as (stage, incident):
        await incident.is_in(Phase.RECOVERY)
        assert {sends(e, "borealis") for e in await stage.wrote("llm.routes.weights")} <= {0.0}
        assert len(await retrieval_only(stage)) == 20


async def test_a_tenant_is_never_served_by_a_provider_it_does_not_permit(tmp_path: Path) -> None:
    """INV-13 over the whole served log and effect log; those tenants are degraded, and told why."""
    async with outage(tmp_path) as (stage, incident):
        tenants = (await stage.look())["tenants"]
        sovereign = {t for t, row in tenants.items() if row["tier"] == "sovereign"}
        question = await incident.question("from retrieval only")
        assert any(all(t in fact for t in sovereign) for fact in question.facts)
        await incident.is_in(Phase.RECOVERY)
        assert await retrieval_only(stage) == sovereign
        for effect in await stage.effects():
            if effect["route"] == "llm.routes.weights":
                assert not sovereign & {t for t, o in effect["after"]["overrides"].items() if set(o) - {"aurora"}}
        assert await stage.trespasses() == []


# -- the ramp -------------------------------------------------------------------------------------------------------------------------


async def test_a_fallback_provider_that_saturates_sheds_the_lowest_tier_first(tmp_path: Path) -> None:
    """Starters are degraded, then business; enterprise stays with a model as long as it can be carried."""
    async with outage(tmp_path, lasts=None, policy=brisk(outage="ramp = [0.25, 1.0]")) as (stage, incident):
        await incident.hears("borealis 0.25")
        await stage.edit(providers={"borealis": {"capacity_rps": 6.0}})
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


# -- no, and nobody -------------------------------------------------------------------------------------------------------------------


async def test_a_declined_failover_degrades_nobody_before_that_is_asked_too(tmp_path: Path) -> None:
    """A no to the one is no yes to the other."""
    async with outage(tmp_path, providers=LOW_PARITY) as (stage, incident):
        await incident.answer("tenants cedar-homes")
        await incident.answer("over from aurora", "decline")
        question = await incident.question("answer 16 tenants")
        assert question.silence is Silence.HOLD
        assert len(await retrieval_only(stage)) == 4
        await incident.answer("answer 16 tenants")
        await incident.is_in(Phase.RECOVERY)
        assert len(await retrieval_only(stage)) == 20
        assert await stage.wrote("llm.routes.weights") == []


STANDING = """
[policy.standing."models.degrade"]
signed_by = ["dana", "pat"]
expires_at = 2099-01-01T00:00:00Z
why = "confirmed provider outage"
"""


async def test_silence_on_the_failover_degrades_when_two_people_signed_that_beforehand(tmp_path: Path) -> None:
    """SAFE: the standing policy is the authorisation, and the record names it."""
    async with outage(tmp_path, providers=LOW_PARITY, policy=brisk(more=STANDING)) as (stage, incident):
        await incident.is_in(Phase.RECOVERY, {"over from aurora": ""}, skip=FIVE)
        assert len(await retrieval_only(stage)) == 20
        assert await stage.wrote("llm.routes.weights") == []
        assert not asked(await incident.status(), "answer 16 tenants")
        assert any(line.startswith("silence:") for line in await incident.timeline())


async def test_silence_on_the_failover_only_asks_again_when_nothing_was_signed(tmp_path: Path) -> None:
    """Silence is never consent: the degradation is asked, held, and paged again."""
    async with outage(tmp_path, providers=LOW_PARITY, lasts=None) as (stage, incident):
        await incident.answer("tenants cedar-homes")
        question = await incident.question("answer 16 tenants", skip=FIVE)
        await incident.say("acknowledge", {"by": "dana"})
        await incident.pass_time(timedelta(hours=1))
        status = await incident.status()
        assert next(q for q in status.questions if q.number == question.number).open
        assert {"lee", "dana", "kim", "pat"} <= set(status.questions[question.number - 1].told)
        assert len(await retrieval_only(stage)) == 4
        assert await stage.wrote("llm.routes.weights") == []


async def test_with_everything_declined_nothing_graver_than_c1_ran(tmp_path: Path) -> None:
    """Done when 3: by the record, and by the effect log."""
    answers = {"has not ended": "skip", "All in hand": "approve", "": "decline"}
    async with outage(tmp_path, providers=LOW_PARITY) as (stage, incident):
        status = await incident.ends(answers)
        assert [row for row in incident.book() if row.risk >= 2] == []
        assert await stage.wrote("llm.routes.weights") == []
        assert await stage.wrote("llm.routes.modes") == []
        assert [e for e in await stage.effects() if e["face"] == "statuspage"] == []
        assert status.state is State.RESOLVED and "by hand" in status.outcome


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
            await stage.break_provider(provider=provider, kind="overload", rate=0.95, after_seconds=75)
        await incident.say("approve", code)
        held = await incident.question("undecided", skip=timedelta(seconds=15))
        assert "both arms" in held.asks, story(await incident.timeline())
        assert held.silence is Silence.ABORT
        await incident.answer("undecided", "decline")
        await incident.hears("done: models.shift route/chat: fall back")
        assert (await stage.wrote("llm.routes.weights"))[-1]["after"]["overrides"]
        assert sends((await stage.wrote("llm.routes.weights"))[-1], "aurora") <= 1.0


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
    """Allowed, and resolved, but never silently: the failover is held by a person."""
    async with outage(tmp_path, lasts=200) as (stage, incident):
        status = await incident.ends({"Canary back": "decline"})
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert {(m.name, m.held_by) for m in status.in_force} == {("failed over", "dana"), ("degraded", "dana")}
        assert len(await retrieval_only(stage)) == 4  # they permit only the primary
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


# -- what breaks on the way -----------------------------------------------------------------------------------------------------------


async def test_with_the_selector_broken_people_get_the_command_and_four_ways_on(tmp_path: Path) -> None:
    """Static route by hand: the command stands in the question; *retry* uses the same key, and goes on when the selector is back."""
    async with outage(tmp_path, lasts=None) as (stage, incident):
        await stage.inject("llm.routes.weights", "fail")
        question = await incident.question("models.shift on route/chat is not done")
        assert set(question.options) == {"retry", "done_by_hand", "skip", "hand_over"}
        assert any("curl" in line and "/v1/routes/chat/weights" in line for line in question.by_hand)
        await stage.stop_injecting()
        await incident.answer("is not done", "retry")
        await incident.hears("done: models.shift")
        keys = {row.key for row in incident.book() if row.verb == "models.shift"}
        assert len(keys) == 1


async def test_a_failed_step_that_was_done_by_hand_is_adopted(tmp_path: Path) -> None:
    """Somebody used the command: what they did is verified and adopted, not repeated."""
    async with outage(tmp_path, lasts=None, policy=brisk(outage="ramp = [1.0]")) as (stage, incident):
        await stage.inject("llm.routes.weights", "fail")
        await incident.question("is not done")
        await stage.stop_injecting()
        await by_hand(stage, incident)
        await incident.answer("is not done", "done_by_hand")
        await incident.hears("adopted: models.shift")
        assert [e["key"] for e in await stage.wrote("llm.routes.weights")] == [None]


async def by_hand(stage: Drill, incident: RunningIncident) -> None:
    """Do what the failover would have done, as a person with curl does."""
    route = (await stage.http.get("/llm/v1/routes/chat", headers=AS_A_PERSON)).json()
    movable = [t for t, row in (await stage.look())["tenants"].items() if row["tier"] != "sovereign"]
    body = {"epoch": route["epoch"] + 1, "tenants": movable, "weights": {"borealis": 1.0}, "lease": None}
    wrote = await stage.http.put("/llm/v1/routes/chat/weights", headers={**AS_A_PERSON, "If-Match": route["etag"]}, json=body)
    wrote.raise_for_status()


AS_A_PERSON = {"Authorization": "Bearer practice-token"}


async def test_a_skipped_failover_goes_on_to_degrading(tmp_path: Path) -> None:
    """*Skip* leaves the step out, on the record; the tenants still get an answer."""
    async with outage(tmp_path) as (stage, incident):
        await stage.inject("llm.routes.weights", "fail")
        await incident.is_in(Phase.RECOVERY, {"is not done": "skip"})
        assert any(step.state is StepState.SKIPPED for step in (await incident.status()).steps)
        assert len(await retrieval_only(stage)) == 20


async def test_a_lift_that_is_skipped_leaves_the_measure_in_the_name_of_whoever_skipped_it(tmp_path: Path) -> None:
    """The incident resolves, and what is still in force says who holds it."""
    async with outage(tmp_path, lasts=100) as (stage, incident):
        await stage.inject("unleash.feature.on", "fail")
        status = await incident.ends({"is not done": "skip"})
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert [(m.name, m.held_by) for m in status.in_force] == [("switched off", "lee")] * 4
        assert not any((await stage.look())["flags"].values())


async def test_a_person_can_take_over_and_close_it_and_what_we_imposed_is_lifted(tmp_path: Path) -> None:
    """*Hand over*: nothing more is changed by us; the commander's word lifts the rest, latest first."""
    async with outage(tmp_path, lasts=300) as (stage, incident):
        await stage.inject("llm.routes.weights", "fail")
        await incident.answer("is not done", "hand_over", by="dana")
        await incident.hears("handed over:")
        status = await incident.status()
        assert status.state is State.HANDED_OVER
        await stage.stop_injecting()
        ended = await incident.ends()
        assert ended.state is State.RESOLVED and "by hand" in ended.outcome, story(await incident.timeline())
        assert all((await stage.look())["flags"].values())
        assert ended.in_force == []


async def test_neither_missing_data_nor_an_alarm_lets_the_stability_window_pass(tmp_path: Path) -> None:
    """BLIND is noted, and the window starts when the data is back; a firing alert starts it again at once."""
    async with drill(tmp_path, policy=brisk()) as stage:
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6, for_seconds=100)
        incident = await stage.declare(dedup_key="llm/aurora", source="alertmanager", delivery="d-1")
        await until(lambda: _waits_for(incident, "stable for"), "the stability gate")
        (await stage.http.post("/practice/blind", json={"on": True})).raise_for_status()
        await incident.hears("blind:")
        await incident.pass_time(timedelta(minutes=20))
        assert (await incident.status()).resolved_at is None
        (await stage.http.post("/practice/blind", json={"on": False})).raise_for_status()
        await incident.pass_time(timedelta(minutes=3))
        before = datetime.fromisoformat((await incident.handle.query("timeline"))[-1]["at"])
        alert = {"delivery": "d-2", "dedup_key": "llm/aurora", "status": "firing", "name": "LLMProviderOverloaded"}
        await incident.handle.execute_update("alert", alert)
        await incident.hears("alarm:", skip=SECOND)
        alarmed = await at_of(incident, "alarm")
        assert alarmed >= before
        status = await incident.ends(skip=timedelta(seconds=30))
        assert status.state is State.RESOLVED and status.alerts == 2
        assert status.resolved_at and status.resolved_at >= alarmed + FIVE


async def at_of(incident: RunningIncident, kind: str) -> datetime:
    """When the latest entry of a kind was made."""
    return max(datetime.fromisoformat(e["at"]) for e in await incident.handle.query("timeline") if e["kind"] == kind)


async def _waits_for(incident: RunningIncident, what: str) -> bool:
    status = await incident.status()
    await incident._move(status, {}, set(), timedelta(seconds=20))
    return what in status.waiting_for


async def test_without_data_nothing_is_called_mitigated(tmp_path: Path) -> None:
    """A dead metrics store during mitigation: a person is asked, and *mitigated* is not claimed."""
    async with outage(tmp_path) as (stage, incident):
        await incident.hears("borealis 1 (proven")
        (await stage.http.post("/practice/blind", json={"on": True})).raise_for_status()
        await incident.answer("from retrieval only")
        question = await incident.question("impact has not ended", skip=MINUTE)
        assert "blind" in question.facts[0]
        assert (await incident.status()).mitigated_at is None


@pytest.mark.parametrize(
    ("kind", "section"), [("spend_cap", "§2.6"), ("auth", "§2.10"), ("bad_request", "§2.7"), ("content_filter", "§2.3")]
)
async def test_what_is_no_outage_of_the_provider_is_handed_over_to_its_own_playbook(tmp_path: Path, kind: str, section: str) -> None:
    """Our cap, our key, our prompt: no retries, no failover, and the right section is named."""
    async with drill(tmp_path, policy=brisk()) as stage:
        await stage.break_provider(provider="aurora", kind=kind, rate=0.7)
        stage.forward(60)
        incident = await stage.declare()
        line = await incident.hears("handed over:")
        assert section in line
        assert [e for e in await stage.effects() if e["face"] in ("llm", "unleash")] == []


async def test_an_approval_that_never_comes_climbs_the_ladder_and_holds(tmp_path: Path) -> None:
    """Deputy, then duty executive, each paged; the question stays open, and comms go on."""
    async with outage(tmp_path, lasts=None) as (stage, incident):
        question = await incident.question("from retrieval only")
        await incident.say("acknowledge", {"by": "dana"})
        await incident.pass_time(timedelta(minutes=40))
        escalated = [line for line in await incident.timeline() if line.startswith(f"escalated: [{question.number}]")]
        assert [("Deputy" in line, "Duty Executive" in line) for line in escalated] == [(True, False), (False, True)]
        for person in ("kim", "pat"):
            assert await stage.code(person, question.number)
        now = next(q for q in (await incident.status()).questions if q.number == question.number)
        assert now.open and now.silence is Silence.HOLD
        assert await retrieval_only(stage) == set()
        await incident.answer("from retrieval only", by="pat")
        await incident.hears("done: models.degrade")


# -- "200 OK", and nothing changed ----------------------------------------------------------------------------------------------------

LYING = {
    "llm.client_policy.put": "models.back_off",
    "llm.routes.weights": "models.shift",
    "llm.routes.modes": "models.degrade",
    "unleash.feature.off": "flags.switch_off",
}


@pytest.mark.parametrize("route", LYING)
async def test_a_verb_is_never_done_on_the_word_of_a_200(tmp_path: Path, route: str) -> None:
    """The step fails, people are asked, and after a hand-over nothing is resolved, nor mitigated, on that word."""
    async with outage(tmp_path, lasts=None) as (stage, incident):
        await stage.inject(route, "nothing_changed")
        await until(lambda: _handed_over(incident), "the hand-over")
        assert incident.done(LYING[route]) == []
        assert await stage.wrote(route) == []
        status = await incident.status()
        assert status.state is State.HANDED_OVER and status.mitigated_at is None


async def _handed_over(incident: RunningIncident) -> bool:
    status = await incident.status()
    if status.state is State.HANDED_OVER:
        return True
    await incident._move(status, {"is not done": "hand_over"}, set(), timedelta(seconds=20))
    return False


@pytest.mark.parametrize(
    ("route", "verb", "named"), [("unleash.feature.on", "flags.restore", "flag/"), ("llm.routes.modes", "models.restore_modes", "route/"),
                                 ("llm.client_policy.put", "models.restore_client_policy", "client-policy")]
)  # fmt: skip
async def test_nothing_is_lifted_on_the_word_of_a_200(tmp_path: Path, route: str, verb: str, named: str) -> None:
    """What could not be lifted is said to be in force, and somebody holds it."""
    async with outage(tmp_path, lasts=None) as (stage, incident):
        await incident.answer("from retrieval only")
        await incident.hears("done: models.degrade")
        await stage.inject(route, "nothing_changed")
        await incident.say("stand_down", {"by": "dana", "reason": "drill"})
        status = await incident.ends()
        assert incident.done(verb) == []
        assert [m.held_by for m in status.in_force if m.target.startswith(named)], status.in_force
        assert {m.held_by for m in status.in_force} == {"dana"}


async def test_the_return_to_the_primary_is_not_believed_on_the_word_of_a_200(tmp_path: Path) -> None:
    """A canary that was accepted and did nothing: people are asked, and the failover is still said to be in force."""
    async with outage(tmp_path, lasts=100) as (stage, incident):
        await incident.is_in(Phase.RECOVERY)
        before = len(incident.done("models.shift"))
        await incident.question("Canary back")
        await stage.inject("llm.routes.weights", "nothing_changed")
        await until(lambda: _handed_over(incident), "the hand-over")
        status = await incident.status()
        assert len(incident.done("models.shift")) == before
        assert "failed over" in {m.name for m in status.in_force} and status.resolved_at is None
