"""Keeps the Java time-skipping server from breaking.

It refuses a workflow task that cancels an activity which ended, or a timer which fired, while the task was being worked on
(temporalio/sdk-java#2606). Half of the task's commands have been carried out by then, and the workflow never moves again. A real server
refuses such a task as a whole and gives it out once more (docs.temporal.io, "UnhandledCommand"). Here the worker refuses it in the server's
place, and this server too gives it out once more. The cancellation of a timer that fires at this instant is left out: when it has fired,
the workflow does not care any more.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from google.protobuf.empty_pb2 import Empty
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.bridge.proto import ActivityTaskCompletion
from temporalio.bridge.proto.activity_task import ActivityTask, Start
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.bridge.worker import Worker as Core
from temporalio.worker import Worker


def orderly(worker: Worker) -> Worker:
    """The worker, for the time-skipping server. Before it is started."""
    service = worker.client.service_client.test_service

    async def now() -> datetime:
        return (await service.get_current_time(Empty())).time.ToDatetime(UTC)

    worker._bridge_worker = OrderlyCore(worker._bridge_worker, now)
    return worker


SOON = timedelta(seconds=0.1)  # the server's clock runs on between our look at it and the end of the task


@dataclass
class Run:
    """One workflow run, as far as its activities and timers are concerned."""

    replaying: bool = False
    at: datetime = datetime.min  # when the task began, by the server's clock
    timers: dict[int, datetime] = field(default_factory=dict)  # when each fires at the earliest, by its sequence number
    ids: dict[int, str] = field(default_factory=dict)  # by the sequence number that the workflow gives
    known: set[int] = field(default_factory=set)  # sequence numbers of those whose end the workflow knows
    ended: set[str] = field(default_factory=set)  # ids of those whose end was reported to the server

    def begin(self, activation: WorkflowActivation) -> None:
        """A task, or a part of one, is given to the workflow."""
        self.replaying, self.at = activation.is_replaying, activation.timestamp.ToDatetime(UTC)
        for job in activation.jobs:
            if job.HasField("initialize_workflow"):
                self.ids, self.known, self.timers = {}, set(), {}
            elif job.HasField("fire_timer"):
                self.timers.pop(job.fire_timer.seq, None)
            elif job.HasField("resolve_activity"):
                self.known.add(job.resolve_activity.seq)

    def cancelled(self, completion: WorkflowActivationCompletion) -> Iterator[str]:
        """The ids of the activities that a task cancels without knowing whether they have ended."""
        for command in completion.successful.commands:
            if command.HasField("schedule_activity"):
                self.ids[command.schedule_activity.seq] = command.schedule_activity.activity_id
            elif command.HasField("request_cancel_activity") and command.request_cancel_activity.seq not in self.known:
                yield self.ids[command.request_cancel_activity.seq]

    def note_timers(self, completion: WorkflowActivationCompletion) -> dict[int, datetime]:
        """When the timers that a task cancels would fire, by their sequence number."""
        due = {}
        for command in completion.successful.commands:
            if command.HasField("start_timer"):
                self.timers[command.start_timer.seq] = self.at + command.start_timer.start_to_fire_timeout.ToTimedelta()
            elif command.HasField("cancel_timer"):
                due[command.cancel_timer.seq] = self.timers.pop(command.cancel_timer.seq)
        return due


LEFT_OUT: defaultdict[str, set[int]] = defaultdict(set)  # timers, by run: a replay must leave the same cancellations out


class OrderlyCore(Core):
    """The SDK's core, between the Python worker and the server."""

    def __init__(self, core: Core, now: Callable[[], Awaitable[datetime]]) -> None:
        super().__init__(core._ref)
        self._now = now
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
        run, left_out = self._runs[comp.run_id], LEFT_OUT[comp.run_id]
        cancelled, timers = set(run.cancelled(comp)), run.note_timers(comp)
        if run.replaying or not (cancelled or timers):
            _leave_out(comp, left_out)
            await super().complete_workflow_activation(comp)
            return
        async with self._turn:
            if cancelled & run.ended:
                comp.failed.force_cause = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
                comp.failed.failure.message = "an activity that it cancels has ended meanwhile"
            elif timers:
                soon = await self._now() + SOON
                left_out |= {seq for seq, due in timers.items() if due <= soon}
                _leave_out(comp, left_out)
            await super().complete_workflow_activation(comp)


def _leave_out(completion: WorkflowActivationCompletion, timers: set[int]) -> None:
    """Leave out the cancellations of these timers."""
    if timers and completion.HasField("successful"):
        kept = [one for one in completion.successful.commands if not (one.HasField("cancel_timer") and one.cancel_timer.seq in timers)]
        del completion.successful.commands[:]
        completion.successful.commands.extend(kept)


def _is_tried_again(start: Start, completion: ActivityTaskCompletion) -> bool:
    """True when this failure is not the activity's end."""
    failure = completion.result.failed.failure
    last = 0 < start.retry_policy.maximum_attempts <= start.attempt
    return completion.result.HasField("failed") and not failure.application_failure_info.non_retryable and not last
