"""The tables of the ledger. SQLite and PostgreSQL hold the same."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa


class Instant(sa.TypeDecorator[datetime]):
    """A moment in UTC, aware on both sides; SQLite forgets the zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuse a naive time instead of guessing its zone."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


tables = sa.MetaData()


def required(kind: Any, *names: str) -> Iterator[sa.Column[Any]]:
    """Columns of one kind in which something always stands."""
    return (sa.Column(name, kind, nullable=False) for name in names)


incidents = sa.Table(
    "incidents",
    tables,
    sa.Column("id", sa.String(120), primary_key=True),
    sa.Column("playbook", sa.String(80), nullable=False),
    *required(sa.String(20), "section", "phase"),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    *required(sa.Text, "title", "service", "commander"),
    sa.Column("dedup_key", sa.Text, nullable=False, index=True),
    *required(sa.Integer, "severity", "version"),
    *required(Instant, "declared_at", "updated_at"),
    *required(sa.JSON, "status"),
)

entries = sa.Table(
    "entries",
    tables,
    sa.Column("incident_id", sa.String(120), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    *required(Instant, "at"),
    *required(sa.Text, "kind", "text", "by", "phase"),
    sa.Column("step", sa.Integer),
    *required(sa.JSON, "facts"),
    *required(sa.String(64), "previous", "hash"),
)

effects = sa.Table(
    "effects",
    tables,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("incident_id", sa.String(120), nullable=False, index=True),
    *required(sa.Text, "verb", "target", "effect", "why", "proven_by"),
    *required(sa.Integer, "risk", "attempts"),
    sa.Column("question", sa.Integer),
    *required(sa.String(20), "outcome"),  # trying | done | adopted | refused | not yet | unknown
    *required(sa.Boolean, "adopted"),
    *required(sa.JSON, "by_hand", "before", "after"),
    *required(Instant, "first_at", "last_at"),
)

spent_codes = sa.Table(
    "spent_codes",
    tables,
    sa.Column("fingerprint", sa.String(64), primary_key=True),  # of the code; the code itself is nowhere
    *required(sa.String(64), "message"),  # the digest of the message in which it was seen first
    *required(sa.String(40), "verdict"),
    *required(sa.String(120), "incident_id"),
    *required(sa.Text, "person"),
    *required(Instant, "first_at"),
)

deliveries = sa.Table(
    "deliveries",
    tables,
    sa.Column("id", sa.String(40), primary_key=True),
    *required(sa.String(40), "source"),
    sa.Column("disposition", sa.String(40), nullable=False, index=True),
    *required(Instant, "received_at", "last_at"),
    *required(sa.Integer, "count"),
    *required(sa.LargeBinary, "raw"),
    *required(sa.Boolean, "truncated"),
    *required(sa.Text, "why"),
    *required(sa.String(120), "incident_id"),
)

alerts = sa.Table(
    "alerts",
    tables,
    sa.Column("id", sa.String(40), primary_key=True),
    *required(sa.String(40), "source", "disposition", "delivery"),  # the first delivery that brought it
    *required(sa.String(120), "fingerprint"),
    *required(Instant, "starts_at", "first_at", "last_at"),
    *required(sa.Text, "name", "dedup_key"),
    *required(sa.String(20), "status"),  # firing | resolved: the last thing heard of it
    sa.Column("incident_id", sa.String(120), nullable=False, index=True),
    *required(sa.Integer, "count"),
    sa.Column("nth", sa.Integer, nullable=False, server_default="1"),  # how often it began to fire since `starts_at`
)

openings = sa.Table(  # which incident is being opened for a dedup key, until the record knows it
    "openings",
    tables,
    sa.Column("dedup_key", sa.Text, primary_key=True),
    *required(sa.String(120), "incident_id"),
    *required(Instant, "at"),
)
