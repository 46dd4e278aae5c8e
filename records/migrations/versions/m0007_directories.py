"""What directories show of certificate authorities, and how they were found when looked at."""

import sqlalchemy as sa
from alembic import op

import records.database

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "authority_publication",
        sa.Column("directory", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("verified_at", records.database.UtcTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_at", records.database.UtcTime(), nullable=False),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.CheckConstraint(
            "(digest IS NULL) = (verified_at IS NULL)",
            name=op.f("ck_authority_publication_verified"),
        ),
        sa.PrimaryKeyConstraint("directory", "issuer", name=op.f("pk_authority_publication")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "directory_check",
        sa.Column("directory", sa.String(length=40), nullable=False),
        sa.Column("checked_at", records.database.UtcTime(), nullable=False),
        sa.Column("certificates", sa.Integer(), nullable=False),
        sa.Column("drift", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("directory", name=op.f("pk_directory_check")),
        sqlite_with_rowid=False,
    )
