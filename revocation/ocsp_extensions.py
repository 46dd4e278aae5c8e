"""Extensions of OCSP answers beside the nonce, in DER (RFC 6960 section 4.4, Common PKI part 4)."""

from datetime import UTC, datetime
from typing import Final

from revocation import der
from revocation.reasons import Reason
from revocation.status import Revoked

_ARCHIVE_CUTOFF = der.oid("1.3.6.1.5.5.7.48.1.6")
_CERT_HASH = der.oid("1.3.36.8.3.13")
_SHA256 = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"), der.NULL)

EXTENDED_REVOKE: Final = der.extension(der.oid("1.3.6.1.5.5.7.48.1.9"), der.NULL)
"""Stands in every response that tells of a serial that was never issued as revoked."""

NEVER_ISSUED: Final = Revoked(Reason.CERTIFICATE_HOLD, datetime(1970, 1, 1, tzinfo=UTC))
"""How such a serial is told of (RFC 6960 section 2.2)."""


def archive_cutoff(since: datetime) -> bytes:
    """That the status of certificates is kept past their expiry, of all that lived since (UTC)."""
    return der.extension(_ARCHIVE_CUTOFF, der.generalized_time(since))


def cert_hash(sha256: bytes) -> bytes:
    """The positive statement: the SHA-256 of the certificate that is known under the serial."""
    return der.extension(_CERT_HASH, der.sequence(_SHA256, der.octet_string(sha256)))
