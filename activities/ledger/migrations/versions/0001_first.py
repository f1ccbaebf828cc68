"""Incidents, their entries and effects; deliveries and the alerts in them."""

import sqlalchemy as sa
from alembic import op

from activities.ledger.tables import required

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(120), primary_key=True),
        sa.Column("playbook", sa.String(80), nullable=False),
        *required(sa.String(20), "section", "phase"),
        sa.Column("state", sa.String(20), nullable=False, index=True),
        *required(sa.Text, "title", "service", "commander"),
        sa.Column("dedup_key", sa.Text, nullable=False, index=True),
        *required(sa.Integer, "severity", "version"),
        *required(INSTANT, "declared_at", "updated_at"),
        *required(sa.JSON, "status"),
    )
    op.create_table(
        "entries",
        sa.Column("incident_id", sa.String(120), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        *required(INSTANT, "at"),
        *required(sa.Text, "kind", "text", "by", "phase"),
        sa.Column("step", sa.Integer),
        *required(sa.JSON, "facts"),
        *required(sa.String(64), "previous", "hash"),
    )
    op.create_table(
        "effects",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("incident_id", sa.String(120), nullable=False, index=True),
        *required(sa.Text, "verb", "target", "effect", "why", "proven_by"),
        *required(sa.Integer, "risk", "attempts"),
        sa.Column("question", sa.Integer),
        *required(sa.String(20), "outcome"),
        *required(sa.Boolean, "adopted"),
        *required(sa.JSON, "by_hand", "before", "after"),
        *required(INSTANT, "first_at", "last_at"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(40), primary_key=True),
        *required(sa.String(40), "source", "disposition"),
        *required(INSTANT, "received_at", "last_at"),
        *required(sa.Integer, "count"),
        *required(sa.LargeBinary, "raw"),
        *required(sa.Boolean, "truncated"),
        *required(sa.Text, "why"),
        *required(sa.String(120), "incident_id"),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(40), primary_key=True),
        *required(sa.String(40), "source", "disposition", "delivery"),
        *required(sa.String(120), "fingerprint"),
        *required(INSTANT, "starts_at", "first_at", "last_at"),
        *required(sa.Text, "name", "dedup_key"),
        *required(sa.String(20), "status"),
        sa.Column("incident_id", sa.String(120), nullable=False, index=True),
        *required(sa.Integer, "count"),
    )
