"""What is still to come, as far as the playbook can say now: a rehearsal of the playbook itself, with real reads and nothing done.

There is no second description of a playbook that could drift from the first: a plan is the same `run`, in which every change, question and
wait is only noted.
"""

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError

from activities.action import Risk
from workflows.engine.state import IncidentState
from workflows.status import Outcome, Planned, Status


def to_come(rehearsed: Status) -> list[Planned]:
    """The changes and the tasks of a rehearsal, in order, each with how to do it by hand."""
    changes = [
        Planned(number=0, phase=s.phase, says=s.says, by_hand=s.by_hand, verb=s.verb, target=s.target)
        for s in rehearsed.steps
        if s.risk >= Risk.C1
    ]
    tasks = [Planned(number=0, phase=t.phase, says=f"{t.owner.title}: {t.text}", by_hand=t.by_hand) for t in rehearsed.tasks]
    return [one.model_copy(update={"number": n}) for n, one in enumerate([*changes, *tasks], start=1)]


async def plan_ahead(state: IncidentState) -> None:
    """Rehearse beside the incident, so that `incident by-hand` can print what is to come when nothing of ours runs any more.

    A plan is a help, never a condition: why there is none is noted.
    """
    if not state.policy.plan_ahead:
        return
    await workflow.wait_condition(lambda: bool(state.incident.service))
    rehearsal = state.incident.model_copy(update={"rehearsal": True, "delivery": ""})
    try:
        outcome: Outcome = await workflow.execute_child_workflow(
            state.playbook, rehearsal, id=f"{state.id}-plan", result_type=Outcome, static_summary="what is still to come",
            parent_close_policy=workflow.ParentClosePolicy.TERMINATE, task_timeout=workflow.info().task_timeout,
        )  # fmt: skip
    except ChildWorkflowError as failed:
        state.note("no plan", str(failed.cause or failed))
        return
    if outcome.rehearsed is not None:
        state.plan = to_come(outcome.rehearsed)
        state.note("planned", f"{len(state.plan)} changes and tasks to come, as it looks now")
