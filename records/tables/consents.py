"""The ledgers of consents and of disclosures."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
)

from gdpr_erasure.record_classes import RecordClass
from records.database import UtcTime
from records.tables.base import BY_PUBLICATION, OPERATIONAL, metadata, personal, pseudonym

# What each person said to each text, in order; a withdrawal is an entry of its own.
consent = Table(
    "consent",
    metadata,
    Column("subject_id", String(40), nullable=False, info=pseudonym(RecordClass.CONSENT)),
    Column("kind", String(20), nullable=False, info=OPERATIONAL),
    Column("number", Integer, nullable=False, info=OPERATIONAL),
    Column("state", String(9), nullable=False, info=OPERATIONAL),
    Column("text_version", Integer, nullable=False, info=OPERATIONAL),
    Column("text_sha256", String(64), nullable=False, info=OPERATIONAL),
    Column("language", String(2), nullable=False, info=OPERATIONAL),
    Column("level", String(12), nullable=False, info=OPERATIONAL),
    Column("actor", String(40), nullable=False, info=pseudonym(RecordClass.OFFICER_IDENTITY)),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("sealed_details", LargeBinary, info=personal(RecordClass.CONSENT)),
    PrimaryKeyConstraint("subject_id", "kind", "number"),
    CheckConstraint("state IN ('given', 'withdrawn')", name="state"),
    CheckConstraint("level IN ('none', 'low', 'substantial', 'high')", name="level"),
    sqlite_with_rowid=False,
)

# Who was told what of a person, from when, and until when it stood there (GDPR Art. 15(1)(c), 19).
disclosure = Table(
    "disclosure",
    metadata,
    Column("subject_id", String(40), nullable=False, info=BY_PUBLICATION),
    Column("recipient", String(40), nullable=False, info=OPERATIONAL),
    Column("issuer", String(32), nullable=False, info=OPERATIONAL),
    Column("serial", String(40), nullable=False, info=BY_PUBLICATION),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("ended_at", UtcTime, info=OPERATIONAL),
    PrimaryKeyConstraint("subject_id", "recipient", "issuer", "serial", "at"),
    sqlite_with_rowid=False,
)
