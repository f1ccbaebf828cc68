"""Waiting has more ends than yes and no: a question may be kept waiting, and one that wants a value may be declined (spec §2.5)."""

from datetime import timedelta
from pathlib import Path

from tests.incident.mechanisms.outage import incident_of
from tests.stage.drill import drill
from tests.stage.outages import MINUTE, outage
from tests.stage.running import RunningIncident
from workflows.incident import Question, QuestionState, Silence, State


async def now_of(incident: RunningIncident, number: int) -> Question:
    return next(q for q in (await incident.status()).questions if q.number == number)


async def test_keep_waiting_pages_nobody_for_half_an_hour_and_the_answer_counts_at_any_time(tmp_path: Path) -> None:
    """It stays open, it is on the screen who wants that and until when, and then it is sent again."""
    async with outage(tmp_path, error_rate=0.4) as (_stage, incident):
        question = await incident.question("Roll api back")
        said = await incident.say("wait", {"question": question.number, "by": "dana", "reason": "the author looks at it"})
        kept = await now_of(incident, question.number)
        assert kept.open and kept.kept_by == "dana" and kept.waits_until is not None
        assert said == f"question {kept.number} stays open, and nobody is paged about it before {kept.waits_until:%H:%M:%S} UTC"
        assert "the author looks at it" in await incident.hears("kept waiting: ")
        await incident.pass_time(28 * MINUTE)
        assert (await now_of(incident, question.number)).sendings == kept.sendings
        await incident.pass_time(10 * MINUTE)
        again = await now_of(incident, question.number)
        assert again.open and again.sendings > kept.sendings
        await incident.answer("Roll api back")
        await incident.hears("the rollback helps", skip=MINUTE)


async def test_silence_means_nothing_while_a_question_is_kept_waiting(tmp_path: Path) -> None:
    """Its end moves by as much as it is kept; a yes shortly before that counts."""
    async with incident_of(tmp_path) as (_, incident):
        before = await incident.question("over from aurora")
        assert before.silence is Silence.SAFE and before.expires_at is not None
        await incident.say("wait", {"question": before.number, "by": "dana"})
        kept = await now_of(incident, before.number)
        assert kept.expires_at is not None and kept.expires_at - before.expires_at > timedelta(minutes=25)
        left = before.expires_at - before.asked_at
        await incident.pass_time(left + 10 * MINUTE)
        assert (await now_of(incident, before.number)).open
        await incident.pass_time(25 * MINUTE)
        assert (await now_of(incident, before.number)).state is QuestionState.EXPIRED


async def test_only_whoever_may_answer_may_keep_it_waiting(tmp_path: Path) -> None:
    async with outage(tmp_path, error_rate=0.4) as (_, incident):
        question = await incident.question("Roll api back")
        assert f"question {question.number} is for" in await incident.refused("wait", {"question": question.number, "by": "noor"})
        assert "there is no question 99" in await incident.refused("wait", {"question": 99, "by": "dana"})
        assert (await now_of(incident, question.number)).waits_until is None


async def test_a_question_for_a_value_can_be_declined_and_people_go_on_by_hand(tmp_path: Path) -> None:
    async with drill(tmp_path) as stage:
        incident = await stage.declare("Triage", service="chat")
        await incident.answer("which playbook", "decline", by="lee")
        assert await incident.hears("handed over: ") == "handed over: nobody says which playbook it is"
        assert (await incident.status()).state is State.HANDED_OVER


async def test_a_playbook_whose_service_nobody_names_is_handed_over(tmp_path: Path) -> None:
    async with drill(tmp_path) as stage:
        incident = await stage.declare("ProductionOutage", given={})
        await incident.answer("Which service", "decline", by="dana")
        assert await incident.hears("handed over: ") == "handed over: nobody says which service is affected"
