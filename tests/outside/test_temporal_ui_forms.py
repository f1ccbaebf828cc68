"""Whatever is typed into the Temporal UI's forms: nothing wedges, fails or is lost without a trace.

Everything here goes through the UI server's own HTTP endpoints, with its CSRF cookie and header, in the very shape that the browser sends.
"""

import asyncio
import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus

from tests.stage.real_server import RealServer, Running, real_server
from tests.stage.running import until
from workflows.incident import QuestionState
from workflows.people.messages import MESSAGES, VERDICTS

pytestmark = pytest.mark.processes

BROKEN = object()  # a payload that says json/plain and is none
FORMS: dict[str, tuple[object, ...]] = {
    "empty": (),
    "a list": (["approve", 1],),
    "a number": (7,),
    "null": (None,),
    "an empty object": ({},),
    "a wrong type": ({"question": "the first", "by": 5},),
    "an unknown field": ({"by": "dana", "decision": "yes"},),
    "an extra argument": ({"by": "dana"}, "and more"),
    "broken JSON": (BROKEN,),
}
UNDERSTOOD = {"an empty object"}  # it has the right shape: the handler refuses it, and not the validator
CALM = 1.0  # where nothing but the doors is looked at, pages and posts need not hurry
AT_ONCE = 5  # Temporal allows ten updates in flight


@dataclass
class Form:
    """The UI's forms for one server."""

    http: httpx.AsyncClient
    _busy: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def signal(self, incident: Running, name: str, *given: object) -> None:
        """More Actions → Send a Signal."""
        execution = {"workflowId": incident.id, "runId": incident.handle.result_run_id}
        body = {"signalName": name, "input": {"payloads": _payloads(given)}, "workflowExecution": execution}
        (await self._post(f"{incident.id}/signal/{name}", body)).raise_for_status()

    async def update(self, incident: Running, name: str, nth: str, *given: object) -> str:
        """More Actions → Send an Update. Returns the reason for which it failed, or an empty string."""
        request = {"meta": {"updateId": f"ui-{name}-{nth}"}, "input": {"name": name, "args": {"payloads": _payloads(given)}}}
        body = {"workflowExecution": {"runId": incident.handle.result_run_id}, "request": request}
        answer = await self._post(f"{incident.id}/update/{name}", body)
        said = answer.json()
        return str(said.get("outcome", said).get("failure", {}).get("message") or said.get("message", ""))

    async def start(self, stage: RealServer, name: str, *given: object) -> Running:
        body = {
            "workflowId": name, "workflowType": {"name": "LLMProviderOutage"}, "taskQueue": {"name": stage.urgent},
            "input": {"payloads": _payloads(given)},
        }  # fmt: skip
        run = (await self._post(name, body)).raise_for_status().json()["runId"]
        return Running(stage, stage.client.get_workflow_handle(name, run_id=run))

    async def _post(self, path: str, body: object) -> httpx.Response:
        async with self._busy:
            return await self.http.post(f"/api/v1/namespaces/default/workflows/{path}", json=body, timeout=20)


@contextmanager
def _labelled(what: str) -> Iterator[None]:
    try:
        yield
    except (AssertionError, httpx.HTTPError, TimeoutError) as failure:
        raise AssertionError(f"{what}: {failure!r}") from failure


def _payloads(given: Sequence[object]) -> list[dict[str, Any]] | None:
    encoding = {"encoding": base64.b64encode(b"json/plain").decode()}
    texts = (b"{approve" if each is BROKEN else json.dumps(each).encode() for each in given)
    return [{"metadata": encoding, "data": base64.b64encode(text).decode()} for text in texts] or None


async def _form(stage: RealServer, http: httpx.AsyncClient) -> Form:
    refused = await http.post("/api/v1/namespaces/default/workflows/nobody/signal/approve", json={})
    assert refused.status_code == 400, "the UI server wants its CSRF token"
    (await http.get("/api/v1/settings")).raise_for_status()
    http.headers["X-CSRF-TOKEN"] = http.cookies["_csrf"]
    return Form(http)


async def _unharmed(incidents: Iterable[Running]) -> None:
    """Running, answering queries, and not one workflow task failed."""
    for incident in incidents:
        with _labelled(incident.id):
            assert (await incident.handle.describe()).status is WorkflowExecutionStatus.RUNNING
            assert (await incident.status()).incident_id == incident.id
            history = await incident.handle.fetch_history()
            failed = [e for e in history.events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED]
            assert failed == []


async def _refused(incident: Running, number: int) -> list[str]:
    """What was refused, once there are so many refusals."""

    async def seen() -> list[str] | None:
        found = await incident.refusals()
        return found if len(found) >= number else None

    found: list[str] = await until(seen, f"{number} refusals on the timeline of {incident.id}")
    assert len(found) == number, found
    return found


async def _every_signal_however_wrong(form: Form, incident: Running) -> None:
    names = [*MESSAGES, "no_such_message", "alert"]
    sent = [(name, what) for name in names for what in FORMS]
    await asyncio.gather(*(form.signal(incident, name, *FORMS[what]) for name, what in sent))
    refused = await _refused(incident, len(sent))
    for name in names:
        mine = [line for line in refused if line.startswith(f"{name}: ")]
        assert len(mine) == len(FORMS), f"{name}: {mine}"
        if name in MESSAGES:
            shown = sum(MESSAGES[name] in line for line in mine)
            assert shown >= len(FORMS) - len(UNDERSTOOD) - 2, f"{name} shows an example of what it takes: {mine}"
        else:
            assert all(f"there is no message {name!r}; there are approve, decline" in line for line in mine)


