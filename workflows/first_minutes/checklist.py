"""The global first-15-minutes checklist (seed §0.3), word for word, with what the spec adds (§5); and where each item stands.

The seed's items stand in the seed's order. What the spec adds is a part of one of them (who took command is a part of *Declare*), or an item
of its own. When each is due is the organisation's (`Policy.first_minutes`). Whether it was done is read from the state and its timeline;
nothing counts without evidence there.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from temporalio import workflow

from activities.action import Risk, Role, Verb, action_of
from activities.chat.war_room import WarRoom
from activities.freeze.freezes import FROZEN
from activities.organisation.policy import Policy
from activities.paging.pager import Pager
from activities.status_page.status_page import StatusPage
from activities.tickets.tickets import Tickets
from workflows.engine.state import IncidentState
from workflows.first_minutes.freezes import ServiceFreezes
from workflows.incident import Phase, QuestionKind
from workflows.status import ItemState, ItemStatus, StepState


class Item(NamedTuple):
    key: str  # the field of `FirstMinutes` that says when it is due
    owner: Role
    text: str  # the seed's own line where it has one, marks of emphasis included
    done_means: str  # what must be read back before it counts (spec §5)
    part_of: str = ""  # the key of the item that it is a part of
    seed: bool = True  # the line is the seed's; otherwise the spec added it


IC, OPS, SECURITY, COMMS = Role.INCIDENT_COMMANDER, Role.OPS_LEAD, Role.SECURITY_LEAD, Role.COMMS_LEAD
ITEMS: tuple[Item, ...] = (
    Item("declare", IC, "Declare incident; assign **IC** and **Scribe**.", "the ticket, fetched by its id"),
    Item("commander", IC, "IC paged and acknowledged.", "the acknowledgement", part_of="declare", seed=False),
    Item("scribe", IC, "Scribe assigned.", "the role is taken", part_of="declare", seed=False),
    Item("cadence", COMMS, "Set **comms cadence** (e.g., every 30 min for SEV‑1/2).", "the next update has a time"),
    Item("freeze", OPS, "Freeze deploys: `change_freeze = ON`.", "the deploy system denies a probe deploy in our name"),
    Item("telemetry", OPS, "Snapshot telemetry links (dashboards, traces, logs).", "the export exists and its hash matches"),
    Item("blast_radius", OPS, "Identify blast radius (which tenants/regions/endpoints).", "a radius with its quality"),
    Item("playbook", IC, "Choose **playbook** below and begin mitigation.", "the first mitigation step is verified or waits for approval"),
    Item("war_room", IC, "Create shared war‑room (chat channel) + bridge.", "the channel exists, with the links pinned"),
    Item("status_page", COMMS, "Draft Status Page update; notify support/execs as needed.", "the draft waits for approval"),
    Item("published", COMMS, "Status Page update published.", "the public page, fetched from outside", part_of="status_page", seed=False),
    Item("told", COMMS, "Support and execs told.", "delivery receipts", part_of="status_page", seed=False),
    Item("leads", IC, "Ops, Comms (and Security) leads assigned.", "the roles are taken", seed=False),
    Item("evidence", SECURITY, "Evidence hold, if there is any security hint.", "the hold's id, returned by the store", seed=False),
    Item("legal_clocks", Role.LEGAL, "Provisional legal clocks, if data may be exposed.", "the clocks run", seed=False),
    Item("checkpoint", IC, "T+15 checkpoint: read out what is done and what is not.", "the report is posted", seed=False),
)
# Item of the checklist → the kind of timeline entry that shows it was done; a kind of its own name is left out.
ENTRIES = {
    "declare": "ticket", "telemetry": "snapshot", "war_room": "room", "status_page": "draft", "evidence": "evidence hold",
    "legal_clocks": "clocks",
}  # fmt: skip
# Item of the checklist → the verb that does it; without write access it is not ours to do.
DONE_BY: dict[str, Verb[Any, Any]] = {
    "declare": Tickets.open, "commander": Pager.page, "war_room": WarRoom.open, "status_page": StatusPage.publish,
    "published": StatusPage.publish, "told": StatusPage.publish, "freeze": FROZEN.impose,
}  # fmt: skip
Done = tuple[datetime | None, str]  # when it was done, and what shows it
NOT_DONE: Done = (None, "")


def due_at(key: str, severity: int, declared_at: datetime, policy: Policy) -> datetime | None:
    """When an item is due: a real instant, so the pace is in it. None: no deadline at this severity."""
    within = policy.first_minutes.due(key, severity)
    return declared_at + policy.paced(within) if within is not None else None


def tick(key: str, due: datetime | None, now: datetime, done_at: datetime | None = None, evidence: str = "") -> ItemStatus:
    """The tick of an item that applies: done in time or late, missed, open, or not due."""
    if done_at is not None:
        state = ItemState.LATE if due is not None and done_at > due else ItemState.DONE
    elif due is None:
        state = ItemState.NOT_DUE
    else:
        state = ItemState.MISSED if now > due else ItemState.OPEN
    return ItemStatus(key=key, state=state, done_at=done_at, due_at=due, evidence=evidence)


def late_by(one: ItemStatus, now: datetime | None = None) -> timedelta:
    """How much later than due it was done, or is `now`; nothing when it is in time, has no deadline, or nobody says when now is."""
    until = one.done_at or now
    if one.due_at is None or until is None or one.state not in (ItemState.LATE, ItemState.MISSED):
        return timedelta(0)
    return max(until - one.due_at, timedelta(0))


def ticks(state: IncidentState, freezes: ServiceFreezes) -> list[ItemStatus]:
    """The state of every item of one incident now."""
    return [_tick(item.key, state, freezes) for item in ITEMS]


def _tick(key: str, state: IncidentState, freezes: ServiceFreezes) -> ItemStatus:
    done_at, evidence = _done(key, state, freezes)
    if why := _not_applicable(key, state, freezes, done_at):
        return ItemStatus(key=key, state=ItemState.NOT_APPLICABLE, evidence=why)
    return tick(key, due_at(key, state.peak_severity, state.declared_at, state.policy), workflow.now(), done_at, evidence)


def _not_applicable(key: str, state: IncidentState, freezes: ServiceFreezes, done_at: datetime | None) -> str:
    if state.shadow and key in DONE_BY and state.assumes(action_of(DONE_BY[key])) and (key == "freeze" or done_at is None):
        return "shadow mode: people do it, and it cannot be seen from here"
    if key == "freeze" and state.incident.service not in freezes.since:
        return freezes.without.get(state.incident.service, "")
    if key in ("evidence", "legal_clocks") and not state.exposure:
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
        case "blast_radius":
            looked = (s for s in state.steps if s.verb == "telemetry.blast_radius" and s.state is StepState.DONE)
            return next(((s.ended_at, s.result) for s in looked), NOT_DONE)
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
    """The first step that mitigates is proven, or waits for somebody's word."""
    for step in state.steps:
        if step.phase is Phase.MITIGATION and step.risk >= Risk.C1 and step.verb != "freezes.hold":
            if step.state in (StepState.DONE, StepState.ADOPTED):
                return step.ended_at, f"{step.verb} {step.target}"
            if step.state is StepState.ASKING:
                return step.started_at, f"asked: {step.says}"[:120]
    # A plan of several steps waits for one answer: none of them has begun, and it counts as mitigation.
    questions = {q.number: q for q in state.approvals.questions if q.kind is not QuestionKind.REPAIR}
    for entry in state.timeline.entries:
        asked = questions.get(int(str(entry.facts.get("question") or 0)))
        if entry.kind == "asked" and entry.phase == Phase.MITIGATION and asked and Role.COMMS_LEAD not in asked.roles:
            return entry.at, f"asked: {asked.asks}"[:120]
    return NOT_DONE
