"""A holder ends the agreement that carries a credential (NSIS 3.2.3(4); ISS-REV-L4c)."""

from datetime import datetime

from ra.revocation_duties import Credential, DutyCause
from records.renewals import holder_of
from server.assembly import Assembly
from server.persons import withdraw_application


def end_agreement(parts: Assembly, application_id: str, now: datetime) -> tuple[str, ...]:
    """Withdraw an application that is still open; a certificate gets a duty to be revoked.

    The clock does that duty if nobody did (`server.revocation_duties`). Again it opens nothing.
    Gives the ids of the duties. Raises: NotFound.
    """
    application = parts.applications.get(application_id)
    if not application.is_final:
        withdraw_application(parts, application_id, now)
    live = (
        Credential(each.issuer, each.serial_number.hex, application.subject_id)
        for each in parts.certificates.find(application_id=application_id)
        if each.status in {"issued", "held"} and each.not_after > now
    )
    ending, actor = DutyCause.AGREEMENT_ENDED, holder_of(application_id)
    opened = [parts.duties.open(each, ending, actor, now) for each in live]
    return tuple(each for each in opened if each is not None)
