"""The tables by which the records know of the key store."""

import sqlalchemy as sa
from alembic import op

import records.database

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables of keys that are to die, and of seals."""
    op.create_table(
        "doomed_key",
        sa.Column("key_ref", sa.String(length=32), nullable=False),
        sa.Column("doomed_at", records.database.UtcTime(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("key_ref", name=op.f("pk_doomed_key")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "vault_seal",
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("began_at", records.database.UtcTime(), nullable=False),
        sa.Column("sealed_at", records.database.UtcTime(), nullable=False),
        sa.Column("tokens", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_vault_seal")),
    )
