"""An index of customers' contacts, those that have ended too"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the schema forward."""
    where = sa.text("customer_id IS NOT NULL")
    op.create_index(
        "ix_subscriptions_customer", "subscriptions", ["customer_id"], sqlite_where=where, postgresql_where=where
    )


def downgrade() -> None:
    """Take the schema back."""
    op.drop_index("ix_subscriptions_customer", table_name="subscriptions")
