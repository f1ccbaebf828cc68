"""An approval ends when it says (spec §2.5.3): what was not begun by then is asked again."""

from datetime import timedelta
from pathlib import Path

from tests.incident.mechanisms.outage import incident_of


async def test_a_yes_that_could_not_be_used_in_time_is_asked_again_in_plain_words(tmp_path: Path) -> None:
    """Automation was paused when the yes came; when it goes on, the yes has ended: the activity refuses it, and the question is put again."""
    async with incident_of(tmp_path) as (stage, incident):
        await incident.question("from retrieval only")
        await incident.commanded()
        await incident.say("pause", {"by": "dana", "reason": "wait"})
        await incident.answer("from retrieval only")
        await incident.pass_time(timedelta(minutes=15, seconds=47))
        await incident.verified("resume", "dana", reason="go on")
        assert "before it could be carried out; asking again" in await incident.hears("ended at")
        assert await stage.wrote("llm.routes.modes") == []
        again = await incident.question("from retrieval only")
        assert "asked again: the approval of" in "; ".join(again.facts)
        await incident.answer("from retrieval only")
        await incident.hears("done: models.degrade")
        assert len(incident.done("models.degrade")) == 1
