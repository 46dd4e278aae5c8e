"""Publication in directories."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
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
    # Whose it is; a device or a host is nobody's.
    Column("subject_id", String(40), index=True, info=BY_PUBLICATION),
    Column("state", String(12), nullable=False, index=True, info=OPERATIONAL),
    # 1 while a hold alone keeps it out of the directory.
    Column("returns", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    Column("entry_uuid", String(36), info=BY_PUBLICATION),
    Column("attempts", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    Column("retry_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("error_code", String(40), info=OPERATIONAL),
    Column("verified_at", UtcTime, info=OPERATIONAL),
    # When it was given up until a person looks at it; a withdrawal never is.
    Column("set_aside_at", UtcTime, info=OPERATIONAL),
    # While it is published: SHA-1 of the certificate, of issuer and serial number, and of the
    # subjectKeyIdentifier, by which the HTTP store finds it (RFC 4387 section 2.1).
    Column("cert_sha1", LargeBinary, index=True, info=BY_PUBLICATION),
    Column("name_sha1", LargeBinary, index=True, info=BY_PUBLICATION),
    Column("key_sha1", LargeBinary, index=True, info=BY_PUBLICATION),
    UniqueConstraint("directory", "issuer", "serial"),
    CheckConstraint("state IN ('pending', 'published', 'withdrawing', 'withdrawn')", name="state"),
    CheckConstraint(
        "state NOT IN ('published', 'withdrawn') OR verified_at IS NOT NULL", name="verified"
    ),
    CheckConstraint("set_aside_at IS NULL OR state = 'pending'", name="set_aside"),
)

# What a directory was last seen to show of an issuer: the digest of its certificates and CRLs.
authority_publication = Table(
    "authority_publication",
    metadata,
    Column("directory", String(40), nullable=False, info=OPERATIONAL),
    Column("issuer", String(32), nullable=False, info=OPERATIONAL),
    Column("digest", String(64), info=OPERATIONAL),
    Column("verified_at", UtcTime, info=OPERATIONAL),
    Column("attempts", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    Column("retry_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("error_code", String(40), info=OPERATIONAL),
    PrimaryKeyConstraint("directory", "issuer"),
    CheckConstraint("(digest IS NULL) = (verified_at IS NULL)", name="verified"),
    sqlite_with_rowid=False,
)

# When a directory was last compared with the records, how many of our certificates it showed, and
# how many things were not as they should be.
directory_check = Table(
    "directory_check",
    metadata,
    Column("directory", String(40), primary_key=True, info=OPERATIONAL),
    Column("checked_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("certificates", Integer, nullable=False, info=OPERATIONAL),
    Column("drift", Integer, nullable=False, info=OPERATIONAL),
    sqlite_with_rowid=False,
)
