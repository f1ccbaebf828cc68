"""An incident's state as others see it: its status, versioned, and the outcome of its workflow."""

from datetime import datetime

from temporalio import workflow

from activities.action import Role
from activities.texts.wording import INTERIM_SCRIBE
from workflows.engine.state import IncidentState
from workflows.status import ItemState, Outcome, Planned, Status


class StatusView:
    def __init__(self, state: IncidentState) -> None:
        self._state = state
        self._version = 0
        self._published: object = None  # what the latest snapshot was made of
        self._missed_at: datetime | None = None  # when time alone changes it: the next deadline of the first minutes that is open

    def changed(self) -> bool:
        """True when the status differs from the one last given out."""
        return self._fingerprint() != self._published or (self._missed_at is not None and workflow.now() > self._missed_at)

    def snapshot(self) -> Status:
        """The status now, under a new version number."""
        self._published = self._fingerprint()
        self._version += 1
        status = self.status()
        self._missed_at = min((one.due_at for one in status.checklist if one.state is ItemState.OPEN and one.due_at), default=None)
        return status

    def status(self) -> Status:
        """The status now. It is a view of what changes: turn it into JSON before the next step."""
        state = self._state
        return Status(
            incident_id=state.id, version=self._version, playbook=state.playbook, section=state.card.section,
            title=state.incident.title or state.card.title, service=state.incident.service, scope=state.scope, impact=state.impact,
            hypotheses=tuple(state.hypotheses), severity=state.severity,
            peak_severity=state.peak_severity, because=state.because, phase=state.phase, state=state.run_state, commander=state.commander(),
            roles={Role.SCRIBE: INTERIM_SCRIBE, **{role: state.assignments.name(role) for role in (*state.assignments.confirmed,
                   *state.assignments.assigned)}},
            source=state.incident.source,
            dedup_key=state.incident.dedup_key, alerts=state.alerts, started_at=state.incident.started_at, declared_at=state.declared_at,
            acknowledged_at=state.acknowledged_at, mitigated_at=state.mitigated_at, resolved_at=state.resolved_at, closed_at=state.closed_at,
            updated_at=workflow.now(), next_update_due=state.next_update_due, status_page=state.status_page, room=state.room,
            ticket=state.ticket, paused_by=state.paused_by, waiting_for=state.waiting_for, phases=tuple(state.phases),
            steps=state.steps, in_force=state.measures.in_force(),
            questions=state.approvals.questions, tasks=state.tasks,
            follow_ups=state.follow_ups, checklist=state.checklist(), plan=self._remaining_plan(),
            entries=len(state.timeline.entries), pace=state.policy.pace, outcome=state.outcome, mode=state.mode,
            may_write=state.policy.write_access if state.mode == "shadow" else (),
            restricted=state.restricted, solo=bool(state.assignments.solo), traces=state.traces,
            offers={offer.role: offer.to for offer in state.assignments.offers.values()},
        )  # fmt: skip

    def ended(self, rehearsed: Status | None = None) -> Outcome:
        """What its workflow returns."""
        state = self._state
        return Outcome(
            incident_id=state.id, state=state.run_state, summary=state.outcome, mitigated_at=state.mitigated_at, resolved_at=state.resolved_at,
            questions=len(state.approvals.questions), rehearsed=rehearsed,
            in_force=tuple(f"{m.name}: {m.target} (held by {m.held_by})" for m in state.measures.in_force()),
        )  # fmt: skip

    def _remaining_plan(self) -> list[Planned]:
        """The plan without what was begun since it was made."""
        state = self._state
        begun = {(step.verb, step.target, step.says) for step in state.steps}
        return [one for one in state.plan if (one.verb, one.target, one.says) not in begun]

    def _fingerprint(self) -> object:
        state = self._state
        # Cheap to compare at every turn: whatever changes the screen changes one of these.
        return (
            len(state.timeline.entries), state.phase, state.run_state, state.severity, state.next_update_due, state.waiting_for, state.paused_by,
            state.room, state.ticket, state.status_page, state.alerts, state.outcome, state.acknowledged_at, len(state.follow_ups),
            state.restricted, state.assignments.solo, state.traces,
            tuple(s.state for s in state.steps), tuple((q.state, q.escalation, len(q.answers)) for q in state.approvals.questions),
            tuple((i.number, i.certain, i.held_by) for i in state.measures.standing),
            len(state.plan),
        )  # fmt: skip
