"""Sweeps that fail, for all workers to know"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the schema forward."""
    op.create_table(
        "failing_sweeps",
        sa.Column("sweep", sa.String(length=40), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sweep", name=op.f("pk_failing_sweeps")),
    )


def downgrade() -> None:
    """Take the schema back."""
    op.drop_table("failing_sweeps")
