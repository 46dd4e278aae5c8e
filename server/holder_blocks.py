"""The holder suspends or revokes the own credential without its key (NSIS 3.2.3, ISS-REV-L1a).

The secret of the receipt is enough, at any hour, and no brake slows it (ISS-REV-L2b). It lifts no
hold: that takes another proof (ISS-REV-L3b).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import ca.errors
from ra.activation_codes import HolderSecret
from ra.applications import Application, ApplicationId, withdraw
from ra.delivery import Ending
from ra.errors import MalformedField
from records.certificate_rows import CertificateRecord
from records.renewals import holder_of
from revocation.causes import Cause, Grounds
from server.assembly import Assembly


class Block(StrEnum):
    """What the holder wants: for the time being, or for good."""

    SUSPEND = "suspend"
    REVOKE = "revoke"


CAUSES = (Cause.KEY_LOST, Cause.COMPROMISE_SUSPECTED, Cause.NOT_NEEDED)
"""What a holder can say, for either."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed: the application's number, the secret, what is to be done, and why."""

    application: str
    secret: str
    block: Block
    cause: Cause


def block_credential(parts: Assembly, asked: Asked, now: datetime) -> bool:
    """Block what the secret belongs to; False for a wrong secret and for an unknown number alike.

    A credential that was not activated yet ends with its application. What is blocked already
    stays as it is, or goes from suspended to revoked; asking twice is no fault.
    """
    try:
        application_id = ApplicationId(asked.application.strip().upper())
        typed = HolderSecret.parse(asked.secret)
    except MalformedField:
        return False
    if not parts.revocation_secrets.fits(application_id, typed, now):
        return False
    actor = holder_of(application_id)
    found = parts.certificates.find(application_id=application_id)
    issued = [each for each in found if each.issued_at is not None]
    for each in issued:
        _block(parts, each, asked, actor, now)
    if not issued:
        _withdraw(parts, application_id, actor, now)
    return True


def _block(
    parts: Assembly, certificate: CertificateRecord, asked: Asked, actor: str, now: datetime
) -> None:
    place = (certificate.issuer, certificate.serial_number)
    if certificate.status == "revoked" or certificate.not_after < now:
        return
    try:
        if asked.block is Block.REVOKE:
            parts.statuses.revoke(*place, Grounds(asked.cause), actor, now)
        elif certificate.status == "issued":
            parts.statuses.hold(*place, actor, now, asked.cause)
    except ca.errors.Conflict:
        # Somebody was faster: look again, for a hold is no revocation.
        again = parts.certificates.record(*place)
        if again.status != certificate.status:
            _block(parts, again, asked, actor, now)


def _withdraw(parts: Assembly, application_id: str, actor: str, now: datetime) -> None:
    application: Application = parts.applications.get(application_id)
    if not application.is_final:
        parts.applications.update(application, withdraw(application, now), actor, now)
    parts.credentials.end(application_id, Ending.WITHDRAWN, actor, now)
