"""What a message can do to an incident (design §4), on the drill."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from tests.incident.mechanisms.outage import BROKEN, ONES, alive, incident_of, signalled
from tests.stage.drill import drill
from tests.stage.organisation import brisk
from tests.stage.outages import quick
from tests.stage.running import RunningIncident, until
from workflows.incident import QuestionState, State
from workflows.people.messages import MESSAGES

ODD: dict[str, tuple[Any, ...]] = {
    "empty": (), "null": (None,), "number": (7,), "list": (["a"],), "empty object": ({},), "unknown field": ({"x": 1},),
    "wrong types": ({"question": "three", "by": 7, "code": []},), "an argument too many": ({"by": "dana"}, 2), "broken JSON": (BROKEN,),
    "huge": ({"by": "d" * 50_000, "reason": "r" * 50_000},), "odd text": ("\u0000\ud7ff\u202e",),
    "a number beyond": ({"question": 10**30, "by": "dana"},), "negative": ({"question": -1, "by": "dana"},),
    "a severity of another kind": ({"severity": 99, "by": "dana"},), "a value nested": ({"value": {"a": [None] * 50}, "by": "dana"},),
}  # fmt: skip


async def test_nothing_typed_into_a_form_wedges_fails_or_is_lost(tmp_path: Path) -> None:
    """Every message name × everything odd, by signal and by update; then the incident goes on as if nothing had been."""
    async with incident_of(tmp_path, policy=brisk(top="verified_from = 3")) as (_, incident):  # what is odd, and not who sends it
        await incident.question("over from aurora")
        for name in MESSAGES:
            for given in ODD.values():
                await signalled(incident, name, *given)
        for unknown in ONES:
            await signalled(incident, "aprove", unknown)
        await incident.hears("there is no message 'aprove'", skip=timedelta(seconds=1))
        for name in MESSAGES:
            for what, given in ODD.items():
                try:
                    await incident.handle.execute_update(name, args=list(given))
                except WorkflowUpdateFailedError as no:
                    assert "Traceback" not in str(no.cause), what
        assert await alive(incident)
        refused = Counter(
            line.partition(":")[2].split(":")[0].strip() for line in await incident.timeline() if line.startswith("refused: ")
        )
        assert all(refused[name] >= len(ODD) - 4 for name in MESSAGES if name != "note"), refused
        status = await incident.status()
        assert status.state is State.OPEN and not status.paused_by
        assert [q.state for q in status.questions[1:3]] == [QuestionState.OPEN] * 2
        await incident.pass_time(timedelta(minutes=1))
        await incident.answer("over from aurora")
        await incident.hears("done: models.shift")


FORMS: dict[str, tuple[Any, ...]] = {
    "nothing": (), "a bare string": ("chat",), "two arguments": ({"service": "chat"}, "twice"), "broken JSON": (BROKEN,),
    "a typo": ({"servce": "chat"},), "a list": ([1, 2],),
}  # fmt: skip


async def test_an_incident_is_never_refused_for_its_form(tmp_path: Path) -> None:
    """It opens, keeps what was typed, and asks for the scope where that is missing."""
    async with drill(tmp_path, policy=brisk()) as stage:
        for n, (form, given) in enumerate(FORMS.items()):
            handle = await stage.env.client.start_workflow(
                "LLMProviderOutage", args=list(given), id=f"inc-20261123-form{n}", task_queue=stage.settings.queue
            )
            incident = RunningIncident(stage, handle)
            if form == "a bare string":
                await incident.hears("phase: Triage")
                assert (await incident.status()).service == "chat"
            else:
                question = await incident.question("Which service")
                assert bool([line for line in await incident.timeline() if "could not be understood" in line]) == bool(given), form
                code = await stage.code("dana", question.number, of=incident.id)
                await incident.say("answer", {"question": question.number, "code": code, "value": {"service": "chat"}})
                await incident.hears("done: models.route")
            assert await alive(incident), form

            async def rests(handle: WorkflowHandle[Any, Any] = handle) -> bool:
                return not (await handle.describe()).raw_description.pending_activities

            await until(rests, "no activity to be under way: the test server stops skipping time when one loses its workflow")
            await handle.terminate()


async def test_an_alert_for_us_is_counted_and_another_ones_is_sent_away(tmp_path: Path) -> None:
    """Same key: joined and counted. Other key: `mine` is false. Not an alert: noted."""
    async with incident_of(tmp_path, dedup_key="llm/aurora", source="alertmanager", delivery="d-1") as (_, incident):
        await incident.question("over from aurora")
        alert = {"delivery": "d-2", "dedup_key": "llm/aurora", "status": "firing", "name": "LLMProviderOverloaded"}

        async def told(given: Any) -> dict[str, Any]:
            joined: dict[str, Any] = await incident.handle.execute_update("alert", given)
            return joined

        assert await told(alert) == {"mine": True, "alerts": 2}
        assert await told({**alert, "delivery": "d-1"}) == {"mine": True, "alerts": 2}
        assert await told({**alert, "dedup_key": "db/main", "delivery": "d-3"}) == {"mine": False, "alerts": 2}
        for odd in ONES:
            with pytest.raises(WorkflowUpdateFailedError):
                await told(odd)
        assert (await incident.status()).alerts == 2
        assert await alive(incident)


async def test_an_incident_declared_without_its_service_takes_its_alerts_once_it_is_named(tmp_path: Path) -> None:
    """Before, nobody could say that the alert is about it; afterwards it joins, and opens no second incident."""
    async with drill(tmp_path, policy=quick()) as stage:
        incident = await stage.declare("ProductionOutage", given={})
        alert = {"delivery": "d-2", "dedup_key": "production_outage/api", "status": "firing", "name": "ApiErrors"}
        question = await incident.question("Which service")
        assert (await incident.handle.execute_update("alert", alert))["mine"] is False
        await incident.say("answer", {"question": question.number, "by": "dana", "value": "api"})
        assert (await incident.status()).dedup_key == "production_outage/api"
        assert await incident.handle.execute_update("alert", alert) == {"mine": True, "alerts": 1}
