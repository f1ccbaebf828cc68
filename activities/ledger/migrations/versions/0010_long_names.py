"""Names of any length: PostgreSQL refuses what is longer than its column, SQLite keeps it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

LONG = {"holds": ("verb", "target"), "evidence": ("asset",), "evidence_custody": ("who",), "findings": ("id",)}


def upgrade() -> None:
    for table, columns in LONG.items():
        with op.batch_alter_table(table) as change:
            for column in columns:
                change.alter_column(column, type_=sa.Text(), existing_type=sa.String(200), existing_nullable=False)
