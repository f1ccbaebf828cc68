"""An approval ends when it says (spec §2.5.3): what was not begun by then is asked again. What nobody needs any more starts nothing."""

import asyncio
from datetime import timedelta
from pathlib import Path

from tests.incident.mechanisms.outage import alive, incident_of, signalled


async def test_a_yes_that_could_not_be_used_in_time_is_asked_again_in_plain_words(tmp_path: Path) -> None:
    """Automation was paused when the yes came; when it goes on, the yes has ended: the activity refuses it, and the question is put again."""
    async with incident_of(tmp_path) as (stage, incident):
        await incident.question("from retrieval only")
        await incident.commanded()
        await incident.say("pause", {"by": "dana", "reason": "wait"})
        await incident.answer("from retrieval only")
        await incident.pass_time(timedelta(minutes=15, seconds=47))
        await incident.say("resume", {"code": await incident.command_code("dana"), "reason": "go on"})
        ended = await incident.hears("ended at")
        assert "before it could be carried out; asking again" in ended
        assert await stage.wrote("llm.routes.modes") == []
        again = await incident.question("from retrieval only")
        assert "asked again: the approval of" in "; ".join(again.facts)
        await incident.answer("from retrieval only")
        await incident.hears("done: models.degrade")
        assert len(incident.done("models.degrade")) == 1


async def test_a_yes_on_its_way_while_the_question_is_withdrawn_starts_nothing(tmp_path: Path) -> None:
    """The incident stands down at the same moment: whichever is read first, nothing of the failover runs."""
    async with incident_of(tmp_path) as (stage, incident):
        question = await incident.question("over from aurora")
        await incident.commanded()
        code = await stage.code("dana", question.number)
        await asyncio.gather(signalled(incident, "stand_down", {"by": "dana", "reason": "drill"}), signalled(incident, "approve", code))
        await incident.ends()
        number = question.number
        heard = [
            line for line in await incident.timeline() if line.startswith((f"refused: approve: question {number} ", f"granted: [{number}]"))
        ]
        assert len(heard) == 1, heard
        assert await stage.wrote("llm.routes.weights") == []
        assert await alive(incident) is False
