"""The record: what happened, what was changed, what is true now, what was delivered to us. SQL, so that it outlives Temporal's retention.

The workflow numbers and chains each `Entry`; systems outside write their own effects through `Book`. Everything written is idempotent,
because every activity may run twice.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from pydantic import JsonValue

from activities.action import Call, Effect, Order, Patience, Refused, Risk, System, action
from activities.ledger.database import Database, insert_into
from activities.ledger.effects import Done, put_begin, put_end
from activities.ledger.entry import Entry
from activities.ledger.record import BEHIND, OVER, Chain, Record, Recorded, patched
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
            if connection.dialect.name == "postgresql":  # SQLite lets one writer in anyhow; a zombie may tell the same at the same moment
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(742208, hashtext(:incident))"), {"incident": order.incident_id})
            new = _keep_entries(connection, order)
            told = None if order.status is None else _whole(connection, order)
            if told is not None:
                _keep_status(connection, order.incident_id, told)
        return BEHIND if told is None and order.status is not None else new

    def incidents(self, open_only: bool = True) -> list[Recorded]:
        """The incidents we know of, newest first."""
        return self._known(incidents.c.state.not_in(OVER) if open_only else sa.true())

    def holding(self) -> list[Recorded]:
        """The incidents that are open, and those that are over and left something in force, newest first."""
        left = sa.func.json_array_length(incidents.c.status["in_force"]) > 0
        return self._known(sa.or_(incidents.c.state.not_in(OVER), left))

    def status(self, incident_id: str) -> Recorded | None:
        """What is true of an incident now, as far as we were told."""
        return next(iter(self._known(incidents.c.id == incident_id)), None)

    def open_for(self, key: str) -> list[str]:
        """The open incidents of this dedup key, newest first."""
        mine = sa.and_(incidents.c.dedup_key == key, incidents.c.state.not_in(OVER))
        return [row.id for row in self.read(sa.select(incidents.c.id).where(mine).order_by(incidents.c.declared_at.desc()))]

    def is_over(self, incident_id: str) -> bool:
        """Whether that incident is on record as over."""
        return bool(self.read(sa.select(incidents.c.id).where(incidents.c.id == incident_id, incidents.c.state.in_(OVER))))

    def _known(self, which: sa.ColumnElement[bool]) -> list[Recorded]:
        query = sa.select(incidents.c.id, incidents.c.version, incidents.c.updated_at, incidents.c.status).where(which)
        rows = self.read(query.order_by(incidents.c.declared_at.desc(), incidents.c.id.desc()))
        return [Recorded(incident_id=row.id, version=row.version, updated_at=row.updated_at, status=row.status) for row in rows]

    def ids(self, open_only: bool = False) -> list[str]:
        """Every incident id, newest first."""
        query = sa.select(incidents.c.id).order_by(incidents.c.declared_at.desc(), incidents.c.id.desc())
        return [row.id for row in self.read(query.where(incidents.c.state.not_in(OVER)) if open_only else query)]

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


def _keep_entries(connection: sa.Connection, order: Record) -> int:
    """Insert what is new; refuse, before anything is written, what contradicts the record."""
    numbers = [entry.number for entry in order.entries]
    mine = sa.and_(entries.c.incident_id == order.incident_id, entries.c.number.in_(numbers))
    kept: dict[int, str] = {row.number: row.hash for row in connection.execute(sa.select(entries.c.number, entries.c.hash).where(mine))}
    for entry in order.entries:
        if not entry.intact(entry.previous) or kept.get(entry.number, entry.hash) != entry.hash:
            log.error("TAMPERING? entry %s of %s does not match its hash or the record", entry.number, order.incident_id)
            raise Refused(f"entry {entry.number} of {order.incident_id} contradicts the record: tampering, or two histories under one id")
    new = [{**entry.model_dump(), "incident_id": order.incident_id} for entry in order.entries if entry.number not in kept]
    if new:
        connection.execute(insert_into(connection, entries), new)
    return len(new)


def _whole(connection: sa.Connection, order: Record) -> dict[str, JsonValue] | None:
    """The whole status that an order tells, put together from what is kept; None when what is kept is not what the difference starts from."""
    told: dict[str, Any] = dict(order.status or {})
    if not order.base:
        return told
    kept = connection.execute(sa.select(incidents.c.version, incidents.c.status).where(incidents.c.id == order.incident_id)).first()
    if kept is None or kept.version < order.base or order.base < kept.version < int(told["version"]):
        return None
    return patched(kept.status, told) if kept.version == order.base else dict(kept.status)


def _keep_status(connection: sa.Connection, incident_id: str, status: dict[str, JsonValue]) -> None:
    """A newer version wins, an older or equal one changes nothing: activities may arrive in any order, and twice."""
    told: dict[str, Any] = dict(status)
    words = ("playbook", "section", "title", "service", "phase", "state", "commander", "dedup_key")
    row = {name: str(told.get(name) or "") for name in words} | {
        "id": incident_id,
        "severity": int(told["severity"]),
        "declared_at": datetime.fromisoformat(told["declared_at"]),
        "updated_at": datetime.fromisoformat(told["updated_at"]),
        "version": int(told["version"]),
        "status": status,
    }
    insert = insert_into(connection, incidents).values(row)
    newer = incidents.c.version < insert.excluded.version
    given = {name: insert.excluded[name] for name in row if name != "id"}
    connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=given, where=newer))
