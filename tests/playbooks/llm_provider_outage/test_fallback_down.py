"""§2.2: a fallback provider that is down is not one that is full: nobody is shed step by step, everybody is degraded at once (design §4)."""

from pathlib import Path

from tests.playbooks.llm_provider_outage.outage import MINUTE, SECOND, outage, retrieval_only, story
from tests.stage.organisation import brisk


async def test_a_fallback_that_is_down_too_is_said_with_what_both_stand_on_and_everybody_is_degraded(tmp_path: Path) -> None:
    """Its probes fail also after the last step's load was taken off it."""
    async with outage(tmp_path, lasts=None, policy=brisk(outage="ramp = [0.1, 1.0]")) as (stage, incident):
        await incident.hears("borealis 0.1", skip=SECOND)
        await stage.break_provider(provider="borealis", kind="down")
        said = await incident.hears("borealis is down too, and not only full", skip=15 * SECOND)
        assert "it shares region:eu-west with aurora" in said
        asked = await incident.question("Answer 16 tenants")
        assert any("borealis is down too" in fact for fact in asked.facts)
        assert sum("from retrieval only" in q.asks for q in (await incident.status()).questions) == 2  # the sovereign four, then everybody
        await incident.answer("from retrieval only")
        await incident.answer("Answer 16 tenants")
        await incident.hears("mitigated:", skip=MINUTE)
        assert len(await retrieval_only(stage)) == 20, story(await incident.timeline())
