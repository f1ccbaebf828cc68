"""The one thing that is ever told again: a story whose test server broke. When this server is mended, this story fails, and `overheard.py` may go."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.stage.drill import skipping
from tests.stage.overheard import LISTENER, ServerBroke

TASK = 0.6  # seconds: a task so long that what it cancels completes meanwhile
TRY = timedelta(seconds=60)


@activity.defn
async def takes(seconds: float) -> None:
    await asyncio.sleep(seconds)


@workflow.defn(sandboxed=False)
class Cancels:
    """Cancels an activity that has completed while the task was being worked on."""

    @workflow.run
    async def run(self) -> None:
        """The second task is the slow one: what woke it has completed, and the other one completes during it."""
        waits = workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
        other = workflow.start_activity(takes, TASK / 2, start_to_close_timeout=TRY, cancellation_type=waits)
        await workflow.execute_activity(takes, 0.0, start_to_close_timeout=TRY)
        time.sleep(TASK)  # noqa: ASYNC251 - the task itself is slow, not something that it waits for
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)


async def test_a_story_whose_server_broke_ends_at_once_and_is_told_again() -> None:
    served: dict[str, Any] = {"workflows": [Cancels], "activities": [takes], "workflow_runner": UnsandboxedWorkflowRunner()}
    with pytest.raises(ServerBroke, match="ACTIVITY_UNKNOWN"):
        async with LISTENER.listening(), asyncio.timeout(20), skipping() as env, Worker(env.client, task_queue="q", **served):
            await env.client.execute_workflow(Cancels.run, id="cancels", task_queue="q")
