"""An approval ends when it says (spec §2.5.3): what was not begun by then is asked again. What nobody needs any more starts nothing."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.incident.mechanisms.outage import LOW_PARITY, alive, incident_of, signalled
from tests.stage.drill import drill
from tests.stage.organisation import ORGANISATION, brisk
from tests.stage.running import until

AWAY = timedelta(seconds=947)  # so long nobody takes the next try: 47 s longer than a yes is good for
SLOWLY = ORGANISATION.replace(
    "[policy.patience.change]\neach_try = 900\ntries = 7\nlongest_pause = 5",
    "[policy.patience.change]\neach_try = 900\ntries = 7\nfirst_pause = 947\nlongest_pause = 947",
).format(policy=brisk())


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


@pytest.mark.parametrize(("mode", "writes"), [("fail", 0), ("commit_then_drop", 1)])
async def test_a_yes_that_ends_while_the_worker_is_away_is_not_used_and_what_it_may_have_done_is_not_forgotten(
    mode: str, writes: int, tmp_path: Path
) -> None:
    """The first try is lost on the way there, or on the way back. When the next one begins, by the server's time, the yes has ended."""
    async with drill(tmp_path, organisation=SLOWLY) as stage:
        await stage.edit(providers=LOW_PARITY)
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6)
        incident = await stage.declare()
        await incident.question("from retrieval only")
        await stage.inject("llm.routes.modes", mode, times=1)
        await incident.answer("from retrieval only")

        async def tried() -> bool:
            return [row.outcome for row in incident.book() if row.verb == "models.degrade"] == ["unknown"]

        await until(tried, "the first try to be lost")
        await incident.pass_time(AWAY)
        ended = await incident.hears("ended at")
        assert ended.endswith("UTC, before it could be carried out; an earlier try of ours may have reached it; asking again")
        assert len(await stage.wrote("llm.routes.modes")) == writes
        again = await incident.question("from retrieval only")
        assert "asked again: the approval of" in "; ".join(again.facts)
        assert [one.certain for one in (await incident.status()).in_force if one.name == "degraded"] == [False]
        await incident.answer("from retrieval only")
        await incident.hears(f"{'adopted' if writes else 'done'}: models.degrade")
        first, *_, last = [order["prior"]["value"] for order in await incident.orders("models.degrade")]
        assert first == last and len(await stage.wrote("llm.routes.modes")) == 1


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
