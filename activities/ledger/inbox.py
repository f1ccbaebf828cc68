"""The inbox: what was delivered to us, and what became of it. Kept in the same database as the record, without secrets and addresses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from activities.action import Value
from activities.kit.words.redact import redact_body
from activities.ledger.database import Database, insert_into
from activities.ledger.record import OVER
from activities.ledger.tables import alerts, deliveries, incidents, openings

WAITING = ("received", "unreachable")  # dispositions after which an alert still has to be brought to its incident
LATE, STILL_FIRING, DUPLICATE = "late", "still firing", "duplicate"
BRIDGE = timedelta(minutes=10)  # how long a new incident may take until the record knows it


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
    nth: int = 1  # how often it began to fire since `starts_at`: Alertmanager may resolve an alert and fire it again with the same one
    last_at: datetime | None = None  # when the delivery came that told the status


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

    def settle(
        self,
        delivery: Delivery,
        disposition: str,
        heard: Sequence[AlertRecord] = (),
        *,
        why: str = "",
        incident_id: str = "",
        again: bool = False,
    ) -> None:
        """Write down what became of a delivery and of the alerts in it. `again`: they were counted when they came."""
        more = 0 if again else 1
        with self.ledger.writing() as connection:
            # That it came once more says nothing new of a delivery that was settled.
            settled = sa.and_(sa.literal(disposition == DUPLICATE), deliveries.c.disposition.not_in(WAITING))
            kept = sa.case((settled, deliveries.c.disposition), else_=disposition)
            what = {"disposition": kept, "why": why, "incident_id": incident_id}
            connection.execute(sa.update(deliveries).where(deliveries.c.id == delivery.id).values(what))
            at = delivery.received_at
            rows = [{**one.model_dump(exclude={"count"}), "first_at": at, "last_at": at, "count": 1} for one in heard]
            insert = insert_into(connection, alerts)
            new = insert.excluded
            # What waits again says nothing new of an alert that was told before; what came late nothing of what was heard last, and when.
            waits = sa.and_(_waits(new.disposition), sa.not_(_waits(alerts.c.disposition)))
            late = sa.or_(new.disposition == LATE, new.last_at < alerts.c.last_at)
            told = {name: sa.case((waits, alerts.c[name]), else_=new[name]) for name in ("status", "incident_id", "nth")}
            told["disposition"] = sa.case((sa.or_(waits, new.disposition == DUPLICATE), alerts.c.disposition), else_=new.disposition)
            told["last_at"] = sa.case((sa.or_(waits, late), alerts.c.last_at), else_=new.last_at)
            upsert = insert.on_conflict_do_update(index_elements=["id"], set_=told | {"count": alerts.c.count + more})
            if rows:
                connection.execute(upsert, rows)

    def known(self, ids: Iterable[str]) -> dict[str, AlertRecord]:
        """Which of these alerts we heard of before, and how that ended."""
        wanted, found = list(ids), dict[str, AlertRecord]()
        for start in range(0, len(wanted), 500):
            found |= {one.id: one for one in self._alerts(alerts.c.id.in_(wanted[start : start + 500]))}
        return found

    def claim(self, key: str, wanted: str, instead_of: str = "") -> str:
        """The id of the incident that is to be opened for a key: the same for whoever asks at the same moment.

        `instead_of`: an id that turned out not to be free.
        """
        now, mine = self.ledger.now(), openings.c.dedup_key == key
        for row in self.ledger.read(sa.select(openings).where(mine)):  # a ledger that is not there is not made by asking it
            if row.incident_id != instead_of and row.at >= now - BRIDGE:
                return str(row.incident_id)
        with self.ledger.writing() as connection:
            insert = insert_into(connection, openings).values(dedup_key=key, incident_id=wanted, at=now)
            free = sa.or_(openings.c.incident_id == instead_of, openings.c.at < now - BRIDGE)
            connection.execute(
                insert.on_conflict_do_update(index_elements=["dedup_key"], set_={"incident_id": wanted, "at": now}, where=free)
            )
            return str(connection.execute(sa.select(openings.c.incident_id).where(mine)).scalar_one())

    def waiting(self, besides: Iterable[str] = (), most: int = 200) -> list[Delivery]:
        """The deliveries that hold an alert which no incident has heard of yet, in the order in which they came."""
        columns = [deliveries.c[name] for name in Delivery.model_fields]
        which = sa.and_(deliveries.c.disposition.in_(WAITING), deliveries.c.id.not_in(list(besides)))
        query = sa.select(*columns).where(which).order_by(deliveries.c.received_at, deliveries.c.id).limit(most)
        return [Delivery.model_validate(dict(row._mapping)) for row in self.ledger.read(query)]

    def unanswered(self, since: datetime) -> list[tuple[AlertRecord, dict[str, Any]]]:
        """The alerts heard since then as firing although their incident is over, with its status (empty: no incident heard of it)."""
        found = self._alerts(sa.and_(alerts.c.disposition.in_((LATE, STILL_FIRING)), alerts.c.last_at >= since))
        query = sa.select(incidents.c.id, incidents.c.status).where(incidents.c.id.in_({one.incident_id for one in found}))
        over = {row.id: dict(row.status) for row in self.ledger.read(query.where(incidents.c.state.in_(OVER)))}
        return [(one, over.get(one.incident_id, {})) for one in found if not one.incident_id or one.incident_id in over]

    def deliveries(self) -> list[dict[str, Any]]:
        """Everything that was delivered, oldest first."""
        rows = self.ledger.read(sa.select(deliveries).order_by(deliveries.c.received_at, deliveries.c.id))
        return [dict(row._mapping) for row in rows]

    def listed(self, most: int, *, waiting: bool = False) -> list[dict[str, Any]]:
        """The newest deliveries, without their bodies. `waiting`: only those that hold an alert which no incident has heard of yet."""
        columns = [column for column in deliveries.c if column.name != "raw"]
        query = sa.select(*columns).order_by(deliveries.c.last_at.desc(), deliveries.c.id).limit(most)
        rows = self.ledger.read(query.where(deliveries.c.disposition.in_(WAITING)) if waiting else query)
        return [dict(row._mapping) for row in rows]

    def named(self, part: str) -> list[dict[str, Any]]:
        """The deliveries whose id begins so: at most ten."""
        query = sa.select(deliveries).where(deliveries.c.id.startswith(part, autoescape=True)).limit(10)
        return [dict(row._mapping) for row in self.ledger.read(query)]

    def _alerts(self, which: sa.ColumnElement[bool]) -> list[AlertRecord]:
        columns = [alerts.c[name] for name in AlertRecord.model_fields]
        rows = self.ledger.read(sa.select(*columns).where(which).order_by(alerts.c.first_at, alerts.c.id))
        return [AlertRecord.model_validate(dict(row._mapping)) for row in rows]


def _waits(disposition: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Without `in_`, which no statement for several rows may have."""
    return sa.or_(*(disposition == one for one in WAITING))
