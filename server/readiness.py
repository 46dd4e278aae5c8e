"""Whether a public node may be asked: it has a CRL for every issuer, and OCSP answers."""

from collections.abc import Callable, Iterator

from ca.issuers import IssuerRecord
from records.errors import DatabaseUnavailable
from server.assembly import Assembly
from server.replica import ReplicaResponses

Has = Callable[[IssuerRecord], bool]


def what_is_lacking(parts: Assembly, has_crl: Has, has_responder: Has) -> list[str]:
    """A line for each thing without which relying parties get no answer, or an old one.

    Raises:
        RecordsError, HsmError: what is asked does not answer.
    """
    return list(_lacking(parts, has_crl, has_responder))


def _lacking(parts: Assembly, has_crl: Has, has_responder: Has) -> Iterator[str]:
    for record in parts.issuers.all():
        if record.certificate is not None and record.key_label and not has_crl(record):
            yield f"{record.name}: no CRL in force"
    responses = parts.ocsp_responses
    if isinstance(responses, ReplicaResponses):
        # Such a node signs nothing: it needs records that are fresh, and no responder.
        try:
            responses.require_fresh()
        except DatabaseUnavailable as error:
            yield f"{error.why}"
        return
    for record in parts.issuers.all():
        if record.answers_ocsp and not has_responder(record):
            yield f"{record.name}: no OCSP responder"