async def _every_update_however_wrong(form: Form, incident: Running) -> None:
    before = len(await incident.refusals())
    sent = [(name, what) for name in MESSAGES for what in FORMS]
    said = await asyncio.gather(*(form.update(incident, name, what.replace(" ", "-"), *FORMS[what]) for name, what in sent))
    for (name, what), why in zip(sent, said, strict=True):
        assert why, f"{name} with {what} was not refused"
        if what not in UNDERSTOOD:
            assert why.startswith(name), f"{name} with {what}: {why}"
            assert MESSAGES[name] in why or "takes one argument, not 2" in why or "not valid JSON" in why, f"{name} with {what}: {why}"
    await _refused(incident, before + len(MESSAGES) * len(UNDERSTOOD))
    unknown = await form.update(incident, "no_such_message", "unknown", {"by": "dana"})
    assert "no_such_message" in unknown
    assert "approve" in unknown, f"names what there is: {unknown}"


async def _the_alert_door(form: Form, incident: Running) -> None:
    before = await incident.refusals()
    for what, given in FORMS.items():
        why = await form.update(incident, "alert", what.replace(" ", "-"), *given)
        assert why.startswith(("alert: ", "alert takes one argument", "not an alert: ")), f"alert with {what}: {why}"
    assert await incident.refusals() == before, "the validator says no to the sender, and leaves no event"


async def test_nothing_typed_into_a_message_form_harms_the_incident(tmp_path: Path) -> None:
    """Every signal and every update with every wrong input; then a correct approval works as if nothing had been."""
    async with real_server(tmp_path) as stage, httpx.AsyncClient(base_url=stage.ui_url) as http:
        form = await _form(stage, http)
        await stage.break_the_provider()
        incident = await stage.declare("inc-20261123-llm-chat", {"service": "chat"})
        question = await incident.question("over from aurora to borealis")
        await _every_signal_however_wrong(form, incident)
        await _every_update_however_wrong(form, incident)
        await _the_alert_door(form, incident)
        await _unharmed([incident])

        await form.signal(incident, "approve", await stage.code("dana", question.number))

        async def shifted() -> bool:
            return any(line.startswith("done: models.shift") for line in await incident.timeline())

        await until(shifted, "the failover that was approved")
        answered = (await incident.status()).questions[question.number - 1]
        assert answered.state is QuestionState.GRANTED
        assert [(given.by, given.verified) for given in answered.answers] == [("dana", True)]
        await _unharmed([incident])


async def test_a_bare_string_is_a_code_or_a_note_or_refused(tmp_path: Path) -> None:
    """What is no code is refused and noted by either door."""
    async with real_server(tmp_path, pace=CALM) as stage, httpx.AsyncClient(base_url=stage.ui_url) as http:
        form = await _form(stage, http)
        await stage.break_the_provider()
        incident = await stage.declare("inc-20261123-llm-chat", {"service": "chat"})
        await incident.question("")
        refusing = [name for name in MESSAGES if name != "note"]
        for nth, name in enumerate(refusing, 1):  # one after another, as a guesser's slow fingers would
            await form.signal(incident, name, "approve")
            refused = await _refused(incident, nth)
        assert any("that is not a code" in line and "7-4XQ2-M9KD" in line for line in refused)
        for name in refusing:
            why = await form.update(incident, name, "string", "approve")
            wanted = "that is not a code" if name in VERDICTS else "nobody called 'approve'" if name == "code" else MESSAGES[name]
            assert wanted in why, f"{name}: {why}"
        await form.signal(incident, "note", "the provider's own page says: investigating")
        assert await form.update(incident, "note", "string", "and it is not only us") == ""

        async def noted() -> bool:
            wanted = {"note: the provider's own page says: investigating", "note: and it is not only us"}
            return wanted <= set(await incident.timeline())

        await until(noted, "both notes")
        await _unharmed([incident])


async def test_an_incident_started_askew_from_the_ui_asks_for_its_scope(tmp_path: Path) -> None:
    """An incident is never refused for its form: what was typed is kept word for word, and a person says what it is about."""
    async with real_server(tmp_path, pace=CALM) as stage, httpx.AsyncClient(base_url=stage.ui_url) as http:
        form = await _form(stage, http)
        named = {f"inc-20261123-{what.replace(' ', '-').lower()}": what for what in FORMS}
        started = {what: await form.start(stage, name, *FORMS[what]) for name, what in named.items()}
        for what, incident in started.items():
            with _labelled(what):
                assert "which service" in (await incident.question("service")).asks.lower()
                understood = what in ("empty", "an empty object")
                assert len(await incident.refusals()) == (0 if understood else 1)
        assert '["approve", 1]' in (await started["a list"].refusals())[0]
        assert "{approve" in (await started["broken JSON"].refusals())[0]
        assert '{"by": "dana"}, "and more"' in (await started["an extra argument"].refusals())[0]

        bare = await form.start(stage, "inc-20261123-bare", "chat")
        assert (await bare.status()).service == "chat"

        wrong = started["null"]
        asked = await wrong.question("service")
        await form.signal(wrong, "answer", {"question": asked.number, "by": "dana", "value": "chat"})

        async def scoped() -> bool:
            return (await wrong.status()).service == "chat"

        await until(scoped, "the scope that was answered")
        await _unharmed([*started.values(), bare])
