"""Data-subject cases: what is asked for, its parts, approvals, files and delivery."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
)

from records.database import UtcTime
from records.tables.base import metadata

subject_case = Table(
    "subject_case",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("subject_id", String(40), index=True),
    Column("language", String(2), nullable=False),
    Column("scopes", String(400), nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("opened_by", String(40)),
    Column("opened_person", String(40)),
    Column("assignee", String(40)),
    Column("assignee_person", String(40)),
    Column("asked_at", UtcTime),
    Column("proof_method", String(12)),
    Column("proof_level", Integer),
    Column("proof_at", UtcTime),
    Column("proof_by", String(40)),
    Column("proof_issuer", String(32)),
    Column("proof_serial", String(40)),
    Column("extended_at", UtcTime),
    Column("lifting_told_at", UtcTime),
    Column("package_sha256", String(64)),
    Column("sealed_text", LargeBinary),
    Column("sealed_extension", LargeBinary),
    Column("sealed_refusal", LargeBinary),
    Column("sealed_package", LargeBinary),
    sqlite_with_rowid=False,
)

case_approval = Table(
    "case_approval",
    metadata,
    Column("case_id", String(40), nullable=False),
    Column("person_id", String(40), nullable=False),
    Column("package_sha256", String(64), nullable=False),
    Column("officer_id", String(40), nullable=False),
    Column("at", UtcTime, nullable=False),
    PrimaryKeyConstraint("case_id", "person_id", "package_sha256"),
    sqlite_with_rowid=False,
)

case_part = Table(
    "case_part",
    metadata,
    Column("case_id", String(40), nullable=False),
    Column("name", String(40), nullable=False),
    Column("records", Integer),
    Column("sha256", String(64)),
    Column("failure", String(40)),
    Column("sealed_content", LargeBinary),
    Column("at", UtcTime),
    PrimaryKeyConstraint("case_id", "name"),
    CheckConstraint("(sha256 IS NULL) = (records IS NULL)", name="answered"),
    sqlite_with_rowid=False,
)

case_file = Table(
    "case_file",
    metadata,
    Column("case_id", String(40), nullable=False),
    Column("number", Integer, nullable=False),
    Column("octets", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("for_requester", Integer, nullable=False),
    Column("added_by", String(40), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("sealed_file", LargeBinary, nullable=False),
    PrimaryKeyConstraint("case_id", "number"),
    CheckConstraint("for_requester IN (0, 1)", name="for_requester"),
    sqlite_with_rowid=False,
)

case_delivery = Table(
    "case_delivery",
    metadata,
    Column("case_id", String(40), primary_key=True),
    Column("package_sha256", String(64), nullable=False),
    Column("envelope_sha256", String(64), nullable=False),
    Column("method", String(12), nullable=False),
    Column("level", Integer, nullable=False),
    Column("sealed_envelope", LargeBinary),
    Column("delivered_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("downloaded_at", UtcTime),
    Column("ended_at", UtcTime),
    CheckConstraint("method IN ('certificate', 'passphrase')", name="method"),
    sqlite_with_rowid=False,
)
