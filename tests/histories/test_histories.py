"""Recorded histories replay on today's code, and end with the status that they ended with.

Temporal's Replayer compares the kind and order of commands; it does not see a changed argument or timer. The status does.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from worker.converter import data_converter
from worker.playbooks import discover
from worker.service import runner, workflow_types
from workflows.status import Status

HISTORIES = Path(__file__).parent
RECORDED = sorted(HISTORIES.glob("*.json.gz"))
ended: list[Status] = []
policies: list[object] = []


class _Looking(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        try:
            return await super().execute_workflow(input)
        finally:
            ended.append(workflow.instance().status())
            policies.append(workflow.instance().state.policy)


class Looking(Interceptor):
    """Keeps the status that a replayed incident ended with."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return _Looking


def history(path: Path) -> WorkflowHistory:
    """One recorded history, under the incident id that it had: ids stand in keys and digests."""
    return WorkflowHistory.from_json(recorded(path)["incident_id"], gzip.decompress(path.read_bytes()).decode())


def recorded(path: Path) -> dict[str, Any]:
    """The status that it ended with."""
    status: dict[str, Any] = json.loads((HISTORIES / path.name.replace(".json.gz", ".status.json")).read_text())
    return status


def test_every_playbook_has_a_recorded_history() -> None:
    assert RECORDED, "an empty folder proves nothing"
    assert {path.name.partition("-")[0] for path in RECORDED} == set(discover())


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
async def test_an_incident_in_flight_survives_a_deploy_of_this_code(path: Path) -> None:
    await Replayer(workflows=workflow_types(), data_converter=data_converter, workflow_runner=runner()).replay_workflow(history(path))


async def looked_at(path: Path) -> None:
    replayer = Replayer(
        workflows=workflow_types(), data_converter=data_converter, workflow_runner=UnsandboxedWorkflowRunner(), interceptors=[Looking()]
    )
    await replayer.replay_workflow(history(path))


async def test_a_worker_keeps_one_policy_however_many_incidents_have_read_it() -> None:
    """A parked incident stays in memory for weeks; its policy is a great part of that."""
    policies.clear()
    small = next(path for path in RECORDED if path.name.startswith("triage"))
    await looked_at(small)
    await looked_at(small)
    first, second = policies
    assert first is second


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
async def test_it_ends_as_it_ended(path: Path) -> None:
    ended.clear()
    await looked_at(path)
    assert ended[-1] == Status.model_validate(recorded(path))  # what it could not say yet when it was recorded has its default


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_no_secret_and_no_open_code_is_in_a_history(path: Path) -> None:
    """Orders carry references. A code stands in a history only as part of an answer that used it."""
    events = json.loads(gzip.decompress(path.read_bytes()))["events"]
    text = json.dumps([e for e in events if "UPDATE" not in e["eventType"] and "SIGNALED" not in e["eventType"]])
    assert "practice-token" not in text
    assert "0123456789abcdef0123456789abcdef" not in text
