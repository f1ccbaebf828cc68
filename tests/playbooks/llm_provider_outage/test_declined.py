"""§2.2: somebody says no, or nobody answers."""

from datetime import timedelta
from pathlib import Path

from tests.playbooks.llm_provider_outage.outage import FIVE, LOW_PARITY, STANDING, asked, outage, retrieval_only
from tests.stage.organisation import brisk
from workflows.incident import Phase, Silence, State


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


async def test_silence_on_the_failover_degrades_when_two_people_signed_that_beforehand(tmp_path: Path) -> None:
    """SAFE: the standing policy is the authorisation, and the record names it."""
    async with outage(tmp_path, providers=LOW_PARITY, policy=brisk(more=STANDING), lasts=None) as (stage, incident):
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
