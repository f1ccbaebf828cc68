"""Where each item of the first minutes stands: read from the incident's state and its timeline. Nothing counts without evidence there."""

from datetime import datetime
from typing import Any

from temporalio import workflow

from activities.action import Risk, Role, Verb, action_of
from activities.chat.war_room import WarRoom
from activities.clocks.clocks import Clocks
from activities.freeze.freezes import FROZEN
from activities.paging.pager import Pager
from activities.status_page.status_page import StatusPage
from activities.tickets.tickets import Tickets
from workflows.engine.state import IncidentState
from workflows.first_minutes.checklist import ITEMS, due_at, tick
from workflows.first_minutes.freezes import ServiceFreezes
from workflows.incident import Phase, QuestionKind
from workflows.status import ItemState, ItemStatus, StepState

# Item of the checklist → the kind of timeline entry that shows it was done; a kind of its own name is left out.
ENTRIES = {
    "declare": "ticket", "telemetry": "snapshot", "war_room": "room", "status_page": "draft", "evidence": "evidence hold",
    "legal_clocks": "clocks", "blast_radius": "blast radius",
}  # fmt: skip
# Item of the checklist → the verb that does it; without write access it is not ours to do.
DONE_BY: dict[str, Verb[Any, Any]] = {
    "declare": Tickets.open, "commander": Pager.page, "war_room": WarRoom.open, "status_page": StatusPage.publish,
    "published": StatusPage.publish, "told": StatusPage.publish, "freeze": FROZEN.impose, "legal_clocks": Clocks.report,
}  # fmt: skip
Done = tuple[datetime | None, str]  # when it was done, and what shows it
NOT_DONE: Done = (None, "")


def ticks(state: IncidentState, freezes: ServiceFreezes) -> list[ItemStatus]:
    """The state of every item of one incident now."""
    return [_tick(item.key, state, freezes) for item in ITEMS]


def _tick(key: str, state: IncidentState, freezes: ServiceFreezes) -> ItemStatus:
    done_at, evidence = _done(key, state, freezes)
    if why := _not_applicable(key, state, freezes, done_at):
        return ItemStatus(key=key, state=ItemState.NOT_APPLICABLE, evidence=why)
    return tick(key, due_at(key, state.peak_severity, state.declared_at, state.first_pace), workflow.now(), done_at, evidence)


def _not_applicable(key: str, state: IncidentState, freezes: ServiceFreezes, done_at: datetime | None) -> str:
    if state.shadow and key in DONE_BY and state.assumes(action_of(DONE_BY[key])) and (key == "freeze" or done_at is None):
        return "shadow mode: people do it, and it cannot be seen from here"
    if key == "freeze" and state.incident.service not in freezes.since:
        return freezes.without.get(state.incident.service, "")
    if (key == "evidence" and not state.exposure) or (key == "legal_clocks" and not state.exposures):
        return "no sign of exposed data"
    if key in ("status_page", "published", "told") and not state.card.public:
        return "nothing customers can see"
    return ""


def _done(key: str, state: IncidentState, freezes: ServiceFreezes) -> Done:
    match key:
        case "commander":
            return state.acknowledged_at, state.commander()
        case "scribe":
            return state.declared_at, state.assignments.name(Role.SCRIBE) or "timeline bot, until somebody is assigned"
        case "cadence":
            due = state.next_update_due
            return state.declared_at, f"next update due {due:%H:%M:%S} UTC" if due else "war-room status by the clock"
        case "freeze":
            return min(freezes.since.values(), default=NOT_DONE)
        case "playbook":
            return _mitigation_began(state)
        case "leads":
            return _leads(state)
        case _:
            entry = state.timeline.first.get(ENTRIES.get(key, key))
            return (entry.at, entry.text[:120]) if entry else NOT_DONE


def _leads(state: IncidentState) -> Done:
    """Both roles are taken: assigned, accepted, or filled by somebody who has answered in it."""
    assignments, taken = state.assignments, []
    for role in (Role.OPS_LEAD, Role.COMMS_LEAD):
        since = {a.at: a.by for question in state.approvals.questions for a in question.answers if a.role is role}
        if role in assignments.taken:
            since[assignments.taken[role]] = assignments.name(role)
        if not since:
            return NOT_DONE
        taken.append((min(since), f"{role.title}: {since[min(since)]}"))
    return max(at for at, _ in taken), ", ".join(who for _, who in taken)


def _mitigation_began(state: IncidentState) -> Done:
    """The first step that mitigates is proven, or waits for somebody's word: whichever was so first."""
    begun = [done for done in (_first_step(state), _first_asked(state)) if done[0] is not None]
    return min(begun, key=lambda done: done[0] or workflow.now(), default=NOT_DONE)


def _first_step(state: IncidentState) -> Done:
    for step in state.steps:
        if step.phase is Phase.MITIGATION and step.risk >= Risk.C1 and step.verb != "freezes.hold":
            if step.state in (StepState.DONE, StepState.ADOPTED):
                return step.ended_at, f"{step.verb} {step.target}"
            if step.state is StepState.ASKING:
                return step.started_at, f"asked: {step.says}"[:120]
    return NOT_DONE


def _first_asked(state: IncidentState) -> Done:
    """A plan of several steps waits for one answer: none of them has begun, and it counts as mitigation."""
    questions = {q.number: q for q in state.approvals.questions if q.kind is not QuestionKind.REPAIR}
    for entry in state.timeline.entries if questions else ():
        asked = questions.get(int(str(entry.facts.get("question") or 0)))
        if entry.kind == "asked" and entry.phase == Phase.MITIGATION and asked and Role.COMMS_LEAD not in asked.roles:
            return entry.at, f"asked: {asked.asks}"[:120]
    return NOT_DONE
