"""The tamper-evident log."""

from sqlalchemy import (
    Column,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from records.tables.base import BY_ACT, OPERATIONAL, metadata, not_personal

audit_event = Table(
    "audit_event",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False, info=OPERATIONAL),
    Column("header", LargeBinary, nullable=False, info=BY_ACT),
    Column("leaf_sha256", LargeBinary, nullable=False, info=BY_ACT),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    info=not_personal("sizes, digests and signatures of the log"),
)
