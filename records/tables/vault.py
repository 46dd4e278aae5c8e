"""What the records know of the key store: keys that are to die there, and the seals so far."""

from sqlalchemy import Column, Integer, String, Table, Text

from records.database import UtcTime
from records.tables.base import metadata, not_personal

# A trigger writes a row for each data key that is deleted, whoever deletes it.
doomed_key = Table(
    "doomed_key",
    metadata,
    Column("key_ref", String(32), primary_key=True),
    Column("doomed_at", UtcTime, nullable=False),
    Column("epoch", Integer),
    info=not_personal("which keys are to die, naming nobody"),
    sqlite_with_rowid=False,
)

# Epochs of the key store that began with a seal, each written once no older root was left.
vault_seal = Table(
    "vault_seal",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("began_at", UtcTime, nullable=False),
    Column("sealed_at", UtcTime, nullable=False),
    Column("tokens", Text, nullable=False),
    info=not_personal("epochs, times and tokens"),
)
