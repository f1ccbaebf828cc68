"""The inbox: what was delivered to us, and what became of it. Kept in the same database as the record, without secrets and addresses."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from activities.action import Value
from activities.kit.words.redact import redact_body
from activities.ledger.database import Database, insert_into
from activities.ledger.tables import alerts, deliveries


class Delivery(Value):
    """A body that somebody posted to us, kept before anybody tries to understand it."""

    id: str
    source: str
    raw: bytes
    received_at: datetime
    truncated: bool = False


class AlertRecord(Value):
    """One alert out of a delivery: a fingerprint since an instant, and what became of it."""

    id: str
    source: str
    fingerprint: str
    starts_at: datetime
    name: str
    dedup_key: str
    status: str
    delivery: str
    disposition: str = "received"
    incident_id: str = ""
    count: int = 0


@dataclass(frozen=True)
class Inbox:
    ledger: Database

    def keep(self, delivery: Delivery) -> int:
        """Keep a body before anybody reads it, without secrets and addresses; returns how often exactly this body came."""
        untouched = {"last_at": delivery.received_at, "count": 1, "disposition": "received", "why": "", "incident_id": ""}
        row = delivery.model_dump() | untouched | {"raw": redact_body(delivery.raw)}
        with self.ledger.writing() as connection:
            again = {"count": deliveries.c.count + 1, "last_at": delivery.received_at}
            insert = insert_into(connection, deliveries).values(row).on_conflict_do_update(index_elements=["id"], set_=again)
            return int(connection.execute(insert.returning(deliveries.c.count)).scalar_one())

    def settle(self, delivery_id: str, disposition: str, why: str = "", incident_id: str = "", heard: Iterable[AlertRecord] = ()) -> None:
        """Write down what became of a delivery and of each alert in it; every alert counts one more."""
        now = self.ledger.now()
        with self.ledger.writing() as connection:
            what = {"disposition": disposition, "why": why, "incident_id": incident_id}
            connection.execute(sa.update(deliveries).where(deliveries.c.id == delivery_id).values(what))
            rows = [{**one.model_dump(exclude={"count"}), "first_at": now, "last_at": now, "count": 1} for one in heard]
            insert = insert_into(connection, alerts)
            newest = {name: insert.excluded[name] for name in ("status", "disposition", "incident_id", "last_at")}
            upsert = insert.on_conflict_do_update(index_elements=["id"], set_=newest | {"count": alerts.c.count + 1})
            if rows:
                connection.execute(upsert, rows)

    def known(self, ids: Iterable[str]) -> dict[str, AlertRecord]:
        """Which of these alerts we heard of before, and how that ended."""
        columns = [alerts.c[name] for name in AlertRecord.model_fields]
        wanted, found = list(ids), dict[str, AlertRecord]()
        for start in range(0, len(wanted), 500):
            rows = self.ledger.read(sa.select(*columns).where(alerts.c.id.in_(wanted[start : start + 500])))
            found |= {row.id: AlertRecord.model_validate(dict(row._mapping)) for row in rows}
        return found

    def deliveries(self) -> list[dict[str, Any]]:
        """Everything that was delivered, oldest first."""
        rows = self.ledger.read(sa.select(deliveries).order_by(deliveries.c.received_at, deliveries.c.id))
        return [dict(row._mapping) for row in rows]
