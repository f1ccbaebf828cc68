"""The manifest of evidence: what was kept, where, under which hash; and its custody, who took it and who has looked at it since.

Rows are added and never taken away. Only how long something is held, and by what, is brought up to date.
"""

from datetime import datetime

import sqlalchemy as sa

from activities.action import Value
from activities.ledger.database import Database, insert_into
from activities.ledger.tables import Instant, required, tables

evidence = sa.Table(
    "evidence",
    tables,
    sa.Column("incident_id", sa.String(120), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("asset", sa.Text, primary_key=True),
    *required(Instant, "at", "held_until"),
    *required(sa.Text, "collector", "location", "protection"),
    *required(sa.BigInteger, "bytes"),
    *required(sa.Boolean, "write_once"),
)

custody = sa.Table(
    "evidence_custody",
    tables,
    sa.Column("incident_id", sa.String(120), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("at", Instant, primary_key=True),
    sa.Column("act", sa.String(20), primary_key=True),  # taken | looked at
    sa.Column("who", sa.Text, primary_key=True),
)
TAKEN, LOOKED = "taken", "looked at"


class Handled(Value):
    """Somebody had a piece of evidence in hands."""

    at: datetime
    act: str
    who: str


class ManifestLine(Value):
    """One piece of evidence of an incident."""

    incident_id: str
    asset: str
    at: datetime
    collector: str
    sha256: str
    bytes: int
    location: str
    write_once: bool
    protection: str
    held_until: datetime
    custody: tuple[Handled, ...] = ()


class Custody:
    """The manifests in the database of the record. Synchronous."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def took(self, line: ManifestLine) -> None:
        """Note what was kept. The same again changes nothing, but for how long and by what it is held."""
        row = line.model_dump(exclude={"custody"}) | {"asset": line.asset[:200]}
        with self._database.writing() as connection:
            insert = insert_into(connection, evidence).values(row)
            held = {name: insert.excluded[name] for name in ("location", "write_once", "protection", "held_until")}
            connection.execute(insert.on_conflict_do_update(index_elements=["incident_id", "sha256", "asset"], set_=held))
            _handled(connection, line.incident_id, line.sha256, TAKEN, line.collector, line.at)

    def looked(self, incident_id: str, sha256: str, who: str, at: datetime) -> None:
        """Note that somebody has looked at it."""
        with self._database.writing() as connection:
            _handled(connection, incident_id, sha256, LOOKED, who, at)

    def lines(self, incident_id: str) -> tuple[ManifestLine, ...]:
        """What was kept for an incident, in the order in which it was. Raises `LedgerDown`."""
        by_hash: dict[str, list[Handled]] = {}
        with self._database.reading() as connection:
            handled = sa.select(custody).where(custody.c.incident_id == incident_id).order_by(custody.c.at)
            for row in connection.execute(handled):
                by_hash.setdefault(row.sha256, []).append(Handled(at=row.at, act=row.act, who=row.who))
            kept = sa.select(evidence).where(evidence.c.incident_id == incident_id).order_by(evidence.c.at, evidence.c.asset)
            rows = [dict(row._mapping) for row in connection.execute(kept)]
        return tuple(ManifestLine.model_validate({**row, "custody": tuple(by_hash.get(row["sha256"], ()))}) for row in rows)


def _handled(connection: sa.Connection, incident_id: str, sha256: str, act: str, who: str, at: datetime) -> None:
    row = {"incident_id": incident_id, "sha256": sha256, "at": at, "act": act, "who": who[:200]}
    connection.execute(insert_into(connection, custody).values(row).on_conflict_do_nothing())
