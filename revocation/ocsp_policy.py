"""What OCSP answers hold beside the status, and for how long they are valid."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

_ONE_SECOND: Final = timedelta(seconds=1)
LONGEST_VALIDITY: Final = timedelta(days=10)
"""Of a TLS certificate's answers (CA/Browser Forum BR 4.9.10); no answer here lives longer."""


@dataclass(frozen=True, slots=True)
class OcspPolicy:
    """How an issuer's certificates are answered for; `validity` is thisUpdate to nextUpdate.

    `cert_hash` adds the certificate's own hash, which shows that it is known (Common PKI part 4,
    1.3.36.8.3.13). `archive_cutoff` says that status is kept past expiry, back to the issuer's
    notBefore (RFC 6960 section 4.4.4, EN 319 411-2 CSS-6.3.10-08). `non_issued_revoked` tells of a
    serial that was never issued as revoked instead of unknown (RFC 6960 section 4.4.8).
    """

    validity: timedelta = timedelta(hours=1)
    cert_hash: bool = False
    archive_cutoff: bool = False
    non_issued_revoked: bool = False

    def __post_init__(self) -> None:
        """ValueError for a validity of parts of a second, of none, or of more than ten days."""
        if not _ONE_SECOND < self.validity <= LONGEST_VALIDITY or self.validity % _ONE_SECOND:
            raise ValueError("an OCSP validity is whole seconds, and ten days at most")
