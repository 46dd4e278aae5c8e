"""Applications and the approvals of them."""

from sqlalchemy import (
    Column,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
)

from records.database import UtcTime
from records.tables.base import metadata

application = Table(
    "application",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("profile", String(41), nullable=False),
    Column("level", String(12), nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("subject_id", String(40), nullable=False, index=True),
    Column("spki_sha256", String(64), nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    Column("proofing_person", String(40)),
    Column("package_sha256", String(64)),
    Column("sealed_body", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)

approval = Table(
    "approval",
    metadata,
    Column("application_id", String(40), nullable=False),
    Column("officer_id", String(40), nullable=False),
    Column("person_id", String(40), nullable=False),
    Column("package_sha256", String(64), nullable=False),
    Column("sealed_package", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at", UtcTime, nullable=False),
    # One for each package: whoever goes back to proofing is approved anew.
    PrimaryKeyConstraint("application_id", "package_sha256"),
    sqlite_with_rowid=False,
)
