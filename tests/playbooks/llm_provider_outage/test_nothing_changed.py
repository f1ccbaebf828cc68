"""§2.2: "200 OK", and nothing changed."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.playbooks.llm_provider_outage.outage import outage
from tests.stage.running import RunningIncident, until
from workflows.incident import Phase, State

LYING = {
    "llm.client_policy.put": "models.back_off",
    "llm.routes.weights": "models.shift",
    "llm.routes.modes": "models.degrade",
    "unleash.feature.off": "flags.switch_off",
}


@pytest.mark.parametrize("route", LYING)
async def test_a_verb_is_never_done_on_the_word_of_a_200(tmp_path: Path, route: str) -> None:
    """The step fails, people are asked, and after a hand-over nothing is resolved, nor mitigated, on that word."""
    async with outage(tmp_path, lasts=None) as (stage, incident):
        await stage.inject(route, "nothing_changed")
        await until(lambda: _handed_over(incident), "the hand-over")
        assert incident.done(LYING[route]) == []
        assert await stage.wrote(route) == []
        status = await incident.status()
        assert status.state is State.HANDED_OVER and status.mitigated_at is None


async def _handed_over(incident: RunningIncident) -> bool:
    status = await incident.status()
    if status.state is State.HANDED_OVER:
        return True
    await incident.move(status, {"is not done": "hand_over"}, set(), timedelta(seconds=20))
    return False


@pytest.mark.parametrize(
    ("route", "verb", "named"), [("unleash.feature.on", "flags.restore", "flag/"), ("llm.routes.modes", "models.restore_modes", "route/"),
                                 ("llm.client_policy.put", "models.restore_client_policy", "client-policy")]
)  # fmt: skip
async def test_nothing_is_lifted_on_the_word_of_a_200(tmp_path: Path, route: str, verb: str, named: str) -> None:
    """What could not be lifted is said to be in force, and somebody holds it."""
    async with outage(tmp_path, lasts=None) as (stage, incident):
        await incident.answer("from retrieval only")
        await incident.hears("done: models.degrade")
        await stage.inject(route, "nothing_changed")
        await incident.verified("stand_down", "dana", reason="drill")
        status = await incident.ends()
        assert incident.done(verb) == []
        assert [m.held_by for m in status.in_force if m.target.startswith(named)], status.in_force
        assert {m.held_by for m in status.in_force} == {"dana"}


async def test_the_return_to_the_primary_is_not_believed_on_the_word_of_a_200(tmp_path: Path) -> None:
    """A canary that was accepted and did nothing: people are asked, and the failover is still said to be in force."""
    async with outage(tmp_path, lasts=100) as (stage, incident):
        await incident.is_in(Phase.RECOVERY)
        before = len(incident.done("models.shift"))
        await incident.question("Canary back")
        await stage.inject("llm.routes.weights", "nothing_changed")
        await until(lambda: _handed_over(incident), "the hand-over")
        status = await incident.status()
        assert len(incident.done("models.shift")) == before
        assert "failed over" in {m.name for m in status.in_force} and status.resolved_at is None
