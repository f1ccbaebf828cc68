"""How an incident begins: the policy is read first, the service it is about is asked for when nobody named it, and what is to come is planned.

There is no second description of a playbook that could drift from the first: a plan is the same `run`, with real reads, in which every change,
question and wait is only noted.
"""

from collections.abc import Awaitable

from activities.action import A, Risk, Role
from activities.organisation.organisation import Organisation, ReadAll
from workflows.engine.invoker import Invoker
from workflows.engine.state import IncidentState
from workflows.engine.verbs import Verbs
from workflows.errors import RetriesExhausted
from workflows.incident import Incident, worst
from workflows.people.background import together
from workflows.people.questions import PROPOSER
from workflows.status import Planned, Status


async def declare(state: IncidentState, invoker: Invoker) -> None:
    """Policy first: everything after is decided by what was in force at this moment, and the history says so."""
    incident = state.incident
    policy, roster = await together(
        _unless_wrong(state, invoker.quietly(Organisation.policy, ReadAll())),
        _unless_wrong(state, invoker.quietly(Organisation.roster, ReadAll())),
    )
    state.policy, state.assignments.roster = policy or state.policy, roster or state.assignments.roster
    state.mode = state.policy.mode
    state.begin_at(state.policy.paces.get(state.phase, state.policy.pace))
    if incident.severity is not None:
        state.severity = state.peak_severity = min(state.card.floor, incident.severity)
    state.alerts += 1 if incident.delivery else 0
    state.urgency = worst(state.urgency, state.severity, incident.urgency or state.severity)
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


async def _unless_wrong(state: IncidentState, reading: Awaitable[A]) -> A | None:
    try:
        return await reading
    except RetriesExhausted as out:
        state.note("configuration", f"{out.why}; the spec's defaults hold, and nobody can be paged until it is repaired")
        return None


async def ask_for_the_service(verbs: Verbs) -> None:
    state, service = verbs.state, ""
    while not service:
        roles = (Role.INCIDENT_COMMANDER, *state.card.lead, Role.DEPUTY)
        told = await verbs.ask("Which service is affected?", roles=roles, example='"chat"')
        if told is None:
            verbs.hand_over("nobody says which service is affected")
        value = told.value
        service = str(value.get("service", "") if isinstance(value, dict) else value or "").strip()
    PROPOSER.set("")  # it says what is affected, and chooses nothing that is done about it
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


def keyed(incident: Incident, module: str) -> Incident:
    """An incident that was started plainly (Temporal UI, CLI) takes the key that an alert for the same thing would bring.

    One that was started without its service takes it when the service is known. `module`: of its playbook.
    """
    name = module.removeprefix("workflows.playbooks.").removesuffix(".playbook")
    key, without = ("/".join(filter(None, (name, service, incident.region))) for service in (incident.service, ""))
    return incident if incident.dedup_key not in ("", without) else incident.model_copy(update={"dedup_key": key})
