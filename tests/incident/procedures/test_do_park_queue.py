"""`incident do park-queue QUEUE`: what waits is parked under its ids instead of purged, counted before and after, and undone by one step."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from activities.queues.control import broker_of
from starters.cli import messages
from tests.playbooks.queue_backlog.piled import balanced, piled, work
from workflows.errors import NotAccepted
from workflows.procedures.parking import queue_of


async def test_a_queue_is_parked_on_a_persons_word_and_put_back_by_undo(tmp_path: Path) -> None:
    async with piled(tmp_path, {"kind": "deadlock", "queue": "email"}, seconds=120) as (stage, incident):
        await incident.commanded()
        waiting = len(work(stage).queues["email"].waiting)
        assert waiting
        said = await incident.say("do", {"by": "lee", "procedure": "park-queue", "fields": {"queue": "email"}})
        assert "park-queue has begun" in said
        question = await incident.question("park everything of email")
        assert question.risk.label == "C2" and "put back into email what was parked of it as whole, under the same ids" in str(
            question.inverse
        )
        await incident.answer("park everything of email", by="dana")
        await incident.hears("after email was parked")
        assert len(work(stage).parked["email/whole"].jobs) >= waiting
        (before, after) = [
            line for line in await incident.timeline() if "before email is parked: " in line or "after email was parked: " in line
        ]
        assert "arrived" in before and " parked" in after
        step = next(one.number for one in (await incident.status()).steps if one.verb == "queues.park")
        await incident.hears(f"to put email back: incident undo {incident.id} {step}")
        await incident.say("do", {"by": "lee", "procedure": "undo", "fields": {"step": str(step)}, "reason": "they are needed"})
        await incident.answer(f"Undo step {step}", "approve", "dana")
        await incident.hears(f"undone: step {step}, parked: queues/email/parked/whole")
        assert not work(stage).parked["email/whole"].jobs
        await balanced(stage)


async def test_to_purge_is_a_persons_task_with_a_census_before_and_after(tmp_path: Path) -> None:
    async with piled(tmp_path, {"kind": "deadlock", "queue": "email"}, seconds=60) as (_, incident):
        await incident.commanded()
        await incident.say("do", {"by": "lee", "procedure": "purge-queue"})
        question = await incident.question("Purge pending tasks: done?")
        (task,) = [task for task in (await incident.status()).tasks if "Purge" in task.text]
        assert "Better: park one queue, which can be undone: incident do INCIDENT park-queue QUEUE." in task.text
        assert task.by_hand[2] == "celery -A workers purge -Q QUEUE"
        assert any("census: before: " in line for line in await incident.timeline())
        counted = {"exported": "before-purge.txt", "before": 9, "after": 0}
        await incident.say("answer", {"question": question.number, "by": "lee", "value": counted})
        assert "arrived" in await incident.hears("census: after: ")
        assert not incident.done("queues.park"), "nothing was parked or purged by us"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "say which queue: park-queue QUEUE"),
        ({"queue": "rep*"}, "patterns are not sent"),
        ({"name": "email"}, "park-queue has no field name; it has queue"),
    ],
)
def test_what_is_no_queue_is_not_accepted(fields: dict[str, str], why: str) -> None:
    with pytest.raises(NotAccepted, match=why):
        queue_of(fields)


@pytest.mark.parametrize(
    "words",
    [["inc-1", "park-queue", "email"], ["park-queue", "email", "inc-1"], ["park-queue", "email"], ["inc-1", "park-queue", "queue=email"]],
)
def test_the_queue_is_the_word_after_park_queue(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    monkeypatch.setattr(messages, "_say", lambda which, message, as_, **given: said.append((which, given["procedure"], given["fields"])))
    assert CliRunner().invoke(messages.app, ["do", *words]).exit_code == 0
    assert said == [("inc-1" if "inc-1" in words else "", "park-queue", {"queue": "email"})]


def test_the_broker_is_the_one_that_was_chosen() -> None:
    assert [broker_of(systems) for systems in ({"queues": "celery"}, {"queues": "rabbitmq"}, {})] == ["celery", "rabbitmq", "queue control"]
