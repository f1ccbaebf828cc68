"""Who has signed which standing policy."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "signatures",
        sa.Column("policy", sa.String(120), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("person", sa.String(80), primary_key=True),
        sa.Column("verdict", sa.String(10), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),
    )
