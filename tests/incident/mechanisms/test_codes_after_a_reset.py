"""A personal code is good once (ADR 21): what a reset forgets, the record of spent codes does not. Against a real Temporal server."""

from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowUpdateFailedError

from tests.stage.real_server import Running, real_server
from tests.stage.running import until

pytestmark = pytest.mark.processes


async def refused(incident: Running, message: str, given: object) -> str:
    """The reason for which a message was refused; fails when it was not."""
    with pytest.raises(WorkflowUpdateFailedError) as no:
        await incident.handle.execute_update(message, given)
    return str(getattr(no.value.cause, "message", no.value.cause))


async def test_what_was_said_before_a_reset_is_not_said_again_by_it(tmp_path: Path) -> None:
    """The server brings every message since then again: the yes and the no that stand in it count no more, nor does their code."""
    async with real_server(tmp_path) as stage:
        await stage.break_the_provider()
        started = await stage.declare("inc-20261123-llm-chat", {"service": "chat"})
        number = (await started.question("over from aurora")).number
        code = await stage.code("dana", number)
        asked = await started.handle.fetch_history()
        await started.handle.execute_update("decline", code)
        point = max(e.event_id for e in asked.events if e.HasField("workflow_task_completed_event_attributes"))
        await stage.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace="default", reason="by mistake", request_id="reset-1", workflow_task_finish_event_id=point,
                workflow_execution=WorkflowExecution(workflow_id=started.id, run_id=(await started.handle.describe()).run_id),
            )
        )  # fmt: skip
        incident = Running(stage, stage.client.get_workflow_handle(started.id))

        async def brought_again() -> bool:
            return any("decline: this code was used already, for decline" in line for line in await incident.refusals())

        await until(brought_again, "the answer of before to be refused")
        assert (await incident.question("over from aurora")).number == number
        for verdict in ("approve", "decline"):
            assert "used already, for decline" in await refused(incident, verdict, code)

        async def another() -> str:
            newest = await stage.code("dana", number)
            return "" if newest == code else newest

        fresh = await until(another, "another code for dana")
        assert "approve by dana (verified)" in await incident.handle.execute_update("approve", fresh)
