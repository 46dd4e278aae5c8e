"""Legal persons, mandates to act for them, call-backs, incidents, and associations."""

import sqlalchemy as sa
from alembic import op

import records.database

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create the tables of organisations."""
    op.create_table(
        "association",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("basis", sa.String(length=24), nullable=False),
        sa.Column("asked_level", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("proposed_by", sa.String(length=40), nullable=False),
        sa.Column("endorsed_by", sa.String(length=40), nullable=True),
        sa.Column("organisation_consent_at", records.database.UtcTime(), nullable=False),
        sa.Column("person_consent_at", records.database.UtcTime(), nullable=True),
        sa.Column("person_level", sa.Integer(), nullable=True),
        sa.Column("organisation_level", sa.Integer(), nullable=True),
        sa.Column("link_level", sa.Integer(), nullable=True),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("suspended_by", sa.String(length=12), nullable=True),
        sa.Column("created_at", records.database.UtcTime(), nullable=False),
        sa.Column("updated_at", records.database.UtcTime(), nullable=False),
        sa.CheckConstraint("kind IN ('credential', 'link')", name=op.f("ck_association_kind")),
        sa.CheckConstraint(
            "suspended_by IN ('person', 'organisation')", name=op.f("ck_association_suspended_by")
        ),
        sa.CheckConstraint("asked_level IN (1, 2, 3)", name=op.f("ck_association_asked_level")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_association")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_association_organisation_id"), "association", ["organisation_id"], unique=False
    )
    op.create_index(op.f("ix_association_subject_id"), "association", ["subject_id"], unique=False)
    op.create_table(
        "call_back",
        sa.Column("mandate_id", sa.String(length=40), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("selected", sa.Integer(), nullable=False),
        sa.Column("number_source", sa.String(length=40), nullable=False),
        sa.Column("drawn_at", records.database.UtcTime(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("called_by", sa.String(length=40), nullable=True),
        sa.Column("called_at", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint("outcome IN ('confirmed', 'denied')", name=op.f("ck_call_back_outcome")),
        sa.CheckConstraint("selected IN (0, 1)", name=op.f("ck_call_back_selected")),
        sa.PrimaryKeyConstraint("mandate_id", name=op.f("pk_call_back")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("about", sa.String(length=40), nullable=False),
        sa.Column("opened_by", sa.String(length=40), nullable=False),
        sa.Column("opened_at", records.database.UtcTime(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('call_back_denied', 'specimen_mismatch')", name=op.f("ck_incident_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mandate",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("act", sa.String(length=12), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("registrant", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("checked_by_person", sa.String(length=40), nullable=True),
        sa.Column("package_sha256", sa.String(length=64), nullable=True),
        sa.Column("approved_by", sa.String(length=40), nullable=True),
        sa.Column("approved_by_person", sa.String(length=40), nullable=True),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=False),
        sa.Column("opened_at", records.database.UtcTime(), nullable=False),
        sa.Column("updated_at", records.database.UtcTime(), nullable=False),
        sa.CheckConstraint("act IN ('register', 'administer')", name=op.f("ck_mandate_act")),
        sa.CheckConstraint("level IN (1, 2, 3)", name=op.f("ck_mandate_level")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mandate")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_mandate_holder"), "mandate", ["holder"], unique=False)
    op.create_index(
        op.f("ix_mandate_organisation_id"), "mandate", ["organisation_id"], unique=False
    )
    op.create_index(op.f("ix_mandate_state"), "mandate", ["state"], unique=False)
    op.create_table(
        "mandate_signature",
        sa.Column("mandate_id", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("asked_sha256", sa.String(length=64), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("mandate_id", "subject_id", name=op.f("pk_mandate_signature")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "organisation",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("cvr", sa.String(length=8), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("created_at", records.database.UtcTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('proposed', 'registered', 'ended')", name=op.f("ck_organisation_state")
        ),
        sa.CheckConstraint("level IN (1, 2, 3)", name=op.f("ck_organisation_level")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
        sa.UniqueConstraint("cvr", name=op.f("uq_organisation_cvr")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "organisation_application",
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("association_id", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("application_id", name=op.f("pk_organisation_application")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_organisation_application_association_id"),
        "organisation_application",
        ["association_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_organisation_application_organisation_id"),
        "organisation_application",
        ["organisation_id"],
        unique=False,
    )
