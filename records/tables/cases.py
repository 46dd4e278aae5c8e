"""Cases of data subjects: erasures, who approved them, whom they are told to, what they left owed.

Of a person only the subject's identifier stands here, until the person is erased.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from records.database import UtcTime
from records.tables.base import given, metadata

# `rulings` are what officers approve, under `rulings_sha256`; `kept` are those that hold from the
# freezing on, which may keep longer. `lease_holder` works on the case until `lease_until`.
erasure = Table(
    "erasure",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("subject_id", String(40), unique=True),
    Column("state", String(12), nullable=False, index=True),
    Column("cause", String(12), nullable=False),
    Column("opened_by", String(40), nullable=False),
    Column("requested_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("begins_at", UtcTime),
    Column("rulings", Text, nullable=False),
    Column("rulings_sha256", String(64), nullable=False),
    Column("kept", Text),
    Column("holder", String(64)),
    Column("epoch", Integer),
    Column("destroyed_event", Integer),
    Column("certificates", Integer, nullable=False, server_default="0"),
    Column("evidence", Text, nullable=False),
    Column("recheck", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("retry_at", UtcTime),
    Column("error", String(80)),
    Column("lease_holder", String(40)),
    Column("lease_until", UtcTime),
    Column("updated_at", UtcTime, nullable=False),
    CheckConstraint("cause IN ('request', 'retention')", name="cause"),
    CheckConstraint("(lease_holder IS NULL) = (lease_until IS NULL)", name="lease"),
    sqlite_with_rowid=False,
)

erasure_approval = Table(
    "erasure_approval",
    metadata,
    Column("case_id", String(40), nullable=False),
    Column("rulings_sha256", String(64), nullable=False),
    Column("person_id", String(40), nullable=False),
    Column("officer_id", String(40), nullable=False),
    Column("at", UtcTime, nullable=False),
    PrimaryKeyConstraint("case_id", "rulings_sha256", "person_id"),
    sqlite_with_rowid=False,
)

erasure_receipt = Table(
    "erasure_receipt",
    metadata,
    Column("case_id", String(40), nullable=False),
    Column("number", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    PrimaryKeyConstraint("case_id", "number"),
    sqlite_with_rowid=False,
)

erasure_notice = Table(
    "erasure_notice",
    metadata,
    Column("case_id", String(40), nullable=False),
    Column("recipient", String(40), nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("reason", String(40)),
    Column("at", UtcTime),
    PrimaryKeyConstraint("case_id", "recipient"),
    CheckConstraint("outcome IN ('open', 'delivered', 'impossible')", name="outcome"),
    CheckConstraint("(outcome = 'open') = (at IS NULL)", name="at"),
    sqlite_with_rowid=False,
)

# A withdrawal that is still owed after the person is gone; it needs nobody's name.
directory_debt = Table(
    "directory_debt",
    metadata,
    Column("directory", String(40), nullable=False),
    Column("issuer", String(32), nullable=False),
    Column("serial", String(40), nullable=False),
    Column("case_id", String(40), nullable=False, index=True),
    Column("entry_uuid", String(36)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("retry_at", UtcTime, nullable=False),
    Column("error_code", String(40)),
    Column("verified_at", UtcTime),
    PrimaryKeyConstraint("directory", "issuer", "serial"),
    sqlite_with_rowid=False,
)

# What two persons decide about keeping: a hold on a subject, its end, a shorter period; and that a
# directory is gone for good. `hold_id` is the hold that a release ends.
retention_order = Table(
    "retention_order",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("subject_id", String(40), index=True),
    Column("directory", String(40)),
    Column("hold_id", String(40)),
    Column("until_at", UtcTime),
    Column("basis", String(80), nullable=False),
    Column("asked_by", String(40), nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("approved_by", String(40)),
    Column("approved_at", UtcTime),
    UniqueConstraint("hold_id"),
    CheckConstraint("kind IN ('hold', 'release', 'shorten', 'write_off')", name="kind"),
    CheckConstraint("(kind = 'write_off') = (subject_id IS NULL)", name="subject"),
    CheckConstraint("(kind = 'write_off') = (directory IS NOT NULL)", name="directory"),
    CheckConstraint("(kind = 'release') = (hold_id IS NOT NULL)", name="hold"),
    CheckConstraint("(kind = 'shorten') = (until_at IS NOT NULL)", name="until"),
    CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", name="approved"),
    Index("ix_retention_order_directory", "directory", **given("directory")),
    sqlite_with_rowid=False,
)
