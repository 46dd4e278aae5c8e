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
from records.tables.base import (
    BY_ACT,
    BY_CASE,
    BY_CERTIFICATE,
    BY_OFFICER,
    BY_PUBLICATION,
    OPERATIONAL,
    RANDOM,
    given,
    metadata,
)

# `rulings` are what officers approve, under `rulings_sha256`; `kept` are those that hold from the
# freezing on, which may keep longer. `lease_holder` works on the case until `lease_until`.
erasure = Table(
    "erasure",
    metadata,
    Column("id", String(40), primary_key=True, info=BY_CASE),
    Column("subject_id", String(40), unique=True, info=BY_CASE),
    Column("state", String(12), nullable=False, index=True, info=OPERATIONAL),
    Column("cause", String(12), nullable=False, info=OPERATIONAL),
    Column("opened_by", String(40), nullable=False, info=BY_ACT),
    Column("requested_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("due_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("begins_at", UtcTime, info=OPERATIONAL),
    Column("rulings", Text, nullable=False, info=OPERATIONAL),
    Column("rulings_sha256", String(64), nullable=False, info=RANDOM),
    Column("kept", Text, info=OPERATIONAL),
    Column("holder", String(64), info=BY_CASE),
    Column("epoch", Integer, info=OPERATIONAL),
    Column("destroyed_event", Integer, info=OPERATIONAL),
    Column("certificates", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    Column("evidence", Text, nullable=False, info=BY_CERTIFICATE),
    Column("recheck", Text, nullable=False, info=BY_CERTIFICATE),
    Column("attempts", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    Column("retry_at", UtcTime, info=OPERATIONAL),
    Column("error", String(80), info=OPERATIONAL),
    Column("lease_holder", String(40), info=RANDOM),
    Column("lease_until", UtcTime, info=OPERATIONAL),
    Column("updated_at", UtcTime, nullable=False, info=OPERATIONAL),
    CheckConstraint("cause IN ('request', 'retention')", name="cause"),
    CheckConstraint("(lease_holder IS NULL) = (lease_until IS NULL)", name="lease"),
    sqlite_with_rowid=False,
)

erasure_approval = Table(
    "erasure_approval",
    metadata,
    Column("case_id", String(40), nullable=False, info=BY_CASE),
    Column("rulings_sha256", String(64), nullable=False, info=RANDOM),
    Column("person_id", String(40), nullable=False, info=BY_OFFICER),
    Column("officer_id", String(40), nullable=False, info=BY_OFFICER),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    PrimaryKeyConstraint("case_id", "rulings_sha256", "person_id"),
    sqlite_with_rowid=False,
)

erasure_receipt = Table(
    "erasure_receipt",
    metadata,
    Column("case_id", String(40), nullable=False, info=BY_CASE),
    Column("number", Integer, nullable=False, info=OPERATIONAL),
    Column("text", Text, nullable=False, info=BY_CASE),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    PrimaryKeyConstraint("case_id", "number"),
    sqlite_with_rowid=False,
)

erasure_notice = Table(
    "erasure_notice",
    metadata,
    Column("case_id", String(40), nullable=False, info=BY_CASE),
    Column("recipient", String(40), nullable=False, info=OPERATIONAL),
    Column("outcome", String(12), nullable=False, info=OPERATIONAL),
    Column("reason", String(40), info=OPERATIONAL),
    Column("at", UtcTime, info=OPERATIONAL),
    PrimaryKeyConstraint("case_id", "recipient"),
    CheckConstraint("outcome IN ('open', 'delivered', 'impossible')", name="outcome"),
    CheckConstraint("(outcome = 'open') = (at IS NULL)", name="at"),
    sqlite_with_rowid=False,
)

# A withdrawal that is still owed after the person is gone; it needs nobody's name.
directory_debt = Table(
    "directory_debt",
    metadata,
    Column("directory", String(40), nullable=False, info=OPERATIONAL),
    Column("issuer", String(32), nullable=False, info=OPERATIONAL),
    Column("serial", String(40), nullable=False, info=BY_CERTIFICATE),
    Column("case_id", String(40), nullable=False, index=True, info=BY_CASE),
    Column("entry_uuid", String(36), info=BY_PUBLICATION),
    Column("attempts", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    Column("retry_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("error_code", String(40), info=OPERATIONAL),
    Column("verified_at", UtcTime, info=OPERATIONAL),
    PrimaryKeyConstraint("directory", "issuer", "serial"),
    sqlite_with_rowid=False,
)

# What two persons decide about keeping: a hold on a subject, its end, a shorter period; and that a
# directory is gone for good. `hold_id` is the hold that a release ends.
retention_order = Table(
    "retention_order",
    metadata,
    Column("id", String(40), primary_key=True, info=BY_CASE),
    Column("kind", String(12), nullable=False, info=OPERATIONAL),
    Column("subject_id", String(40), index=True, info=BY_CASE),
    Column("directory", String(40), info=OPERATIONAL),
    Column("hold_id", String(40), info=BY_CASE),
    Column("until_at", UtcTime, info=OPERATIONAL),
    Column("basis", String(80), nullable=False, info=OPERATIONAL),
    Column("asked_by", String(40), nullable=False, info=BY_ACT),
    Column("asked_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("approved_by", String(40), info=BY_ACT),
    Column("approved_at", UtcTime, info=OPERATIONAL),
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
