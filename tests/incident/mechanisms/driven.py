"""A workflow that is driven one workflow task after another, by hand: no server, no worker, no activity. What happens together is chosen here.

A story on a server cannot choose whether a cancel and an answer come in one workflow task; here every order is played, in a millisecond each.
Activities are answered with what a recorded history has, by the key of the call, or by the verb when something else is done this time.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import temporalio.bridge.proto.activity_result as results
import temporalio.bridge.proto.workflow_activation as jobs
from temporalio import workflow
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.child_workflow import ChildWorkflowResult
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.common import Priority, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails

from worker.converter import data_converter

Job = jobs.WorkflowActivationJob
BEGAN = datetime(2026, 11, 23, 10, tzinfo=UTC)
RUN = "00000000-0000-4000-8000-000000000001"


class Answers:
    """What activities answered in a recorded history."""

    def __init__(self, history: WorkflowHistory | None = None) -> None:
        self._by_key: dict[str, Payload] = {}
        self._by_verb: defaultdict[str, list[Payload]] = defaultdict(list)
        self.messages: list[tuple[str, list[Payload]]] = []  # the updates that people sent
        self.given: list[Payload] = []
        asked: dict[int, tuple[str, str]] = {}
        for event in history.events if history else ():
            if event.HasField("workflow_execution_started_event_attributes"):
                self.given = list(event.workflow_execution_started_event_attributes.input.payloads)
            elif event.HasField("activity_task_scheduled_event_attributes"):
                scheduled = event.activity_task_scheduled_event_attributes
                asked[event.event_id] = scheduled.activity_type.name, key_of(scheduled.input.payloads)
            elif event.HasField("activity_task_completed_event_attributes"):
                completed = event.activity_task_completed_event_attributes
                verb, key = asked[completed.scheduled_event_id]
                self._by_key[key] = completed.result.payloads[0]
                self._by_verb[verb].append(completed.result.payloads[0])
            elif event.HasField("workflow_execution_update_accepted_event_attributes"):
                request = event.workflow_execution_update_accepted_event_attributes.accepted_request.input
                self.messages.append((request.name, list(request.args.payloads)))

    @property
    def verbs(self) -> Sequence[str]:
        return tuple(self._by_verb)

    def of(self, verb: str, key: str) -> Payload | None:
        return self._by_key.get(key) or next(iter(self._by_verb.get(verb, ())[-1:]), None)


def key_of(arguments: Sequence[Payload]) -> str:
    """The key of the call that an activity was given; empty for one that is not ours."""
    if len(arguments) < 2:
        return ""
    call: Any = data_converter.payload_converter.from_payload(arguments[1])
    return str(call.get("key", "")) if isinstance(call, dict) else ""


@dataclass
class Driven:
    """One run of one workflow."""

    type: type
    given: Sequence[Payload] = ()
    id: str = "inc-20261123-driven"
    answers: Answers = field(default_factory=Answers)
    now: datetime = BEGAN
    stubborn: bool = False  # an activity that is asked to stop comes to its end all the same

    def __post_init__(self) -> None:
        self.activities: dict[int, tuple[str, str]] = {}  # under way: verb and key, by sequence number
        self.cancelling: list[int] = []  # activities that were asked to stop
        self.children: dict[int, bool] = {}  # under way; whether they were asked to stop
        self.timers: dict[int, datetime] = {}
        self.ended, self.said = "", cast("Any", None)  # how the workflow ended, and what it returned
        self.tasks: list[tuple[datetime, list[Job]]] = []  # every workflow task, as it was given
        self.commands: list[list[bytes]] = []  # and what it answered
        self.flags: list[set[int]] = []  # and by which of the SDK's ways
        self._messages = list(self.answers.messages)
        self.news: list[Job] = []  # what the workflow is told next
        self.instance = self._instance()
        first = Job()
        first.initialize_workflow.workflow_type = self.type.__name__
        first.initialize_workflow.workflow_id = self.id
        first.initialize_workflow.arguments.extend(self.given)
        self.task(first)

    def _instance(self) -> WorkflowInstance:
        defn = workflow._Definition.must_from_class(self.type)
        info = workflow.Info(
            attempt=1, continued_run_id=None, cron_schedule=None, execution_timeout=None, first_execution_run_id=RUN, headers={},
            namespace="default", original_execution_run_id=RUN, parent=None, root=None, priority=Priority.default, raw_memo={},
            retry_policy=None, run_id=RUN, run_timeout=None, search_attributes={}, start_time=BEGAN, workflow_start_time=BEGAN,
            task_queue="driven", task_timeout=timedelta(seconds=10), typed_search_attributes=TypedSearchAttributes.empty,
            workflow_id=self.id, workflow_type=self.type.__name__,
        )  # fmt: skip
        details = WorkflowInstanceDetails(
            payload_converter_factory=data_converter._new_payload_converter,
            failure_converter_class=data_converter.failure_converter_class, interceptor_classes=(), defn=defn, info=info,
            randomness_seed=7, extern_functions={}, disable_eager_activity_execution=True, worker_level_failure_exception_types=(),
            patch_activation_callback=None, last_completion_result=Payloads(), last_failure=None,
        )  # fmt: skip

        async def made() -> WorkflowInstance:
            return UnsandboxedWorkflowRunner().create_instance(details)

        return asyncio.run(made())  # it is made in a loop, and then is one itself

    # -- one workflow task ------------------------------------------------------------------------------------------------------------

    def task(self, *given: Job) -> None:
        """One workflow task, in which all of this is new."""
        self.tasks.append((self.now, list(given)))
        completion = self._activate(self.instance, self.now, given)
        assert completion.HasField("successful"), completion.failed.failure.message
        self.flags.append(set(completion.successful.used_internal_flags))
        self.commands.append(_commands(completion))
        for command in completion.successful.commands:
            self._take(command)

    def _activate(
        self, instance: WorkflowInstance, at: datetime, given: Sequence[Job], replaying: bool = False, flags: Iterable[int] = ()
    ) -> WorkflowActivationCompletion:  # fmt: skip
        act = jobs.WorkflowActivation(run_id=RUN, is_replaying=replaying, jobs=given, available_internal_flags=flags)
        act.timestamp.FromDatetime(at)
        return instance.activate(act)

    def _take(self, command: Any) -> None:
        match command.WhichOneof("variant"):
            case "schedule_activity":
                wanted = command.schedule_activity
                self.activities[wanted.seq] = wanted.activity_type, key_of(wanted.arguments)
            case "request_cancel_activity":
                self.cancelling.append(command.request_cancel_activity.seq)
            case "start_timer":
                self.timers[command.start_timer.seq] = self.now + command.start_timer.start_to_fire_timeout.ToTimedelta()
            case "cancel_timer":
                self.timers.pop(command.cancel_timer.seq, None)
            case "start_child_workflow_execution":
                self.children[command.start_child_workflow_execution.seq] = False
                started = Job()
                started.resolve_child_workflow_execution_start.seq = command.start_child_workflow_execution.seq
                started.resolve_child_workflow_execution_start.succeeded.run_id = RUN
                self.news.append(started)
            case "cancel_child_workflow_execution":
                self.children[command.cancel_child_workflow_execution.child_workflow_seq] = True
            case "complete_workflow_execution" | "fail_workflow_execution" | "cancel_workflow_execution" as how:
                self.ended = how
                if how == "complete_workflow_execution":
                    self.said = data_converter.payload_converter.from_payload(command.complete_workflow_execution.result)

    # -- what may happen --------------------------------------------------------------------------------------------------------------

    def answered(self, seq: int, *, failed: bool = False) -> Job:
        """An activity comes to its end: with its answer, or refused."""
        verb, key = self.activities.pop(seq)
        answer, job = self.answers.of(verb, key), Job()
        job.resolve_activity.seq = seq
        if failed or answer is None:
            failure = job.resolve_activity.result.failed.failure
            failure.message = "activity failed"
            failure.activity_failure_info.activity_type.name = verb
            failure.cause.message = f"nobody knows what {verb} answers"
            failure.cause.application_failure_info.type = "Refused"
        else:
            job.resolve_activity.result.completed.result.CopyFrom(answer)
        return job

    def stopped(self, seq: int) -> Job:
        """An activity stops, as it was asked to."""
        verb, _ = self.activities.pop(seq)
        job, failure = Job(), Failure(message="activity cancelled")
        failure.activity_failure_info.activity_type.name = verb
        failure.cause.canceled_failure_info.SetInParent()
        job.resolve_activity.seq = seq
        job.resolve_activity.result.CopyFrom(results.ActivityResolution(cancelled=results.Cancellation(failure=failure)))
        return job

    def child_ended(self, seq: int, result: Payload | None = None, *, failed: bool = False) -> Job:
        """A child comes to its end: with its result, failed, or cancelled."""
        self.children.pop(seq)
        job, ended, failure = Job(), ChildWorkflowResult(), Failure(message="the child did not end well")
        failure.child_workflow_execution_failure_info.SetInParent()
        if result is not None:
            ended.completed.result.CopyFrom(result)
        elif failed:
            failure.cause.application_failure_info.type = "Refused"
            ended.failed.failure.CopyFrom(failure)
        else:
            failure.cause.canceled_failure_info.SetInParent()
            ended.cancelled.failure.CopyFrom(failure)
        job.resolve_child_workflow_execution.seq = seq
        job.resolve_child_workflow_execution.result.CopyFrom(ended)
        return job

    def next(self) -> Job | None:
        """What happens next, when nothing else is wanted: answers first, then people, then time. None: nothing can happen any more."""
        while self.cancelling:
            if (seq := self.cancelling.pop(0)) in self.activities:
                return self.answered(seq) if self.stubborn else self.stopped(seq)
        if self.news:
            return self.news.pop(0)
        if self.activities:
            return self.answered(next(iter(self.activities)))
        for seq, asked in self.children.items():
            if asked:
                return self.child_ended(seq)
        if self._messages and self._asks():
            return self.message(*self._messages.pop(0))
        if self.timers:
            seq, self.now = min(self.timers.items(), key=lambda timer: timer[1])
            del self.timers[seq]
            fired = Job()
            fired.fire_timer.seq = seq
            return fired
        return None

    def _asks(self) -> bool:
        state = getattr(getattr(self.instance, "_object", None), "state", None)
        return state is not None and any(question.open for question in state.approvals.questions)

    def message(self, name: str, given: Sequence[Payload]) -> Job:
        """A person sends a message, and wants an answer."""
        job = Job()
        job.do_update.id = job.do_update.protocol_instance_id = f"update-{len(self.tasks)}"
        job.do_update.name, job.do_update.run_validator = name, True
        job.do_update.input.extend(given)
        return job

    def signal(self, name: str, *given: object) -> Job:
        """A message to which nobody wants an answer."""
        job = Job()
        job.signal_workflow.signal_name = name
        job.signal_workflow.input.extend(data_converter.payload_converter.to_payloads(given))
        return job

    def cancelled(self) -> Job:
        """Somebody cancels the workflow."""
        job = Job()
        job.cancel_workflow.reason = "somebody asked for it"
        return job

    def until(self, done: Callable[[], bool], most: int) -> None:
        """Let happen what happens. Raises `AssertionError` when it is not done after so many workflow tasks, or nothing can happen any more."""
        for _ in range(most):
            if done():
                return
            job = self.next()
            assert job is not None, f"nothing happens any more: {self.ended or 'it hangs'}"
            self.task(job)
        raise AssertionError(f"not after {most} workflow tasks: {[verb for verb, _ in self.activities.values()]}")

    def is_over(self) -> bool:
        return bool(self.ended)

    def go(self, tasks: int) -> None:
        """Let happen what happens, until so many workflow tasks were given."""
        self.until(lambda: len(self.tasks) >= tasks, tasks)

    # -- from the worker's side -------------------------------------------------------------------------------------------------------

    def evict(self) -> None:
        """The worker drops it from its cache. Raises `RuntimeError` when a task is left."""
        job = Job()
        job.remove_from_cache.message = "evicted"
        self._activate(self.instance, self.now, [job])

    def replays(self) -> bool:
        """Whether a worker that never saw it does the same."""
        fresh, known, again = self._instance(), set[int](), []
        for (at, given), flags in zip(self.tasks, self.flags, strict=True):
            known |= flags
            again.append(_commands(self._activate(fresh, at, given, replaying=True, flags=known)))
        return again == self.commands


def _commands(completion: WorkflowActivationCompletion) -> list[bytes]:
    return [command.SerializeToString(deterministic=True) for command in completion.successful.commands]
