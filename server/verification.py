"""What we know about a certificate, looked up in every way that a relying party has, and told.

The path, our own records, the CRL and the OCSP responder are asked one after the other; each answer
is a check with its result in words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ca.foreign_certificates import UNREADABLE, is_signed_by
from ca.identifiers import SerialNumber
from ca.issuers import IssuerRecord
from ca.signatures import algorithms_of
from hsm.labels import ocsp_key
from revocation.publication import COMPLETE
from revocation.reasons import Reason
from revocation.responder import OcspIssuer, OcspResponder
from revocation.status import Revoked, Unknown
from server.assembly import Assembly
from server.own_certificates import ocsp_signer

_DIGITS = 6


class Outcome(StrEnum):
    """What came of one check."""

    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open"
    """It could not be looked at."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, and what came of it in words."""

    name: str
    outcome: Outcome
    said: str


def chain_of(parts: Assembly, certificate: x509.Certificate) -> list[IssuerRecord]:
    """Our issuers above a certificate, its own first; empty when none of ours signed it."""
    records = parts.issuers.all()
    chain: list[IssuerRecord] = []
    below = certificate
    while True:
        above = next(
            (r for r in records if r.certificate and is_signed_by(below, r.certificate)), None
        )
        if above is None or above in chain or above.certificate is None:
            return chain
        chain.append(above)
        below = above.certificate


def _signed(record: IssuerRecord, below: x509.Certificate) -> bool:
    return record.certificate is not None and is_signed_by(below, record.certificate)


def verify(
    parts: Assembly, certificate: x509.Certificate, at: datetime, now: datetime
) -> list[Check]:
    """Everything that can be said about a certificate at a time, past or present."""
    chain = chain_of(parts, certificate)
    checks = list(_path(certificate, chain, at))
    if not chain:
        return checks
    record = chain[0]
    checks.append(_records(parts, record, certificate, at))
    checks.append(_crl(parts, record, certificate, at))
    checks += [
        _crl(parts, above, below.certificate, at)
        for below, above in pairwise(chain)
        if below.certificate is not None
    ]
    if at == now:
        checks.append(_ocsp(parts, record, certificate, now))
    else:
        checks.append(
            Check("ocsp", Outcome.OPEN, "OCSP answers for the present only; it was not asked.")
        )
    return checks


def _path(
    certificate: x509.Certificate, chain: list[IssuerRecord], at: datetime
) -> Iterator[Check]:
    if not chain:
        yield Check("path", Outcome.FAILS, "None of our issuers signed it.")
        return
    names = ", ".join(record.name for record in chain)
    ends_at_root = chain[-1].is_root
    yield Check(
        "path",
        Outcome.HOLDS if ends_at_root else Outcome.FAILS,
        f"Each signature verifies, up by {names}."
        if ends_at_root
        else f"It leads to {names}, and from there to no root of ours.",
    )
    path = [certificate, *(r.certificate for r in chain if r.certificate is not None)]
    for each in path:
        if not each.not_valid_before_utc <= at <= each.not_valid_after_utc:
            yield Check("validity", Outcome.FAILS, _outside(each, at))
            return
    ends = min(each.not_valid_after_utc for each in path).isoformat()
    yield Check(
        "validity", Outcome.HOLDS, f"All on the path are in force; the first one ends {ends}."
    )


