"""OCSP responses that were made ahead.

Implements `revocation.preproduction.ResponseStore`. The rows are made, and emptied, by what the
database does when a certificate changes (`records.guards`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Row,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from ca.identifiers import IssuerName, SerialNumber
from records.database import Database, UtcTime, from_microseconds
from records.errors import DatabaseUnavailable
from records.lookups import Lookup
from records.tables import (
    certificate,
    issuer,
    ocsp_response,
    revocation_residue,
    status_change,
)
from revocation.cert_ids import CertIdHash
from revocation.errors import StatusUnavailable
from revocation.preproduction import (
    DueResponse,
    Life,
    PreproducedResponse,
    ProducedResponses,
)
from revocation.reasons import Reason
from revocation.status import Good, Revoked

_MINE = ocsp_response.c.issuer == bindparam("of_issuer")
_DUE = ocsp_response.c.due_at <= bindparam("now", type_=UtcTime)
_LIVES = ocsp_response.c.not_after > bindparam("now", type_=UtcTime)
_AHEAD = ocsp_response.c.due_at > bindparam("latest", type_=UtcTime)
_WAITING = select(
    select(func.count()).where(_MINE, _DUE, _LIVES).scalar_subquery().label("due"),
    exists().where(_MINE, _AHEAD).label("ahead"),
    exists().where(_MINE, _DUE, ~_LIVES).label("ended"),
)
_TOTAL = select(func.count(), func.coalesce(func.sum(issuer.c.status_version), literal_column("0")))


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many responses are due, whether any is due later than can be, and whether any ended."""

    due: int
    ahead: bool
    ended: bool


class OcspResponses:
    """The responses of every issuer."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database
        self._bodies = {each: Lookup(database, _find(each)) for each in CertIdHash}
        self._total = Lookup(database, _TOTAL)

    def find(
        self, name: IssuerName, serial: SerialNumber, cert_id_hash: CertIdHash
    ) -> PreproducedResponse | None:
        """The response for this CertID; None when none was made since the status changed.

        Raises:
            StatusUnavailable: the database does not answer.
        """
        try:
            row = self._bodies[cert_id_hash].first({"of_issuer": name, "of_serial": serial.hex})
        except DatabaseUnavailable:
            raise StatusUnavailable from None
        if row is None or row[0] is None:
            return None
        body, this_update, next_update = row
        life = Life(from_microseconds(this_update), from_microseconds(next_update))
        return PreproducedResponse(life, body)

    def due(self, name: IssuerName, now: datetime, limit: int) -> list[DueResponse]:
        """Serials of unexpired certificates whose responses are due, the longest due first."""
        place = [getattr(ocsp_response.c, column) for column in ("issuer", "serial")]
        joined = ocsp_response
        for table in (certificate, revocation_residue):
            same = [a == b for a, b in zip(place, (table.c.issuer, table.c.serial), strict=True)]
            joined = joined.outerjoin(table, and_(*same))  # type: ignore[assignment]
        revoked_at = func.coalesce(certificate.c.revoked_at, revocation_residue.c.revoked_at)
        query = (
            select(
                ocsp_response.c.serial,
                ocsp_response.c.version,
                revoked_at.label("revoked_at"),
                func.coalesce(certificate.c.reason, revocation_residue.c.reason).label("reason"),
                certificate.c.fingerprint,
            )
            .select_from(joined)
            .where(
                ocsp_response.c.issuer == name,
                ocsp_response.c.due_at <= now,
                ocsp_response.c.not_after > now,
                or_(certificate.c.status == "issued", revoked_at.is_not(None)),
            )
            .order_by(ocsp_response.c.due_at)
            .limit(limit)
        )
        with self._database.read() as tx:
            return [_due(row) for row in tx.execute(query)]

    def keep(self, name: IssuerName, produced: Sequence[ProducedResponses]) -> None:
        """Keep responses, except those whose status has changed since they were asked for."""
        statement = update(ocsp_response).where(
            ocsp_response.c.issuer == name,
            ocsp_response.c.serial == bindparam("of_serial"),
            ocsp_response.c.version == bindparam("of_version"),
        )
        # Rows are locked in one order for everybody; a bulk revocation has the same.
        in_order = sorted(produced, key=lambda each: each.serial.hex)
        with self._database.write() as tx:
            tx.execute(statement, [_values(each) for each in in_order])

    def changed(
        self, known: Mapping[IssuerName, int]
    ) -> dict[IssuerName, tuple[int, list[SerialNumber]]]:
        """Issuers whose status version is not the one known, with the serials changed since."""
        # Versions only rise and issuers stay, so that a sum tells whether there is any news.
        if self._total.first({}) == (len(known), sum(known.values())):
            return {}
        changed = {}
        with self._database.read() as tx:
            for name, version in tx.execute(select(issuer.c.name, issuer.c.status_version)):
                before = known.get(name, version)
                if known.get(name) == version:
                    continue
                since = select(status_change.c.serial).where(
                    status_change.c.issuer == name, status_change.c.version > before
                )
                serials = [SerialNumber.from_hex(serial) for (serial,) in tx.execute(since)]
                changed[IssuerName(name)] = (version, serials)
        return changed

    def waiting(self, name: IssuerName, latest: datetime, now: datetime) -> Waiting:
        """What of an issuer's responses there is to do something about."""
        values = {"of_issuer": name, "latest": latest, "now": now}
        with self._database.read() as tx:
            row = tx.execute(_WAITING, values).one()
        return Waiting(int(row.due), bool(row.ahead), bool(row.ended))

    def count_due(self, name: IssuerName, now: datetime) -> int:
        """How many serials of an issuer wait for their responses."""
        return self.waiting(name, now, now).due

    def make_due(self, name: IssuerName, latest: datetime, now: datetime) -> int:
        """Make due what is due later than anything made now can be: the clock was ahead then."""
        ahead = ocsp_response.c.issuer == name, ocsp_response.c.due_at > latest
        with self._database.write() as tx:
            return tx.execute(update(ocsp_response).where(*ahead).values(due_at=now)).rowcount

    def forget_expired(self, name: IssuerName, now: datetime) -> int:
        """Delete the due responses of expired certificates, which are answered when asked."""
        ended = delete(ocsp_response).where(
            ocsp_response.c.issuer == name,
            ocsp_response.c.due_at <= now,
            ocsp_response.c.not_after <= now,
        )
        with self._database.write() as tx:
            return tx.execute(ended).rowcount


def _find(cert_id_hash: CertIdHash) -> Select[*tuple[Any, ...]]:
    of = ocsp_response.c
    return select(of[cert_id_hash], of.this_update, of.next_update).where(
        of.issuer == bindparam("of_issuer"), of.serial == bindparam("of_serial")
    )


def _values(each: ProducedResponses) -> dict[str, object]:
    return {
        "of_serial": each.serial.hex,
        "of_version": each.version,
        "due_at": each.life.due_for(each.serial),
        "this_update": each.life.this_update,
        "next_update": each.life.next_update,
        "sha1": each.bodies[CertIdHash.SHA1],
        "sha256": each.bodies[CertIdHash.SHA256],
    }


def _due(row: Row[*tuple[Any, ...]]) -> DueResponse:
    revoked = None if row.revoked_at is None else Revoked(Reason(row.reason), row.revoked_at)
    sha256 = None if row.fingerprint is None else bytes.fromhex(row.fingerprint)
    serial = SerialNumber.from_hex(row.serial)
    return DueResponse(serial, row.version, revoked or Good(), sha256)
