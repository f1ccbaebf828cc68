"""§2.2, told as stories: one for every branch of spec §9.2 and Annex A.2. The other stories are in `llm_provider_outage/`."""

from datetime import timedelta
from pathlib import Path

from tests.playbooks.llm_provider_outage.outage import LOW_PARITY, NO_TERTIARY, SECOND, asked, outage, retrieval_only, sends, story
from tests.stage.organisation import brisk
from workflows.incident import Phase, State

UNNAMED = "[contacts] names no support_channel and executives_channel"
TASKS = [
    ("comms_lead", f"Tell support and executives the current state, now and at every update: {UNNAMED}"),
    ("ai_ml_lead", "Audit 50 of the cached answers (CAG): same tenant, age within policy, nothing personal"),
]
FOLLOW_UPS = [
    ("ai_ml_lead", "Update Tool Specs with failover policy"),
    ("ops_lead", "Add provider-health probes"),
    ("ai_ml_lead", "Run parity evals for the fallback provider"),
    ("finance", "Claim the provider's contract credits"),
    ("ops_lead", "Drill this failover"),
]

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
        by = f"{status.declared_at + timedelta(hours=1):%H:%M} UTC"
        tenants = f"Tell the affected tenants directly, in the words of the macro: those of the first tier by {by}"
        assert [(task.owner.value, task.text) for task in status.tasks] == [("comms_lead", tenants), *TASKS]
        assert [(task.owner.value, task.text) for task in status.follow_ups] == FOLLOW_UPS


# -- who may move, and who asks -------------------------------------------------------------------------------------------------------


async def test_within_the_limits_nobody_is_asked_before_the_failover(tmp_path: Path) -> None:
    """Parity 97 %, price ×1.1: the failover needs no question under a standing policy, and stays what it is (spec §9.2, C2)."""
    async with outage(tmp_path) as (stage, incident):
        await incident.hears("done: models.shift route/chat: fail over")
        status = await incident.status()
        assert not asked(status, "over from aurora")
        assert [row.risk for row in incident.done("models.shift")] == [2]
        assert await stage.wrote("llm.routes.weights")


async def test_below_the_parity_limit_the_failover_is_asked_and_waits(tmp_path: Path) -> None:
    """Nothing moves until somebody with the role says so, and one answer covers the whole ramp."""
    async with outage(tmp_path, providers=LOW_PARITY) as (stage, incident):
        question = await incident.question("over from aurora")
        assert {role.value for role in question.roles} == {"incident_commander", "ai_ml_lead"}
        assert question.inverse.startswith("put aurora 1 back for 16 tenants") and question.by_hand
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
    gently = brisk(outage="ramp = [0.25, 0.6, 1.0]")  # a jump topples a provider this small, sometimes
    async with outage(tmp_path, lasts=500, policy=gently) as (stage, incident):
        await stage.break_provider(provider="borealis", kind="down", for_seconds=600)
        question = await incident.question("from retrieval only")
        assert any("has room for" in fact for fact in question.facts), question.facts
        status = await incident.is_in(Phase.RECOVERY)
        assert asked(status, "over from aurora to cumulus"), story(await incident.timeline())
        tenants = (await stage.look())["tenants"]
        moved = {t for t, shares in (await stage.look())["route"]["overrides"].items() if shares.get("cumulus", 0) == 1}
        degraded = await retrieval_only(stage)
        assert moved and not moved & degraded and moved | degraded == set(tenants), story(await incident.timeline())
        assert sum(tenants[t]["rps"] for t in moved) * 1.2 <= 0.4 * sum(row["rps"] for row in tenants.values()) + 0.01
        left_out = {tenants[t]["tier"] for t in degraded} - {"sovereign"}
        assert "starter" in left_out and {tenants[t]["tier"] for t in moved} <= {"enterprise", "business"}
        assert await stage.trespasses() == []
        ended = await incident.ends()
        assert ended.state is State.RESOLVED and ended.in_force == [], story(await incident.timeline())


async def test_degraded_tenants_come_back_in_steps(tmp_path: Path) -> None:
    """INV-19: one question, then a share at a time with a look at the customers between; the impact coming back leads to mitigation again."""
    only_the_primary = {name: {"evaluated": False} for name in ("borealis", "cumulus")}
    async with outage(tmp_path, providers=only_the_primary, lasts=200) as (stage, incident):
        await incident.is_in(Phase.RECOVERY)
        question = await incident.question("Restore tools")
        assert "in 3 steps" in question.effect
        await incident.answer("Restore tools")
        await incident.hears("done: models.restore_modes")
        assert len(await retrieval_only(stage)) == 18
        await stage.break_provider(provider="aurora", kind="overload", rate=0.9, for_seconds=3000)
        await incident.hears("relapse:", skip=SECOND)
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
