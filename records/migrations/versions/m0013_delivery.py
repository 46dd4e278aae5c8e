"""Credentials, activation codes, letters, duties and revocation secrets."""

import sqlalchemy as sa
from alembic import op

import records.database

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create the tables of delivery and activation."""
    op.create_table(
        "activation_code",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("sealed_digest", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("made_at", records.database.UtcTime(), nullable=False),
        sa.Column("expires_at", records.database.UtcTime(), nullable=False),
        sa.Column("used_at", records.database.UtcTime(), nullable=True),
        sa.Column("ended_at", records.database.UtcTime(), nullable=True),
        sa.Column("ending", sa.String(length=12), nullable=True),
        sa.CheckConstraint(
            "channel IN ('post', 'email', 'sms', 'online')", name=op.f("ck_activation_code_channel")
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ending IS NULL)", name=op.f("ck_activation_code_ending")
        ),
        sa.CheckConstraint("0 <= tries AND tries <= 5", name=op.f("ck_activation_code_tries")),
        sa.CheckConstraint(
            "used_at IS NULL OR ended_at IS NULL", name=op.f("ck_activation_code_one_end")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activation_code")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_activation_code_application_id"),
        "activation_code",
        ["application_id"],
        unique=False,
    )
    op.create_index(
        "ix_activation_code_live",
        "activation_code",
        ["application_id"],
        unique=True,
        sqlite_where=sa.text("used_at IS NULL AND ended_at IS NULL"),
        postgresql_where=sa.text("used_at IS NULL AND ended_at IS NULL"),
    )
    op.create_table(
        "credential",
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("step", sa.String(length=12), nullable=False),
        sa.Column("prepared_at", records.database.UtcTime(), nullable=False),
        sa.Column("delivered_at", records.database.UtcTime(), nullable=True),
        sa.Column("activated_at", records.database.UtcTime(), nullable=True),
        sa.Column("ended_at", records.database.UtcTime(), nullable=True),
        sa.Column("ending", sa.String(length=12), nullable=True),
        sa.Column("sealed_activation", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "(step = 'activated') = (activated_at IS NOT NULL)",
            name=op.f("ck_credential_activated"),
        ),
        sa.CheckConstraint(
            "(step = 'activated') = (sealed_activation IS NOT NULL)",
            name=op.f("ck_credential_activation"),
        ),
        sa.CheckConstraint(
            "(step = 'ended') = (ended_at IS NOT NULL)", name=op.f("ck_credential_ended")
        ),
        sa.CheckConstraint(
            "channel IN ('online', 'post', 'in_person')", name=op.f("ck_credential_channel")
        ),
        sa.CheckConstraint(
            "step IN ('prepared', 'delivered', 'activated', 'ended')",
            name=op.f("ck_credential_step"),
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ending IS NULL)", name=op.f("ck_credential_ending")
        ),
        sa.PrimaryKeyConstraint("application_id", name=op.f("pk_credential")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "duty",
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("package_sha256", sa.String(length=64), nullable=False),
        sa.Column("task", sa.String(length=16), nullable=False),
        sa.Column("officer_id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.Column("at", records.database.UtcTime(), nullable=False),
        sa.CheckConstraint(
            "task IN ('proofing', 'personalisation', 'code_dispatch', 'personal_check')",
            name=op.f("ck_duty_task"),
        ),
        sa.PrimaryKeyConstraint("application_id", "package_sha256", "task", name=op.f("pk_duty")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "print_job",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("sealed_letter", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", records.database.UtcTime(), nullable=False),
        sa.Column("confirmed_at", records.database.UtcTime(), nullable=True),
        sa.Column("confirmed_by", sa.String(length=40), nullable=True),
        sa.Column("purged_at", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint(
            "(confirmed_at IS NULL) = (confirmed_by IS NULL)", name=op.f("ck_print_job_confirmed")
        ),
        sa.CheckConstraint(
            "(purged_at IS NULL) = (sealed_letter IS NOT NULL)", name=op.f("ck_print_job_purged")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_print_job")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_print_job_application_id"), "print_job", ["application_id"], unique=False
    )
    op.create_table(
        "revocation_secret",
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("made_at", records.database.UtcTime(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tried_at", records.database.UtcTime(), nullable=True),
        sa.CheckConstraint("0 <= tries", name=op.f("ck_revocation_secret_tries")),
        sa.PrimaryKeyConstraint("application_id", name=op.f("pk_revocation_secret")),
        sqlite_with_rowid=False,
    )
