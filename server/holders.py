"""Persons who act with a certificate of their own: registrants, co-signers, administrators.

The certificate is that of a live personal credential and is looked up at every request, so the
login is fresh, dynamic, and at the level at which the person was proven (USE-AUT-L1, REG-IDL-L5a).
"""

from collections.abc import Iterable
from datetime import datetime

from flask import Request

from ra.applications import ApplicationState
from ra.identity import CprNumber
from ra.mandates import Authenticated
from server.access import presented_certificate
from server.assembly import Assembly
from server.errors import NotSignedIn


def acting_holder(parts: Assembly, request: Request, now: datetime) -> Authenticated:
    """The person behind a request.

    Raises: NotSignedIn when the certificate is not that of a live personal credential.
    """
    found = parts.holders.by_certificate(presented_certificate(request), now)
    if found is None:
        raise NotSignedIn
    return Authenticated(found.subject_id, found.level, found.fingerprint, now)


def holder_of(parts: Assembly, request: Request, now: datetime) -> Authenticated | None:
    """The person behind a request, or None where nobody is authenticated."""
    try:
        return acting_holder(parts, request, now)
    except NotSignedIn:
        return None


def numbers_of(parts: Assembly, subjects: Iterable[str]) -> dict[str, CprNumber]:
    """The CPR numbers under which persons were proven, by subject id, as far as they have any."""
    found: dict[str, CprNumber] = {}
    for subject_id in subjects:
        for each in parts.applications.of_subject(subject_id):
            number = each.applicant.claim.cpr_number
            if each.state is ApplicationState.FULFILLED and number is not None:
                found[subject_id] = number
    return found
