"""Notices to holders."""

import sqlalchemy as sa
from alembic import op

import records.database

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "holder_notice",
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("occasion", sa.String(length=20), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.Column("state", sa.String(length=13), nullable=False),
        sa.Column("due_at", records.database.UtcTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=12), nullable=True),
        sa.Column("ended_at", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint(
            "state IN ('due', 'sent', 'undeliverable')", name=op.f("ck_holder_notice_state")
        ),
        sa.CheckConstraint(
            "(state = 'sent') = (channel IS NOT NULL)", name=op.f("ck_holder_notice_channel")
        ),
        sa.CheckConstraint(
            "(state = 'due') = (ended_at IS NULL)", name=op.f("ck_holder_notice_ended")
        ),
        sa.PrimaryKeyConstraint("application_id", "occasion", "at", name=op.f("pk_holder_notice")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_holder_notice_due",
        "holder_notice",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'due'"),
        postgresql_where=sa.text("state = 'due'"),
    )
