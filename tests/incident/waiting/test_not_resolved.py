"""What is told to customers stays true in a long incident: not resolved while they get less than usual, and updates as seldom as was agreed."""

from datetime import timedelta
from pathlib import Path

from tests.playbooks.llm_provider_outage.outage import outage as provider_outage
from tests.playbooks.llm_provider_outage.outage import retrieval_only
from tests.stage.outages import MINUTE, outage, quick
from workflows.incident import Phase, QuestionState, State

HOUR = timedelta(hours=1)


async def test_nothing_is_resolved_over_degraded_tenants_in_whoevers_name(tmp_path: Path) -> None:
    """A no keeps them degraded in that person's name; the incident asks again, later each time, and is resolved when they are back."""
    async with provider_outage(tmp_path, lasts=200) as (stage, incident):
        await incident.is_in(Phase.RECOVERY)
        answers = {"Restore tools": "decline", "Not resolved yet": ""}
        await incident.shows(lambda status: any("Not resolved yet" in q.asks for q in status.asking), "asking whether to wait", answers)
        again = await incident.question("Not resolved yet")
        assert "stand-down" in " ".join(again.facts)
        await incident.answer("Not resolved yet", "decline", by="lee")
        await incident.hears("not resolved: ")
        status = await incident.status()
        assert status.state is State.MITIGATED and status.status_page != "Resolved" and await retrieval_only(stage)
        await incident.answer("Not resolved yet", by="lee")
        status = await incident.ends()
        assert status.state is State.RESOLVED and status.status_page == "Resolved"
        assert await retrieval_only(stage) == set()


async def test_the_question_whether_to_look_on_is_withdrawn_when_the_impact_ends(tmp_path: Path) -> None:
    """Nobody has to say that what the metrics show is so."""
    async with provider_outage(tmp_path, lasts=None) as (stage, incident):
        await incident.commanded()
        await incident.answer("from retrieval only", "decline")
        await incident.is_in(Phase.MITIGATION)
        asked = await incident.question("The impact has not ended", skip=MINUTE)
        await stage.mend()
        await incident.hears("mitigated:", skip=MINUTE)
        was = next(q for q in (await incident.status()).questions if q.number == asked.number)
        assert was.state is QuestionState.WITHDRAWN


async def test_a_long_incident_is_offered_a_wider_cadence_with_what_an_hour_costs(tmp_path: Path) -> None:
    """Two hours after it was declared its commander is asked, with what an hour costs; a yes is announced."""
    policy = quick(top='failed_request_cents = 50\nmitigated_within = "PT24H"')
    async with outage(tmp_path, policy=policy, fault={"kind": "dependency", "dependency": "cache", "rate": 0.4}) as (_, incident):
        await incident.answer("Publish")
        await incident.hears("published: status page: Identified", skip=MINUTE)
        offered = await incident.question("Send public updates every", skip=5 * MINUTE)
        status = await incident.status()
        assert offered.asked_at - status.declared_at >= 2 * HOUR
        (cost,) = [fact for fact in offered.facts if fact.startswith("an hour costs ")]
        assert "failed requests, " in cost and "of four weeks' error budget, " in cost and " USD, as the last one did" in cost
        await incident.answer("Send public updates every", by="dana")
        assert "says dana: the cause is known, and this lasts" in await incident.hears("widened: ")
