"""Duties to revoke."""

import sqlalchemy as sa
from alembic import op

import records.database

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "revocation_duty",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("cause", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("opened_at", records.database.UtcTime(), nullable=False),
        sa.Column("opened_by", sa.String(length=80), nullable=False),
        sa.Column("deadline", records.database.UtcTime(), nullable=False),
        sa.Column("proposed_by", sa.String(length=40), nullable=True),
        sa.Column("proposed_person", sa.String(length=40), nullable=True),
        sa.Column("no_reason", sa.String(length=20), nullable=True),
        sa.Column("decided_by", sa.String(length=80), nullable=True),
        sa.Column("decided_person", sa.String(length=40), nullable=True),
        sa.Column("decided_at", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'revoked', 'dismissed')", name=op.f("ck_revocation_duty_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revocation_duty")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_revocation_duty_subject_id"), "revocation_duty", ["subject_id"], unique=False
    )
    op.create_index(
        "ix_revocation_duty_open",
        "revocation_duty",
        ["issuer", "serial", "cause"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
