"""The tables. Operational columns stand in clear; a column called `sealed_...` holds personal data.

Sealed columns are written and read through `records.personal_data` only. Serial numbers are
lower-case hexadecimal, times are microseconds since 1970 (UTC).

In SQLite a table without an integer key is made WITHOUT ROWID: a hidden row number is a second way
to name a row, and REPLACE by it would take rows away past every trigger.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from records.database import UtcTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _given(column: str) -> dict[str, Any]:
    """For an index of the rows that have a value there."""
    return dict.fromkeys(("sqlite_where", "postgresql_where"), text(f"{column} IS NOT NULL"))


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
    Column("wrapped", LargeBinary, nullable=False),
    PrimaryKeyConstraint("subject_id", "purpose"),
    sqlite_with_rowid=False,
)

issuer = Table(
    "issuer",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("parent", String(32)),
    Column("token", String(64), nullable=False),
    Column("key_label", String(64), nullable=False),
    Column("spki_sha256", String(64), nullable=False, unique=True),
    Column("profile", String(41), nullable=False),
    Column("subject", LargeBinary, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("state", String(12), nullable=False),
    # What is particular to it; NULL is as the settings say.
    Column("profiles", Text, nullable=False),
    Column("crl_validity_seconds", Integer),
    Column("crl_margin_seconds", Integer),
    Column("crl_shards", Integer, nullable=False, server_default="0"),
    Column("crl_deltas", Integer, nullable=False, server_default="0"),
    Column("crl_keep_expired_seconds", Integer, nullable=False, server_default="0"),
    Column("status_version", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcTime, nullable=False),
    Column("key_destroyed_at", UtcTime),
    CheckConstraint("state IN ('active', 'superseded', 'retired')", name="state"),
    CheckConstraint("key_destroyed_at IS NULL OR state = 'retired'", name="key_destroyed"),
    CheckConstraint(
        "(crl_validity_seconds IS NULL) = (crl_margin_seconds IS NULL)", name="crl_policy"
    ),
    sqlite_with_rowid=False,
)

issuer_certificate = Table(
    "issuer_certificate",
    metadata,
    Column("issuer", String(32), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(12), nullable=False),
    # NULL when a foreign authority signed it; then the chain leads on from it.
    Column("signer", String(32)),
    Column("fingerprint", String(64), nullable=False),
    Column("der", LargeBinary, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("installed_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("issuer", "number"),
    UniqueConstraint("issuer", "fingerprint"),
    CheckConstraint("kind IN ('own', 'new-with-old', 'old-with-new', 'cross')", name="kind"),
    sqlite_with_rowid=False,
)

certificate = Table(
    "certificate",
    metadata,
    Column("issuer", String(32), nullable=False),
    Column("serial", String(40), nullable=False),
    Column("status", String(8), nullable=False),
    Column("profile", String(41), nullable=False),
    Column("profile_sha256", String(64), nullable=False),
    Column("subject_id", String(40)),
    Column("application_id", String(40)),
    Column("not_before", UtcTime, nullable=False),
    Column("not_after", UtcTime, nullable=False),
    Column("spki_sha256", String(64), nullable=False, index=True),
    Column("sealed_tbs", LargeBinary, nullable=False),
    Column("sealed_der", LargeBinary),
    Column("fingerprint", String(64), unique=True),
    Column("intended_at", UtcTime, nullable=False),
    Column("issued_at", UtcTime),
    # What relying parties are told: since when, and why. A hold that becomes a revocation keeps its
    # date; `decided_at` is when the present status was decided.
    Column("revoked_at", UtcTime),
    Column("reason", Integer),
    Column("decided_at", UtcTime),
    Column("crl_entry", LargeBinary),
    # Why, finer than what is told, and never published; NULL when others revoked it. A compromise
    # may lie before the revocation. `decided_by` is an actor or a bulk revocation.
    Column("cause", String(24)),
    Column("invalid_since", UtcTime),
    Column("decided_by", String(80)),
    # Which partition of the issuer's CRL lists it; 0 when there is only the complete one.
    Column("shard", Integer, nullable=False, server_default="0"),
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
    Index("ix_certificate_listed", "issuer", "not_after", **_given("crl_entry")),
    # Certificates of servers and devices have neither, and cost these indexes nothing.
    Index("ix_certificate_subject_id", "subject_id", **_given("subject_id")),
    Index("ix_certificate_application_id", "application_id", **_given("application_id")),
    sqlite_with_rowid=False,
)

revocation_residue = Table(
    "revocation_residue",
    metadata,
    Column("issuer", String(32), nullable=False),
    Column("serial", String(40), nullable=False),
    Column("revoked_at", UtcTime, nullable=False),
    Column("reason", Integer, nullable=False),
    Column("not_after", UtcTime, nullable=False),
    Column("crl_entry", LargeBinary, nullable=False),
    Column("shard", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("issuer", "serial"),
    Index("ix_revocation_residue_listed", "issuer", "not_after"),
    sqlite_with_rowid=False,
)

# One plan to revoke many; `alone` is how many one person might revoke when it was planned.
bulk_revocation = Table(
    "bulk_revocation",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("cause", String(24), nullable=False),
    Column("invalid_since", UtcTime),
    Column("selection", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("total", Integer, nullable=False),
    Column("left_out", Integer, nullable=False),
    Column("alone", Integer, nullable=False),
    Column("planned_by", String(40), nullable=False),
    Column("planned_at", UtcTime, nullable=False),
    Column("begun_by", String(40)),
    Column("begun_at", UtcTime),
    Column("begun_sha256", String(64)),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("revoked", Integer, nullable=False, server_default="0"),
    Column("ended_at", UtcTime),
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
    Column("bulk_id", String(40), nullable=False),
    Column("number", Integer, nullable=False),
    Column("issuer", String(32), nullable=False),
    Column("serial", String(40), nullable=False),
    PrimaryKeyConstraint("bulk_id", "number"),
    sqlite_with_rowid=False,
)

# What changed, in order: one row for each rise of an issuer's status version. CRLs, the memory of
# the public workers and whoever watches from outside go on from the version they have seen.
status_change = Table(
    "status_change",
    metadata,
    Column("issuer", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("serial", String(40), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("shard", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("issuer", "version"),
    Index("ix_status_change_serial", "issuer", "serial"),
    Index("ix_status_change_shard", "issuer", "shard", "version"),
    sqlite_with_rowid=False,
)

# Responses made ahead; `version` is the issuer's status version when the status changed last.
ocsp_response = Table(
    "ocsp_response",
    metadata,
    Column("issuer", String(32), nullable=False),
    Column("serial", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("not_after", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("this_update", UtcTime),
    Column("next_update", UtcTime),
    Column("sha1", LargeBinary),
    Column("sha256", LargeBinary),
    PrimaryKeyConstraint("issuer", "serial"),
    Index("ix_ocsp_response_due", "issuer", "due_at"),
    Index("ix_ocsp_response_made", "issuer", "this_update"),
    sqlite_with_rowid=False,
)

compromised_key = Table(
    "compromised_key",
    metadata,
    Column("spki_sha256", String(64), primary_key=True),
    sqlite_with_rowid=False,
)

# Of every CRL, for good: `tbs_digest` is what was signed; what expired by `left_until` has left it.
# Shard 0 is the complete one, -1 the delta of that of the same number.
crl = Table(
    "crl",
    metadata,
    Column("issuer", String(32), nullable=False),
    Column("shard", Integer, nullable=False, server_default="0"),
    Column("number", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("this_update", UtcTime, nullable=False),
    Column("next_update", UtcTime, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("tbs_digest", LargeBinary, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("left_until", UtcTime, nullable=False),
    Column("rebuilt_at", UtcTime, nullable=False),
    Column("oldest_base", BigInteger, nullable=False),
    Column("base", BigInteger),
    PrimaryKeyConstraint("issuer", "shard", "number"),
    CheckConstraint("(shard = -1) = (base IS NOT NULL)", name="base"),
    sqlite_with_rowid=False,
)

# The octets of the latest CRL of each list, in the order of `first`. The next one replaces those
# that change; that no other changed is seen by the digest of the whole.
crl_piece = Table(
    "crl_piece",
    metadata,
    Column("issuer", String(32), nullable=False),
    Column("shard", Integer, nullable=False),
    Column("first", LargeBinary, nullable=False),
    Column("octets", LargeBinary, nullable=False),
    PrimaryKeyConstraint("issuer", "shard", "first"),
    sqlite_with_rowid=False,
)

status_observation = Table(
    "status_observation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issuer", String(32), nullable=False),
    Column("serial", String(40), nullable=False, index=True),
    Column("channel", String(4), nullable=False),
    Column("observed_at", UtcTime, nullable=False),
    Column("evidence_sha256", String(64), nullable=False),
    CheckConstraint("channel IN ('crl', 'ocsp')", name="channel"),
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

application = Table(
    "application",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("profile", String(41), nullable=False),
    Column("level", String(12), nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("subject_id", String(40), nullable=False, index=True),
    Column("spki_sha256", String(64), nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    Column("proofing_person", String(40)),
    Column("package_sha256", String(64)),
    Column("sealed_body", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)

approval = Table(
    "approval",
    metadata,
    Column("application_id", String(40), primary_key=True),
    Column("officer_id", String(40), nullable=False),
    Column("person_id", String(40), nullable=False),
    Column("package_sha256", String(64), nullable=False),
    Column("sealed_package", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)

publication = Table(
    "publication",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("directory", String(40), nullable=False),
    Column("issuer", String(32), nullable=False),
    Column("serial", String(40), nullable=False),
    Column("subject_id", String(40), nullable=False, index=True),
    Column("state", String(12), nullable=False, index=True),
    # 1 while a hold alone keeps it out of the directory.
    Column("returns", Integer, nullable=False, server_default="0"),
    Column("entry_uuid", String(36)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("retry_at", UtcTime, nullable=False),
    Column("error_code", String(40)),
    Column("verified_at", UtcTime),
    UniqueConstraint("directory", "issuer", "serial"),
    CheckConstraint("state IN ('pending', 'published', 'withdrawing', 'withdrawn')", name="state"),
    CheckConstraint(
        "state NOT IN ('published', 'withdrawn') OR verified_at IS NOT NULL", name="verified"
    ),
)

erasure = Table(
    "erasure",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("subject_id", String(40), unique=True),
    Column("state", String(12), nullable=False),
    Column("requested_at", UtcTime, nullable=False),
    Column("approved_by", String(40)),
    Column("certificates", Integer, nullable=False, server_default="0"),
    Column("evidence", Text, nullable=False),
    Column("recheck", Text, nullable=False),
    Column("receipt", Text),
    Column("updated_at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)

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

lease = Table(
    "lease",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(40), nullable=False),
    Column("until_at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)
