"""An alert that no playbook knows: one page, nothing changed, until a person says which playbook it is."""

from pathlib import Path
from typing import Any

import pytest

from tests.stage.drill import drill
from workflows.incident import Phase, State


async def test_nothing_is_changed_until_a_person_names_the_playbook(tmp_path: Path) -> None:
    """The commander's answer ends it; the effect log holds only what told people."""
    async with drill(tmp_path) as stage:
        incident = await stage.declare("Triage", service="chat", title="SomethingOdd is firing", source="alertmanager")
        question = await incident.question("which playbook")
        code = await stage.code("dana", question.number)
        assert await incident.say("answer", {"question": question.number, "code": code, "value": "inc-20261123-llm-chat"})
        status = await incident.ends()
        assert status.state is State.RESOLVED and "inc-20261123-llm-chat" in status.outcome
        assert status.phases == (Phase.TRIAGE,)
        assert {e["face"] for e in await stage.effects()} <= {"slack", "pagerduty", "github"}
        assert all(row.risk == 0 for row in incident.book())


async def test_an_unknown_service_is_not_measured_but_asked_about(tmp_path: Path) -> None:
    """An alert that could not be read says nothing of a service."""
    async with drill(tmp_path) as stage:
        incident = await stage.declare("Triage", service="unknown", title="unreadable alert")
        await incident.question("which playbook")
        assert (await incident.status()).steps == []


async def test_nothing_is_published_about_what_nobody_understands(tmp_path: Path) -> None:
    async with drill(tmp_path) as stage:
        incident = await stage.declare("Triage", service="chat", title="odd")
        await incident.question("which playbook")
        status = await incident.status()
        assert [q.asks for q in status.questions if "status page" in q.asks] == []
        assert status.next_update_due is None


@pytest.mark.parametrize("value", ["none", {"playbook": "llm"}, None, 7])
async def test_any_answer_ends_it_with_what_was_said(tmp_path: Path, value: Any) -> None:
    """A value of any form is kept word for word."""
    async with drill(tmp_path) as stage:
        incident = await stage.declare("Triage", service="chat")
        question = await incident.question("which playbook")
        await incident.say("answer", {"question": question.number, "code": await stage.code("lee", question.number), "value": value})
        assert str(value) in (await incident.ends()).outcome
