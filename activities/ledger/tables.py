"""The tables of the ledger. SQLite and PostgreSQL hold the same."""

from datetime import UTC, datetime

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

incidents = sa.Table(
    "incidents",
    tables,
    sa.Column("id", sa.String(120), primary_key=True),
    sa.Column("playbook", sa.String(80), nullable=False),
    sa.Column("section", sa.String(20), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("severity", sa.Integer, nullable=False),
    sa.Column("phase", sa.String(20), nullable=False),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    sa.Column("commander", sa.Text, nullable=False),
    sa.Column("dedup_key", sa.Text, nullable=False, index=True),
    sa.Column("declared_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("status", sa.JSON, nullable=False),
)

entries = sa.Table(
    "entries",
    tables,
    sa.Column("incident_id", sa.String(120), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("step", sa.Integer),
    sa.Column("facts", sa.JSON, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

effects = sa.Table(
    "effects",
    tables,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("incident_id", sa.String(120), nullable=False, index=True),
    sa.Column("verb", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("risk", sa.Integer, nullable=False),
    sa.Column("effect", sa.Text, nullable=False),
    sa.Column("by_hand", sa.JSON, nullable=False),
    sa.Column("question", sa.Integer),
    sa.Column("outcome", sa.String(20), nullable=False),  # trying | done | adopted | refused | not yet | unknown
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("proven_by", sa.Text, nullable=False),
    sa.Column("adopted", sa.Boolean, nullable=False),
    sa.Column("before", sa.JSON, nullable=False),
    sa.Column("after", sa.JSON, nullable=False),
    sa.Column("first_at", Instant, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    tables,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("truncated", sa.Boolean, nullable=False),
    sa.Column("disposition", sa.String(40), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("incident_id", sa.String(120), nullable=False),
)

alerts = sa.Table(
    "alerts",
    tables,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("fingerprint", sa.String(120), nullable=False),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("dedup_key", sa.Text, nullable=False),
    sa.Column("status", sa.String(20), nullable=False),  # firing | resolved: the last thing heard of it
    sa.Column("disposition", sa.String(40), nullable=False),
    sa.Column("incident_id", sa.String(120), nullable=False, index=True),
    sa.Column("delivery", sa.String(40), nullable=False),  # the first one that brought it
    sa.Column("first_at", Instant, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
)
