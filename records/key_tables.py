"""The tables of the key store, a database of its own that names nobody.

    store         what the roots of this store are called in their tokens
    epoch         one row for each root that ever wrapped the top key; the highest is in force
    epoch_root    the top key of an epoch as each token's root wraps it, until that root is gone
    bucket        keys that each wrap up to 1024 data keys, wrapped by the top key
    stored_key    the data keys

A key dies by DELETE, and its bucket is then touched: the next seal gives the bucket a new key.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    text,
)

from records.database import UtcTime
from records.triggers import Guard, changed, same_row

BUCKET_KEYS = 1024
"""Data keys in a bucket, at most."""

key_metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

store = Table(
    "store",
    key_metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", String(16), nullable=False),
    Column("swept_until", UtcTime, nullable=False),
    CheckConstraint("id = 1", name="one"),
)

epoch = Table(
    "epoch",
    key_metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("began_at", UtcTime, nullable=False),
    Column("completed_at", UtcTime),
)

epoch_root = Table(
    "epoch_root",
    key_metadata,
    Column("epoch", Integer, nullable=False),
    Column("token", String(64), nullable=False),
    Column("serial", String(64), nullable=False),
    Column("wrapped", LargeBinary),
    Column("gone_at", UtcTime),
    Column("written_off", Boolean, nullable=False),
    PrimaryKeyConstraint("epoch", "token"),
    sqlite_with_rowid=False,
)

bucket = Table(
    "bucket",
    key_metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("filled", Integer, nullable=False),
    Column("touched", Boolean, nullable=False),
    CheckConstraint(f"filled <= {BUCKET_KEYS}", name="filled"),
)
# Where there is room, and what the next seal has to do.
_ROOM, _TOUCHED = text(f"filled < {BUCKET_KEYS}"), text("touched")
Index("ix_bucket_room", bucket.c.id, sqlite_where=_ROOM, postgresql_where=_ROOM)
Index("ix_bucket_touched", bucket.c.id, sqlite_where=_TOUCHED, postgresql_where=_TOUCHED)

stored_key = Table(
    "stored_key",
    key_metadata,
    Column("ref", String(32), primary_key=True),
    Column("bucket", BigInteger, nullable=False, index=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("made_at", UtcTime, nullable=False, index=True),
    sqlite_with_rowid=False,
)

STORE_GUARDS = (
    Guard(
        "KEY04",
        "stored_key",
        "INSERT",
        same_row("stored_key", "ref"),
        "a data key is never written over another",
    ),
    Guard(
        "KEY04",
        "stored_key",
        "UPDATE",
        changed("ref", "bucket", "made_at"),
        "a data key keeps its name and its bucket",
    ),
    Guard(
        "KEY05",
        "bucket",
        "INSERT",
        same_row("bucket", "id"),
        "a bucket is never written over another",
    ),
    Guard(
        "KEY05",
        "bucket",
        "DELETE",
        "EXISTS (SELECT 1 FROM stored_key k WHERE k.bucket = OLD.id)",
        "a bucket goes only after its data keys",
    ),
    Guard(
        "KEY06",
        "epoch",
        "INSERT",
        "NEW.number <= COALESCE((SELECT MAX(e.number) FROM epoch e), 0)",
        "a seal begins a later epoch than those before",
    ),
    Guard("KEY06", "epoch", "DELETE", "1 = 1", "an epoch is not deleted"),
)
