"""An incident as others see it: its status, and the record, the search attributes and the Temporal UI's details, kept in step with it."""

import asyncio
import json
from contextlib import suppress
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from activities.action import Role
from activities.ledger.entry import Entry
from activities.ledger.ledger import Ledger
from activities.ledger.record import BEHIND, Record, difference
from activities.texts.wording import INTERIM_SCRIBE
from workflows.engine.invoker import Invoker
from workflows.engine.record.details import details
from workflows.engine.state import IncidentState
from workflows.errors import RetriesExhausted
from workflows.people.background import beside
from workflows.status import ItemState, Outcome, Status

PHASE = SearchAttributeKey.for_keyword("IncidentPhase")
ATTRIBUTES: tuple[SearchAttributeKey[Any], ...] = (
    SearchAttributeKey.for_keyword("IncidentSeverity"), PHASE,
    *map(SearchAttributeKey.for_keyword, ("IncidentState", "Playbook", "Commander")), SearchAttributeKey.for_bool("Waiting"),
)  # fmt: skip


class Recorder:
    """Writes in batches, one after another, as few as the screens allow.

    While short activities are under way, more will have happened in a moment: what happened meanwhile goes in one batch, when the last of
    them has ended. Never later than `policy.record_within`, and at once when somebody is asked, or when phase or severity have changed.
    """

    def __init__(self, state: IncidentState, invoker: Invoker) -> None:
        self._state = state
        self._invoker = invoker
        self._version = 0
        self._written: object = None  # what the latest batch was made of
        self._missed_at: datetime | None = None  # when time alone changes it: the next deadline of the first minutes that is open
        self._told: object = None  # what may not wait, as the latest batch told it
        self._kept = ""  # the status as the ledger has it; as JSON, because a parked incident keeps it for weeks
        self._attributes: tuple[object, ...] | None = ()
        self._batches = 0
        self._marked = 0  # how many lines stand in a workflow task that left a command
        self._ending = False

    def status(self) -> Status:
        """The status now. It is a view of what changes: turn it into JSON before the next step."""
        state, roles = self._state, self._state.assignments
        begun = {(step.verb, step.target, step.says) for step in state.steps}
        same_name = {name: value for name, value in vars(state).items() if name in Status.model_fields}
        other_name: dict[str, Any] = dict(
            incident_id=state.id, version=self._version, section=state.card.section, title=state.incident.title or state.card.title,
            service=state.incident.service, source=state.incident.source, dedup_key=state.incident.dedup_key,
            started_at=state.incident.started_at, state=state.run_state, commander=state.commander(),
            roles={Role.SCRIBE: INTERIM_SCRIBE, **{role: roles.name(role) for role in (*roles.confirmed, *roles.assigned)}},
            updated_at=workflow.now(), self_declared=roles.self_declared(),
            called_in=[child.as_called() for child in state.children],
            in_force=state.measures.in_force(), questions=state.approvals.questions, checklist=state.checklist(),
            plan=[one for one in state.plan if (one.verb, one.target, one.says) not in begun],  # what was not begun since it was made
            entries=len(state.timeline.entries), pace=state.policy.pace, solo=bool(roles.solo),
            because=state.because, may_write=state.policy.write_access if state.mode == "shadow" else (),
            offers={offer.role: offer.to for offer in roles.offers.values()},
        )  # fmt: skip
        return Status(**{**same_name, **other_name})

    def ended(self, rehearsed: Status | None = None) -> Outcome:
        """What its workflow returns."""
        state = self._state
        return Outcome(
            incident_id=state.id, state=state.run_state, summary=state.outcome, mitigated_at=state.mitigated_at, resolved_at=state.resolved_at,
            questions=len(state.approvals.questions), rehearsed=rehearsed,
            in_force=tuple(f"{m.name}: {m.target} (held by {m.held_by})" for m in state.measures.in_force()),
        )  # fmt: skip

    async def run(self) -> None:
        """Until everything is written after `stop` was called."""
        async with beside(self._mark_lines()):
            await self._write_batches()

    async def _write_batches(self) -> None:
        while True:
            await workflow.wait_condition(lambda: self._ending or self._changed())
            await self._hold_back()
            if self._changed() or self._state.timeline.unrecorded:
                await self._write()
            elif self._ending:
                return

    async def _mark_lines(self) -> None:
        """Leave a command in every workflow task that adds a line.

        At a replay the SDK merges a task without commands with the next one: the line would get that one's time, and contradict the ledger.
        """
        entries = self._state.timeline.entries
        while True:
            await workflow.wait_condition(lambda: len(entries) > self._marked)
            await workflow.wait_condition(lambda: True)  # what the line has set going begins first
            self._marked = len(entries)
            if self._invoker.began_at != workflow.now():
                phase = PHASE.value_unset() if self._state.restricted else PHASE.value_set(self._state.phase.value)
                workflow.upsert_search_attributes([phase])

    async def stop(self, running: asyncio.Task[None]) -> None:
        """Let the batch that is under way come to its end, then write the rest."""
        self._ending = True
        await running

    async def _hold_back(self) -> None:
        await workflow.wait_condition(lambda: True)  # what woke us has woken others too: they begin what comes next
        if self._due():
            return  # no timer
        with suppress(TimeoutError):
            async with asyncio.timeout(self._state.policy.paced(self._state.policy.record_within).total_seconds()):
                while not self._due():
                    await workflow.wait_condition(self._due)
                    await workflow.wait_condition(lambda: True)

    def _due(self) -> bool:
        return self._ending or self._invoker.at_rest or self._urgent() != self._told

    def _urgent(self) -> object:
        return self._state.severity, self._state.phase, len(self._state.approvals.questions)

    def _changed(self) -> bool:
        return self._fingerprint() != self._written or (self._missed_at is not None and workflow.now() > self._missed_at)

    def _fingerprint(self) -> object:
        """Cheap to compare at every turn: whatever changes the screen changes one of these."""
        state = self._state
        return (
            len(state.timeline.entries), state.phase, state.run_state, state.severity, state.next_update_due, state.waiting_for, state.paused_by,
            state.room, state.ticket, state.status_page, state.alerts, state.outcome, state.acknowledged_at, len(state.follow_ups),
            sum(task.open for task in state.tasks), state.blast_radius,
            tuple((child.phase, child.run_state, child.waiting_for) for child in state.children),
            state.restricted, state.assignments.solo, state.traces, len(state.plan), tuple(s.state for s in state.steps),
            tuple((q.state, q.escalation, q.waits_until, len(q.answers)) for q in state.approvals.questions),
            tuple((i.number, i.certain, i.held_by) for i in state.measures.standing),
        )  # fmt: skip

    async def _write(self) -> None:
        """Write what is new: the entries, and what changed of the status since the last batch that the ledger has."""
        state, self._told, self._written = self._state, self._urgent(), self._fingerprint()
        self._version += 1
        entries, status = state.timeline.unrecorded[:200], self.status()
        self._missed_at = min((one.due_at for one in status.checklist if one.state is ItemState.OPEN and one.due_at), default=None)
        self._show(status)
        whole, before = status.model_dump(mode="json"), json.loads(self._kept or "{}")
        try:
            kept = await self._record(entries, difference(before, whole) if before else whole, before)
            if kept == BEHIND:
                await self._record(entries, whole, {})
            self._kept = json.dumps(whole, separators=(",", ":"))
        except RetriesExhausted as out:
            workflow.logger.error("the ledger refused a batch: %s", out.why)
        state.timeline.recorded += len(entries)

    async def _record(self, entries: tuple[Entry, ...], status: dict[str, Any], base: dict[str, Any]) -> int:
        self._batches += 1
        record = Record(incident_id=self._state.id, entries=entries, status=status, base=int(base.get("version", 0)))
        return await self._invoker.quietly(Ledger.record, record, key=f"{self._state.id}/record/{self._batches}")

    def _show(self, status: Status) -> None:
        workflow.set_current_details(details(status, self._state.timeline.entries))
        now = (status.severity.label, status.phase.value, status.state.value, status.section, status.commander, status.asking != [])
        shown = now if not status.restricted else None  # search attributes are never encrypted: a restricted incident has none
        if shown != self._attributes:
            self._attributes = shown
            told = zip(ATTRIBUTES, shown, strict=True) if shown else ()
            workflow.upsert_search_attributes(
                [attribute.value_set(value) for attribute, value in told] or [a.value_unset() for a in ATTRIBUTES]
            )
