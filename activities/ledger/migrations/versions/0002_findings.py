"""What the reconciler found, one row per incident, kind and day."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "findings",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("incident_id", sa.String(120), nullable=False, index=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("found_at", INSTANT, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.Column("taken_at", INSTANT),
        sa.Column("told_at", INSTANT),
        sa.Column("told", sa.Text, nullable=False),
        sa.Column("cleared_at", INSTANT),
    )
