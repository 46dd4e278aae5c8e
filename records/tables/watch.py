"""What is watched, how the jobs fare, and the alarms that are on."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
)

from records.database import UtcTime
from records.tables.base import metadata, not_personal

# Since when relying parties see changes of status: the versions `first` to `last` were all seen
# through the channel at `at`, measured from outside. Ranges of one channel do not overlap.
status_visible = Table(
    "status_visible",
    metadata,
    Column("issuer", String(32), nullable=False),
    Column("channel", String(9), nullable=False),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    PrimaryKeyConstraint("issuer", "channel", "last"),
    Index("ix_status_visible_at", "channel", "at"),
    CheckConstraint("channel IN ('crl', 'ocsp', 'directory')", name="channel"),
    CheckConstraint("first <= last", name="range"),
    sqlite_with_rowid=False,
    info=not_personal("versions and times"),
)

# How the jobs fare, as the process with the lease tells from time to time.
job_run = Table(
    "job_run",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("succeeded_at", UtcTime),
    Column("failing_since", UtcTime),
    Column("trouble", String(60)),
    CheckConstraint("(failing_since IS NULL) = (trouble IS NULL)", name="trouble"),
    sqlite_with_rowid=False,
    info=not_personal("the jobs of the service"),
)

# The alarms that are on, so that each is told once when it begins and once when it ends.
alarm = Table(
    "alarm",
    metadata,
    Column("name", String(40), nullable=False),
    Column("subject", String(80), nullable=False),
    Column("since", UtcTime, nullable=False),
    PrimaryKeyConstraint("name", "subject"),
    sqlite_with_rowid=False,
    info=not_personal("authorities and jobs"),
)
