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
from records.tables.base import BY_PUBLICATION, OPERATIONAL, metadata

publication = Table(
    "publication",
    metadata,
    Column("id", Integer, primary_key=True, info=OPERATIONAL),
    Column("directory", String(40), nullable=False, info=OPERATIONAL),
    Column("issuer", String(32), nullable=False, info=OPERATIONAL),
    Column("serial", String(40), nullable=False, info=BY_PUBLICATION),
    Column("subject_id", String(40), nullable=False, index=True, info=BY_PUBLICATION),
    Column("state", String(12), nullable=False, index=True, info=OPERATIONAL),
    # 1 while a hold alone keeps it out of the directory.
    Column("returns", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    Column("entry_uuid", String(36), info=BY_PUBLICATION),
    Column("attempts", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    Column("retry_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("error_code", String(40), info=OPERATIONAL),
    Column("verified_at", UtcTime, info=OPERATIONAL),
    UniqueConstraint("directory", "issuer", "serial"),
    CheckConstraint("state IN ('pending', 'published', 'withdrawing', 'withdrawn')", name="state"),
    CheckConstraint(
        "state NOT IN ('published', 'withdrawn') OR verified_at IS NOT NULL", name="verified"
    ),
)
