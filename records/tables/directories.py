"""Publication in directories."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from records.database import UtcTime
from records.tables.base import metadata

publication = Table(
    "publication",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("directory", String(40), nullable=False),
    Column("issuer", String(32), nullable=False),
    Column("serial", String(40), nullable=False),
    Column("subject_id", String(40), nullable=False, index=True),
    Column("state", String(12), nullable=False, index=True),
    # 1 while a hold alone keeps it out of the directory.
    Column("returns", Integer, nullable=False, server_default="0"),
    Column("entry_uuid", String(36)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("retry_at", UtcTime, nullable=False),
    Column("error_code", String(40)),
    Column("verified_at", UtcTime),
    UniqueConstraint("directory", "issuer", "serial"),
    CheckConstraint("state IN ('pending', 'published', 'withdrawing', 'withdrawn')", name="state"),
    CheckConstraint(
        "state NOT IN ('published', 'withdrawn') OR verified_at IS NOT NULL", name="verified"
    ),
)
