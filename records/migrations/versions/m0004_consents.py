"""The ledgers of consents and of disclosures."""

import sqlalchemy as sa
from alembic import op

import records.database

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "consent",
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("text_version", sa.Integer(), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("level", sa.String(length=12), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.Column("sealed_details", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "level IN ('none', 'low', 'substantial', 'high')", name=op.f("ck_consent_level")
        ),
        sa.CheckConstraint("state IN ('given', 'withdrawn')", name=op.f("ck_consent_state")),
        sa.PrimaryKeyConstraint("subject_id", "kind", "number", name=op.f("pk_consent")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "disclosure",
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("recipient", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.Column("ended_at", records.database.UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint(
            "subject_id", "recipient", "issuer", "serial", "at", name=op.f("pk_disclosure")
        ),
        sqlite_with_rowid=False,
    )
