"""Legal holds"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the schema forward."""
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("notice_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.Column("lifted_because", sa.Text(), nullable=True),
        sa.CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name=op.f("ck_legal_holds_lifted_by_somebody")),
        sa.CheckConstraint("customer_id IS NULL OR notice_id IS NULL", name=op.f("ck_legal_holds_one_subject")),
        sa.ForeignKeyConstraint(
            ["publisher_id", "customer_id"],
            ["customers.publisher_id", "customers.id"],
            name=op.f("fk_legal_holds_publisher_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "notice_id"],
            ["notices.publisher_id", "notices.id"],
            name=op.f("fk_legal_holds_publisher_id_notice_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_legal_holds_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_holds")),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_legal_holds_publisher_id_id")),
    )
    with op.batch_alter_table("legal_holds", schema=None) as batch_op:
        batch_op.create_index("ix_legal_holds_publisher_id", ["publisher_id"], unique=False)


def downgrade() -> None:
    """Take the schema back."""
    with op.batch_alter_table("legal_holds", schema=None) as batch_op:
        batch_op.drop_index("ix_legal_holds_publisher_id")

    op.drop_table("legal_holds")
