"""How an incident begins: the policy is read first, the service it is about is asked for when nobody named it, and what is to come is planned.

There is no second description of a playbook that could drift from the first: a plan is the same `run`, with real reads, in which every change,
question and wait is only noted.
"""

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ChildWorkflowError

from activities.action import Risk, Role
from activities.organisation.organisation import Organisation, ReadAll
from workflows.engine.invoker import Invoker, as_answer
from workflows.engine.state import IncidentState
from workflows.engine.verbs import Verbs
from workflows.errors import RetriesExhausted
from workflows.people.background import begun, settled
from workflows.status import Outcome, Planned, Status


async def declare(state: IncidentState, invoker: Invoker) -> None:
    """Policy first: everything after is decided by what was in force at this moment, and the history says so."""
    incident = state.incident
    try:
        state.policy = await invoker.quietly(Organisation.policy, ReadAll())
        state.assignments.roster = await invoker.quietly(Organisation.roster, ReadAll())
    except RetriesExhausted as out:
        state.note("configuration", f"{out.why}; the spec's defaults hold, and nobody can be paged until it is repaired")
    state.mode = state.policy.mode
    if incident.severity is not None:
        state.severity = state.peak_severity = min(state.card.floor, incident.severity)
    state.alerts += 1 if incident.delivery else 0
    if incident.delivery and (alert := incident.labels.get("alertname")):
        state.follow_alert(alert, incident.labels, firing=True)
    state.restricted = state.restricted or incident.restricted
    state.note(
        "declared",
        f"{state.severity.label} §{state.card.section} {state.card.title}: {incident.title or incident.service}",
        by=incident.declared_by or incident.source,
        service=incident.service,
    )
    state.add_traces(incident.labels)
    if incident.refused_input:
        state.note("refused", f"the start input could not be understood: {incident.refused_input}")


async def ask_for_the_service(verbs: Verbs) -> None:
    state, service = verbs.state, ""
    while not service:
        roles = (Role.INCIDENT_COMMANDER, *state.card.lead, Role.DEPUTY)
        value = await verbs.ask("Which service is affected?", roles=roles, example='"chat"')
        service = str(value.get("service", "") if isinstance(value, dict) else value or "").strip()
    state.incident = state.incident.model_copy(update={"service": service})
    state.note("scope", f"service: {service}")


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
        planning = begun(workflow.execute_child_workflow(
            state.playbook, rehearsal, id=f"{state.id}-plan", result_type=RawValue, static_summary="what is still to come",
            parent_close_policy=workflow.ParentClosePolicy.TERMINATE, task_timeout=workflow.info().task_timeout,
        ))  # fmt: skip
        outcome = as_answer(await settled(planning), Outcome, "the plan")
    except (ChildWorkflowError, RetriesExhausted) as failed:
        state.note("no plan", str(failed if isinstance(failed, RetriesExhausted) else failed.cause or failed))
        return
    if outcome.rehearsed is not None:
        state.plan = to_come(outcome.rehearsed)
        state.note("planned", f"{len(state.plan)} changes and tasks to come, as it looks now")
