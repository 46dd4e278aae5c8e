"""By which certificate an officer signs in to the pages; earlier links and sessions begin none."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the columns."""
    for table in ("one_time_link", "officer_session"):
        op.add_column(table, sa.Column("fingerprint", sa.String(length=64), nullable=True))
