"""Credentials on their way, codes and letters, duties, and the holders' revocation secrets."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    text,
)

from records.database import UtcTime
from records.tables.base import metadata

# What comes before there is a certificate, whose status tells all the rest. The activation is
# sealed, so that whoever writes to the database beside the program cannot make one.
credential = Table(
    "credential",
    metadata,
    Column("application_id", String(40), primary_key=True),
    Column("channel", String(12), nullable=False),
    Column("step", String(12), nullable=False),
    Column("prepared_at", UtcTime, nullable=False),
    Column("delivered_at", UtcTime),
    Column("activated_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("ending", String(12)),
    Column("sealed_activation", LargeBinary),
    CheckConstraint("step IN ('prepared', 'delivered', 'activated', 'ended')", name="step"),
    CheckConstraint("channel IN ('online', 'post', 'in_person')", name="channel"),
    CheckConstraint("(step = 'activated') = (activated_at IS NOT NULL)", name="activated"),
    CheckConstraint("(step = 'activated') = (sealed_activation IS NOT NULL)", name="activation"),
    CheckConstraint("(step = 'ended') = (ended_at IS NOT NULL)", name="ended"),
    CheckConstraint("(ended_at IS NULL) = (ending IS NULL)", name="ending"),
    sqlite_with_rowid=False,
)

# The seal holds salt and digest once more, for the same reason.
activation_code = Table(
    "activation_code",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("application_id", String(40), nullable=False, index=True),
    Column("channel", String(12), nullable=False),
    Column("salt", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("sealed_digest", LargeBinary, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("made_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("used_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("ending", String(12)),
    CheckConstraint("channel IN ('post', 'email', 'sms', 'online')", name="channel"),
    CheckConstraint("0 <= tries AND tries <= 5", name="tries"),
    CheckConstraint("used_at IS NULL OR ended_at IS NULL", name="one_end"),
    CheckConstraint("(ended_at IS NULL) = (ending IS NULL)", name="ending"),
    # One at a time.
    Index(
        "ix_activation_code_live",
        "application_id",
        unique=True,
        sqlite_where=text("used_at IS NULL AND ended_at IS NULL"),
        postgresql_where=text("used_at IS NULL AND ended_at IS NULL"),
    ),
    sqlite_with_rowid=False,
)

# A letter is encrypted to the printer, and goes once the printer has confirmed it.
print_job = Table(
    "print_job",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("application_id", String(40), nullable=False, index=True),
    Column("envelope", LargeBinary),
    Column("made_at", UtcTime, nullable=False),
    Column("confirmed_at", UtcTime),
    Column("confirmed_by", String(40)),
    Column("purged_at", UtcTime),
    CheckConstraint("(confirmed_at IS NULL) = (confirmed_by IS NULL)", name="confirmed"),
    CheckConstraint("(purged_at IS NULL) = (envelope IS NOT NULL)", name="purged"),
    sqlite_with_rowid=False,
)

# Who did what for which package of an application; one task, one person, for each package.
duty = Table(
    "duty",
    metadata,
    Column("application_id", String(40), nullable=False),
    Column("package_sha256", String(64), nullable=False),
    Column("task", String(16), nullable=False),
    Column("officer_id", String(40), nullable=False),
    Column("person_id", String(40), nullable=False),
    Column("signature", LargeBinary),
    Column("at", UtcTime, nullable=False),
    PrimaryKeyConstraint("application_id", "package_sha256", "task"),
    CheckConstraint(
        "task IN ('proofing', 'personalisation', 'code_dispatch', 'personal_check')", name="task"
    ),
    sqlite_with_rowid=False,
)

revocation_secret = Table(
    "revocation_secret",
    metadata,
    Column("application_id", String(40), primary_key=True),
    Column("salt", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("tried_at", UtcTime),
    CheckConstraint("0 <= tries", name="tries"),
    sqlite_with_rowid=False,
)
