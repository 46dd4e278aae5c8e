"""What relying parties are told: changes of status, OCSP responses, CRLs, and what was seen."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
)

from records.database import UtcTime
from records.tables.base import BY_CERTIFICATE, OPERATIONAL, metadata, not_personal

# What changed, in order: one row for each rise of an issuer's status version. CRLs, the memory of
# the public workers and whoever watches from outside go on from the version they have seen.
status_change = Table(
    "status_change",
    metadata,
    Column("issuer", String(32), nullable=False, info=OPERATIONAL),
    Column("version", Integer, nullable=False, info=OPERATIONAL),
    Column("serial", String(40), nullable=False, info=BY_CERTIFICATE),
    Column("at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("shard", Integer, nullable=False, server_default="0", info=OPERATIONAL),
    PrimaryKeyConstraint("issuer", "version"),
    Index("ix_status_change_serial", "issuer", "serial"),
    Index("ix_status_change_shard", "issuer", "shard", "version"),
    sqlite_with_rowid=False,
)

# Responses made ahead; `version` is the issuer's status version when the status changed last.
ocsp_response = Table(
    "ocsp_response",
    metadata,
    Column("issuer", String(32), nullable=False, info=OPERATIONAL),
    Column("serial", String(40), nullable=False, info=BY_CERTIFICATE),
    Column("version", Integer, nullable=False, info=OPERATIONAL),
    Column("not_after", UtcTime, nullable=False, info=OPERATIONAL),
    Column("due_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("this_update", UtcTime, info=OPERATIONAL),
    Column("next_update", UtcTime, info=OPERATIONAL),
    Column("sha1", LargeBinary, info=BY_CERTIFICATE),
    Column("sha256", LargeBinary, info=BY_CERTIFICATE),
    PrimaryKeyConstraint("issuer", "serial"),
    Index("ix_ocsp_response_due", "issuer", "due_at"),
    Index("ix_ocsp_response_made", "issuer", "this_update"),
    sqlite_with_rowid=False,
)

# Of every CRL, for good: `tbs_digest` is what was signed; what expired by `left_until` has left it.
# Shard 0 is the complete one, -1 the delta of that of the same number.
crl = Table(
    "crl",
    metadata,
    Column("issuer", String(32), nullable=False),
    Column("shard", Integer, nullable=False, server_default="0"),
    Column("number", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("this_update", UtcTime, nullable=False),
    Column("next_update", UtcTime, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("tbs_digest", LargeBinary, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("left_until", UtcTime, nullable=False),
    Column("rebuilt_at", UtcTime, nullable=False),
    Column("oldest_base", BigInteger, nullable=False),
    Column("base", BigInteger),
    PrimaryKeyConstraint("issuer", "shard", "number"),
    CheckConstraint("(shard = -1) = (base IS NOT NULL)", name="base"),
    sqlite_with_rowid=False,
    info=not_personal("numbers, times and digests of whole lists"),
)

# The octets of the latest CRL of each list, in the order of `first`. The next one replaces those
# that change; that no other changed is seen by the digest of the whole.
crl_piece = Table(
    "crl_piece",
    metadata,
    Column("issuer", String(32), nullable=False, info=OPERATIONAL),
    Column("shard", Integer, nullable=False, info=OPERATIONAL),
    Column("first", LargeBinary, nullable=False, info=OPERATIONAL),
    Column("octets", LargeBinary, nullable=False, info=BY_CERTIFICATE),
    PrimaryKeyConstraint("issuer", "shard", "first"),
    sqlite_with_rowid=False,
)

status_observation = Table(
    "status_observation",
    metadata,
    Column("id", Integer, primary_key=True, info=OPERATIONAL),
    Column("issuer", String(32), nullable=False, info=OPERATIONAL),
    Column("serial", String(40), nullable=False, index=True, info=BY_CERTIFICATE),
    Column("channel", String(4), nullable=False, info=OPERATIONAL),
    Column("observed_at", UtcTime, nullable=False, info=OPERATIONAL),
    Column("evidence_sha256", String(64), nullable=False, info=BY_CERTIFICATE),
    CheckConstraint("channel IN ('crl', 'ocsp')", name="channel"),
)
