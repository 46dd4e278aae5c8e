"""Proofing natural persons: trainings, texts shown, nonces, attempts, resolutions, derivations."""

import sqlalchemy as sa
from alembic import op

import records.database

revision = "0011"
down_revision = "0007"


def upgrade() -> None:
    """Create the tables of proofing natural persons."""
    op.create_table(
        "training",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("topic", sa.String(length=24), nullable=False),
        sa.Column("trained_at", records.database.UtcTime(), nullable=False),
        sa.Column("valid_until", records.database.UtcTime(), nullable=False),
        sa.Column("recorded_by", sa.String(length=40), nullable=False),
        sa.Column("recorded_person", sa.String(length=40), nullable=True),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.CheckConstraint("topic IN ('identity_proofing')", name=op.f("ck_training_topic")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_training_person_id"), "training", ["person_id"], unique=False)
    op.create_table(
        "presentation",
        sa.Column("session_sha256", sa.String(length=64), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("shown_at", records.database.UtcTime(), nullable=False),
        sa.Column("completed_at", records.database.UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("session_sha256", "text_sha256", name=op.f("pk_presentation")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_presentation_shown_at"), "presentation", ["shown_at"], unique=False)
    op.create_table(
        "proofing_nonce",
        sa.Column("nonce_sha256", sa.String(length=64), nullable=False),
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("asked_at", records.database.UtcTime(), nullable=False),
        sa.Column("expires_at", records.database.UtcTime(), nullable=False),
        sa.Column("used_at", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('biometric', 'login')", name=op.f("ck_proofing_nonce_purpose")
        ),
        sa.PrimaryKeyConstraint("nonce_sha256", name=op.f("pk_proofing_nonce")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_proofing_nonce_application_id"), "proofing_nonce", ["application_id"], unique=False
    )
    op.create_table(
        "failed_attempt",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("identity_hmac", sa.String(length=64), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_attempt")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_failed_attempt_application_id"), "failed_attempt", ["application_id"], unique=False
    )
    op.create_index(
        op.f("ix_failed_attempt_identity_hmac"), "failed_attempt", ["identity_hmac"], unique=False
    )
    op.create_table(
        "resolution",
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("officer_id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("application_id", "number", name=op.f("pk_resolution")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "derivation",
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("credential_sha256", sa.String(length=64), nullable=False),
        sa.Column("level", sa.String(length=12), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("application_id", "credential_sha256", name=op.f("pk_derivation")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_derivation_credential_sha256"), "derivation", ["credential_sha256"], unique=False
    )
    op.create_table(
        "derivation_review",
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("credential_sha256", sa.String(length=64), nullable=False),
        sa.Column("opened_by", sa.String(length=40), nullable=False),
        sa.Column("opened_person", sa.String(length=40), nullable=False),
        sa.Column("opened_at", records.database.UtcTime(), nullable=False),
        sa.Column("decision", sa.String(length=8), nullable=True),
        sa.Column("decided_by", sa.String(length=40), nullable=True),
        sa.Column("decided_person", sa.String(length=40), nullable=True),
        sa.Column("decided_at", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint(
            "decision IN ('stands', 'revoked')", name=op.f("ck_derivation_review_decision")
        ),
        sa.CheckConstraint(
            "(decision IS NULL) = (decided_by IS NULL)", name=op.f("ck_derivation_review_decided")
        ),
        sa.PrimaryKeyConstraint(
            "application_id", "credential_sha256", name=op.f("pk_derivation_review")
        ),
        sqlite_with_rowid=False,
    )
