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

from records.database import UtcTime
from records.tables.base import metadata

organisation = Table(
    "organisation",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("cvr", String(8), nullable=False, unique=True),
    Column("subject_id", String(40), nullable=False),
    Column("state", String(12), nullable=False),
    Column("level", Integer),
    Column("created_at", UtcTime, nullable=False),
    CheckConstraint("state IN ('proposed', 'registered', 'ended')", name="state"),
    CheckConstraint("level IN (1, 2, 3)", name="level"),
    sqlite_with_rowid=False,
)

mandate = Table(
    "mandate",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("organisation_id", String(40), nullable=False, index=True),
    Column("act", String(12), nullable=False),
    Column("level", Integer, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("registrant", String(40), nullable=False),
    Column("holder", String(40), nullable=False, index=True),
    Column("checked_by_person", String(40)),
    Column("package_sha256", String(64)),
    Column("approved_by", String(40)),
    Column("approved_by_person", String(40)),
    Column("signature", LargeBinary),
    Column("valid_until", Date),
    Column("sealed_body", LargeBinary, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    CheckConstraint("act IN ('register', 'administer')", name="act"),
    CheckConstraint("level IN (1, 2, 3)", name="level"),
    sqlite_with_rowid=False,
)

mandate_signature = Table(
    "mandate_signature",
    metadata,
    Column("mandate_id", String(40), nullable=False),
    Column("subject_id", String(40), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("asked_sha256", String(64), nullable=False),
    Column("at", UtcTime, nullable=False),
    PrimaryKeyConstraint("mandate_id", "subject_id"),
    sqlite_with_rowid=False,
)

call_back = Table(
    "call_back",
    metadata,
    Column("mandate_id", String(40), primary_key=True),
    Column("percent", Integer, nullable=False),
    Column("selected", Integer, nullable=False),
    Column("number_source", String(40), nullable=False),
    Column("drawn_at", UtcTime, nullable=False),
    Column("outcome", String(12)),
    Column("called_by", String(40)),
    Column("called_at", UtcTime),
    CheckConstraint("selected IN (0, 1)", name="selected"),
    CheckConstraint("outcome IN ('confirmed', 'denied')", name="outcome"),
    sqlite_with_rowid=False,
)

incident = Table(
    "incident",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("about", String(40), nullable=False),
    Column("opened_by", String(40), nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    CheckConstraint("kind IN ('call_back_denied', 'specimen_mismatch')", name="kind"),
    sqlite_with_rowid=False,
)

association = Table(
    "association",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("organisation_id", String(40), nullable=False, index=True),
    Column("subject_id", String(40), nullable=False, index=True),
    Column("kind", String(12), nullable=False),
    Column("basis", String(24), nullable=False),
    Column("asked_level", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("proposed_by", String(40), nullable=False),
    Column("endorsed_by", String(40)),
    Column("organisation_consent_at", UtcTime, nullable=False),
    Column("person_consent_at", UtcTime),
    Column("person_level", Integer),
    Column("organisation_level", Integer),
    Column("link_level", Integer),
    Column("level", Integer),
    Column("suspended_by", String(12)),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    CheckConstraint("kind IN ('credential', 'link')", name="kind"),
    CheckConstraint("suspended_by IN ('person', 'organisation')", name="suspended_by"),
    CheckConstraint("asked_level IN (1, 2, 3)", name="asked_level"),
    sqlite_with_rowid=False,
)

organisation_application = Table(
    "organisation_application",
    metadata,
    Column("application_id", String(40), primary_key=True),
    Column("organisation_id", String(40), nullable=False, index=True),
    Column("association_id", String(40), index=True),
    sqlite_with_rowid=False,
)
