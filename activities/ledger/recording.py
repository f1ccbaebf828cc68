"""How a workflow's record is kept. All of it is idempotent: it may arrive twice, and in any order."""

import logging
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import JsonValue

from activities.action import Refused
from activities.ledger.database import insert_into
from activities.ledger.patch import patched
from activities.ledger.record import Record
from activities.ledger.tables import entries, incidents

log = logging.getLogger(__name__)


def keep_entries(connection: sa.Connection, order: Record) -> int:
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


def whole(connection: sa.Connection, order: Record) -> dict[str, JsonValue] | None:
    """The whole status that an order tells, put together from what is kept; None when what is kept is not what the difference starts from."""
    told: dict[str, Any] = dict(order.status or {})
    if not order.base:
        return told
    kept = connection.execute(sa.select(incidents.c.version, incidents.c.status).where(incidents.c.id == order.incident_id)).first()
    if kept is None or kept.version < order.base or order.base < kept.version < int(told["version"]):
        return None
    return patched(kept.status, told) if kept.version == order.base else dict(kept.status)


def keep_status(connection: sa.Connection, incident_id: str, status: dict[str, JsonValue]) -> None:
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
