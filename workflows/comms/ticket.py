"""The incident's ticket, with the seed's fields (seed §1.1): opened once, and rewritten whenever something in it changes."""

import asyncio

from activities.action import Role
from activities.kit.words.code_names import code_name
from activities.texts import wording
from activities.tickets.tickets import OpenTicket, RewriteTicket, Tickets
from workflows.comms.part import Part, Shared
from workflows.status import StepState

ACTIONS = (StepState.DONE, StepState.ADOPTED, "granted", "declined", "mitigated", "traces", "break-glass")


class Ticket(Part):
    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._number: int | None = None
        self._written = ""
        self._opening, self._in_turn = asyncio.Lock(), asyncio.Lock()

    def try_again(self) -> None:
        """Open it, if that has failed so far."""
        if self._number is None and not self._opening.locked():
            self._background.run("ticket", self.open())

    def update(self) -> None:
        self._background.run("ticket", self.rewrite())

    async def open(self) -> None:
        state = self._state
        title = f"[SEV‑{int(state.severity)}] {state.display_name.partition(' ')[2]}"[:250]
        body = self._body()
        async with self._opening:
            opened = await self._quietly(Tickets.open, OpenTicket(incident_id=state.id, title=title, body=body))
        self._number, self._written = int(str(opened.after.get("number", 0))), body
        state.ticket = str(opened.after.get("url", self._number))
        state.note("ticket", f"ticket {state.ticket}")

    async def rewrite(self) -> None:
        """Bring it up to date, if anything changed; one after another, because the oldest of many texts must not come last."""
        async with self._in_turn:
            body = self._body()
            if self._number is not None and body != self._written:
                await self._quietly(Tickets.rewrite, RewriteTicket(number=self._number, body=body))
                self._written = body

    def _body(self) -> str:
        state, entries = self._state, self._state.timeline.entries
        due = f"{state.next_update_due:%H:%M} UTC, status page and {state.room or 'war room'}" if state.next_update_due else ""
        traces = f"traces {', '.join(state.traces)}" if state.traces else ""
        scope = " · ".join(filter(None, (state.incident.service, state.scope, traces)))
        known = not state.restricted  # a tracker is read by many
        return wording.ticket(
            severity=int(state.severity), title=state.card.title if known else code_name(state.id),
            start=state.incident.started_at or state.declared_at, commander=state.commander(),
            scribe=state.assignments.name(Role.SCRIBE) or wording.INTERIM_SCRIBE, scope=scope if known else "restricted",
            impact="; ".join(filter(None, (state.impact, *state.because[:1]))) if known else "restricted",
            hypotheses=[e.text for e in entries if e.kind == "hypothesis"] if known else [],
            actions=[(e.at, e.text) for e in entries if e.kind in ACTIONS][-100:] if known else [], next=due,
        )  # fmt: skip
