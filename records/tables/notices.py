"""What holders are to be told, and what became of it."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    text,
)

from records.database import UtcTime
from records.tables.base import BY_APPLICATION, OPERATIONAL, metadata

# The database itself writes a row with each change (`records.guards_notices`): where to, and in
# which words, is found when it is sent.
holder_notice = Table(
    "holder_notice",
    metadata,
    Column("application_id", String(40), nullable=False, info=BY_APPLICATION),
    Column("occasion", String(20), nullable=False, info=OPERATIONAL),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("state", String(13), nullable=False, info=OPERATIONAL),
    Column("due_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("tries", Integer, nullable=False, info=OPERATIONAL),
    Column("channel", String(12), info=OPERATIONAL),
    Column("ended_at", UtcTime, info=OPERATIONAL),
    PrimaryKeyConstraint("application_id", "occasion", "at"),
    CheckConstraint("state IN ('due', 'sent', 'undeliverable')", name="state"),
    CheckConstraint("(state = 'sent') = (channel IS NOT NULL)", name="channel"),
    CheckConstraint("(state = 'due') = (ended_at IS NULL)", name="ended"),
    Index(
        "ix_holder_notice_due",
        "due_at",
        sqlite_where=text("state = 'due'"),
        postgresql_where=text("state = 'due'"),
    ),
    sqlite_with_rowid=False,
)
