"""Certificates, what is left of erased ones, and plans to revoke many."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

from gdpr_erasure.record_classes import RecordClass
from records.database import UtcTime
from records.tables.base import (
    BY_ACT,
    BY_CERTIFICATE,
    OPERATIONAL,
    RANDOM,
    given,
    metadata,
    personal,
    pseudonym,
)

certificate = Table(
    "certificate",
    metadata,
    Column("issuer", String(32), nullable=False, info=OPERATIONAL),
    Column("serial", String(40), nullable=False, info=BY_CERTIFICATE),
    Column("status", String(8), nullable=False, info=OPERATIONAL),
    Column("profile", String(41), nullable=False, info=OPERATIONAL),
    Column("profile_sha256", String(64), nullable=False, info=OPERATIONAL),
    Column("subject_id", String(40), info=BY_CERTIFICATE),
    Column("application_id", String(40), info=BY_CERTIFICATE),
    Column("not_before", UtcTime, nullable=False, info=OPERATIONAL),
    Column("not_after", UtcTime, nullable=False, info=OPERATIONAL),
    Column("spki_sha256", String(64), nullable=False, index=True, info=BY_CERTIFICATE),
    Column("sealed_tbs", LargeBinary, nullable=False, info=personal(RecordClass.CERTIFICATE_BODY)),
    Column("sealed_der", LargeBinary, info=personal(RecordClass.CERTIFICATE_BODY)),
    Column("fingerprint", String(64), unique=True, info=BY_CERTIFICATE),
    Column("intended_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("issued_at", UtcTime, info=OPERATIONAL),
    # What relying parties are told: since when, and why. A hold that becomes a revocation keeps its
    # date; `decided_at` is when the present status was decided.
    Column("revoked_at", UtcTime, info=OPERATIONAL),
    Column("reason", Integer, info=OPERATIONAL),
    Column("decided_at", UtcTime, info=OPERATIONAL),
    Column("crl_entry", LargeBinary, info=BY_CERTIFICATE),
    # Why, finer than what is told, and never published; NULL when others revoked it. A compromise
    # may lie before the revocation. `decided_by` is an actor or a bulk revocation.
    Column("cause", String(24), info=OPERATIONAL),
    Column("invalid_since", UtcTime, info=OPERATIONAL),
    Column("decided_by", String(80), info=pseudonym(RecordClass.REVOCATION_REQUEST)),
    # Which partition of the issuer's CRL lists it; 0 when there is only the complete one.
    Column("shard", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    # Not deleted before; set by the rulings of an erasure, and it only grows.
    Column("keep_until", UtcTime, info=OPERATIONAL),
    PrimaryKeyConstraint("issuer", "serial"),
    # Looked for at every tick among millions that are none.
    Index(
        "ix_certificate_ocsp_signer",
        "issuer",
        "intended_at",
        sqlite_where=text("profile = 'ocsp-signer'"),
        postgresql_where=text("profile = 'ocsp-signer'"),
    ),
    CheckConstraint("status IN ('intent', 'issued', 'held', 'revoked')", name="status"),
    CheckConstraint("(status IN ('held', 'revoked')) = (revoked_at IS NOT NULL)", name="revoked"),
    CheckConstraint("(revoked_at IS NULL) = (reason IS NULL)", name="reason"),
    CheckConstraint("(revoked_at IS NULL) = (crl_entry IS NULL)", name="crl_entry"),
    CheckConstraint("revoked_at IS NULL OR decided_at IS NOT NULL", name="decided"),
    CheckConstraint("revoked_at IS NOT NULL OR cause IS NULL", name="cause"),
    CheckConstraint("invalid_since IS NULL OR reason IN (1, 2)", name="invalid_since"),
    # What one officer has decided lately.
    Index(
        "ix_certificate_decided_by",
        "decided_by",
        "decided_at",
        sqlite_where=text("decided_by IS NOT NULL"),
        postgresql_where=text("decided_by IS NOT NULL"),
    ),
    Index(
        "ix_certificate_held",
        "decided_at",
        sqlite_where=text("status = 'held'"),
        postgresql_where=text("status = 'held'"),
    ),
    # A serial that was revoked without ever being issued has none of these.
    CheckConstraint(
        "status = 'revoked' OR (status <> 'intent') = (issued_at IS NOT NULL)", name="issued"
    ),
    CheckConstraint("(issued_at IS NULL) = (sealed_der IS NULL)", name="sealed_der"),
    CheckConstraint("(issued_at IS NULL) = (fingerprint IS NULL)", name="fingerprint"),
    Index("ix_certificate_listed", "issuer", "not_after", **given("crl_entry")),
    # Certificates of servers and devices have neither, and cost these indexes nothing.
    Index("ix_certificate_subject_id", "subject_id", **given("subject_id")),
    Index("ix_certificate_application_id", "application_id", **given("application_id")),
    sqlite_with_rowid=False,
)

revocation_residue = Table(
    "revocation_residue",
    metadata,
    Column("issuer", String(32), nullable=False, info=OPERATIONAL),
    Column("serial", String(40), nullable=False, info=BY_CERTIFICATE),
    Column("revoked_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("reason", Integer, nullable=False, info=OPERATIONAL),
    Column("not_after", UtcTime, nullable=False, info=OPERATIONAL),
    Column("crl_entry", LargeBinary, nullable=False, info=BY_CERTIFICATE),
    Column("shard", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    # NULL where others had revoked it before their authority was imported.
    Column("erased_at", UtcTime, info=OPERATIONAL),
    PrimaryKeyConstraint("issuer", "serial"),
    Index("ix_revocation_residue_erased_at", "erased_at", **given("erased_at")),
    Index("ix_revocation_residue_listed", "issuer", "not_after"),
    sqlite_with_rowid=False,
)

# One plan to revoke many; `alone` is how many one person might revoke when it was planned.
bulk_revocation = Table(
    "bulk_revocation",
    metadata,
    Column("id", String(40), primary_key=True, info=RANDOM),
    Column("cause", String(24), nullable=False, info=OPERATIONAL),
    Column("invalid_since", UtcTime, info=OPERATIONAL),
    Column("selection", Text, nullable=False, info=BY_CERTIFICATE),
    Column("sha256", String(64), nullable=False, info=OPERATIONAL),
    Column("total", Integer, nullable=False, info=OPERATIONAL),
    Column("left_out", Integer, nullable=False, info=OPERATIONAL),
    Column("alone", Integer, nullable=False, info=OPERATIONAL),
    Column("planned_by", String(40), nullable=False, info=BY_ACT),
    Column("planned_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("begun_by", String(40), info=BY_ACT),
    Column("begun_at", UtcTime, info=OPERATIONAL),
    Column("begun_sha256", String(64), info=OPERATIONAL),
    Column("done", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    Column("revoked", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    Column("ended_at", UtcTime, info=OPERATIONAL),
    CheckConstraint("0 <= revoked AND revoked <= done AND done <= total", name="progress"),
    CheckConstraint(
        "(begun_by IS NULL) = (begun_at IS NULL) AND (begun_by IS NULL) = (begun_sha256 IS NULL)",
        name="begun",
    ),
    CheckConstraint("ended_at IS NULL OR done = total", name="ended"),
    sqlite_with_rowid=False,
)

bulk_certificate = Table(
    "bulk_certificate",
    metadata,
    Column("bulk_id", String(40), nullable=False, info=RANDOM),
    Column("number", Integer, nullable=False, info=OPERATIONAL),
    Column("issuer", String(32), nullable=False, info=OPERATIONAL),
    Column("serial", String(40), nullable=False, info=BY_CERTIFICATE),
    PrimaryKeyConstraint("bulk_id", "number"),
    sqlite_with_rowid=False,
)
