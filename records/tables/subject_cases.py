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

from gdpr_erasure.record_classes import RecordClass
from records.database import UtcTime
from records.tables.base import BY_CASE, BY_OFFICER, OPERATIONAL, RANDOM, metadata, personal

subject_case = Table(
    "subject_case",
    metadata,
    Column("id", String(40), primary_key=True, info=BY_CASE),
    Column("kind", String(20), nullable=False, info=OPERATIONAL),
    Column("state", String(20), nullable=False, index=True, info=OPERATIONAL),
    Column("subject_id", String(40), index=True, info=BY_CASE),
    Column("language", String(2), nullable=False, info=OPERATIONAL),
    Column("scopes", String(400), nullable=False, info=OPERATIONAL),
    Column("secret_sha256", String(64), nullable=False, info=RANDOM),
    Column("received_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("updated_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("opened_by", String(40), info=BY_OFFICER),
    Column("opened_person", String(40), info=BY_OFFICER),
    Column("assignee", String(40), info=BY_OFFICER),
    Column("assignee_person", String(40), info=BY_OFFICER),
    Column("asked_at", UtcTime, info=OPERATIONAL),
    Column("proof_method", String(12), info=OPERATIONAL),
    Column("proof_level", Integer, info=OPERATIONAL),
    Column("proof_at", UtcTime, info=OPERATIONAL),
    Column("proof_by", String(40), info=BY_OFFICER),
    Column("proof_issuer", String(32), info=OPERATIONAL),
    Column("proof_serial", String(40), info=BY_CASE),
    Column("extended_at", UtcTime, info=OPERATIONAL),
    Column("lifting_told_at", UtcTime, info=OPERATIONAL),
    Column("package_sha256", String(64), info=BY_CASE),
    Column("sealed_text", LargeBinary, info=personal(RecordClass.CASE_FILE)),
    Column("sealed_extension", LargeBinary, info=personal(RecordClass.CASE_FILE)),
    Column("sealed_refusal", LargeBinary, info=personal(RecordClass.CASE_FILE)),
    Column("sealed_package", LargeBinary, info=personal(RecordClass.DELIVERY)),
    sqlite_with_rowid=False,
)

case_approval = Table(
    "case_approval",
    metadata,
    Column("case_id", String(40), nullable=False, info=BY_CASE),
    Column("person_id", String(40), nullable=False, info=BY_OFFICER),
    Column("package_sha256", String(64), nullable=False, info=BY_CASE),
    Column("officer_id", String(40), nullable=False, info=BY_OFFICER),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    PrimaryKeyConstraint("case_id", "person_id", "package_sha256"),
    sqlite_with_rowid=False,
)

case_part = Table(
    "case_part",
    metadata,
    Column("case_id", String(40), nullable=False, info=BY_CASE),
    Column("name", String(40), nullable=False, info=OPERATIONAL),
    Column("records", Integer, info=OPERATIONAL),
    Column("sha256", String(64), info=BY_CASE),
    Column("failure", String(40), info=OPERATIONAL),
    Column("sealed_content", LargeBinary, info=personal(RecordClass.CASE_FILE)),
    Column("at", UtcTime, info=OPERATIONAL),
    PrimaryKeyConstraint("case_id", "name"),
    CheckConstraint("(sha256 IS NULL) = (records IS NULL)", name="answered"),
    sqlite_with_rowid=False,
)

case_file = Table(
    "case_file",
    metadata,
    Column("case_id", String(40), nullable=False, info=BY_CASE),
    Column("number", Integer, nullable=False, info=OPERATIONAL),
    Column("octets", Integer, nullable=False, info=OPERATIONAL),
    Column("sha256", String(64), nullable=False, info=BY_CASE),
    Column("for_requester", Integer, nullable=False, info=OPERATIONAL),
    Column("added_by", String(40), nullable=False, info=BY_OFFICER),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("sealed_file", LargeBinary, nullable=False, info=personal(RecordClass.CASE_FILE)),
    PrimaryKeyConstraint("case_id", "number"),
    CheckConstraint("for_requester IN (0, 1)", name="for_requester"),
    sqlite_with_rowid=False,
)

case_delivery = Table(
    "case_delivery",
    metadata,
    Column("case_id", String(40), primary_key=True, info=BY_CASE),
    Column("package_sha256", String(64), nullable=False, info=BY_CASE),
    Column("envelope_sha256", String(64), nullable=False, info=BY_CASE),
    Column("method", String(12), nullable=False, info=OPERATIONAL),
    Column("level", Integer, nullable=False, info=OPERATIONAL),
    Column("sealed_envelope", LargeBinary, info=personal(RecordClass.DELIVERY)),
    Column("delivered_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("expires_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("downloaded_at", UtcTime, info=OPERATIONAL),
    Column("ended_at", UtcTime, info=OPERATIONAL),
    Column("reminded_at", UtcTime, info=OPERATIONAL),
    CheckConstraint("method IN ('certificate', 'passphrase')", name="method"),
    sqlite_with_rowid=False,
)
