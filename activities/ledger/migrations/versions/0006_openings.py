"""Which incident is being opened for a dedup key; and how often an alert began to fire."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "openings",
        sa.Column("dedup_key", sa.Text, primary_key=True),
        sa.Column("incident_id", sa.String(120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column("alerts", sa.Column("nth", sa.Integer, nullable=False, server_default="1"))
    op.create_index("ix_deliveries_disposition", "deliveries", ["disposition"])
