"""Data subjects and the keys of their data; officers and how they sign in."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
)

from records.database import UtcTime
from records.tables.base import metadata

subject = Table(
    "subject",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("state", String(12), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    CheckConstraint("state IN ('active', 'restricted', 'erasing')", name="state"),
    sqlite_with_rowid=False,
)

data_key = Table(
    "data_key",
    metadata,
    Column("subject_id", String(40), nullable=False),
    Column("purpose", String(20), nullable=False),
    Column("key_ref", String(32), nullable=False, unique=True),
    PrimaryKeyConstraint("subject_id", "purpose"),
    sqlite_with_rowid=False,
)

officer = Table(
    "officer",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("person_id", String(40), nullable=False, index=True),
    Column("role", String(24), nullable=False),
    Column("subject_id", String(40), nullable=False),
    Column("sealed_name", LargeBinary, nullable=False),
    Column("state", String(8), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    CheckConstraint("state IN ('invited', 'active', 'ended')", name="state"),
    sqlite_with_rowid=False,
)

officer_certificate = Table(
    "officer_certificate",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("officer_id", String(40), nullable=False, index=True),
    Column("issuer", String(32), nullable=False),
    Column("serial", String(40), nullable=False),
    sqlite_with_rowid=False,
)

one_time_link = Table(
    "one_time_link",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("officer_id", String(40), nullable=False),
    Column("purpose", String(12), nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("used_at", UtcTime),
    CheckConstraint("purpose IN ('enrolment', 'sign-in')", name="purpose"),
    sqlite_with_rowid=False,
)

officer_session = Table(
    "officer_session",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("officer_id", String(40), nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)
