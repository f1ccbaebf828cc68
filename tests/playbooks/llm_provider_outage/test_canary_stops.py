"""§2.2: what stops the canary back to the primary."""

from datetime import timedelta
from pathlib import Path

from tests.playbooks.llm_provider_outage.outage import SECOND, outage, returns, story
from tests.stage.running import RunningIncident, until
from workflows.incident import Phase
from workflows.status import StepState


async def test_an_alarm_stops_the_canary_at_once(tmp_path: Path) -> None:
    """An alert in scope fires while a step is watched (here: waits, because somebody has paused automation). Nothing goes to the primary."""
    async with outage(tmp_path, lasts=200) as (stage, incident):
        await incident.is_in(Phase.RECOVERY)
        await incident.question("Canary back")
        await incident.say("pause", {"by": "dana", "reason": "look"})
        await incident.answer("Canary back")
        await until(lambda: _watching(incident), "the first step of the canary")
        about = (await incident.status()).dedup_key
        alert = {"delivery": "d-2", "dedup_key": about, "status": "firing", "name": "LLMProviderOverloaded"}
        await incident.handle.execute_update("alert", alert)
        assert "LLMProviderOverloaded is firing" in await incident.hears("vetoed:", skip=SECOND, patience=5)
        await incident.verified("resume", "dana", reason="go on")
        await incident.hears("models.shift route/chat: fall back")
        await incident.pass_time(timedelta(minutes=2))
        assert await returns(stage) == [], story(await incident.timeline())


async def _watching(incident: RunningIncident) -> bool:
    await incident.pass_time(SECOND)
    return any(step.verb == "models.watch" and step.state is StepState.PAUSED for step in (await incident.status()).steps)
