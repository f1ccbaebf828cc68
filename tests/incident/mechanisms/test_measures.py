"""A measure is known before it is imposed, goes back to what was there before, and never outlives its incident in nobody's name."""

from datetime import timedelta
from pathlib import Path

from tests.incident.mechanisms.outage import incident_of
from tests.incident.mechanisms.test_two_incidents import FLAG, asked_for, flag, proven, stood_down
from tests.stage.drill import Drill, drill
from tests.stage.organisation import brisk
from tests.stage.running import until
from workflows.incident import Phase, State

MINUTE = timedelta(minutes=1)


async def test_what_may_be_in_force_is_lifted_although_its_call_never_returned(tmp_path: Path) -> None:
    """The lift is registered before the call: the write has landed, and nothing ever said so."""
    async with drill(tmp_path, policy=brisk()) as stage:
        incident = await stage.declare("Triage")
        await stage.inject("app.*", "fail")
        await asked_for(incident, "flags.switch_off", FLAG)
        await incident.question("is not done")
        assert not await flag(stage)
        assert [(one.target, one.certain) for one in (await incident.status()).in_force] == [("flag/batch.enabled", False)]
        await stage.stop_injecting()
        await stood_down(incident)
        assert await flag(stage)


async def test_a_try_that_was_lost_and_repeated_goes_back_to_what_was_before_the_first(tmp_path: Path) -> None:
    """The second look sees our own doing: taken for the state before, it would be put back for ever."""
    async with drill(tmp_path, policy=brisk()) as stage:
        incident = await stage.declare("Triage")
        await stage.inject("app.*", "fail")
        await asked_for(incident, "flags.switch_off", FLAG)
        question = await incident.question("is not done")
        await stage.stop_injecting()
        await incident.commanded()
        await incident.say("retry", await stage.code("lee", question.number))
        await proven(incident, "flags.switch_off")
        await stood_down(incident)
        assert await flag(stage)


async def test_a_yes_is_void_when_its_undo_would_be_another_one(tmp_path: Path) -> None:
    """The question shows the state before. Somebody changes that before the answer: it is asked again, with the undo as it would be now."""
    async with drill(tmp_path, policy=brisk()) as stage:
        incident = await stage.declare()  # on a healthy world: it is asked about every change
        question = await incident.question("make clients back off")
        assert "let clients retry as before: 5 attempts" in question.inverse and question.inverse != question.effect
        await changed_by_hand(stage, max_attempts=4)
        await incident.answer("make clients back off")
        assert "asking again" in await incident.hears("changed meanwhile: ", patience=5)
        assert (await stage.look())["policy"]["max_attempts"] == 4
        assert "let clients retry as before: 4 attempts" in (await incident.question("make clients back off")).inverse
        await incident.answer("make clients back off")
        await proven(incident, "models.back_off")
        await stood_down(incident)
        assert (await stage.look())["policy"]["max_attempts"] == 4


async def test_nothing_is_resolved_with_a_measure_in_nobodys_name(tmp_path: Path) -> None:
    """What came after everything was lifted is not forgotten: the incident goes to people."""
    async with incident_of(tmp_path, lasts=200) as (_, incident):
        await incident.is_in(Phase.RECOVERY)
        answered: set[int] = set()

        async def may_be_restored() -> bool:
            status = await incident.status()
            await incident.move(status, {"Restore tools": ""}, answered, MINUTE)
            return any("Restore tools" in question.asks for question in status.asking)

        await until(may_be_restored, "the question whether to restore", patience=20)
        await incident.answer("Restore tools")
        await incident.hears("done: models.restore_client_policy")
        await asked_for(incident, "flags.switch_off", FLAG)
        await proven(incident, "flags.switch_off")
        said = await incident.hears("handed over: ", skip=MINUTE, patience=5)
        assert "1 measures are still in force and nobody has taken them over: switched off" in said
        status = await incident.status()
        assert status.state is State.HANDED_OVER and [one.name for one in status.in_force] == ["switched off"]
        assert not any("Resolve" in question.asks for question in status.questions)


async def changed_by_hand(stage: Drill, **changes: int) -> None:
    """Somebody changes the clients' retry policy past us."""
    path, token = "/llm/v1/client-policy", {"Authorization": "Bearer practice-token"}
    now = (await stage.http.get(path, headers=token)).raise_for_status().json()
    body = {name: now[name] for name in ("max_attempts", "backoff", "retry_budget", "breaker")} | changes
    (await stage.http.put(path, json=body, headers={**token, "If-Match": now["etag"], "X-Actor": "lee"})).raise_for_status()
