"""§2.2: what breaks on the way."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.playbooks.llm_provider_outage.outage import FIVE, MINUTE, SECOND, at_of, outage, retrieval_only, story
from tests.stage.drill import Drill, drill
from tests.stage.organisation import OTHERS, brisk
from tests.stage.running import RunningIncident, until
from workflows.incident import Phase, State
from workflows.status import StepState


async def test_with_the_selector_broken_people_get_the_command_and_four_ways_on(tmp_path: Path) -> None:
    """Static route by hand: the command stands in the question; *retry* uses the same key, and goes on when the selector is back."""
    async with outage(tmp_path, lasts=None) as (stage, incident):
        await stage.inject("llm.routes.weights", "fail")
        question = await incident.question("models.shift on route/chat is not done")
        assert set(question.options) == {"retry", "done_by_hand", "skip", "hand_over"}
        assert any("curl" in line and "/v1/routes/chat/weights" in line for line in question.by_hand)
        await stage.stop_injecting()
        await incident.answer("is not done", "retry")
        await incident.hears("done: models.shift")
        keys = {row.key for row in incident.book() if row.verb == "models.shift"}
        assert len(keys) == 1


async def test_a_failed_step_that_was_done_by_hand_is_adopted(tmp_path: Path) -> None:
    """Somebody used the command: what they did is verified and adopted, not repeated."""
    async with outage(tmp_path, lasts=None, policy=brisk(outage="ramp = [1.0]")) as (stage, incident):
        await stage.inject("llm.routes.weights", "fail")
        await incident.question("is not done")
        await stage.stop_injecting()
        await by_hand(stage, incident)
        await incident.answer("is not done", "done_by_hand")
        await incident.hears("adopted: models.shift")
        assert [e["key"] for e in await stage.wrote("llm.routes.weights")] == [None]


async def by_hand(stage: Drill, incident: RunningIncident) -> None:
    """Do what the failover would have done, as a person with curl does."""
    route = (await stage.http.get("/llm/v1/routes/chat", headers=AS_A_PERSON)).json()
    movable = [t for t, row in (await stage.look())["tenants"].items() if row["tier"] != "sovereign"]
    body = {"epoch": route["epoch"] + 1, "tenants": movable, "weights": {"borealis": 1.0}, "lease": None}
    wrote = await stage.http.put("/llm/v1/routes/chat/weights", headers={**AS_A_PERSON, "If-Match": route["etag"]}, json=body)
    wrote.raise_for_status()


AS_A_PERSON = {"Authorization": "Bearer practice-token"}


async def test_a_skipped_failover_goes_on_to_degrading(tmp_path: Path) -> None:
    """*Skip* leaves the step out, on the record; the tenants still get an answer."""
    async with outage(tmp_path) as (stage, incident):
        await stage.inject("llm.routes.weights", "fail")
        await incident.is_in(Phase.RECOVERY, {"is not done": "skip"})
        assert any(step.state is StepState.SKIPPED for step in (await incident.status()).steps)
        assert len(await retrieval_only(stage)) == 20


async def test_a_lift_that_is_skipped_leaves_the_measure_in_the_name_of_whoever_skipped_it(tmp_path: Path) -> None:
    """The incident resolves, and what is still in force says who holds it."""
    async with outage(tmp_path, lasts=100) as (stage, incident):
        await stage.inject("unleash.feature.on", "fail")
        status = await incident.ends({"is not done": "skip"})
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert [(m.name, m.held_by) for m in status.in_force] == [("switched off", "lee")] * 4
        assert not any((await stage.look())["flags"].values())


async def test_a_person_can_take_over_and_close_it_and_what_we_imposed_is_lifted(tmp_path: Path) -> None:
    """*Hand over*: nothing more is changed by us; the commander's word lifts the rest, latest first."""
    async with outage(tmp_path, lasts=300) as (stage, incident):
        await stage.inject("llm.routes.weights", "fail")
        await incident.answer("is not done", "hand_over", by="dana")
        await incident.hears("handed over:")
        status = await incident.status()
        assert status.state is State.HANDED_OVER
        await stage.stop_injecting()
        ended = await incident.ends()
        assert ended.state is State.RESOLVED and "by hand" in ended.outcome, story(await incident.timeline())
        assert all((await stage.look())["flags"].values())
        assert ended.in_force == []


