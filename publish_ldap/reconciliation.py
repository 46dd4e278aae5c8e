"""Whether a directory shows what it should: both ways, certificate by certificate.

Nothing is asked here and nothing written: what is expected and what was seen come in, the drift
goes out (NSIS REG-APP-L6: the difference of entries and live consents is empty).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from cryptography import x509

from ca.identifiers import SerialNumber


class DriftKind(StrEnum):
    """In which way a directory is not as it should be."""

    MISSING = "missing"
    """Published, and not there."""
    WITHDRAWN = "withdrawn"
    """There, though it was withdrawn: somebody put it back."""
    DUPLICATE = "duplicate"
    """In more than one entry."""
    ENDED = "ended"
    """There, though it was revoked, has expired or was erased, and we never put it there."""
    UNASKED = "unasked"
    """There, and good, and nobody consented to that."""
    AUTHORITY = "authority"
    """Certificates or CRLs of an issuer are not those that were published."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One publication as recorded."""

    task_id: int
    state: str
    issuer: str
    serial: str


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that is not as it should be; `server` counts from 0, the one written to.

    `task_id` is the publication's, if there is one. An issuer alone has no serial number.
    """

    kind: DriftKind
    server: int
    issuer: str
    serial: str = ""
    task_id: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one server was found to show."""

    certificates: int
    drift: tuple[Drift, ...]


Judge = Callable[[x509.Name, SerialNumber], tuple[str, bool] | None]
"""Our issuer of a certificate that no publication knows, and whether it is good; None: not ours."""


def compare(
    server: int,
    expected: Mapping[str, Expected],
    shown: Iterable[tuple[str, bytes]],
    judge: Judge,
) -> Comparison:
    """Compare what is expected, by SHA-256 in hexadecimal, with certificates and their entries.

    Certificates of other issuers are not ours to judge. What is still on its way, in or out, is
    no drift.
    """
    seen: dict[str, str] = {}
    drift: list[Drift] = []
    for entry, certificate in shown:
        fingerprint = sha256(certificate).hexdigest()
        known = expected.get(fingerprint)
        if known is None:
            drift += _surplus(server, certificate, judge)
        elif known.state == "withdrawn":
            drift.append(_of(known, DriftKind.WITHDRAWN, server))
        elif fingerprint in seen and seen[fingerprint] != entry and known.state == "published":
            drift.append(_of(known, DriftKind.DUPLICATE, server))
        if known is not None:
            seen.setdefault(fingerprint, entry)
    missing = (
        _of(known, DriftKind.MISSING, server)
        for fingerprint, known in expected.items()
        if known.state == "published" and fingerprint not in seen
    )
    return Comparison(len(seen), (*drift, *missing))


def _of(known: Expected, kind: DriftKind, server: int) -> Drift:
    return Drift(kind, server, known.issuer, known.serial, known.task_id)


def _surplus(server: int, certificate: bytes, judge: Judge) -> Iterable[Drift]:
    try:
        body = x509.load_der_x509_certificate(certificate)
        serial = SerialNumber(body.serial_number)
        found = judge(body.issuer, serial)
    except ValueError:
        return
    if found is not None:
        issuer, is_good = found
        kind = DriftKind.UNASKED if is_good else DriftKind.ENDED
        yield Drift(kind, server, issuer, serial.hex)
