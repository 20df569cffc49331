"""The first schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("events", "entry_versions", "statements")


def _refuse_changes(table: str) -> None:
    """Let the database itself refuse to change the record, which could not be repaired afterwards (R1, R15, R39)."""
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    else:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def upgrade() -> None:
    """Take the schema forward."""
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject_kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_subject", ["publisher_id", "subject_kind", "subject"], unique=False)

    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("installation_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("is_demo", sa.Boolean(), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_because", sa.Text(), nullable=True),
        sa.Column("not_evidence_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "publishers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publishers")),
        sa.UniqueConstraint("host", name=op.f("uq_publishers_host")),
        sa.UniqueConstraint("slug", name=op.f("uq_publishers_slug")),
    )
    op.create_table(
        "ring_keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_ring_keys")),
    )
    op.create_table(
        "addresses",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("lookup_hmac", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_addresses_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addresses")),
        sa.UniqueConstraint(
            "publisher_id", "channel", "lookup_hmac", name=op.f("uq_addresses_publisher_id_channel_lookup_hmac")
        ),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_addresses_publisher_id_id")),
    )
    with op.batch_alter_table("addresses", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_addresses_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "approvals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("via", sa.String(length=40), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_approvals_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sa.UniqueConstraint(
            "publisher_id",
            "subject",
            "subject_id",
            "digest",
            "actor",
            name=op.f("uq_approvals_publisher_id_subject_subject_id_digest_actor"),
        ),
    )
    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_approvals_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "artefacts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=40), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("local_on", sa.Date(), nullable=False),
        sa.Column("build", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_artefacts_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artefacts")),
        sa.UniqueConstraint(
            "publisher_id",
            "kind",
            "language",
            "revision",
            "local_on",
            "build",
            name=op.f("uq_artefacts_publisher_id_kind_language_revision_local_on_build"),
        ),
    )
    with op.batch_alter_table("artefacts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_artefacts_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "customers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("contract_from", sa.Date(), nullable=True),
        sa.Column("contract_until", sa.Date(), nullable=True),
        sa.Column("products", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_customers_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_customers_publisher_id_id")),
        sa.UniqueConstraint("publisher_id", "key", name=op.f("uq_customers_publisher_id_key")),
    )
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customers_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_entries_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_entries_publisher_id_id")),
        sa.UniqueConstraint("publisher_id", "key", name=op.f("uq_entries_publisher_id_key")),
    )
    with op.batch_alter_table("entries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_entries_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("planned_on", sa.Date(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=True),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("announce_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("took_effect_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("emergency_reason", sa.Text(), nullable=True),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("authors", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_notices_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_notices_publisher_id_id")),
        sa.UniqueConstraint("publisher_id", "number", name=op.f("uq_notices_publisher_id_number")),
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notices_publisher_id"), ["publisher_id"], unique=False)
        batch_op.create_index("ix_notices_state_effective_at", ["state", "effective_at"], unique=False)

    op.create_table(
        "products",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_products_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_products_publisher_id_id")),
        sa.UniqueConstraint("publisher_id", "key", name=op.f("uq_products_publisher_id_key")),
    )
    with op.batch_alter_table("products", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_products_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "publisher_terms",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_publisher_terms_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publisher_terms")),
        sa.UniqueConstraint("publisher_id", "version", name=op.f("uq_publisher_terms_publisher_id_version")),
    )
    with op.batch_alter_table("publisher_terms", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_publisher_terms_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "suppressions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("lookup_hmac", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("since_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_suppressions_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
        sa.UniqueConstraint(
            "publisher_id", "channel", "lookup_hmac", name=op.f("uq_suppressions_publisher_id_channel_lookup_hmac")
        ),
    )
    with op.batch_alter_table("suppressions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_suppressions_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "customer_terms",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["publisher_id", "customer_id"],
            ["customers.publisher_id", "customers.id"],
            name=op.f("fk_customer_terms_publisher_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_customer_terms_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_terms")),
        sa.UniqueConstraint("customer_id", "version", name=op.f("uq_customer_terms_customer_id_version")),
    )
    with op.batch_alter_table("customer_terms", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_terms_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "entry_internals",
        sa.Column(
            "entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("contract_reference", sa.Text(), nullable=True),
        sa.Column("dpa_signed_on", sa.Date(), nullable=True),
        sa.Column("review_due_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["publisher_id", "entry_id"],
            ["entries.publisher_id", "entries.id"],
            name=op.f("fk_entry_internals_publisher_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_entry_internals_publisher_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_entry_internals")),
    )
    with op.batch_alter_table("entry_internals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_entry_internals_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "entry_keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["publisher_id", "entry_id"],
            ["entries.publisher_id", "entries.id"],
            name=op.f("fk_entry_keys_publisher_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_entry_keys_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry_keys")),
        sa.UniqueConstraint("publisher_id", "key", name=op.f("uq_entry_keys_publisher_id_key")),
    )
    with op.batch_alter_table("entry_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_entry_keys_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "entry_versions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["publisher_id", "entry_id"],
            ["entries.publisher_id", "entries.id"],
            name=op.f("fk_entry_versions_publisher_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_entry_versions_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry_versions")),
        sa.UniqueConstraint("entry_id", "seq", name=op.f("uq_entry_versions_entry_id_seq")),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_entry_versions_publisher_id_id")),
    )
    with op.batch_alter_table("entry_versions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_entry_versions_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "notice_customers",
        sa.Column(
            "notice_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column(
            "customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("earliest_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("objection_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("basis", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["publisher_id", "customer_id"],
            ["customers.publisher_id", "customers.id"],
            name=op.f("fk_notice_customers_publisher_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "notice_id"],
            ["notices.publisher_id", "notices.id"],
            name=op.f("fk_notice_customers_publisher_id_notice_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_notice_customers_publisher_id")),
        sa.PrimaryKeyConstraint("notice_id", "customer_id", name=op.f("pk_notice_customers")),
    )
    with op.batch_alter_table("notice_customers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notice_customers_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "objections",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("notice_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("ground", sa.Text(), nullable=True),
        sa.Column("cure", sa.Text(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_in_time", sa.Boolean(), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["publisher_id", "customer_id"],
            ["customers.publisher_id", "customers.id"],
            name=op.f("fk_objections_publisher_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "notice_id"],
            ["notices.publisher_id", "notices.id"],
            name=op.f("fk_objections_publisher_id_notice_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_objections_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objections")),
    )
    with op.batch_alter_table("objections", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_objections_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "statements",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("notice_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=True),
        sa.Column("restarts_clocks", sa.Boolean(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["publisher_id", "notice_id"],
            ["notices.publisher_id", "notices.id"],
            name=op.f("fk_statements_publisher_id_notice_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_statements_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statements")),
        sa.UniqueConstraint("notice_id", "seq", name=op.f("uq_statements_notice_id_seq")),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_statements_publisher_id_id")),
    )
    with op.batch_alter_table("statements", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_statements_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "subscriptions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("address_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("audience", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("wants_reminders", sa.Boolean(), nullable=False),
        sa.Column("wants_effect", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_because", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["publisher_id", "address_id"],
            ["addresses.publisher_id", "addresses.id"],
            name=op.f("fk_subscriptions_publisher_id_address_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "customer_id"],
            ["customers.publisher_id", "customers.id"],
            name=op.f("fk_subscriptions_publisher_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_subscriptions_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_subscriptions_publisher_id_id")),
    )
    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_subscriptions_publisher_id"), ["publisher_id"], unique=False)
        batch_op.create_index(
            "uq_subscriptions_contact",
            ["address_id", "customer_id"],
            unique=True,
            sqlite_where=sa.text("customer_id IS NOT NULL AND ended_at IS NULL"),
            postgresql_where=sa.text("customer_id IS NOT NULL AND ended_at IS NULL"),
        )
        batch_op.create_index(
            "uq_subscriptions_follower",
            ["address_id"],
            unique=True,
            sqlite_where=sa.text("customer_id IS NULL AND ended_at IS NULL"),
            postgresql_where=sa.text("customer_id IS NULL AND ended_at IS NULL"),
        )

    op.create_table(
        "confirm_tokens",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscription_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("replaces_subscription_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["publisher_id", "subscription_id"],
            ["subscriptions.publisher_id", "subscriptions.id"],
            name=op.f("fk_confirm_tokens_publisher_id_subscription_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_confirm_tokens_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_confirm_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_confirm_tokens_token_hash")),
    )
    with op.batch_alter_table("confirm_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_confirm_tokens_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "letters",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("statement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=40), nullable=False),
        sa.Column("audience", sa.String(length=40), nullable=False),
        sa.Column("sender", sa.JSON(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["publisher_id", "statement_id"],
            ["statements.publisher_id", "statements.id"],
            name=op.f("fk_letters_publisher_id_statement_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_letters_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letters")),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_letters_publisher_id_id")),
        sa.UniqueConstraint(
            "statement_id", "language", "audience", name=op.f("uq_letters_statement_id_language_audience")
        ),
    )
    with op.batch_alter_table("letters", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_letters_digest"), ["digest"], unique=False)
        batch_op.create_index(batch_op.f("ix_letters_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "list_periods",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["publisher_id", "entry_id"],
            ["entries.publisher_id", "entries.id"],
            name=op.f("fk_list_periods_publisher_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "version_id"],
            ["entry_versions.publisher_id", "entry_versions.id"],
            name=op.f("fk_list_periods_publisher_id_version_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_list_periods_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_list_periods")),
    )
    with op.batch_alter_table("list_periods", schema=None) as batch_op:
        batch_op.create_index("ix_list_periods_as_of", ["publisher_id", "from_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_list_periods_publisher_id"), ["publisher_id"], unique=False)
        batch_op.create_index(
            "uq_list_periods_open",
            ["entry_id"],
            unique=True,
            sqlite_where=sa.text("to_at IS NULL"),
            postgresql_where=sa.text("to_at IS NULL"),
        )

    op.create_table(
        "notice_changes",
        sa.Column(
            "notice_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column(
            "entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("base_version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("target_version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("change", sa.JSON(), nullable=False),
        sa.Column("weight", sa.String(length=40), nullable=False),
        sa.Column("weight_reason", sa.Text(), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["publisher_id", "base_version_id"],
            ["entry_versions.publisher_id", "entry_versions.id"],
            name=op.f("fk_notice_changes_publisher_id_base_version_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "entry_id"],
            ["entries.publisher_id", "entries.id"],
            name=op.f("fk_notice_changes_publisher_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "notice_id"],
            ["notices.publisher_id", "notices.id"],
            name=op.f("fk_notice_changes_publisher_id_notice_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "target_version_id"],
            ["entry_versions.publisher_id", "entry_versions.id"],
            name=op.f("fk_notice_changes_publisher_id_target_version_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_notice_changes_publisher_id")),
        sa.PrimaryKeyConstraint("notice_id", "entry_id", name=op.f("pk_notice_changes")),
    )
    with op.batch_alter_table("notice_changes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notice_changes_publisher_id"), ["publisher_id"], unique=False)
        batch_op.create_index(
            "uq_notice_changes_open_entry",
            ["entry_id"],
            unique=True,
            sqlite_where=sa.text("is_open"),
            postgresql_where=sa.text("is_open"),
        )

    op.create_table(
        "pending_edits",
        sa.Column(
            "entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["publisher_id", "entry_id"],
            ["entries.publisher_id", "entries.id"],
            name=op.f("fk_pending_edits_publisher_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "version_id"],
            ["entry_versions.publisher_id", "entry_versions.id"],
            name=op.f("fk_pending_edits_publisher_id_version_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_pending_edits_publisher_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_pending_edits")),
    )
    with op.batch_alter_table("pending_edits", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pending_edits_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "subscription_kinds",
        sa.Column(
            "subscription_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["publisher_id", "subscription_id"],
            ["subscriptions.publisher_id", "subscriptions.id"],
            name=op.f("fk_subscription_kinds_publisher_id_subscription_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_subscription_kinds_publisher_id")),
        sa.PrimaryKeyConstraint("subscription_id", "kind", name=op.f("pk_subscription_kinds")),
    )
    with op.batch_alter_table("subscription_kinds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_subscription_kinds_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "subscription_products",
        sa.Column(
            "subscription_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("product_key", sa.Text(), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["publisher_id", "product_key"],
            ["products.publisher_id", "products.key"],
            name=op.f("fk_subscription_products_publisher_id_product_key"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "subscription_id"],
            ["subscriptions.publisher_id", "subscriptions.id"],
            name=op.f("fk_subscription_products_publisher_id_subscription_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id"], ["publishers.id"], name=op.f("fk_subscription_products_publisher_id")
        ),
        sa.PrimaryKeyConstraint("subscription_id", "product_key", name=op.f("pk_subscription_products")),
    )
    with op.batch_alter_table("subscription_products", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_subscription_products_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("statement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("subscription_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("letter_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("skip_reason", sa.String(length=40), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("crash_count", sa.Integer(), nullable=False),
        sa.Column("possible_duplicate", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("merge", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(state = 'leased') = (token IS NOT NULL)", name=op.f("ck_deliveries_leased_has_a_token")),
        sa.CheckConstraint(
            "(state = 'skipped') = (skip_reason IS NOT NULL)", name=op.f("ck_deliveries_skipped_has_a_reason")
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "letter_id"],
            ["letters.publisher_id", "letters.id"],
            name=op.f("fk_deliveries_publisher_id_letter_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "statement_id"],
            ["statements.publisher_id", "statements.id"],
            name=op.f("fk_deliveries_publisher_id_statement_id"),
        ),
        sa.ForeignKeyConstraint(
            ["publisher_id", "subscription_id"],
            ["subscriptions.publisher_id", "subscriptions.id"],
            name=op.f("fk_deliveries_publisher_id_subscription_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_deliveries_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("message_id", name=op.f("uq_deliveries_message_id")),
        sa.UniqueConstraint("publisher_id", "id", name=op.f("uq_deliveries_publisher_id_id")),
        sa.UniqueConstraint("statement_id", "subscription_id", name=op.f("uq_deliveries_statement_id_subscription_id")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index(
            "ix_deliveries_due",
            ["priority", "due_at"],
            unique=False,
            sqlite_where=sa.text("state IN ('pending', 'retry_wait', 'ambiguous')"),
            postgresql_where=sa.text("state IN ('pending', 'retry_wait', 'ambiguous')"),
        )
        batch_op.create_index(
            "ix_deliveries_leased",
            ["lease_until"],
            unique=False,
            sqlite_where=sa.text("state = 'leased'"),
            postgresql_where=sa.text("state = 'leased'"),
        )
        batch_op.create_index(batch_op.f("ix_deliveries_publisher_id"), ["publisher_id"], unique=False)
        batch_op.create_index("ix_deliveries_subscription", ["subscription_id"], unique=False)

    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("send_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("answer_class", sa.String(length=40), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("provider_ref", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["publisher_id", "delivery_id"],
            ["deliveries.publisher_id", "deliveries.id"],
            name=op.f("fk_attempts_publisher_id_delivery_id"),
        ),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_attempts_publisher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("delivery_id", "n", name=op.f("uq_attempts_delivery_id_n")),
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attempts_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "outcomes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["publisher_id", "delivery_id"],
            ["deliveries.publisher_id", "deliveries.id"],
            name=op.f("fk_outcomes_publisher_id_delivery_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcomes")),
        sa.UniqueConstraint("provider", "event_id", name=op.f("uq_outcomes_provider_event_id")),
    )
    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outcomes_message_id"), ["message_id"], unique=False)

    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
    for table in APPEND_ONLY:
        _refuse_changes(table)


def downgrade() -> None:
    """Take the schema back."""
    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outcomes_message_id"))

    op.drop_table("outcomes")
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attempts_publisher_id"))

    op.drop_table("attempts")
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_deliveries_subscription")
        batch_op.drop_index(batch_op.f("ix_deliveries_publisher_id"))
        batch_op.drop_index(
            "ix_deliveries_leased",
            sqlite_where=sa.text("state = 'leased'"),
            postgresql_where=sa.text("state = 'leased'"),
        )
        batch_op.drop_index(
            "ix_deliveries_due",
            sqlite_where=sa.text("state IN ('pending', 'retry_wait', 'ambiguous')"),
            postgresql_where=sa.text("state IN ('pending', 'retry_wait', 'ambiguous')"),
        )

    op.drop_table("deliveries")
    with op.batch_alter_table("subscription_products", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_subscription_products_publisher_id"))

    op.drop_table("subscription_products")
    with op.batch_alter_table("subscription_kinds", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_subscription_kinds_publisher_id"))

    op.drop_table("subscription_kinds")
    with op.batch_alter_table("pending_edits", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pending_edits_publisher_id"))

    op.drop_table("pending_edits")
    with op.batch_alter_table("notice_changes", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_notice_changes_open_entry", sqlite_where=sa.text("is_open"), postgresql_where=sa.text("is_open")
        )
        batch_op.drop_index(batch_op.f("ix_notice_changes_publisher_id"))

    op.drop_table("notice_changes")
    with op.batch_alter_table("list_periods", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_list_periods_open", sqlite_where=sa.text("to_at IS NULL"), postgresql_where=sa.text("to_at IS NULL")
        )
        batch_op.drop_index(batch_op.f("ix_list_periods_publisher_id"))
        batch_op.drop_index("ix_list_periods_as_of")

    op.drop_table("list_periods")
    with op.batch_alter_table("letters", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_letters_publisher_id"))
        batch_op.drop_index(batch_op.f("ix_letters_digest"))

    op.drop_table("letters")
    with op.batch_alter_table("confirm_tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_confirm_tokens_publisher_id"))

    op.drop_table("confirm_tokens")
    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_subscriptions_follower",
            sqlite_where=sa.text("customer_id IS NULL AND ended_at IS NULL"),
            postgresql_where=sa.text("customer_id IS NULL AND ended_at IS NULL"),
        )
        batch_op.drop_index(
            "uq_subscriptions_contact",
            sqlite_where=sa.text("customer_id IS NOT NULL AND ended_at IS NULL"),
            postgresql_where=sa.text("customer_id IS NOT NULL AND ended_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_subscriptions_publisher_id"))

    op.drop_table("subscriptions")
    with op.batch_alter_table("statements", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_statements_publisher_id"))

    op.drop_table("statements")
    with op.batch_alter_table("objections", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_objections_publisher_id"))

    op.drop_table("objections")
    with op.batch_alter_table("notice_customers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notice_customers_publisher_id"))

    op.drop_table("notice_customers")
    with op.batch_alter_table("entry_versions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_entry_versions_publisher_id"))

    op.drop_table("entry_versions")
    with op.batch_alter_table("entry_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_entry_keys_publisher_id"))

    op.drop_table("entry_keys")
    with op.batch_alter_table("entry_internals", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_entry_internals_publisher_id"))

    op.drop_table("entry_internals")
    with op.batch_alter_table("customer_terms", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customer_terms_publisher_id"))

    op.drop_table("customer_terms")
    with op.batch_alter_table("suppressions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_suppressions_publisher_id"))

    op.drop_table("suppressions")
    with op.batch_alter_table("publisher_terms", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_publisher_terms_publisher_id"))

    op.drop_table("publisher_terms")
    with op.batch_alter_table("products", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_products_publisher_id"))

    op.drop_table("products")
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.drop_index("ix_notices_state_effective_at")
        batch_op.drop_index(batch_op.f("ix_notices_publisher_id"))

    op.drop_table("notices")
    with op.batch_alter_table("entries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_entries_publisher_id"))

    op.drop_table("entries")
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customers_publisher_id"))

    op.drop_table("customers")
    with op.batch_alter_table("artefacts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_artefacts_publisher_id"))

    op.drop_table("artefacts")
    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_approvals_publisher_id"))

    op.drop_table("approvals")
    with op.batch_alter_table("addresses", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_addresses_publisher_id"))

    op.drop_table("addresses")
    op.drop_table("ring_keys")
    op.drop_table("publishers")
    op.drop_table("installation")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index("ix_events_subject")

    op.drop_table("events")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")
