"""Whether an incident that runs also advances. RUNNING says only that nobody has ended it: five measures may stand in force behind it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import WorkflowHandle

from activities.action import Patience, action_of
from activities.everything import verbs
from activities.ledger.record import Recorded
from activities.organisation.policy import Policy
from starters.screens.text import plain, span
from workflows.status import Status, StepState

MOST_ATTEMPTS = 2  # of a workflow task: a worker that was killed needs a second one; a third fails for a reason of its own
TAKEN_WITHIN = timedelta(minutes=2)  # a workflow task is taken by a worker, or given out again
SLACK = timedelta(minutes=2)  # between what is due and its line on the record


def task_trouble(described: DescribeWorkflowExecutionResponse, now: datetime) -> str:
    """What is wrong with its workflow task; empty when nothing is."""
    if not described.HasField("pending_workflow_task"):
        return ""
    task = described.pending_workflow_task
    if task.attempt > MOST_ATTEMPTS:
        return f"its workflow task has failed {task.attempt - 1} times and is tried again for ever: nothing of it goes on"
    waiting = now - task.original_scheduled_time.ToDatetime(now.tzinfo)
    if waiting > TAKEN_WITHIN:
        return f"no worker has finished its workflow task for {span(waiting)}"
    return ""


async def where_it_fails(handle: WorkflowHandle[object, object]) -> str:
    """What the last failed task says, and the last event that a reset may keep."""
    why, last = "", 0
    async for event in handle.fetch_history_events():
        if event.HasField("workflow_task_completed_event_attributes"):
            last = event.event_id
        elif event.HasField("workflow_task_failed_event_attributes"):
            why = event.workflow_task_failed_event_attributes.failure.message
    said = f"it says: {plain(why)[:200]}. " if why else ""
    return f'{said}The worker\'s log has "Failed activation on workflow". Mended code goes on by itself; a reset would keep events up to {last}'


def no_progress(known: Recorded, policy: Policy, now: datetime) -> str:
    """What should have happened by now, and is not on its record; empty when nothing is missing."""
    status = Status.model_validate(known.status)
    return next(_overdue(status, policy, now), "")


def _overdue(status: Status, policy: Policy, now: datetime) -> Iterator[str]:
    last = f"its last word on record is from {status.updated_at:%H:%M:%S} UTC"
    due = status.next_update_due
    if due is not None and now - due > SLACK and status.updated_at < due:  # that nobody has published would be on the record
        yield f"the public update that was due at {due:%H:%M:%S} UTC is neither published nor reminded of: {last}"
    for question in status.asking:
        if question.expires_at is not None and now - question.expires_at > SLACK:
            yield f"[{question.number}] should have ended at {question.expires_at:%H:%M:%S} UTC and is still open: {last}"
    patience = {
        action_of(verb).name: action_of(verb).patience for cls in verbs() for verb in vars(cls).values() if hasattr(verb, "__action__")
    }
    for step in status.steps:
        lasts, since = longest(policy, patience.get(step.verb, Patience.CHANGE)), step.tried_at
        if step.state is StepState.RUNNING and since is not None and lasts is not None and now - since > lasts + SLACK:
            what = plain(f"{step.verb} {step.target}")
            yield f"step {step.number} ({what}) runs since {since:%H:%M:%S} UTC, longer than it can: {last}"


def longest(policy: Policy, patience: Patience) -> timedelta | None:
    """How long a step may run before a person is asked. None: without end."""
    tries = policy.patience[patience]
    return (tries.each_try + tries.longest_pause) * tries.tries if tries.tries else None
