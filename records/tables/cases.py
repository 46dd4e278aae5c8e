"""Cases of data subjects."""

from sqlalchemy import (
    Column,
    Integer,
    String,
    Table,
    Text,
)

from records.database import UtcTime
from records.tables.base import BY_ACT, BY_CASE, BY_CERTIFICATE, OPERATIONAL, RANDOM, metadata

erasure = Table(
    "erasure",
    metadata,
    Column("id", String(40), primary_key=True, info=RANDOM),
    Column("subject_id", String(40), unique=True, info=BY_CASE),
    Column("state", String(12), nullable=False, info=OPERATIONAL),
    Column("requested_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("approved_by", String(40), info=BY_ACT),
    Column("certificates", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    Column("evidence", Text, nullable=False, info=BY_CERTIFICATE),
    Column("recheck", Text, nullable=False, info=BY_CERTIFICATE),
    Column("receipt", Text, info=BY_CASE),
    Column("updated_at", UtcTime, nullable=False, info=OPERATIONAL),
    sqlite_with_rowid=False,
)
