"""Who holds what outside: one row for each imposition of each incident."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "holds",
        *(sa.Column(name, sa.String(200), primary_key=True) for name in ("verb", "target")),
        sa.Column("incident_id", sa.String(120), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("need", sa.JSON, nullable=False),
        sa.Column("before", sa.JSON, nullable=False),
        sa.Column("says", sa.Text, nullable=False),
        sa.Column("concern", sa.Text, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("moving_at", INSTANT),
        sa.Column("yields_to", sa.String(120), nullable=False),
    )
