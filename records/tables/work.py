"""Who does scheduled work."""

from sqlalchemy import (
    Column,
    String,
    Table,
)

from records.database import UtcTime
from records.tables.base import metadata, not_personal

lease = Table(
    "lease",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(40), nullable=False),
    Column("until_at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
    info=not_personal("which node does which work"),
)
