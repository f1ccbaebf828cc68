"""Who may answer a question (design §4), on the drill."""

import asyncio
from datetime import timedelta
from pathlib import Path

from tests.incident.mechanisms.outage import FIVE, alive, incident_of, signalled


async def test_an_answer_without_authority_is_refused_with_the_reason_and_noted(tmp_path: Path) -> None:
    """Wrong person, wrong code, used code, another question's code, self-declared, closed, twice: each by the CLI's door."""
    async with incident_of(tmp_path) as (stage, incident):
        failover = (await incident.question("over from aurora")).number
        degrade = (await incident.question("from retrieval only")).number
        refusals = {
            "noor's name without her role": (
                await incident.refused("approve", {"question": failover, "by": "noor", "reason": "x"}), "is not"),
            "nobody's name": (await incident.refused("approve", {"question": failover, "by": "mallory"}), "roster"),
            "self-declared": (await incident.refused("approve", {"question": failover, "by": "dana"}), "must be verified"),
            "a wrong code": (await incident.refused("approve", f"{failover}-AAAA-AAAA"), ""),
            "another question's code": (
                await incident.refused("approve", {"question": failover, "code": await stage.code("lee", degrade)}), f"not for {failover}"),
            "no such question": (await incident.refused("decline", {"question": 99, "by": "dana"}), "no question 99"),
            "no such verdict": (await incident.refused("retry", {"question": failover, "by": "dana"}), "takes approve | decline"),
        }  # fmt: skip
        for what, (why, expected) in refusals.items():
            assert why and expected in why, (what, why)
        assert await stage.wrote("llm.routes.weights") == []
        code = await stage.code("dana", failover)
        assert "verified" in await incident.say("approve", code)
        assert "closed" in await incident.refused("approve", code)
        assert "closed" in await incident.refused("approve", await stage.code("ravi", failover))
        noted = [line for line in await incident.timeline() if line.startswith("refused: ")]
        assert len(noted) == len(refusals) + 2
        assert not any(code in line for line in await incident.timeline())
        assert await alive(incident)


async def test_an_answer_to_an_expired_question_is_refused(tmp_path: Path) -> None:
    """The failover's question means *degrade* after the ladder: a yes that comes later is none."""
    async with incident_of(tmp_path) as (stage, incident):
        question = await incident.question("over from aurora")
        code = await stage.code("dana", question.number)
        await incident.say("acknowledge", {"by": "dana"})
        await incident.pass_time(timedelta(minutes=36))
        assert "expired" in await incident.refused("approve", code)
        await incident.pass_time(FIVE)
        assert await stage.wrote("llm.routes.weights") == []


async def test_a_code_sent_by_signal_as_one_string_is_a_verified_answer(tmp_path: Path) -> None:
    """The ten-second act of the Temporal UI."""
    async with incident_of(tmp_path) as (stage, incident):
        question = await incident.question("over from aurora")
        await incident.commanded()
        await signalled(incident, "approve", await stage.code("ravi", question.number))
        await incident.hears(f"granted: [{question.number}] approve by ravi (verified)")
        await incident.hears("done: models.shift")


async def test_guessing_codes_opens_nothing_and_locks_nobody_out(tmp_path: Path) -> None:
    """Any number of wrong codes is refused and noted; the commander's right one counts all the same (ADR 4)."""
    async with incident_of(tmp_path) as (stage, incident):
        question = await incident.question("over from aurora")
        guesses = [f"{question.number}-AAAA-AA{a}{b}" for a in "ABCD" for b in "EFGH"]
        whys = await asyncio.gather(*(incident.refused("approve", guess) for guess in guesses))
        assert all("fits nobody" in why for why in whys), whys
        assert len([line for line in await incident.timeline() if line.startswith("refused: approve")]) == len(guesses)
        assert "verified" in await incident.say("approve", await stage.code("dana", question.number))


async def test_authority_comes_from_the_roster_now(tmp_path: Path) -> None:
    """Whoever loses the role between question and answer has lost it."""
    async with incident_of(tmp_path) as (stage, incident):
        question = await incident.question("over from aurora")
        code = await stage.code("ravi", question.number)
        await incident.say("acknowledge", {"by": "ravi"})  # he had it, and was known to have it
        organisation = stage.settings.organisation
        organisation.write_text(organisation.read_text().replace('roles = ["ai_ml_lead"]', "roles = []"))
        assert "ravi is not" in await incident.refused("approve", code)
