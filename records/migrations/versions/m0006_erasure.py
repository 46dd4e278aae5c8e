"""Erasures: approvals, receipts, notices, withdrawals that are owed, and orders of two persons."""

import sqlalchemy as sa
from alembic import op

import records.database

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables beside the cases."""
    op.create_table(
        "directory_debt",
        sa.Column("directory", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("entry_uuid", sa.String(length=36), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_at", records.database.UtcTime(), nullable=False),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column("verified_at", records.database.UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("directory", "issuer", "serial", name=op.f("pk_directory_debt")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_directory_debt_case_id"), "directory_debt", ["case_id"], unique=False)
    op.create_table(
        "erasure_approval",
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("rulings_sha256", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("officer_id", sa.String(length=40), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint(
            "case_id", "rulings_sha256", "person_id", name=op.f("pk_erasure_approval")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "erasure_notice",
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("recipient", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("at", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint("(outcome = 'open') = (at IS NULL)", name=op.f("ck_erasure_notice_at")),
        sa.CheckConstraint(
            "outcome IN ('open', 'delivered', 'impossible')", name=op.f("ck_erasure_notice_outcome")
        ),
        sa.PrimaryKeyConstraint("case_id", "recipient", name=op.f("pk_erasure_notice")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "erasure_receipt",
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "number", name=op.f("pk_erasure_receipt")),
        sqlite_with_rowid=False,
    )
    _orders()


def _orders() -> None:
    """The orders of two persons."""
    op.create_table(
        "retention_order",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=True),
        sa.Column("directory", sa.String(length=40), nullable=True),
        sa.Column("hold_id", sa.String(length=40), nullable=True),
        sa.Column("until_at", records.database.UtcTime(), nullable=True),
        sa.Column("basis", sa.String(length=80), nullable=False),
        sa.Column("asked_by", sa.String(length=40), nullable=False),
        sa.Column("asked_at", records.database.UtcTime(), nullable=False),
        sa.Column("approved_by", sa.String(length=40), nullable=True),
        sa.Column("approved_at", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint(
            "(kind = 'release') = (hold_id IS NOT NULL)", name=op.f("ck_retention_order_hold")
        ),
        sa.CheckConstraint(
            "(kind = 'shorten') = (until_at IS NOT NULL)", name=op.f("ck_retention_order_until")
        ),
        sa.CheckConstraint(
            "(kind = 'write_off') = (directory IS NOT NULL)",
            name=op.f("ck_retention_order_directory"),
        ),
        sa.CheckConstraint(
            "(kind = 'write_off') = (subject_id IS NULL)", name=op.f("ck_retention_order_subject")
        ),
        sa.CheckConstraint(
            "kind IN ('hold', 'release', 'shorten', 'write_off')",
            name=op.f("ck_retention_order_kind"),
        ),
        sa.CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL)",
            name=op.f("ck_retention_order_approved"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_order")),
        sa.UniqueConstraint("hold_id", name=op.f("uq_retention_order_hold_id")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_retention_order_directory",
        "retention_order",
        ["directory"],
        unique=False,
        sqlite_where=sa.text("directory IS NOT NULL"),
        postgresql_where=sa.text("directory IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_retention_order_subject_id"), "retention_order", ["subject_id"], unique=False
    )
