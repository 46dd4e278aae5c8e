"""Legal persons, mandates to act for them, and associations of persons with them.

The number of a legal person is public; whatever names a natural person is in sealed bodies, and
persons stand in clear only as opaque subject ids. Levels are 1 Low, 2 Substantial, 3 High.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    Integer,
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
    not_personal,
    personal,
)

_PUBLIC = not_personal("the number of a legal person, which its register publishes")

organisation = Table(
    "organisation",
    metadata,
    Column("id", String(40), primary_key=True, info=RANDOM),
    Column("cvr", String(8), nullable=False, unique=True, info=_PUBLIC),
    Column("subject_id", String(40), nullable=False, info=RANDOM),
    Column("state", String(12), nullable=False, info=OPERATIONAL),
    Column("level", Integer, info=OPERATIONAL),
    Column("created_at", UtcTime, nullable=False, info=OPERATIONAL),
    CheckConstraint("state IN ('proposed', 'registered', 'ended')", name="state"),
    CheckConstraint("level IN (1, 2, 3)", name="level"),
    sqlite_with_rowid=False,
)

mandate = Table(
    "mandate",
    metadata,
    Column("id", String(40), primary_key=True, info=RANDOM),
    Column("organisation_id", String(40), nullable=False, index=True, info=RANDOM),
    Column("act", String(12), nullable=False, info=OPERATIONAL),
    Column("level", Integer, nullable=False, info=OPERATIONAL),
    Column("state", String(12), nullable=False, index=True, info=OPERATIONAL),
    Column("registrant", String(40), nullable=False, info=BY_APPLICATION),
    Column("holder", String(40), nullable=False, index=True, info=BY_APPLICATION),
    Column("checked_by_person", String(40), info=BY_OFFICER),
    Column("package_sha256", String(64), info=RANDOM),
    Column("approved_by", String(40), info=BY_OFFICER),
    Column("approved_by_person", String(40), info=BY_OFFICER),
    Column("signature", LargeBinary, info=BY_OFFICER),
    Column("valid_until", Date, info=OPERATIONAL),
    Column(
        "sealed_body", LargeBinary, nullable=False, info=personal(RecordClass.PROOFING_EVIDENCE)
    ),
    Column("opened_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("updated_at", UtcTime, nullable=False, info=OPERATIONAL),
    CheckConstraint("act IN ('register', 'administer')", name="act"),
    CheckConstraint("level IN (1, 2, 3)", name="level"),
    sqlite_with_rowid=False,
)

mandate_signature = Table(
    "mandate_signature",
    metadata,
    Column("mandate_id", String(40), nullable=False, info=RANDOM),
    Column("subject_id", String(40), nullable=False, info=BY_APPLICATION),
    Column("fingerprint", String(64), nullable=False, info=BY_CERTIFICATE),
    Column("asked_sha256", String(64), nullable=False, info=RANDOM),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    PrimaryKeyConstraint("mandate_id", "subject_id"),
    sqlite_with_rowid=False,
)

call_back = Table(
    "call_back",
    metadata,
    Column("mandate_id", String(40), primary_key=True, info=RANDOM),
    Column("percent", Integer, nullable=False, info=OPERATIONAL),
    Column("selected", Integer, nullable=False, info=OPERATIONAL),
    Column("number_source", String(40), nullable=False, info=OPERATIONAL),
    Column("drawn_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("outcome", String(12), info=OPERATIONAL),
    Column("called_by", String(40), info=BY_OFFICER),
    Column("called_at", UtcTime, info=OPERATIONAL),
    CheckConstraint("selected IN (0, 1)", name="selected"),
    CheckConstraint("outcome IN ('confirmed', 'denied')", name="outcome"),
    sqlite_with_rowid=False,
)

incident = Table(
    "incident",
    metadata,
    Column("id", String(40), primary_key=True, info=RANDOM),
    Column("kind", String(24), nullable=False, info=OPERATIONAL),
    Column("about", String(40), nullable=False, info=OPERATIONAL),
    Column("opened_by", String(40), nullable=False, info=BY_OFFICER),
    Column("opened_at", UtcTime, nullable=False, info=OPERATIONAL),
    CheckConstraint("kind IN ('call_back_denied', 'specimen_mismatch')", name="kind"),
    sqlite_with_rowid=False,
)

association = Table(
    "association",
    metadata,
    Column("id", String(40), primary_key=True, info=RANDOM),
    Column("organisation_id", String(40), nullable=False, index=True, info=RANDOM),
    Column("subject_id", String(40), nullable=False, index=True, info=BY_APPLICATION),
    Column("kind", String(12), nullable=False, info=OPERATIONAL),
    Column("basis", String(24), nullable=False, info=OPERATIONAL),
    Column("asked_level", Integer, nullable=False, info=OPERATIONAL),
    Column("state", String(12), nullable=False, info=OPERATIONAL),
    Column("proposed_by", String(40), nullable=False, info=BY_APPLICATION),
    Column("endorsed_by", String(40), info=BY_APPLICATION),
    Column("organisation_consent_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("person_consent_at", UtcTime, info=OPERATIONAL),
    Column("person_level", Integer, info=OPERATIONAL),
    Column("organisation_level", Integer, info=OPERATIONAL),
    Column("link_level", Integer, info=OPERATIONAL),
    Column("level", Integer, info=OPERATIONAL),
    Column("suspended_by", String(12), info=OPERATIONAL),
    Column("created_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("updated_at", UtcTime, nullable=False, info=OPERATIONAL),
    CheckConstraint("kind IN ('credential', 'link')", name="kind"),
    CheckConstraint("suspended_by IN ('person', 'organisation')", name="suspended_by"),
    CheckConstraint("asked_level IN (1, 2, 3)", name="asked_level"),
    sqlite_with_rowid=False,
)

organisation_application = Table(
    "organisation_application",
    metadata,
    Column("application_id", String(40), primary_key=True, info=BY_APPLICATION),
    Column("organisation_id", String(40), nullable=False, index=True, info=RANDOM),
    Column("association_id", String(40), index=True, info=RANDOM),
    sqlite_with_rowid=False,
)
