"""The record: what happened, what was changed, what is true now, what was delivered to us. SQL, so that it outlives Temporal's retention.

The workflow numbers and chains each `Entry`; systems outside write their own effects through `Book`. Everything written is idempotent,
because every activity may run twice.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

import sqlalchemy as sa

from activities.action import Call, Effect, Entry, Order, Patience, Risk, System, action
from activities.ledger.database import Database
from activities.ledger.effects import Done, put_begin, put_end
from activities.ledger.record import BEHIND, OVER, Chain, Record, Recorded
from activities.ledger.recording import keep_entries, keep_status, whole
from activities.ledger.tables import effects, entries, incidents

log = logging.getLogger(__name__)


class Ledger(Database, System):
    """The record in a SQL database. All but its verbs is synchronous and thread-safe: call that through `asyncio.to_thread`."""

    @action("ledger.record", risk=Risk.C0, patience=Patience.RECORD)
    async def record(self, order: Record, call: Call) -> int:
        """Keep what the workflow says; returns how many entries were new, or BEHIND. Refused when it contradicts what is already kept."""
        return await asyncio.to_thread(self.write, order)

    async def began(self, name: str, risk: Risk, order: Order, call: Call, attempt: int) -> None:
        """Put a try on the book before it touches its target."""
        await self._never_failing(lambda: put_begin(self, name, risk, order, call))

    async def ended(self, call: Call, outcome: str, effect: Effect | None, why: str) -> None:
        """Put the end of a try on the book."""
        await self._never_failing(lambda: put_end(self, call, outcome, effect, why))

    async def _never_failing(self, write: Callable[[], None]) -> None:
        """An effect must not fail, nor wait long, because our book is shut: the thread goes on, the verb does not wait for it."""
        try:
            await asyncio.wait_for(asyncio.to_thread(write), timeout=2)
        except Exception:
            log.exception("the ledger did not take an effect; the effect itself goes on")

    def write(self, order: Record) -> int:
        """The same as `record`, outside an activity. All of the order is kept, or nothing of it."""
        with self.writing() as connection:
            new = keep_entries(connection, order)
            told = None if order.status is None else whole(connection, order)
            if told is not None:
                keep_status(connection, order.incident_id, told)
        return BEHIND if told is None and order.status is not None else new

    def incidents(self, open_only: bool = True) -> list[Recorded]:
        """The incidents we know of, newest first."""
        query = sa.select(incidents.c.id, incidents.c.version, incidents.c.updated_at, incidents.c.status)
        if open_only:
            query = query.where(incidents.c.state.not_in(OVER))
        return [_recorded(row) for row in self.read(query.order_by(incidents.c.declared_at.desc(), incidents.c.id.desc()))]

    def holding(self) -> list[Recorded]:
        """The incidents that are open, and those that are over and left something in force, newest first."""
        query = sa.select(incidents.c.id, incidents.c.version, incidents.c.updated_at, incidents.c.status)
        left = sa.func.json_array_length(incidents.c.status["in_force"]) > 0
        query = query.where(sa.or_(incidents.c.state.not_in(OVER), left))
        return [_recorded(row) for row in self.read(query.order_by(incidents.c.declared_at.desc(), incidents.c.id.desc()))]

    def ids(self, open_only: bool = False) -> list[str]:
        """Every incident id, newest first."""
        query = sa.select(incidents.c.id).order_by(incidents.c.declared_at.desc(), incidents.c.id.desc())
        return [row.id for row in self.read(query.where(incidents.c.state.not_in(OVER)) if open_only else query)]

    def status(self, incident_id: str) -> Recorded | None:
        """What is true of an incident now, as far as we were told."""
        query = sa.select(incidents.c.id, incidents.c.version, incidents.c.updated_at, incidents.c.status)
        return next((_recorded(row) for row in self.read(query.where(incidents.c.id == incident_id))), None)

    def version(self, incident_id: str) -> int:
        """The version of the status on record, cheap enough to ask four times a second; 0 when there is none."""
        rows = self.read(sa.select(incidents.c.version).where(incidents.c.id == incident_id))
        return int(rows[0].version) if rows else 0

    def timeline(self, incident_id: str) -> list[Entry]:
        """The lines of an incident's timeline, in order."""
        rows = self.read(sa.select(entries).where(entries.c.incident_id == incident_id).order_by(entries.c.number))
        return [Entry.model_validate({k: v for k, v in row._mapping.items() if k != "incident_id"}) for row in rows]

    def effects(self, incident_id: str) -> list[Done]:
        """What was tried and done on its behalf, in order of the first try."""
        rows = self.read(sa.select(effects).where(effects.c.incident_id == incident_id).order_by(effects.c.first_at, effects.c.key))
        return [Done.model_validate(dict(row._mapping)) for row in rows]

    def verify(self, incident_id: str) -> Chain:
        """Read a timeline back and check its numbers and hashes: the first number that is missing or altered, if any."""
        kept, known = self.timeline(incident_id), self.status(incident_id)
        previous, expected = "", min(kept[0].number, 1) if kept else 1
        for entry in kept:
            if entry.number != expected or not entry.intact(previous):
                return Chain(entries=len(kept), broken_at=expected)
            previous, expected = entry.hash, expected + 1
        promised = int(cast(int, known.status.get("entries") or 0)) if known else 0
        return Chain(entries=len(kept), broken_at=expected if len(kept) < promised else None)


def _recorded(row: sa.Row[Any]) -> Recorded:
    return Recorded(incident_id=row.id, version=row.version, updated_at=row.updated_at, status=row.status)
