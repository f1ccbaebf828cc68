"""Keeps the Java time-skipping server from breaking.

It refuses a workflow task that cancels an activity which ended while the task was being worked on. Half of the task's commands have been
carried out by then, and the workflow never moves again. A real server refuses such a task as a whole and gives it out once more
(docs.temporal.io, "UnhandledCommand"). Here the worker refuses it in the server's place, and this server too gives it out once more.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.bridge.proto import ActivityTaskCompletion
from temporalio.bridge.proto.activity_task import ActivityTask, Start
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.bridge.worker import Worker as Core
from temporalio.worker import Worker


def orderly(worker: Worker) -> Worker:
    """The worker, for the time-skipping server. Before it is started."""
    worker._bridge_worker = OrderlyCore(worker._bridge_worker)
    return worker


@dataclass
class Run:
    """One workflow run, as far as its activities are concerned."""

    replaying: bool = False
    ids: dict[int, str] = field(default_factory=dict)  # by the sequence number that the workflow gives
    known: set[int] = field(default_factory=set)  # sequence numbers of those whose end the workflow knows
    ended: set[str] = field(default_factory=set)  # ids of those whose end was reported to the server

    def begin(self, activation: WorkflowActivation) -> None:
        """A task, or a part of one, is given to the workflow."""
        self.replaying = activation.is_replaying
        for job in activation.jobs:
            if job.HasField("initialize_workflow"):
                self.ids, self.known = {}, set()
            elif job.HasField("resolve_activity"):
                self.known.add(job.resolve_activity.seq)

    def cancelled(self, completion: WorkflowActivationCompletion) -> Iterator[str]:
        """The ids of the activities that a task cancels without knowing whether they have ended."""
        for command in completion.successful.commands:
            if command.HasField("schedule_activity"):
                self.ids[command.schedule_activity.seq] = command.schedule_activity.activity_id
            elif command.HasField("request_cancel_activity") and command.request_cancel_activity.seq not in self.known:
                yield self.ids[command.request_cancel_activity.seq]


class OrderlyCore(Core):
    """The SDK's core, between the Python worker and the server."""

    def __init__(self, core: Core) -> None:
        super().__init__(core._ref)
        self._runs: defaultdict[str, Run] = defaultdict(Run)
        self._tries: dict[bytes, Start] = {}
        self._turn = asyncio.Lock()  # nothing ends while a cancellation is on its way

    async def poll_workflow_activation(self) -> WorkflowActivation:
        activation = await super().poll_workflow_activation()
        self._runs[activation.run_id].begin(activation)
        return activation

    async def poll_activity_task(self) -> ActivityTask:
        task = await super().poll_activity_task()
        if task.HasField("start"):
            self._tries[task.task_token] = task.start
        return task

    async def complete_activity_task(self, comp: ActivityTaskCompletion) -> None:
        async with self._turn:
            start = self._tries.pop(comp.task_token, None)
            if start and not _is_tried_again(start, comp):
                self._runs[start.workflow_execution.run_id].ended.add(start.activity_id)
            await super().complete_activity_task(comp)

    async def complete_workflow_activation(self, comp: WorkflowActivationCompletion) -> None:
        run = self._runs[comp.run_id]
        cancelled = set(run.cancelled(comp))
        if run.replaying or not cancelled:
            await super().complete_workflow_activation(comp)
            return
        async with self._turn:
            if cancelled & run.ended:
                comp.failed.force_cause = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
                comp.failed.failure.message = "an activity that it cancels has ended meanwhile"
            await super().complete_workflow_activation(comp)


def _is_tried_again(start: Start, completion: ActivityTaskCompletion) -> bool:
    """True when this failure is not the activity's end."""
    failure = completion.result.failed.failure
    last = 0 < start.retry_policy.maximum_attempts <= start.attempt
    return completion.result.HasField("failed") and not failure.application_failure_info.non_retryable and not last
