"""Delivery by every road: endpoints, batches, pace, turns, tasks and stored mail"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

DUE = "state IN ('pending', 'retry_wait', 'ambiguous')"


def upgrade() -> None:
    """Take the schema forward."""
    op.create_table(
        "provider_connections",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account", "n", name=op.f("pk_provider_connections")),
    )
    op.create_table(
        "provider_pacing",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("interval_us", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_provider_pacing")),
    )
    op.create_table(
        "send_batches",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_send_batches")),
        sa.UniqueConstraint("key", name=op.f("uq_send_batches_key")),
    )
    op.create_table(
        "sweep_slots",
        sa.Column("sweep", sa.String(length=40), nullable=False),
        sa.Column("slot_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sweep", name=op.f("pk_sweep_slots")),
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject_kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("alerted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("closed_because", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_tasks_publisher_id_id")),
    )
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index(
            "uq_tasks_open",
            ["kind", "subject_kind", "subject"],
            unique=True,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )

    op.create_table(
        "address_checks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer_class", sa.String(length=40), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("bounced_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_address_checks_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_checks")),
        sa.UniqueConstraint("message_id", name=op.f("uq_address_checks_message_id")),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_address_checks_publisher_id_id")),
    )
    with op.batch_alter_table("address_checks", schema=None) as batch_op:
        batch_op.create_index("ix_address_checks_publisher_id", ["publisher_id"], unique=False)

    op.create_table(
        "endpoint_secrets",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("address_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["publisher_id", "address_id"],
            ["addresses.publisher_id", "addresses.id"],
            name=op.f("fk_endpoint_secrets_publisher_id_address_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_endpoint_secrets_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint_secrets")),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_endpoint_secrets_publisher_id_id")),
    )
    with op.batch_alter_table("endpoint_secrets", schema=None) as batch_op:
        batch_op.create_index("ix_endpoint_secrets_publisher_id", ["publisher_id"], unique=False)

    op.create_table(
        "endpoints",
        sa.Column(
            "address_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("owner_address_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["publisher_id", "address_id"],
            ["addresses.publisher_id", "addresses.id"],
            name=op.f("fk_endpoints_publisher_id_address_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "owner_address_id"],
            ["addresses.publisher_id", "addresses.id"],
            name=op.f("fk_endpoints_publisher_id_owner_address_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_endpoints_publisher_id")),
        sa.PrimaryKeyConstraint("address_id", name=op.f("pk_endpoints")),
    )
    with op.batch_alter_table("endpoints", schema=None) as batch_op:
        batch_op.create_index("ix_endpoints_publisher_id", ["publisher_id"], unique=False)

    op.create_table(
        "stored_mails",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["publisher_id", "delivery_id"],
            ["deliveries.publisher_id", "deliveries.id"],
            name=op.f("fk_stored_mails_publisher_id_delivery_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_mails")),
        sa.UniqueConstraint("sha256", name=op.f("uq_stored_mails_sha256")),
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.add_column(sa.Column("batch_position", sa.Integer(), nullable=True))
        batch_op.create_index(
            "ix_attempts_provider_ref",
            ["provider_ref"],
            unique=False,
            sqlite_where=sa.text("provider_ref IS NOT NULL"),
            postgresql_where=sa.text("provider_ref IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_attempts_batch",
            ["batch_id", "batch_position"],
            unique=False,
            sqlite_where=sa.text("batch_id IS NOT NULL"),
            postgresql_where=sa.text("batch_id IS NOT NULL"),
        )
        batch_op.create_foreign_key("fk_attempts_batch_id", "send_batches", ["batch_id"], ["id"])

    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("channel", sa.String(length=40), server_default="email", nullable=False))
        batch_op.add_column(sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.create_foreign_key("fk_deliveries_batch_id", "send_batches", ["batch_id"], ["id"])
        batch_op.create_index(
            "ix_deliveries_batch",
            ["batch_id"],
            unique=False,
            sqlite_where=sa.text("batch_id IS NOT NULL"),
            postgresql_where=sa.text("batch_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_deliveries_attention",
            ["id"],
            unique=False,
            sqlite_where=sa.text("state = 'needs_attention'"),
            postgresql_where=sa.text("state = 'needs_attention'"),
        )
        batch_op.drop_index("ix_deliveries_due")
        batch_op.create_index(
            "ix_deliveries_due_contacts",
            ["channel", "priority", "due_at", "id"],
            unique=False,
            sqlite_where=sa.text(f"{DUE} AND priority < 1000000000"),
            postgresql_where=sa.text(f"{DUE} AND priority < 1000000000"),
        )
        batch_op.create_index(
            "ix_deliveries_due",
            ["channel", "publisher_id", "priority", "due_at", "id"],
            unique=False,
            sqlite_where=sa.text(DUE),
            postgresql_where=sa.text(DUE),
        )

    with op.batch_alter_table("letters", schema=None) as batch_op:
        batch_op.add_column(sa.Column("form", sa.String(length=40), server_default="email", nullable=False))
        batch_op.drop_constraint("uq_letters_statement_id_language_audience", type_="unique")
        batch_op.create_unique_constraint(
            "uq_letters_statement_id_language_audience_form", ["statement_id", "language", "audience", "form"]
        )

    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("provider_ref", sa.Text(), nullable=True))
        batch_op.alter_column("message_id", existing_type=sa.TEXT(), nullable=True)
        batch_op.create_index("ix_outcomes_provider_ref", ["provider_ref"], unique=False)
        batch_op.create_index(
            "ix_outcomes_unmatched",
            ["id"],
            unique=False,
            sqlite_where=sa.text("delivery_id IS NULL"),
            postgresql_where=sa.text("delivery_id IS NULL"),
        )

    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("is_standby", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Take the schema back."""
    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.drop_column("is_standby")

    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.drop_index("ix_outcomes_unmatched", sqlite_where=sa.text("delivery_id IS NULL"))
        batch_op.drop_index("ix_outcomes_provider_ref")
        batch_op.alter_column("message_id", existing_type=sa.TEXT(), nullable=False)
        batch_op.drop_column("provider_ref")

    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_deliveries_due")
        batch_op.drop_index("ix_deliveries_due_contacts")
        batch_op.create_index(
            "ix_deliveries_due",
            ["priority", "due_at"],
            unique=False,
            sqlite_where=sa.text(DUE),
            postgresql_where=sa.text(DUE),
        )
        batch_op.drop_index("ix_deliveries_batch")
        batch_op.drop_index("ix_deliveries_attention")
        batch_op.drop_constraint("fk_deliveries_batch_id", type_="foreignkey")
        batch_op.drop_column("batch_id")
        batch_op.drop_column("channel")

    with op.batch_alter_table("letters", schema=None) as batch_op:
        batch_op.drop_constraint("uq_letters_statement_id_language_audience_form", type_="unique")
        batch_op.create_unique_constraint(
            "uq_letters_statement_id_language_audience", ["statement_id", "language", "audience"]
        )
        batch_op.drop_column("form")

    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_constraint("fk_attempts_batch_id", type_="foreignkey")
        batch_op.drop_index(
            "ix_attempts_batch",
            sqlite_where=sa.text("batch_id IS NOT NULL"),
            postgresql_where=sa.text("batch_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_attempts_provider_ref",
            sqlite_where=sa.text("provider_ref IS NOT NULL"),
            postgresql_where=sa.text("provider_ref IS NOT NULL"),
        )
        batch_op.drop_column("batch_position")
        batch_op.drop_column("batch_id")

    op.drop_table("stored_mails")
    with op.batch_alter_table("endpoints", schema=None) as batch_op:
        batch_op.drop_index("ix_endpoints_publisher_id")

    op.drop_table("endpoints")
    with op.batch_alter_table("endpoint_secrets", schema=None) as batch_op:
        batch_op.drop_index("ix_endpoint_secrets_publisher_id")

    op.drop_table("endpoint_secrets")
    with op.batch_alter_table("address_checks", schema=None) as batch_op:
        batch_op.drop_index("ix_address_checks_publisher_id")

    op.drop_table("address_checks")
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_tasks_open", sqlite_where=sa.text("closed_at IS NULL"), postgresql_where=sa.text("closed_at IS NULL")
        )

    op.drop_table("tasks")
    op.drop_table("sweep_slots")
    op.drop_table("send_batches")
    op.drop_table("provider_pacing")
    op.drop_table("provider_connections")
