"""What breaks the time-skipping server, and what keeps it whole."""

import asyncio
import time
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.api.testservice.v1 import LockTimeSkippingRequest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.stage import drill
from tests.stage.drill import skipping
from tests.stage.orderly import orderly
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


@workflow.defn(sandboxed=False)
class CancelsTimer:
    """Cancels a timer that fires while the task is being worked on. Another timer, later, makes the worker replay all of it."""

    @workflow.run
    async def run(self) -> None:
        other = asyncio.create_task(asyncio.sleep(TASK / 2))
        await workflow.execute_activity(takes, 0.0, start_to_close_timeout=TRY)
        time.sleep(TASK)  # noqa: ASYNC251 - as above
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
        await asyncio.sleep(60)


def worker(env: WorkflowEnvironment) -> Worker:
    kinds = [Cancels, CancelsTimer]
    runner = UnsandboxedWorkflowRunner()
    return Worker(env.client, task_queue="q", workflows=kinds, activities=[takes], workflow_runner=runner, max_cached_workflows=0)


@pytest.mark.parametrize(("kind", "says"), [("Cancels", "ACTIVITY_UNKNOWN"), ("CancelsTimer", "invalid history builder state")])
async def test_a_story_whose_server_broke_ends_at_once(kind: str, says: str) -> None:
    """When this server is mended, this test fails, and `overheard.py` and `orderly.py` may go."""
    with pytest.raises(ServerBroke, match=says):
        async with LISTENER.listening(), asyncio.timeout(20), skipping() as env, worker(env):
            await env.client.execute_workflow(kind, id="cancels", task_queue="q")


async def test_an_orderly_worker_goes_on_when_a_timer_fires_that_it_cancels() -> None:
    async with LISTENER.listening(), asyncio.timeout(20), skipping() as env, orderly(worker(env)):
        await env.client.execute_workflow("CancelsTimer", id="cancels", task_queue="q")


async def test_an_orderly_worker_does_not_break_it() -> None:
    async with LISTENER.listening(), asyncio.timeout(20), skipping() as env, orderly(worker(env)):
        handle = await env.client.start_workflow("Cancels", id="cancels", task_queue="q")
        await handle.result()
        refused = [event async for event in handle.fetch_history_events() if event.HasField("workflow_task_failed_event_attributes")]
    assert len(refused) == 1


async def test_a_story_whose_server_skips_no_time_any_more_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody holds its clock and lets it go never again, as it does by itself when it loses count."""
    monkeypatch.setattr(drill, "STUCK", 0.5)
    async with skipping() as env:
        await env.sleep(60)
        await env.client.service_client.test_service.lock_time_skipping(LockTimeSkippingRequest())
        with pytest.raises(ServerBroke, match="does not skip time any more"):
            await env.sleep(60)
