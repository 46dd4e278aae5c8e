"""The tables of the first thread."""

from typing import Any

import sqlalchemy as sa
from alembic import op

import records.database

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "application",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("profile", sa.String(length=41), nullable=False),
        sa.Column("level", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("spki_sha256", sa.String(length=64), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("proofing_person", sa.String(length=40), nullable=True),
        sa.Column("package_sha256", sa.String(length=64), nullable=True),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", records.database.UtcTime(), nullable=False),
        sa.Column("updated_at", records.database.UtcTime(), nullable=False),
        sa.Column("keep_until", records.database.UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_application_state"), "application", ["state"], unique=False)
    op.create_index(op.f("ix_application_subject_id"), "application", ["subject_id"], unique=False)
    op.create_table(
        "approval",
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("officer_id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("package_sha256", sa.String(length=64), nullable=False),
        sa.Column("sealed_package", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("application_id", "package_sha256", name=op.f("pk_approval")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_event",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("payloads", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_event")),
    )
    op.create_table(
        "audit_head",
        sa.Column("size", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_head")),
    )
    _bulk_revocations()
    _certificates()
    op.create_table(
        "compromised_key",
        sa.Column("spki_sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("spki_sha256", name=op.f("pk_compromised_key")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "crl",
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("shard", sa.Integer(), server_default="0", nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("this_update", records.database.UtcTime(), nullable=False),
        sa.Column("next_update", records.database.UtcTime(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("tbs_digest", sa.LargeBinary(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("left_until", records.database.UtcTime(), nullable=False),
        sa.Column("rebuilt_at", records.database.UtcTime(), nullable=False),
        sa.Column("oldest_base", sa.BigInteger(), nullable=False),
        sa.Column("base", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(shard = -1) = (base IS NOT NULL)", name=op.f("ck_crl_base")),
        sa.PrimaryKeyConstraint("issuer", "shard", "number", name=op.f("pk_crl")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "crl_piece",
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("first", sa.LargeBinary(), nullable=False),
        sa.Column("octets", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "shard", "first", name=op.f("pk_crl_piece")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "data_key",
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("key_ref", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "purpose", name=op.f("pk_data_key")),
        sa.UniqueConstraint("key_ref", name=op.f("uq_data_key_key_ref")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "erasure",
        *_erasure_columns(),
        sa.CheckConstraint("cause IN ('request', 'retention')", name=op.f("ck_erasure_cause")),
        sa.CheckConstraint(
            "(lease_holder IS NULL) = (lease_until IS NULL)", name=op.f("ck_erasure_lease")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
        sa.UniqueConstraint("subject_id", name=op.f("uq_erasure_subject_id")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_erasure_state"), "erasure", ["state"], unique=False)
    op.create_table(
        "issuer",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("parent", sa.String(length=32), nullable=True),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("key_label", sa.String(length=64), nullable=False),
        sa.Column("spki_sha256", sa.String(length=64), nullable=False),
        sa.Column("profile", sa.String(length=41), nullable=False),
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("profiles", sa.Text(), nullable=False),
        sa.Column("crl_validity_seconds", sa.Integer(), nullable=True),
        sa.Column("crl_margin_seconds", sa.Integer(), nullable=True),
        sa.Column("crl_shards", sa.Integer(), server_default="0", nullable=False),
        sa.Column("crl_deltas", sa.Integer(), server_default="0", nullable=False),
        sa.Column("crl_keep_expired_seconds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("ocsp_validity_seconds", sa.Integer(), nullable=True),
        sa.Column("status_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", records.database.UtcTime(), nullable=False),
        sa.Column("key_destroyed_at", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint(
            "state IN ('active', 'superseded', 'retired')", name=op.f("ck_issuer_state")
        ),
        sa.CheckConstraint(
            "key_destroyed_at IS NULL OR state = 'retired'", name=op.f("ck_issuer_key_destroyed")
        ),
        sa.CheckConstraint(
            "(crl_validity_seconds IS NULL) = (crl_margin_seconds IS NULL)",
            name=op.f("ck_issuer_crl_policy"),
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_issuer")),
        sa.UniqueConstraint("spki_sha256", name=op.f("uq_issuer_spki_sha256")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "issuer_certificate",
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("signer", sa.String(length=32), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("installed_at", records.database.UtcTime(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('own', 'new-with-old', 'old-with-new', 'cross')",
            name=op.f("ck_issuer_certificate_kind"),
        ),
        sa.PrimaryKeyConstraint("issuer", "number", name=op.f("pk_issuer_certificate")),
        sa.UniqueConstraint(
            "issuer", "fingerprint", name=op.f("uq_issuer_certificate_issuer_fingerprint")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "job_run",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("succeeded_at", records.database.UtcTime(), nullable=True),
        sa.Column("failing_since", records.database.UtcTime(), nullable=True),
        sa.Column("trouble", sa.String(length=60), nullable=True),
        sa.CheckConstraint(
            "(failing_since IS NULL) = (trouble IS NULL)", name=op.f("ck_job_run_trouble")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_run")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "alarm",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("since", records.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", "subject", name=op.f("pk_alarm")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("until_at", records.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ocsp_response",
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("not_after", records.database.UtcTime(), nullable=False),
        sa.Column("due_at", records.database.UtcTime(), nullable=False),
        sa.Column("this_update", records.database.UtcTime(), nullable=True),
        sa.Column("next_update", records.database.UtcTime(), nullable=True),
        sa.Column("sha1", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("issuer", "serial", name=op.f("pk_ocsp_response")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_ocsp_response_due", "ocsp_response", ["issuer", "due_at"], unique=False)
    op.create_index(
        "ix_ocsp_response_made", "ocsp_response", ["issuer", "this_update"], unique=False
    )
    _from_officers_on()


def _from_officers_on() -> None:
    """The other tables, by name."""
    op.create_table(
        "officer",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("sealed_name", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("created_at", records.database.UtcTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('invited', 'active', 'ended')", name=op.f("ck_officer_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officer")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_officer_person_id"), "officer", ["person_id"], unique=False)
    op.create_table(
        "officer_certificate",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("officer_id", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_officer_certificate")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_officer_certificate_officer_id"),
        "officer_certificate",
        ["officer_id"],
        unique=False,
    )
    op.create_table(
        "officer_session",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("officer_id", sa.String(length=40), nullable=False),
        sa.Column("expires_at", records.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_officer_session")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "one_time_link",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("officer_id", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("expires_at", records.database.UtcTime(), nullable=False),
        sa.Column("used_at", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('enrolment', 'sign-in')", name=op.f("ck_one_time_link_purpose")
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_one_time_link")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "publication",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("directory", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("returns", sa.Integer(), server_default="0", nullable=False),
        sa.Column("entry_uuid", sa.String(length=36), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_at", records.database.UtcTime(), nullable=False),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column("verified_at", records.database.UtcTime(), nullable=True),
        sa.Column("set_aside_at", records.database.UtcTime(), nullable=True),
        sa.Column("cert_sha1", sa.LargeBinary(), nullable=True),
        sa.Column("name_sha1", sa.LargeBinary(), nullable=True),
        sa.Column("key_sha1", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'published', 'withdrawing', 'withdrawn')",
            name=op.f("ck_publication_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('published', 'withdrawn') OR verified_at IS NOT NULL",
            name=op.f("ck_publication_verified"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publication")),
        sa.UniqueConstraint(
            "directory", "issuer", "serial", name=op.f("uq_publication_directory_issuer_serial")
        ),
    )
    for column in ("cert_sha1", "key_sha1", "name_sha1", "state"):
        op.create_index(op.f(f"ix_publication_{column}"), "publication", [column], unique=False)
    op.create_index(op.f("ix_publication_subject_id"), "publication", ["subject_id"], unique=False)
    op.create_table(
        "revocation_residue",
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("revoked_at", records.database.UtcTime(), nullable=False),
        sa.Column("reason", sa.Integer(), nullable=False),
        sa.Column("not_after", records.database.UtcTime(), nullable=False),
        sa.Column("crl_entry", sa.LargeBinary(), nullable=False),
        sa.Column("shard", sa.Integer(), server_default="0", nullable=False),
        sa.Column("erased_at", records.database.UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("issuer", "serial", name=op.f("pk_revocation_residue")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_revocation_residue_erased_at",
        "revocation_residue",
        ["erased_at"],
        unique=False,
        sqlite_where=sa.text("erased_at IS NOT NULL"),
        postgresql_where=sa.text("erased_at IS NOT NULL"),
    )
    op.create_index(
        "ix_revocation_residue_listed", "revocation_residue", ["issuer", "not_after"], unique=False
    )
    op.create_table(
        "status_change",
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.Column("shard", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("issuer", "version", name=op.f("pk_status_change")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_status_change_serial", "status_change", ["issuer", "serial"], unique=False)
    op.create_index(
        "ix_status_change_shard", "status_change", ["issuer", "shard", "version"], unique=False
    )
    op.create_table(
        "status_visible",
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=9), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('crl', 'ocsp', 'directory')", name=op.f("ck_status_visible_channel")
        ),
        sa.CheckConstraint("first <= last", name=op.f("ck_status_visible_range")),
        sa.PrimaryKeyConstraint("issuer", "channel", "last", name=op.f("pk_status_visible")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_status_visible_at", "status_visible", ["channel", "at"], unique=False)
    op.create_table(
        "status_observation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=4), nullable=False),
        sa.Column("observed_at", records.database.UtcTime(), nullable=False),
        sa.Column("evidence_sha256", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "channel IN ('crl', 'ocsp')", name=op.f("ck_status_observation_channel")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_observation")),
    )
    op.create_index(
        op.f("ix_status_observation_serial"), "status_observation", ["serial"], unique=False
    )
    op.create_table(
        "subject",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("created_at", records.database.UtcTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('active', 'restricted', 'erasing')", name=op.f("ck_subject_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject")),
        sqlite_with_rowid=False,
    )


def _certificates() -> None:
    """Certificates, and how they are found."""
    op.create_table(
        "certificate",
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("profile", sa.String(length=41), nullable=False),
        sa.Column("profile_sha256", sa.String(length=64), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=True),
        sa.Column("application_id", sa.String(length=40), nullable=True),
        sa.Column("not_before", records.database.UtcTime(), nullable=False),
        sa.Column("not_after", records.database.UtcTime(), nullable=False),
        sa.Column("spki_sha256", sa.String(length=64), nullable=False),
        sa.Column("sealed_tbs", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_der", sa.LargeBinary(), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("intended_at", records.database.UtcTime(), nullable=False),
        sa.Column("issued_at", records.database.UtcTime(), nullable=True),
        sa.Column("revoked_at", records.database.UtcTime(), nullable=True),
        sa.Column("reason", sa.Integer(), nullable=True),
        sa.Column("decided_at", records.database.UtcTime(), nullable=True),
        sa.Column("crl_entry", sa.LargeBinary(), nullable=True),
        sa.Column("cause", sa.String(length=24), nullable=True),
        sa.Column("invalid_since", records.database.UtcTime(), nullable=True),
        sa.Column("decided_by", sa.String(length=80), nullable=True),
        sa.Column("shard", sa.Integer(), server_default="0", nullable=False),
        sa.Column("keep_until", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint(
            "(status IN ('held', 'revoked')) = (revoked_at IS NOT NULL)",
            name=op.f("ck_certificate_revoked"),
        ),
        sa.CheckConstraint(
            "revoked_at IS NULL OR decided_at IS NOT NULL", name=op.f("ck_certificate_decided")
        ),
        sa.CheckConstraint(
            "revoked_at IS NOT NULL OR cause IS NULL", name=op.f("ck_certificate_cause")
        ),
        sa.CheckConstraint(
            "invalid_since IS NULL OR reason IN (1, 2)", name=op.f("ck_certificate_invalid_since")
        ),
        sa.CheckConstraint(
            "status = 'revoked' OR (status <> 'intent') = (issued_at IS NOT NULL)",
            name=op.f("ck_certificate_issued"),
        ),
        sa.CheckConstraint(
            "status IN ('intent', 'issued', 'held', 'revoked')", name=op.f("ck_certificate_status")
        ),
        sa.CheckConstraint(
            "(issued_at IS NULL) = (fingerprint IS NULL)", name=op.f("ck_certificate_fingerprint")
        ),
        sa.CheckConstraint(
            "(issued_at IS NULL) = (sealed_der IS NULL)", name=op.f("ck_certificate_sealed_der")
        ),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (crl_entry IS NULL)", name=op.f("ck_certificate_crl_entry")
        ),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (reason IS NULL)", name=op.f("ck_certificate_reason")
        ),
        sa.PrimaryKeyConstraint("issuer", "serial", name=op.f("pk_certificate")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_certificate_fingerprint")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_certificate_spki_sha256"), "certificate", ["spki_sha256"], unique=False
    )
    for name, columns, given in (
        ("decided_by", ["decided_by", "decided_at"], "decided_by IS NOT NULL"),
        ("held", ["decided_at"], "status = 'held'"),
        ("application_id", ["application_id"], "application_id IS NOT NULL"),
        ("listed", ["issuer", "not_after"], "crl_entry IS NOT NULL"),
        ("ocsp_signer", ["issuer", "intended_at"], "profile = 'ocsp-signer'"),
        ("subject_id", ["subject_id"], "subject_id IS NOT NULL"),
    ):
        where: dict[str, Any] = dict.fromkeys(("sqlite_where", "postgresql_where"), sa.text(given))
        op.create_index(f"ix_certificate_{name}", "certificate", columns, unique=False, **where)


def _bulk_revocations() -> None:
    """Plans to revoke many certificates, and what they select."""
    op.create_table(
        "bulk_certificate",
        sa.Column("bulk_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("bulk_id", "number", name=op.f("pk_bulk_certificate")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "bulk_revocation",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("cause", sa.String(length=24), nullable=False),
        sa.Column("invalid_since", records.database.UtcTime(), nullable=True),
        sa.Column("selection", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
        sa.Column("alone", sa.Integer(), nullable=False),
        sa.Column("planned_by", sa.String(length=40), nullable=False),
        sa.Column("planned_at", records.database.UtcTime(), nullable=False),
        sa.Column("begun_by", sa.String(length=40), nullable=True),
        sa.Column("begun_at", records.database.UtcTime(), nullable=True),
        sa.Column("begun_sha256", sa.String(length=64), nullable=True),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("revoked", sa.Integer(), server_default="0", nullable=False),
        sa.Column("ended_at", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint(
            "0 <= revoked AND revoked <= done AND done <= total",
            name=op.f("ck_bulk_revocation_progress"),
        ),
        sa.CheckConstraint(
            "(begun_by IS NULL) = (begun_at IS NULL)"
            " AND (begun_by IS NULL) = (begun_sha256 IS NULL)",
            name=op.f("ck_bulk_revocation_begun"),
        ),
        sa.CheckConstraint(
            "ended_at IS NULL OR done = total", name=op.f("ck_bulk_revocation_ended")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_revocation")),
        sqlite_with_rowid=False,
    )


def _erasure_columns() -> tuple["sa.Column[Any]", ...]:
    """Of erasure cases."""
    return (
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("cause", sa.String(length=12), nullable=False),
        sa.Column("opened_by", sa.String(length=40), nullable=False),
        sa.Column("requested_at", records.database.UtcTime(), nullable=False),
        sa.Column("due_at", records.database.UtcTime(), nullable=False),
        sa.Column("begins_at", records.database.UtcTime(), nullable=True),
        sa.Column("rulings", sa.Text(), nullable=False),
        sa.Column("rulings_sha256", sa.String(length=64), nullable=False),
        sa.Column("kept", sa.Text(), nullable=True),
        sa.Column("holder", sa.String(length=64), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.Column("destroyed_event", sa.Integer(), nullable=True),
        sa.Column("certificates", sa.Integer(), server_default="0", nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("recheck", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_at", records.database.UtcTime(), nullable=True),
        sa.Column("error", sa.String(length=80), nullable=True),
        sa.Column("lease_holder", sa.String(length=40), nullable=True),
        sa.Column("lease_until", records.database.UtcTime(), nullable=True),
        sa.Column("updated_at", records.database.UtcTime(), nullable=False),
    )
