"""Cached answers where the model gives none (A.2 M6): asked of AI/ML, left out in silence, and a task where no retriever of ours can."""

from pathlib import Path
from typing import Any

from tests.playbooks.llm_provider_outage.outage import FIVE, outage, story
from tests.stage.drill import Drill
from workflows.incident import Phase, QuestionState, Silence, State


async def falls_back(stage: Drill) -> dict[str, Any]:
    said: dict[str, Any] = (
        await stage.http.get("/retriever/v1/routes/chat/cached-answers", headers={"Authorization": "Bearer practice-token"})
    ).json()
    return said


async def test_cached_answers_are_served_on_a_word_and_taken_back_at_the_end(tmp_path: Path) -> None:
    async with outage(tmp_path) as (stage, incident):
        question = await incident.question("answer from the cache")
        assert (
            question.roles[0].value == "ai_ml_lead" and "nothing personal" in question.effect and "each tenant its own" in question.effect
        )
        await incident.answer("answer from the cache")
        await incident.hears("done: retriever.serve_cached")
        now = await falls_back(stage)
        assert (now["on"], now["max_age_seconds"], now["personal"]) == (True, 86_400, False)
        status = await incident.ends()
        assert status.state is State.RESOLVED and not (await falls_back(stage))["on"], story(await incident.timeline())
        assert [task.text for task in status.tasks if "CAG" in task.text] == [
            "Audit 50 of the cached answers (CAG): same tenant, age within policy, nothing personal"
        ]


async def test_when_nobody_answers_they_are_left_out(tmp_path: Path) -> None:
    async with outage(tmp_path, lasts=None) as (stage, incident):
        question = await incident.question("answer from the cache")
        assert question.silence is Silence.SKIP
        await incident.is_in(Phase.RECOVERY, {"from the cache": ""}, skip=FIVE)
        asked = next(q for q in (await incident.status()).questions if q.number == question.number)
        assert asked.state is not QuestionState.GRANTED and not (await falls_back(stage))["on"]


async def test_without_a_retriever_a_person_sees_to_it(tmp_path: Path) -> None:
    async with outage(tmp_path) as (stage, incident):
        await stage.inject("retriever.cached_answers.get", "fail", status=403)
        await incident.hears("Serve cached answers (CAG): same tenant")
        assert not (await falls_back_past_the_fault(stage))


async def falls_back_past_the_fault(stage: Drill) -> bool:
    await stage.stop_injecting()
    return bool((await falls_back(stage))["on"])
