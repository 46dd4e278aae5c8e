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

from gdpr_erasure.record_classes import RecordClass
from records.database import UtcTime
from records.tables.base import BY_APPLICATION, BY_OFFICER, OPERATIONAL, RANDOM, metadata, personal

# What comes before there is a certificate, whose status tells all the rest. The activation is
# sealed, so that whoever writes to the database beside the program cannot make one.
credential = Table(
    "credential",
    metadata,
    Column("application_id", String(40), primary_key=True, info=BY_APPLICATION),
    Column("channel", String(12), nullable=False, info=OPERATIONAL),
    Column("step", String(12), nullable=False, info=OPERATIONAL),
    Column("prepared_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("delivered_at", UtcTime, info=OPERATIONAL),
    Column("activated_at", UtcTime, info=OPERATIONAL),
    Column("ended_at", UtcTime, info=OPERATIONAL),
    Column("ending", String(12), info=OPERATIONAL),
    Column("sealed_activation", LargeBinary, info=personal(RecordClass.PROOFING_EVIDENCE)),
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
    Column("id", String(40), primary_key=True, info=RANDOM),
    Column("application_id", String(40), nullable=False, index=True, info=BY_APPLICATION),
    Column("channel", String(12), nullable=False, info=OPERATIONAL),
    Column("salt", String(64), nullable=False, info=RANDOM),
    Column("digest", String(64), nullable=False, info=RANDOM),
    Column(
        "sealed_digest", LargeBinary, nullable=False, info=personal(RecordClass.PROOFING_EVIDENCE)
    ),
    Column("tries", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    Column("made_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("expires_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("used_at", UtcTime, info=OPERATIONAL),
    Column("ended_at", UtcTime, info=OPERATIONAL),
    Column("ending", String(12), info=OPERATIONAL),
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

# A letter is encrypted to the printer alone, and goes once it is confirmed to be printed.
print_job = Table(
    "print_job",
    metadata,
    Column("id", String(40), primary_key=True, info=RANDOM),
    Column("application_id", String(40), nullable=False, index=True, info=BY_APPLICATION),
    Column("sealed_letter", LargeBinary, info=personal(RecordClass.PROOFING_EVIDENCE)),
    Column("made_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("confirmed_at", UtcTime, info=OPERATIONAL),
    Column("confirmed_by", String(40), info=BY_OFFICER),
    Column("purged_at", UtcTime, info=OPERATIONAL),
    CheckConstraint("(confirmed_at IS NULL) = (confirmed_by IS NULL)", name="confirmed"),
    CheckConstraint("(purged_at IS NULL) = (sealed_letter IS NOT NULL)", name="purged"),
    sqlite_with_rowid=False,
)

# Who did what for which package of an application; one task, one person, for each package.
duty = Table(
    "duty",
    metadata,
    Column("application_id", String(40), nullable=False, info=BY_APPLICATION),
    Column("package_sha256", String(64), nullable=False, info=BY_APPLICATION),
    Column("task", String(16), nullable=False, info=OPERATIONAL),
    Column("officer_id", String(40), nullable=False, info=BY_OFFICER),
    Column("person_id", String(40), nullable=False, info=BY_OFFICER),
    Column("signature", LargeBinary, info=BY_OFFICER),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    PrimaryKeyConstraint("application_id", "package_sha256", "task"),
    CheckConstraint(
        "task IN ('proofing', 'personalisation', 'code_dispatch', 'personal_check')", name="task"
    ),
    sqlite_with_rowid=False,
)

revocation_secret = Table(
    "revocation_secret",
    metadata,
    Column("application_id", String(40), primary_key=True, info=BY_APPLICATION),
    Column("salt", String(64), nullable=False, info=RANDOM),
    Column("digest", String(64), nullable=False, info=RANDOM),
    Column("made_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("tries", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    Column("tried_at", UtcTime, info=OPERATIONAL),
    CheckConstraint("0 <= tries", name="tries"),
    sqlite_with_rowid=False,
)
