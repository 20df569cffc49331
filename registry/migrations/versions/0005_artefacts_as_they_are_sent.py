"""Artefacts as they are sent: compressed in two ways beside the plain bytes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the schema forward."""
    with op.batch_alter_table("artefacts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("gzip", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("brotli", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Take the schema back."""
    with op.batch_alter_table("artefacts", schema=None) as batch_op:
        batch_op.drop_column("brotli")
        batch_op.drop_column("gzip")
