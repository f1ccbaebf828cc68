"""An alert that no playbook knows: one page, nothing changed, until a person says which playbook it is."""

from pathlib import Path
from typing import Any

import pytest

from tests.stage.drill import drill
from workflows.incident import Alert, Phase, Severity, State


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


HOSTILE = "\x1b[2J<!channel> <https://evil.invalid|approve> `rm -rf /` @here"


async def test_the_question_shows_what_came_and_hostile_text_does_nothing(tmp_path: Path) -> None:
    """On the screen and in the message: how to see all of it, from whom, which alert, its first lines, its labels."""
    async with drill(tmp_path) as stage:
        incident = await stage.declare(
            "Triage", source="alertmanager", title="odd", received="d-0123456789abcdef", delivery="a-1", text=f"disk is full\n{HOSTILE}",
            labels={"alertname": f"Odd {HOSTILE}", "host": "db-1"},
        )  # fmt: skip
        question = await incident.question("which playbook")
        assert question.facts[0] == "incident alerts show d-0123456789abcdef"
        assert question.facts[1].startswith("from alertmanager: Odd ")
        assert question.facts[2].startswith("it says: disk is full / ") and question.facts[3] == "labels: host=db-1"
        assert "\x1b" not in f"{question.facts}"
        await stage.code("dana", question.number)
        sent = (await stage.http.get("/practice/inbox/dana")).json()["inbox"]
        told = next(str(one["text"]) for one in sent if "which playbook" in str(one["text"]).lower() and one["via"] == "dm")
        assert "incident alerts show d-0123456789abcdef" in told and "disk is full" in told
        assert "<!channel>" not in told and "<https://evil" not in told


async def test_a_graver_alert_that_joins_pages_once_more(tmp_path: Path) -> None:
    """Triage is open at SEV-2: what is no graver only joins, what asks for a graver page than all before wakes people, once."""
    async with drill(tmp_path) as stage:
        incident = await stage.declare("Triage", service="chat", title="odd", dedup_key="k", delivery="a-0", urgency=3)
        await incident.question("which playbook")
        for nth, urgency in enumerate((4, 2, None, 1, 1, 2)):
            alert = Alert(
                delivery=f"a-{nth + 1}", dedup_key="k", status="firing", name=f"Alert{nth}", urgency=urgency and Severity(urgency)
            )
            await incident.handle.execute_update("alert", alert)
        cleared = Alert(delivery="a-9", dedup_key="k", status="resolved", name="Alert9", urgency=Severity.SEV1)
        await incident.handle.execute_update("alert", cleared)
        await incident.hears("a graver alert: Alert3 has joined (SEV-1)")
        pages = [entry for entry in await incident.timeline() if entry.startswith("paged: ") and "graver" in entry]
        assert len(pages) == 1
        sent = (await stage.http.get("/practice/inbox/dana")).json()["inbox"]
        assert len([one for one in sent if one["via"] == "page" and "graver alert: Alert3" in str(one["text"])]) == 1
