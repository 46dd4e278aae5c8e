"""The tamper-evident log."""

from sqlalchemy import (
    Column,
    Integer,
    LargeBinary,
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
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
)
