"""What is kept of proofing natural persons beside the application itself: no name, no number."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
)

from records.database import UtcTime
from records.tables.base import BY_APPLICATION, BY_OFFICER, OPERATIONAL, RANDOM, metadata

training = Table(
    "training",
    metadata,
    Column("id", String(40), primary_key=True, info=RANDOM),
    Column("person_id", String(40), nullable=False, index=True, info=BY_OFFICER),
    Column("topic", String(24), nullable=False, info=OPERATIONAL),
    Column("trained_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("valid_until", UtcTime, nullable=False, info=OPERATIONAL),
    Column("recorded_by", String(40), nullable=False, info=BY_OFFICER),
    Column("recorded_person", String(40), info=BY_OFFICER),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    CheckConstraint("topic IN ('identity_proofing')", name="topic"),
    sqlite_with_rowid=False,
)

presentation = Table(
    "presentation",
    metadata,
    Column("session_sha256", String(64), nullable=False, info=RANDOM),
    Column("text_sha256", String(64), nullable=False, info=OPERATIONAL),
    Column("kind", String(16), nullable=False, info=OPERATIONAL),
    Column("version", Integer, nullable=False, info=OPERATIONAL),
    Column("language", String(2), nullable=False, info=OPERATIONAL),
    Column("shown_at", UtcTime, nullable=False, index=True, info=OPERATIONAL),
    Column("completed_at", UtcTime, info=OPERATIONAL),
    PrimaryKeyConstraint("session_sha256", "text_sha256"),
    sqlite_with_rowid=False,
)

proofing_nonce = Table(
    "proofing_nonce",
    metadata,
    Column("nonce_sha256", String(64), primary_key=True, info=RANDOM),
    Column("application_id", String(40), nullable=False, index=True, info=BY_APPLICATION),
    Column("purpose", String(12), nullable=False, info=OPERATIONAL),
    Column("asked_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("expires_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("used_at", UtcTime, info=OPERATIONAL),
    CheckConstraint("purpose IN ('biometric', 'login')", name="purpose"),
    sqlite_with_rowid=False,
)

failed_attempt = Table(
    "failed_attempt",
    metadata,
    Column("id", String(40), primary_key=True, info=RANDOM),
    Column("application_id", String(40), nullable=False, index=True, info=BY_APPLICATION),
    Column("identity_hmac", String(64), nullable=False, index=True, info=BY_APPLICATION),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    sqlite_with_rowid=False,
)

resolution = Table(
    "resolution",
    metadata,
    Column("application_id", String(40), nullable=False, info=BY_APPLICATION),
    Column("number", Integer, nullable=False, info=OPERATIONAL),
    Column("officer_id", String(40), nullable=False, info=BY_OFFICER),
    Column("person_id", String(40), nullable=False, info=BY_OFFICER),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    PrimaryKeyConstraint("application_id", "number"),
    sqlite_with_rowid=False,
)

derivation = Table(
    "derivation",
    metadata,
    Column("application_id", String(40), nullable=False, info=BY_APPLICATION),
    Column("credential_sha256", String(64), nullable=False, index=True, info=BY_APPLICATION),
    Column("level", String(12), nullable=False, info=OPERATIONAL),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    PrimaryKeyConstraint("application_id", "credential_sha256"),
    sqlite_with_rowid=False,
)

derivation_review = Table(
    "derivation_review",
    metadata,
    Column("application_id", String(40), nullable=False, info=BY_APPLICATION),
    Column("credential_sha256", String(64), nullable=False, info=BY_APPLICATION),
    Column("opened_by", String(40), nullable=False, info=BY_OFFICER),
    Column("opened_person", String(40), nullable=False, info=BY_OFFICER),
    Column("opened_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("decision", String(8), info=OPERATIONAL),
    Column("decided_by", String(40), info=BY_OFFICER),
    Column("decided_person", String(40), info=BY_OFFICER),
    Column("decided_at", UtcTime, info=OPERATIONAL),
    PrimaryKeyConstraint("application_id", "credential_sha256"),
    CheckConstraint("decision IN ('stands', 'revoked')", name="decision"),
    CheckConstraint("(decision IS NULL) = (decided_by IS NULL)", name="decided"),
    sqlite_with_rowid=False,
)