async def test_neither_missing_data_nor_an_alarm_lets_the_stability_window_pass(tmp_path: Path) -> None:
    """BLIND is noted, and the window starts when the data is back; a firing alert starts it again at once."""
    async with drill(tmp_path, policy=brisk()) as stage:
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6, for_seconds=100)
        incident = await stage.declare(dedup_key="llm/aurora", source="alertmanager", delivery="d-1")
        await until(lambda: _waits_for(incident, "stable for"), "the stability gate")
        (await stage.http.post("/practice/blind", json={"on": True})).raise_for_status()
        await incident.hears("blind:")
        await incident.pass_time(timedelta(minutes=20))
        assert (await incident.status()).resolved_at is None
        (await stage.http.post("/practice/blind", json={"on": False})).raise_for_status()
        await incident.pass_time(timedelta(minutes=3))
        before = datetime.fromisoformat((await incident.entries())[-1]["at"])
        alert = {"delivery": "d-2", "dedup_key": "llm/aurora", "status": "firing", "name": "LLMProviderOverloaded"}
        await incident.handle.execute_update("alert", alert)
        await incident.hears("alarm:", skip=SECOND)
        alarmed = await at_of(incident, "alarm")
        assert alarmed >= before
        status = await incident.ends(skip=timedelta(seconds=30))
        assert status.state is State.RESOLVED and status.alerts == 2
        assert status.resolved_at and status.resolved_at >= alarmed + FIVE


async def _waits_for(incident: RunningIncident, what: str) -> bool:
    status = await incident.status()
    await incident.move(status, {}, set(), timedelta(seconds=20))
    return what in status.waiting_for


async def test_without_data_nothing_is_called_mitigated(tmp_path: Path) -> None:
    """A dead metrics store during mitigation: a person is asked, and *mitigated* is not claimed."""
    async with outage(tmp_path) as (stage, incident):
        await incident.hears("borealis 1 (proven")
        (await stage.http.post("/practice/blind", json={"on": True})).raise_for_status()
        await incident.answer("from retrieval only")
        question = await incident.question("impact has not ended", skip=MINUTE)
        assert "blind" in question.facts[0]
        assert (await incident.status()).mitigated_at is None


@pytest.mark.parametrize(
    ("kind", "section"), [("spend_cap", "§2.6"), ("auth", "§2.10"), ("bad_request", "§2.7"), ("content_filter", "§2.3")]
)
async def test_what_is_no_outage_of_the_provider_is_for_its_own_playbook(tmp_path: Path, kind: str, section: str) -> None:
    """Our cap, our key, our prompt: no retries, no failover, and the right section is named. A *no* leaves it to people."""
    async with drill(tmp_path, policy=brisk()) as stage:
        await stage.break_provider(provider="aurora", kind=kind, rate=0.7)
        stage.forward(60)
        incident = await stage.declare()
        await incident.commanded()
        question = await incident.question("Not an outage of aurora")
        assert section in question.facts[0]
        await incident.answer("Not an outage of aurora", "decline")
        assert section in await incident.hears("handed over:")
        assert [e for e in await stage.effects() if e["face"] in ("llm", "unleash")] == []


async def test_a_refused_key_calls_the_other_playbook_in_on_the_same_incident(tmp_path: Path) -> None:
    """It asks which credential it is, and people carry on. The incident ends when the provider takes our calls again."""
    async with drill(tmp_path, policy=brisk(more=OTHERS)) as stage:
        await stage.break_provider(provider="aurora", kind="auth", rate=0.7)
        stage.forward(60)
        incident = await stage.declare()
        await incident.commanded()
        await incident.answer("Not an outage of aurora")
        await incident.hears("§2.10 Secret/API-key compromise: our key is refused")
        await stage.mend()
        status = await incident.ends()
        assert status.state is State.RESOLVED and not [step for step in status.steps if step.verb == "models.shift"]
