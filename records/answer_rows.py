"""OCSP answers made ahead, read in pages for whoever copies them elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import or_, select

from ca.identifiers import IssuerName, SerialNumber
from records.database import Database
from records.tables import ocsp_response
from revocation.cert_ids import CertIdHash

_PAGE = 1000
EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""`due_at` of what is to be made at once, because its status changed."""


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """The answers for one serial; none while they wait to be made."""

    serial: SerialNumber
    version: int
    this_update: datetime | None
    next_update: datetime | None
    bodies: dict[CertIdHash, bytes] = field(repr=False)


def answer_rows(database: Database, issuer: IssuerName, since: datetime) -> Iterator[AnswerRow]:
    """Those that were withdrawn, and those made since a thisUpdate; all of them from EVER.

    Each page is a transaction of its own, so that a long copy holds up nobody.
    """
    after = ""
    while True:
        query = (
            select(ocsp_response)
            .where(
                ocsp_response.c.issuer == issuer,
                ocsp_response.c.serial > after,
                or_(ocsp_response.c.this_update >= since, ocsp_response.c.due_at == EVER),
            )
            .order_by(ocsp_response.c.serial)
            .limit(_PAGE)
        )
        with database.read() as tx:
            rows = tx.execute(query).all()
        for row in rows:
            bodies = {CertIdHash.SHA1: row.sha1, CertIdHash.SHA256: row.sha256}
            yield AnswerRow(
                SerialNumber.from_hex(row.serial),
                row.version,
                row.this_update,
                row.next_update,
                {hash_: body for hash_, body in bodies.items() if body is not None},
            )
        if len(rows) < _PAGE:
            return
        after = rows[-1].serial
