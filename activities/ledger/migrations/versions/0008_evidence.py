"""The manifests of evidence, and who has handled it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evidence",
        sa.Column("incident_id", sa.String(120), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("asset", sa.String(200), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("collector", sa.Text, nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("protection", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("write_once", sa.Boolean, nullable=False),
    )
    op.create_table(
        "evidence_custody",
        sa.Column("incident_id", sa.String(120), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("act", sa.String(20), primary_key=True),
        sa.Column("who", sa.String(200), primary_key=True),
    )
