"""Subscribing by every channel, pausing, and acknowledging"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def big() -> sa.types.TypeEngine[int]:
    """The type of a row's number."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Take the schema forward."""
    op.create_table(
        "endpoint_requests",
        sa.Column("id", big(), nullable=False),
        sa.Column("publisher_id", big(), nullable=False),
        sa.Column("subscription_id", big(), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("language", sa.String(length=40), nullable=False),
        sa.Column("products", sa.JSON(), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("wants_reminders", sa.Boolean(), nullable=False),
        sa.Column("wants_effect", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["publisher_id", "subscription_id"],
            ["subscriptions.publisher_id", "subscriptions.id"],
            name=op.f("fk_endpoint_requests_publisher_id_subscription_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_endpoint_requests_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint_requests")),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_endpoint_requests_publisher_id_id")),
    )
    with op.batch_alter_table("endpoint_requests", schema=None) as batch_op:
        batch_op.create_index("ix_endpoint_requests_publisher_id", ["publisher_id"], unique=False)
        batch_op.create_index(
            "ix_endpoint_requests_open",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )

    op.create_table(
        "acknowledgements",
        sa.Column("id", big(), nullable=False),
        sa.Column("publisher_id", big(), nullable=False),
        sa.Column("delivery_id", big(), nullable=False),
        sa.Column("statement_id", big(), nullable=False),
        sa.Column("subscription_id", big(), nullable=False),
        sa.Column("customer_id", big(), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["publisher_id", "customer_id"],
            ["customers.publisher_id", "customers.id"],
            name=op.f("fk_acknowledgements_publisher_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "delivery_id"],
            ["deliveries.publisher_id", "deliveries.id"],
            name=op.f("fk_acknowledgements_publisher_id_delivery_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "statement_id"],
            ["statements.publisher_id", "statements.id"],
            name=op.f("fk_acknowledgements_publisher_id_statement_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "subscription_id"],
            ["subscriptions.publisher_id", "subscriptions.id"],
            name=op.f("fk_acknowledgements_publisher_id_subscription_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_acknowledgements_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acknowledgements")),
        sa.UniqueConstraint(
            "statement_id", "subscription_id", name=op.f("uq_acknowledgements_statement_id_subscription_id")
        ),
    )
    with op.batch_alter_table("acknowledgements", schema=None) as batch_op:
        batch_op.create_index("ix_acknowledgements_publisher_id", ["publisher_id"], unique=False)
        batch_op.create_index("ix_acknowledgements_subscription", ["subscription_id"], unique=False)

    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("confirm_tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("endpoint_request_id", big(), nullable=True))
        batch_op.create_foreign_key(
            "fk_confirm_tokens_publisher_id_endpoint_request_id",
            "endpoint_requests",
            ["publisher_id", "endpoint_request_id"],
            ["publisher_id", "id"],
        )


def downgrade() -> None:
    """Take the schema back. A link that was to confirm an endpoint would confirm a subscription there: it is spent."""
    op.execute(
        "UPDATE confirm_tokens SET used_at = created_at WHERE endpoint_request_id IS NOT NULL AND used_at IS NULL"
    )
    with op.batch_alter_table("confirm_tokens", schema=None) as batch_op:
        batch_op.drop_constraint("fk_confirm_tokens_publisher_id_endpoint_request_id", type_="foreignkey")
        batch_op.drop_column("endpoint_request_id")

    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.drop_column("paused_at")

    op.drop_table("acknowledgements")
    op.drop_table("endpoint_requests")
