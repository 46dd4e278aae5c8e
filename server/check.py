"""What a relying party is told about a certificate: one verdict, its chain, and where it is told.

Only our own records are asked: nothing that the certificate names is fetched, and no key is used,
so that a stranger costs little. `server.verification` looks deeper, for operators.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from ca.errors import MalformedRequest
from ca.foreign_certificates import read_certificate
from ca.identifiers import IssuerName, SerialNumber
from ca.issuers import IssuerRecord
from records.status_sources import CrlSource, OcspSource, status_sources
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Status, Unknown
from server.assembly import Assembly
from server.verification import chain_of


class Verdict(StrEnum):
    """The answer; a closed set."""

    VALID = "valid"
    ON_HOLD = "on-hold"
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    UNKNOWN = "unknown"
    NOT_OURS = "not-ours"
    NO_CERTIFICATE = "no-certificate"


REASONS = {
    Reason.UNSPECIFIED: "no reason is given",
    Reason.KEY_COMPROMISE: "its key may be known to others",
    Reason.CA_COMPROMISE: "the key of a certificate authority may be known to others",
    Reason.AFFILIATION_CHANGED: "what it says of its holder is no longer right",
    Reason.SUPERSEDED: "another certificate took its place",
    Reason.CESSATION_OF_OPERATION: "it is no longer in use",
    Reason.CERTIFICATE_HOLD: "it is on hold until it is released or revoked",
    Reason.REMOVE_FROM_CRL: "it was on hold",
    Reason.PRIVILEGE_WITHDRAWN: "its holder may no longer use it",
    Reason.AA_COMPROMISE: "the key of an attribute authority may be known to others",
}
"""What each published reason says to people."""


# Beside those that RFC 4514 section 3 names.
_NAMES = {
    NameOID.GIVEN_NAME: "GN",
    NameOID.SURNAME: "SN",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.PSEUDONYM: "pseudonym",
    NameOID.ORGANIZATION_IDENTIFIER: "organizationIdentifier",
}


@dataclass(frozen=True, slots=True)
class Link:
    """One certificate of the chain; `issuer` is ours that signed it, or whose own it is.

    `status` is None at the end of the chain where others would have to tell it.
    """

    name: str
    issuer: IssuerName
    serial: SerialNumber
    not_before: datetime
    not_after: datetime
    status: Status | None


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict at a time, in one sentence; the chain from the certificate to its root."""

    verdict: Verdict
    sentence: str
    at: datetime
    chain: tuple[Link, ...] = ()
    crl: CrlSource | None = None
    ocsp: OcspSource | None = None


def check(parts: Assembly, octets: bytes, now: datetime) -> Checked:
    """Say what is to be said about a certificate in PEM or DER."""
    try:
        certificate = read_certificate(octets)
    except MalformedRequest as error:
        said = f"This is not one certificate in PEM or DER: {error.why}."
        return Checked(Verdict.NO_CERTIFICATE, said, now)
    above = chain_of(parts, certificate)
    if not above:
        said = "None of our certificate authorities signed this; nothing is known of it here."
        return Checked(Verdict.NOT_OURS, said, now)
    chain = tuple(_links(parts, certificate, above))
    crl, ocsp = status_sources(parts.database, chain[0].issuer, chain[0].serial)
    if isinstance(chain[0].status, Good) and not _is_recorded(parts, certificate):
        return Checked(Verdict.UNKNOWN, _UNKNOWN, now, chain, crl, ocsp)
    return Checked(*_verdict(chain, now), now, chain, crl, ocsp)


_UNKNOWN = "Our key signed this, but our records do not know it. Do not rely on it, and tell us."


def _links(
    parts: Assembly, certificate: x509.Certificate, above: list[IssuerRecord]
) -> Iterator[Link]:
    """The certificate and its issuers; a root that is its own issuer stands there once."""
    path = [certificate, *(r.certificate for r in above if r.certificate is not None)]
    steps = list(zip(path, above, strict=False))
    if path[-1] != path[-2]:
        steps.append((path[-1], above[-1]))
    for one, record in steps:
        serial = SerialNumber(one.serial_number)
        status = parts.statuses.status_of(record.name, serial)
        by_others = one == record.certificate and isinstance(status, Unknown)
        yield Link(
            name=one.subject.rfc4514_string(_NAMES),
            issuer=record.name,
            serial=serial,
            not_before=one.not_valid_before_utc,
            not_after=one.not_valid_after_utc,
            status=None if by_others else status,
        )


def _is_recorded(parts: Assembly, certificate: x509.Certificate) -> bool:
    """Whether the records hold these very octets."""
    return bool(parts.certificates.find(fingerprint=certificate.fingerprint(hashes.SHA256()).hex()))


def _verdict(chain: tuple[Link, ...], now: datetime) -> tuple[Verdict, str]:
    """The gravest thing that is true of the certificate or of what stands above it."""
    named = [
        ("This certificate" if link is chain[0] else f"{link.name}, which stands above it,", link)
        for link in chain
    ]
    for which, link in named:
        if isinstance(link.status, Revoked):
            return _ended(which, link.status)
    if any(isinstance(link.status, Unknown) for link in chain):
        return Verdict.UNKNOWN, _UNKNOWN
    for which, link in named:
        if now > link.not_after:
            return Verdict.EXPIRED, f"{which} expired {_moment(link.not_after)}."
        if now < link.not_before:
            return Verdict.NOT_YET_VALID, f"{which} begins only {_moment(link.not_before)}."
    ends = _moment(min(link.not_after for link in chain))
    return Verdict.VALID, f"This certificate is valid now, and until {ends}."


def _ended(which: str, status: Revoked) -> tuple[Verdict, str]:
    since = _moment(status.at)
    if status.reason is Reason.CERTIFICATE_HOLD:
        return Verdict.ON_HOLD, f"{which} is on hold since {since}: do not rely on it now."
    return Verdict.REVOKED, f"{which} is revoked since {since}: {REASONS[status.reason]}."


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def document(checked: Checked) -> dict[str, object]:
    """The same for programs; times are ISO 8601 in UTC."""
    return {
        "verdict": checked.verdict,
        "sentence": checked.sentence,
        "checked_at": checked.at.isoformat(),
        "chain": [
            {
                "subject": link.name,
                "issuer": link.issuer,
                "serial_number": link.serial.hex,
                "not_before": link.not_before.isoformat(),
                "not_after": link.not_after.isoformat(),
                **_told(link.status),
            }
            for link in checked.chain
        ],
        "crl": checked.crl
        and {
            "number": checked.crl.number,
            "this_update": checked.crl.this_update.isoformat(),
            "next_update": checked.crl.next_update.isoformat(),
            "shows_this_status": checked.crl.is_current,
        },
        "ocsp": checked.ocsp
        and {
            "this_update": checked.ocsp.this_update.isoformat(),
            "next_update": checked.ocsp.next_update.isoformat(),
        },
    }


def _told(status: Status | None) -> dict[str, object]:
    told: dict[str, object] = {"status": status and type(status).__name__.lower()}
    if isinstance(status, Revoked):
        told |= {"reason": status.reason.label, "since": status.at.isoformat()}
    return told
