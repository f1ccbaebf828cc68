"""What should have happened by now and has not, read off the record; and what the server says of a workflow task."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from activities.action import Risk
from activities.ledger.record import Recorded
from activities.organisation.policy import Policy
from starters.alerts.advancing import no_progress, task_trouble
from tests.screens import situations
from workflows.incident import Phase
from workflows.status import Status, Step, StepState

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def minutes(ago: float) -> datetime:
    return NOW - timedelta(minutes=ago)


def running(verb: str, since: datetime, state: StepState = StepState.RUNNING) -> Step:
    return Step(
        number=1, phase=Phase.MITIGATION, verb=verb, target="api", says="", risk=Risk.C1, state=state, started_at=minutes(600), tried_at=since
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"next_update_due": minutes(5), "updated_at": minutes(9)}, "that was due at 11:55:00 UTC is neither published nor reminded of"),
        ({"next_update_due": minutes(5), "updated_at": minutes(4)}, ""),  # people are late, and were reminded
        ({"next_update_due": minutes(1), "updated_at": minutes(9)}, ""),
        ({"next_update_due": None}, ""),
        ({"steps": [running("deploys.shift", minutes(30))]}, "step 1 (deploys.shift api) runs since 11:30:00 UTC, longer than it can"),
        ({"steps": [running("deploys.shift", minutes(1))]}, ""),  # tried again just now
        ({"steps": [running("deploys.shift", minutes(30), StepState.FAILED)]}, ""),  # a person is asked
        ({"steps": [running("models.watch", minutes(30))]}, ""),  # it may take hours
    ],
)
def test_what_is_missing_on_the_record_is_said(status: dict[str, object], said: str) -> None:
    asking = situations.asking()
    known = asking.model_copy(update={"questions": [], "steps": [], "next_update_due": None, "updated_at": minutes(1), **status})
    found = no_progress(record(known), Policy(), NOW)
    assert (said in found) if said else found == ""


def test_a_question_that_silence_should_have_ended_is_said() -> None:
    asking = situations.asking().model_copy(update={"next_update_due": None, "steps": [], "updated_at": minutes(1)})
    for ago, said in ((10, "and is still open"), (-10, "")):
        questions = [q.model_copy(update={"expires_at": minutes(ago)}) for q in asking.asking]
        assert said in no_progress(record(asking.model_copy(update={"questions": questions})), Policy(), NOW)
    assert not no_progress(record(asking.model_copy(update={"questions": questions})), Policy(), NOW)


@pytest.mark.parametrize(
    ("attempt", "ago", "said"), [(1, 0.1, ""), (2, 0.1, ""), (3, 0.1, "has failed 2 times"), (1, 5, "no worker has finished")]
)
def test_a_workflow_task_that_does_not_end_is_said(attempt: int, ago: float, said: str) -> None:
    described = DescribeWorkflowExecutionResponse()
    assert task_trouble(described, NOW) == ""
    described.pending_workflow_task.attempt = attempt
    described.pending_workflow_task.original_scheduled_time.FromDatetime(minutes(ago))
    found = task_trouble(described, NOW)
    assert (said in found) if said else found == ""


def record(status: Status) -> Recorded:
    return Recorded(incident_id=status.incident_id, version=1, updated_at=status.updated_at, status=status.model_dump(mode="json"))
