"""Where each item of the first-minutes checklist stands. It is read from the state and its timeline; nothing counts without evidence there."""

from datetime import datetime
from typing import Any

from temporalio import workflow

from activities.action import Risk, Role, Verb, action_of
from activities.chat.war_room import WarRoom
from activities.freeze.freezes import FROZEN
from activities.paging.pager import Pager
from activities.status_page.status_page import StatusPage
from activities.tickets.tickets import Tickets
from workflows.engine.state import IncidentState
from workflows.first_minutes.checklist import ITEMS, Item, due_at, tick
from workflows.first_minutes.freezes import ServiceFreezes
from workflows.incident import Phase, QuestionKind
from workflows.status import ItemState, ItemStatus, StepState


class ChecklistProgress:
    def __init__(self, state: IncidentState, freezes: ServiceFreezes) -> None:
        self._state = state
        self._freezes = freezes

    def items(self) -> list[ItemStatus]:
        """The state of every item now."""
        return [self._status(item) for item in ITEMS]

    def _status(self, item: Item) -> ItemStatus:
        state = self._state
        if (why := self._not_applicable(item.key)) is not None:
            return ItemStatus(key=item.key, state=ItemState.NOT_APPLICABLE, evidence=why)
        done_at, evidence = self._done(item.key)
        due = due_at(item.key, state.peak_severity, state.declared_at, state.policy)
        return tick(item.key, due, workflow.now(), done_at, evidence)

    def _not_applicable(self, key: str) -> str | None:
        state = self._state
        if state.shadow and key in DONE_BY and state.assumes(action_of(DONE_BY[key])) and (key == "freeze" or self._done(key)[0] is None):
            return "shadow mode: people do it, and it cannot be seen from here"
        if key == "freeze" and state.incident.service in self._freezes.without and state.incident.service not in self._freezes.since:
            return self._freezes.without[state.incident.service]
        if key in ("evidence", "legal_clocks") and not state.exposure:
            return "no sign of exposed data"
        if key in ("status_page", "published", "told") and not state.card.public:
            return "nothing customers can see"
        return None

    def _done(self, key: str) -> tuple[datetime | None, str]:
        """When it was done, and what shows it."""
        state, first = self._state, self._state.timeline.first
        match key:
            case "commander":
                return state.acknowledged_at, state.commander()
            case "scribe":
                return state.declared_at, state.assignments.name(Role.SCRIBE) or "timeline bot, until somebody is assigned"
            case "cadence":
                due = state.next_update_due
                return state.declared_at, f"next update due {due:%H:%M:%S} UTC" if due else "war-room status by the clock"
            case "freeze":
                at, proof = min(self._freezes.since.values(), default=(None, ""))
                return at, proof
            case "playbook":
                return self._mitigation_began()
            case "leads":
                return self._leads()
            case "blast_radius":
                looked = next((s for s in state.steps if s.verb == "telemetry.blast_radius" and s.state is StepState.DONE), None)
                return (looked.ended_at, looked.result) if looked else (None, "")
            case _:
                entry = first.get(ENTRIES.get(key, key))
                return (entry.at, entry.text[:120]) if entry else (None, "")

    def _leads(self) -> tuple[datetime | None, str]:
        """Both roles are taken: assigned, accepted, or filled by somebody who has answered in it."""
        assignments, taken = self._state.assignments, {}
        for role in (Role.OPS_LEAD, Role.COMMS_LEAD):
            answers = [answer for question in self._state.approvals.questions for answer in question.answers if answer.role is role]
            since = {
                **{one.at: one.by for one in answers},
                **({assignments.taken[role]: assignments.name(role)} if role in assignments.taken else {}),
            }
            if not since:
                return None, ""
            first = min(since)
            taken[role] = (first, f"{role.title}: {since[first]}")
        return max(at for at, _ in taken.values()), ", ".join(who for _, who in taken.values())

    def _mitigation_began(self) -> tuple[datetime | None, str]:
        """The first step that mitigates is proven, or waits for somebody's word."""
        for step in self._state.steps:
            if step.phase is Phase.MITIGATION and step.risk >= Risk.C1 and step.verb != "freezes.hold":
                if step.state in (StepState.DONE, StepState.ADOPTED):
                    return step.ended_at, f"{step.verb} {step.target}"
                if step.state is StepState.ASKING:
                    return step.started_at, f"asked: {step.says}"[:120]
        return self._mitigation_asked()

    def _mitigation_asked(self) -> tuple[datetime | None, str]:
        """A plan of several steps waits for one answer: none of them has begun, and it counts as mitigation."""
        questions = {q.number: q for q in self._state.approvals.questions if q.kind is not QuestionKind.REPAIR}
        for entry in self._state.timeline.entries:
            asked = questions.get(int(str(entry.facts.get("question") or 0)))
            if entry.kind == "asked" and entry.phase == Phase.MITIGATION and asked and Role.COMMS_LEAD not in asked.roles:
                return entry.at, f"asked: {asked.asks}"[:120]
        return None, ""


# Item of the checklist → the kind of timeline entry that shows it was done.
ENTRIES = {
    "declare": "ticket", "telemetry": "snapshot", "war_room": "room", "status_page": "draft", "published": "published",
    "told": "told", "evidence": "evidence hold", "legal_clocks": "clocks", "checkpoint": "checkpoint",
}  # fmt: skip


# Item of the checklist → the verb that does it; without write access it is not ours to do.
DONE_BY: dict[str, Verb[Any, Any]] = {
    "declare": Tickets.open, "commander": Pager.page, "war_room": WarRoom.open, "status_page": StatusPage.publish,
    "published": StatusPage.publish, "told": StatusPage.publish, "freeze": FROZEN.impose,
}  # fmt: skip
