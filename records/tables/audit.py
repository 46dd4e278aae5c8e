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

from gdpr_erasure.record_classes import RecordClass
from records.tables.base import BY_ACT, OPERATIONAL, metadata, not_personal, personal

audit_event = Table(
    "audit_event",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False, info=OPERATIONAL),
    Column("header", LargeBinary, nullable=False, info=BY_ACT),
    Column("leaf_sha256", LargeBinary, nullable=False, info=BY_ACT),
    # As many payloads as the header says that the event had.
    Column("payloads", Integer, nullable=False, server_default="0", info=OPERATIONAL),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    info=not_personal("sizes, digests and signatures of the log"),
)

# What an event says of its subjects; the only link between an event and a person.
audit_payload = Table(
    "audit_payload",
    metadata,
    Column("sequence", Integer, nullable=False, info=OPERATIONAL),
    Column("number", Integer, nullable=False, info=OPERATIONAL),
    Column("subject_id", String(40), nullable=False, index=True, info=BY_ACT),
    Column("sealed", LargeBinary, nullable=False, info=personal(RecordClass.ACCESS_LOG)),
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
    info=not_personal("sequence numbers of events"),
)
