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
from records.tables.base import metadata

training = Table(
    "training",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("person_id", String(40), nullable=False, index=True),
    Column("topic", String(24), nullable=False),
    Column("trained_at", UtcTime, nullable=False),
    Column("valid_until", UtcTime, nullable=False),
    Column("recorded_by", String(40), nullable=False),
    Column("recorded_person", String(40)),
    Column("at", UtcTime, nullable=False),
    CheckConstraint("topic IN ('identity_proofing')", name="topic"),
    sqlite_with_rowid=False,
)

presentation = Table(
    "presentation",
    metadata,
    Column("session_sha256", String(64), nullable=False),
    Column("text_sha256", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("language", String(2), nullable=False),
    Column("shown_at", UtcTime, nullable=False, index=True),
    Column("completed_at", UtcTime),
    PrimaryKeyConstraint("session_sha256", "text_sha256"),
    sqlite_with_rowid=False,
)

proofing_nonce = Table(
    "proofing_nonce",
    metadata,
    Column("nonce_sha256", String(64), primary_key=True),
    Column("application_id", String(40), nullable=False, index=True),
    Column("purpose", String(12), nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("used_at", UtcTime),
    CheckConstraint("purpose IN ('biometric', 'login')", name="purpose"),
    sqlite_with_rowid=False,
)

failed_attempt = Table(
    "failed_attempt",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("application_id", String(40), nullable=False, index=True),
    Column("identity_hmac", String(64), nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)

resolution = Table(
    "resolution",
    metadata,
    Column("application_id", String(40), nullable=False),
    Column("number", Integer, nullable=False),
    Column("officer_id", String(40), nullable=False),
    Column("person_id", String(40), nullable=False),
    Column("at", UtcTime, nullable=False),
    PrimaryKeyConstraint("application_id", "number"),
    sqlite_with_rowid=False,
)

derivation = Table(
    "derivation",
    metadata,
    Column("application_id", String(40), nullable=False),
    Column("credential_sha256", String(64), nullable=False, index=True),
    Column("level", String(12), nullable=False),
    Column("at", UtcTime, nullable=False),
    PrimaryKeyConstraint("application_id", "credential_sha256"),
    sqlite_with_rowid=False,
)

derivation_review = Table(
    "derivation_review",
    metadata,
    Column("application_id", String(40), nullable=False),
    Column("credential_sha256", String(64), nullable=False),
    Column("opened_by", String(40), nullable=False),
    Column("opened_person", String(40), nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("decision", String(8)),
    Column("decided_by", String(40)),
    Column("decided_person", String(40)),
    Column("decided_at", UtcTime),
    PrimaryKeyConstraint("application_id", "credential_sha256"),
    CheckConstraint("decision IN ('stands', 'revoked')", name="decision"),
    CheckConstraint("(decision IS NULL) = (decided_by IS NULL)", name="decided"),
    sqlite_with_rowid=False,
)
