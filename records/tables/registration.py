"""Applications, the approvals of them, and what they renew."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
)

from gdpr_erasure.record_classes import RecordClass
from records.database import UtcTime
from records.tables.base import (
    BY_APPLICATION,
    BY_CERTIFICATE,
    BY_OFFICER,
    OPERATIONAL,
    RANDOM,
    metadata,
    personal,
)

application = Table(
    "application",
    metadata,
    Column("id", String(40), primary_key=True, info=BY_APPLICATION),
    Column("profile", String(41), nullable=False, info=OPERATIONAL),
    Column("level", String(12), nullable=False, info=OPERATIONAL),
    Column("state", String(12), nullable=False, index=True, info=OPERATIONAL),
    Column("subject_id", String(40), nullable=False, index=True, info=BY_APPLICATION),
    Column("spki_sha256", String(64), nullable=False, info=BY_APPLICATION),
    Column("secret_sha256", String(64), nullable=False, info=RANDOM),
    Column("proofing_person", String(40), info=BY_OFFICER),
    Column("package_sha256", String(64), info=BY_APPLICATION),
    Column(
        "sealed_body", LargeBinary, nullable=False, info=personal(RecordClass.PROOFING_EVIDENCE)
    ),
    Column("created_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("updated_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("keep_until", UtcTime, info=OPERATIONAL),
    sqlite_with_rowid=False,
)

approval = Table(
    "approval",
    metadata,
    Column("application_id", String(40), nullable=False, info=BY_APPLICATION),
    Column("officer_id", String(40), nullable=False, info=BY_OFFICER),
    Column("person_id", String(40), nullable=False, info=BY_OFFICER),
    Column("package_sha256", String(64), nullable=False, info=BY_APPLICATION),
    Column(
        "sealed_package", LargeBinary, nullable=False, info=personal(RecordClass.PROOFING_EVIDENCE)
    ),
    Column("signature", LargeBinary, nullable=False, info=BY_OFFICER),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    # One for each package: whoever goes back to proofing is approved anew.
    PrimaryKeyConstraint("application_id", "package_sha256"),
    sqlite_with_rowid=False,
)

# Which certificate gives way to the one applied for (NSIS 3.2.4).
renewal = Table(
    "renewal",
    metadata,
    Column("application_id", String(40), primary_key=True, info=BY_APPLICATION),
    Column("issuer", String(32), nullable=False, info=OPERATIONAL),
    Column("serial", String(40), nullable=False, info=BY_CERTIFICATE),
    Column("basis", String(12), nullable=False, info=OPERATIONAL),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    CheckConstraint("basis IN ('renewal', 'replacement')", name="basis"),
    Index("ix_renewal_place", "issuer", "serial"),
    sqlite_with_rowid=False,
)
