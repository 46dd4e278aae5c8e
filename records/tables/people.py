"""Data subjects and the keys of their data; officers and how they sign in."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
)

from gdpr_erasure.record_classes import RecordClass
from records.database import UtcTime
from records.tables.base import BY_CERTIFICATE, BY_OFFICER, OPERATIONAL, RANDOM, metadata, personal

subject = Table(
    "subject",
    metadata,
    Column("id", String(40), primary_key=True, info=BY_CERTIFICATE),
    Column("kind", String(20), nullable=False, info=OPERATIONAL),
    Column("state", String(12), nullable=False, info=OPERATIONAL),
    Column("created_at", UtcTime, nullable=False, info=OPERATIONAL),
    CheckConstraint("state IN ('active', 'restricted', 'erasing')", name="state"),
    sqlite_with_rowid=False,
)

data_key = Table(
    "data_key",
    metadata,
    Column("subject_id", String(40), nullable=False, info=BY_CERTIFICATE),
    Column("purpose", String(20), nullable=False, info=OPERATIONAL),
    Column("key_ref", String(32), nullable=False, unique=True, info=RANDOM),
    PrimaryKeyConstraint("subject_id", "purpose"),
    sqlite_with_rowid=False,
)

officer = Table(
    "officer",
    metadata,
    Column("id", String(40), primary_key=True, info=BY_OFFICER),
    Column("person_id", String(40), nullable=False, index=True, info=BY_OFFICER),
    Column("role", String(24), nullable=False, info=OPERATIONAL),
    Column("subject_id", String(40), nullable=False, info=BY_OFFICER),
    Column("sealed_name", LargeBinary, nullable=False, info=personal(RecordClass.OFFICER_IDENTITY)),
    Column("state", String(8), nullable=False, info=OPERATIONAL),
    Column("created_at", UtcTime, nullable=False, info=OPERATIONAL),
    CheckConstraint("state IN ('invited', 'active', 'ended')", name="state"),
    sqlite_with_rowid=False,
)

officer_certificate = Table(
    "officer_certificate",
    metadata,
    Column("fingerprint", String(64), primary_key=True, info=BY_OFFICER),
    Column("officer_id", String(40), nullable=False, index=True, info=BY_OFFICER),
    Column("issuer", String(32), nullable=False, info=OPERATIONAL),
    Column("serial", String(40), nullable=False, info=BY_OFFICER),
    sqlite_with_rowid=False,
)

one_time_link = Table(
    "one_time_link",
    metadata,
    Column("token_sha256", String(64), primary_key=True, info=RANDOM),
    Column("officer_id", String(40), nullable=False, info=BY_OFFICER),
    Column("purpose", String(12), nullable=False, info=OPERATIONAL),
    Column("expires_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("used_at", UtcTime, info=OPERATIONAL),
    # The certificate by which an officer asked for a link to sign in with.
    Column("fingerprint", String(64), info=BY_OFFICER),
    CheckConstraint("purpose IN ('enrolment', 'sign-in')", name="purpose"),
    sqlite_with_rowid=False,
)

officer_session = Table(
    "officer_session",
    metadata,
    Column("token_sha256", String(64), primary_key=True, info=RANDOM),
    Column("officer_id", String(40), nullable=False, info=BY_OFFICER),
    Column("expires_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("fingerprint", String(64), info=BY_OFFICER),
    sqlite_with_rowid=False,
)
