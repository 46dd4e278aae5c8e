"""Renewals and replacements."""

import sqlalchemy as sa
from alembic import op

import records.database

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "renewal",
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("basis", sa.String(length=12), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.CheckConstraint("basis IN ('renewal', 'replacement')", name=op.f("ck_renewal_basis")),
        sa.PrimaryKeyConstraint("application_id", name=op.f("pk_renewal")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_renewal_place", "renewal", ["issuer", "serial"], unique=False)
