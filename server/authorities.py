"""What is done to certificate authorities by verbs and ceremonies, with their keys at hand."""

from collections.abc import Iterator
from datetime import datetime

from ca.hierarchy import CeremonyStep
from server.assembly import Assembly
from server.crls import renew_crl


def renew_root_crls(parts: Assembly, now: datetime) -> Iterator[CeremonyStep]:
    """Issue the CRLs of roots that are due and whose token was brought online; tell each."""
    for record in parts.issuers.all():
        if record.is_root and parts.tokens.is_online(record.token):
            due = renew_crl(parts, record, now)
            if due is not None:
                yield CeremonyStep(record.name, f"CRL issued: {due.value}")
