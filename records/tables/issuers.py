"""Issuers, their certificates, and keys that must not be certified."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from records.database import UtcTime
from records.tables.base import metadata, not_personal

issuer = Table(
    "issuer",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("parent", String(32)),
    Column("token", String(64), nullable=False),
    Column("key_label", String(64), nullable=False),
    Column("spki_sha256", String(64), nullable=False, unique=True),
    Column("profile", String(41), nullable=False),
    Column("subject", LargeBinary, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("state", String(12), nullable=False),
    # What is particular to it; NULL is as the settings say.
    Column("profiles", Text, nullable=False),
    Column("crl_validity_seconds", Integer),
    Column("crl_margin_seconds", Integer),
    Column("crl_shards", Integer, nullable=False, server_default="0"),
    Column("crl_deltas", Integer, nullable=False, server_default="0"),
    Column("crl_keep_expired_seconds", Integer, nullable=False, server_default="0"),
    Column("ocsp_validity_seconds", Integer),
    Column("status_version", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcTime, nullable=False),
    Column("key_destroyed_at", UtcTime),
    CheckConstraint("state IN ('active', 'superseded', 'retired')", name="state"),
    CheckConstraint("key_destroyed_at IS NULL OR state = 'retired'", name="key_destroyed"),
    CheckConstraint(
        "(crl_validity_seconds IS NULL) = (crl_margin_seconds IS NULL)", name="crl_policy"
    ),
    sqlite_with_rowid=False,
    info=not_personal("authorities and their keys, not persons"),
)

issuer_certificate = Table(
    "issuer_certificate",
    metadata,
    Column("issuer", String(32), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(12), nullable=False),
    # NULL when a foreign authority signed it; then the chain leads on from it.
    Column("signer", String(32)),
    Column("fingerprint", String(64), nullable=False),
    Column("der", LargeBinary, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("installed_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("issuer", "number"),
    UniqueConstraint("issuer", "fingerprint"),
    CheckConstraint("kind IN ('own', 'new-with-old', 'old-with-new', 'cross')", name="kind"),
    sqlite_with_rowid=False,
    info=not_personal("certificates of authorities"),
)

compromised_key = Table(
    "compromised_key",
    metadata,
    Column("spki_sha256", String(64), primary_key=True),
    sqlite_with_rowid=False,
    info=not_personal("digests of keys that nobody may use"),
)
