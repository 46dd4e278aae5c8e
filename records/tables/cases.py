"""Cases of data subjects."""

from sqlalchemy import (
    Column,
    Integer,
    String,
    Table,
    Text,
)

from records.database import UtcTime
from records.tables.base import metadata

erasure = Table(
    "erasure",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("subject_id", String(40), unique=True),
    Column("state", String(12), nullable=False),
    Column("requested_at", UtcTime, nullable=False),
    Column("approved_by", String(40)),
    Column("certificates", Integer, nullable=False, server_default="0"),
    Column("evidence", Text, nullable=False),
    Column("recheck", Text, nullable=False),
    Column("receipt", Text),
    Column("updated_at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)
