"""No index that another one makes up for, and room for what becomes of an attempt beside it"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = (
    "address_checks",
    "addresses",
    "approvals",
    "artefacts",
    "attachments",
    "attempts",
    "customers",
    "deliveries",
    "endpoint_requests",
    "endpoint_secrets",
    "entries",
    "entry_drafts",
    "entry_keys",
    "entry_versions",
    "legal_holds",
    "letters",
    "list_periods",
    "memberships",
    "notices",
    "objections",
    "products",
    "proposals",
    "publisher_terms",
    "statements",
    "subscriptions",
    "suppressions",
)


def upgrade() -> None:
    """Take the schema forward."""
    for table in TABLES:
        op.drop_index(f"ix_{table}_publisher_id", table_name=table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE attempts SET (fillfactor = 50)")


def downgrade() -> None:
    """Take the schema back."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE attempts RESET (fillfactor)")
    for table in TABLES:
        op.create_index(f"ix_{table}_publisher_id", table, ["publisher_id"])
