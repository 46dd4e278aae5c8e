"""Publications of certificates that are nobody's, and what is set aside is to be published."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_SET_ASIDE = "set_aside_at IS NULL OR state = 'pending'"
# Those that there are, which SQLite's making anew would leave behind.
_CHECKS = {
    "state": "state IN ('pending', 'published', 'withdrawing', 'withdrawn')",
    "verified": "state NOT IN ('published', 'withdrawn') OR verified_at IS NOT NULL",
}


def upgrade() -> None:
    """Let a publication be without a subject."""
    op.execute(f"UPDATE publication SET set_aside_at = NULL WHERE NOT ({_SET_ASIDE})")  # noqa: S608 - our own
    if op.get_bind().dialect.name == "sqlite":
        # The table is made anew there, and every trigger that reads it would be in the way; the
        # guards are put in anew after each migration.
        triggers = sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for name in op.get_bind().scalars(triggers).all():
            op.execute(f'DROP TRIGGER "{name}"')
    kept = tuple(
        sa.CheckConstraint(words, name=op.f(f"ck_publication_{name}"))
        for name, words in _CHECKS.items()
    )
    with op.batch_alter_table("publication", table_args=kept) as batch:
        batch.alter_column("subject_id", existing_type=sa.String(length=40), nullable=True)
        batch.create_check_constraint(op.f("ck_publication_set_aside"), _SET_ASIDE)
