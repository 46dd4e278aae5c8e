"""The tamper-evident log."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from records.tables.base import metadata

audit_event = Table(
    "audit_event",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("header", LargeBinary, nullable=False),
    Column("leaf_sha256", LargeBinary, nullable=False),
    # As many payloads as the header says that the event had.
    Column("payloads", Integer, nullable=False, server_default="0"),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
)

# What an event says of its subjects; the only link between an event and a person.
audit_payload = Table(
    "audit_payload",
    metadata,
    Column("sequence", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("subject_id", String(40), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("sequence", "number"),
    sqlite_with_rowid=False,
)

# The events that dropped what had been kept long enough, for the guards and to find them again.
audit_retention = Table(
    "audit_retention",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("payloads_below", Integer, nullable=False),
    Column("headers_below", Integer, nullable=False),
    CheckConstraint("0 <= headers_below AND headers_below <= payloads_below", name="below"),
)
