"""Data-subject cases: what is asked for, its parts, approvals, files and delivery."""

import sqlalchemy as sa
from alembic import op

import records.database

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables of the cases."""
    op.create_table(
        "subject_case",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=True),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("scopes", sa.String(length=400), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("received_at", records.database.UtcTime(), nullable=False),
        sa.Column("updated_at", records.database.UtcTime(), nullable=False),
        sa.Column("opened_by", sa.String(length=40), nullable=True),
        sa.Column("opened_person", sa.String(length=40), nullable=True),
        sa.Column("assignee", sa.String(length=40), nullable=True),
        sa.Column("assignee_person", sa.String(length=40), nullable=True),
        sa.Column("asked_at", records.database.UtcTime(), nullable=True),
        sa.Column("proof_method", sa.String(length=12), nullable=True),
        sa.Column("proof_level", sa.Integer(), nullable=True),
        sa.Column("proof_at", records.database.UtcTime(), nullable=True),
        sa.Column("proof_by", sa.String(length=40), nullable=True),
        sa.Column("proof_issuer", sa.String(length=32), nullable=True),
        sa.Column("proof_serial", sa.String(length=40), nullable=True),
        sa.Column("extended_at", records.database.UtcTime(), nullable=True),
        sa.Column("lifting_told_at", records.database.UtcTime(), nullable=True),
        sa.Column("package_sha256", sa.String(length=64), nullable=True),
        sa.Column("sealed_text", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_extension", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_refusal", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_package", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_case")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_subject_case_state"), "subject_case", ["state"], unique=False)
    op.create_index(
        op.f("ix_subject_case_subject_id"), "subject_case", ["subject_id"], unique=False
    )
    op.create_table(
        "case_approval",
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("package_sha256", sa.String(length=64), nullable=False),
        sa.Column("officer_id", sa.String(length=40), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint(
            "case_id", "person_id", "package_sha256", name=op.f("pk_case_approval")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "case_part",
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("records", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("failure", sa.String(length=40), nullable=True),
        sa.Column("sealed_content", sa.LargeBinary(), nullable=True),
        sa.Column("at", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint(
            "(sha256 IS NULL) = (records IS NULL)", name=op.f("ck_case_part_answered")
        ),
        sa.PrimaryKeyConstraint("case_id", "name", name=op.f("pk_case_part")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "case_file",
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("octets", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("for_requester", sa.Integer(), nullable=False),
        sa.Column("added_by", sa.String(length=40), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.Column("sealed_file", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("for_requester IN (0, 1)", name=op.f("ck_case_file_for_requester")),
        sa.PrimaryKeyConstraint("case_id", "number", name=op.f("pk_case_file")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "case_delivery",
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("package_sha256", sa.String(length=64), nullable=False),
        sa.Column("envelope_sha256", sa.String(length=64), nullable=False),
        sa.Column("method", sa.String(length=12), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("sealed_envelope", sa.LargeBinary(), nullable=True),
        sa.Column("delivered_at", records.database.UtcTime(), nullable=False),
        sa.Column("expires_at", records.database.UtcTime(), nullable=False),
        sa.Column("downloaded_at", records.database.UtcTime(), nullable=True),
        sa.Column("ended_at", records.database.UtcTime(), nullable=True),
        sa.Column("reminded_at", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint(
            "method IN ('certificate', 'passphrase')", name=op.f("ck_case_delivery_method")
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_delivery")),
        sqlite_with_rowid=False,
    )
