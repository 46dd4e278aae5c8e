"""The tables of personal payloads in the audit log, and of what was dropped from it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "audit_payload",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", "number", name=op.f("pk_audit_payload")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_audit_payload_subject_id"), "audit_payload", ["subject_id"], unique=False
    )
    op.create_table(
        "audit_retention",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("payloads_below", sa.Integer(), nullable=False),
        sa.Column("headers_below", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "0 <= headers_below AND headers_below <= payloads_below",
            name=op.f("ck_audit_retention_below"),
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_retention")),
    )