def _outside(certificate: x509.Certificate, at: datetime) -> str:
    """Which one is not in force: by serial number, for a name may be a person's."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    serial = SerialNumber(certificate.serial_number).hex
    if at < begins:
        return f"The one with serial number {serial} begins only {begins.isoformat()}."
    return f"The one with serial number {serial} ended {ends.isoformat()}."


def _records(
    parts: Assembly, record: IssuerRecord, certificate: x509.Certificate, at: datetime
) -> Check:
    serial = SerialNumber(certificate.serial_number)
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
    status = parts.statuses.status_of(record.name, serial)
    if isinstance(status, Unknown):
        said = "Our records do not know it, though our key signed it: tell the security officer."
        return Check("records", Outcome.FAILS, said)
    if isinstance(status, Revoked) and status.at <= at:
        return Check(
            "records",
            Outcome.FAILS,
            _revoked(f"Our records say {_word(status)}", status.at, status),
        )
    if not parts.certificates.find(fingerprint=fingerprint):
        said = "Our records hold its serial number for another certificate, or without its octets."
        return Check("records", Outcome.FAILS, said)
    if isinstance(status, Revoked):
        return Check(
            "records", Outcome.HOLDS, _revoked("It was good then; revoked", status.at, status)
        )
    return Check("records", Outcome.HOLDS, f"Our records say good: {record.name}/{serial.hex}.")


def _word(status: Revoked) -> str:
    return "on hold" if status.reason is Reason.CERTIFICATE_HOLD else "revoked"


def _revoked(beginning: str, at: datetime, status: Revoked) -> str:
    return f"{beginning} since {at.isoformat()} ({status.reason.label})."


def _shard(record: IssuerRecord, certificate: x509.Certificate) -> int:
    """Which shard of our CRL the certificate names; 0 when it names the complete one."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return COMPLETE
    urls = {name.value for point in points for name in point.full_name or ()}
    begins = record.urls.crl_of(1).removesuffix("1.crl")
    named = (str(url).removeprefix(begins).removesuffix(".crl") for url in urls)
    shards = [int(each) for each in named if each.isdecimal() and len(each) < _DIGITS]
    return next((n for n in shards if record.urls.crl_of(n) in urls), COMPLETE)


def _crl(
    parts: Assembly, record: IssuerRecord, certificate: x509.Certificate, at: datetime
) -> Check:
    serial, shard = SerialNumber(certificate.serial_number), _shard(record, certificate)
    latest = parts.crls.latest(record.name, shard)
    of = f"of {record.name}" + (f", shard {shard}" if shard else "")
    if latest is None or record.certificate is None:
        return Check("crl", Outcome.OPEN, f"There is no CRL {of} yet.")
    crl = x509.load_der_x509_crl(parts.crls.whole(record.name, shard))
    name = f"CRL {latest.number} {of}"
    key = record.certificate.public_key()
    try:
        signed = crl.is_signature_valid(key)  # type: ignore[arg-type]  # TypeError for others
    except UNREADABLE:
        signed = False
    if not signed:
        return Check("crl", Outcome.FAILS, f"{name} is not signed by it.")
    entry = crl.get_revoked_certificate_by_serial_number(int(serial))
    if entry is not None and entry.revocation_date_utc <= at:
        since = entry.revocation_date_utc.isoformat()
        return Check("crl", Outcome.FAILS, f"{name} lists {serial.hex} as revoked since {since}.")
    if at > latest.next_update:
        return Check("crl", Outcome.OPEN, f"{name} ended {latest.next_update.isoformat()}.")
    return Check("crl", Outcome.HOLDS, f"{name} does not list {serial.hex}.")


def _ocsp(
    parts: Assembly, record: IssuerRecord, certificate: x509.Certificate, now: datetime
) -> Check:
    signer = ocsp_signer(parts, record, now)
    key = parts.tokens.find(parts.settings.hsm.service_token, ocsp_key(record.name))
    if signer is None or key is None or record.certificate is None:
        return Check("ocsp", Outcome.OPEN, f"{record.name} has no OCSP signer; it was not asked.")
    issuer = OcspIssuer(record.name, record.certificate, signer, key)
    asked = (
        ocsp.OCSPRequestBuilder()
        .add_certificate(certificate, record.certificate, hashes.SHA256())
        .build()
    )
    answered = OcspResponder(issuer, parts.statuses).answer(asked.public_bytes(Encoding.DER), now)
    answer = ocsp.load_der_ocsp_response(answered.body)
    if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return Check(
            "ocsp", Outcome.OPEN, f"OCSP cannot answer now: {answer.response_status.name}."
        )
    if not _is_signed(answer, signer):
        return Check("ocsp", Outcome.FAILS, "The OCSP answer is not signed by its signer.")
    word = answer.certificate_status.name.lower()
    holds = Outcome.HOLDS if word == "good" else Outcome.FAILS
    return Check("ocsp", holds, f"OCSP says {word}, signed and in force.")


def _is_signed(answer: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key = signer.public_key()
    for algorithm in algorithms_of(key):
        try:
            algorithm.verify(key, answer.signature, answer.tbs_response_bytes)
        except InvalidSignature:
            continue
        return True
    return False
