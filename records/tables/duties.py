"""Duties to revoke (NSIS 3.2.3(4))."""

from sqlalchemy import CheckConstraint, Column, Index, String, Table, text

from gdpr_erasure.record_classes import RecordClass
from records.database import UtcTime
from records.tables.base import BY_CERTIFICATE, OPERATIONAL, RANDOM, metadata, pseudonym

_BY_WHOM = pseudonym(RecordClass.REVOCATION_REQUEST)

revocation_duty = Table(
    "revocation_duty",
    metadata,
    Column("id", String(20), primary_key=True, info=RANDOM),
    Column("issuer", String(32), nullable=False, info=OPERATIONAL),
    Column("serial", String(40), nullable=False, info=BY_CERTIFICATE),
    Column("subject_id", String(40), nullable=False, index=True, info=BY_CERTIFICATE),
    Column("cause", String(24), nullable=False, info=OPERATIONAL),
    Column("state", String(9), nullable=False, info=OPERATIONAL),
    Column("opened_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("opened_by", String(80), nullable=False, info=_BY_WHOM),
    Column("deadline", UtcTime, nullable=False, info=OPERATIONAL),
    # Who says that there is no reason to revoke, and why; another person confirms it.
    Column("proposed_by", String(40), info=_BY_WHOM),
    Column("proposed_person", String(40), info=_BY_WHOM),
    Column("no_reason", String(20), info=OPERATIONAL),
    Column("decided_by", String(80), info=_BY_WHOM),
    Column("decided_person", String(40), info=_BY_WHOM),
    Column("decided_at", UtcTime, info=OPERATIONAL),
    CheckConstraint("state IN ('open', 'revoked', 'dismissed')", name="state"),
    # One event of a register leads to one duty, however many nodes hear of it.
    Index(
        "ix_revocation_duty_open",
        "issuer",
        "serial",
        "cause",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    sqlite_with_rowid=False,
)
