"""Keeps the record, the search attributes and the Temporal UI's details in step with the state, beside everything else."""

import asyncio
from contextlib import suppress
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from activities.action import Entry
from activities.ledger.ledger import Ledger
from activities.ledger.patch import difference
from activities.ledger.record import BEHIND, Record
from workflows.engine.invoker import Invoker
from workflows.engine.record.details import details
from workflows.engine.record.view import StatusView
from workflows.engine.state import IncidentState
from workflows.errors import RetriesExhausted

SEVERITY = SearchAttributeKey.for_keyword("IncidentSeverity")
PHASE = SearchAttributeKey.for_keyword("IncidentPhase")
STATE = SearchAttributeKey.for_keyword("IncidentState")
PLAYBOOK = SearchAttributeKey.for_keyword("Playbook")
COMMANDER = SearchAttributeKey.for_keyword("Commander")
WAITING = SearchAttributeKey.for_bool("Waiting")
ATTRIBUTES = (SEVERITY, PHASE, STATE, PLAYBOOK, COMMANDER, WAITING)


class Recorder:
    """Writes in batches, one after another, as few as the screens allow.

    While short activities are under way, more will have happened in a moment: what happened meanwhile goes in one batch, when the last of
    them has ended. Never later than `policy.record_within`, and at once when somebody is asked or what everybody looks for has changed.
    """

    def __init__(self, state: IncidentState, view: StatusView, invoker: Invoker) -> None:
        self._state = state
        self._view = view
        self._invoker = invoker
        self._attributes: tuple[object, ...] = ()
        self._batches = 0
        self._ending = False
        self._kept: dict[str, Any] = {}  # the status as the ledger has it
        self._told: object = None  # what may not wait, as the latest batch told it

    async def run(self) -> None:
        """Until everything is written after `stop` was called."""
        while True:
            await workflow.wait_condition(lambda: self._ending or self._view.changed())
            await self._hold_back()
            if self._view.changed() or self._state.timeline.unrecorded:
                await self._flush()
            elif self._ending:
                return

    async def _hold_back(self) -> None:
        await workflow.sleep(0)  # what woke us has woken others too: they begin what comes next
        if self._due():
            return  # no timer
        with suppress(TimeoutError):
            async with asyncio.timeout(self._state.policy.paced(self._state.policy.record_within).total_seconds()):
                while not self._due():
                    await workflow.wait_condition(self._due)
                    await workflow.sleep(0)

    async def stop(self, running: asyncio.Task[None]) -> None:
        """Let the batch that is under way come to its end, then write the rest."""
        self._ending = True
        await running

    def _due(self) -> bool:
        return self._ending or self._invoker.at_rest or self._urgent() != self._told

    def _urgent(self) -> object:
        state = self._state
        return state.severity, state.phase, len(state.approvals.questions)

    async def _flush(self) -> None:
        """Write what is new: the entries, and what changed of the status since the last batch that the ledger has."""
        state, self._told = self._state, self._urgent()
        entries = state.timeline.unrecorded[:200]
        status = self._view.snapshot()
        self._show(status.asking != [])
        workflow.set_current_details(details(status, state.timeline.entries))
        whole = status.model_dump(mode="json")
        try:
            kept = await self._record(entries, difference(self._kept, whole) if self._kept else whole, self._kept)
            if kept == BEHIND:
                await self._record(entries, whole, {})
            self._kept = whole
        except RetriesExhausted as out:
            workflow.logger.error("the ledger refused a batch: %s", out.why)
        state.timeline.recorded_up_to(entries[-1].number if entries else 0)

    async def _record(self, entries: tuple[Entry, ...], status: dict[str, Any], base: dict[str, Any]) -> int:
        self._batches += 1
        record = Record(incident_id=self._state.id, entries=entries, status=status, base=int(base.get("version", 0)))
        return await self._invoker.quietly(Ledger.record, record, key=f"{self._state.id}/record/{self._batches}")

    def _show(self, waiting: bool) -> None:
        state = self._state
        now = (
            state.severity.label,
            state.phase.value,
            state.run_state.value,
            state.card.section,
            state.commander(),
            waiting,
        )
        if now != self._attributes:
            self._attributes = now
            workflow.upsert_search_attributes(
                [
                    SEVERITY.value_set(now[0]), PHASE.value_set(now[1]), STATE.value_set(now[2]), PLAYBOOK.value_set(now[3]),
                    COMMANDER.value_set(now[4]), WAITING.value_set(waiting),
                ]
            )  # fmt: skip
