"""Errors of revocation; what the caller can do about one is in its parent class.

RevocationError
├── Refused              the input or the product breaks a named rule: do not retry
│   ├── NotDer           octets that are not the DER asked for
│   ├── MalformedRequest octets that are not an OCSP request we take
│   ├── KeyRefused       a key whose signatures we do not make
│   ├── ResponderRefused a certificate that may not sign OCSP responses for this issuer
│   ├── CrlRefused       a signed CRL that our own gate holds back
│   ├── ResponseRefused  a signed OCSP response that our own gate holds back
│   ├── EntriesVanished  a CRL that forgets serials it may not forget
│   ├── RevocationRefused a hold, release or revocation that a rule forbids
│   └── SelectionFaulty   a list of certificates with lines that name none
├── Conflict             somebody else was first: read again, then retry
│   ├── CrlNumberTaken
│   └── SelectionAltered  the rows of a plan are not those that were planned
└── Unavailable          a part we stand on does not answer: retry later
    ├── StatusUnavailable
    ├── CrlAbandoned     the process is to end, so a CRL is not made to its end
    └── PublicationFailed
"""

from enum import Enum
from pathlib import Path

from ca.identifiers import IssuerName, SerialNumber


class RevocationError(Exception):
    """Root of the errors of this package."""


class Refused(RevocationError):
    """The input or the product breaks a rule."""


class Conflict(RevocationError):
    """Another process was first."""


class Unavailable(RevocationError):
    """A store, token or file system does not answer."""


class NotDer(Refused):
    """The octets are not the DER element that belongs at this place (X.690)."""


class MalformedRequest(Refused):
    """The octets are no OCSP request that this responder takes (RFC 6960 section 4.1)."""


class KeyRefused(Refused):
    """No signature scheme is chosen for this kind of key."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class ResponderRule(Enum):
    """What a delegated OCSP responder certificate must meet (RFC 6960 section 4.2.2.2)."""

    ISSUED_BY_ISSUER = "the issuer itself signed the responder certificate (RFC 6960 4.2.2.2)"
    OCSP_SIGNING = "the extended key usage names id-kp-OCSPSigning (RFC 6960 4.2.2.2)"
    KEY_MATCHES = "the responder key is the one in the responder certificate"


class ResponderRefused(Refused):
    """The certificate may not sign OCSP responses for this issuer."""

    def __init__(self, rule: ResponderRule) -> None:
        super().__init__(rule.name, rule.value)
        self.rule = rule


class CrlRule(Enum):
    """What a CRL must meet after its signature was made and before anybody sees it."""

    STRUCTURE = "the CRL is DER of the version 2 shape (RFC 5280 5.1)"
    MAY_SIGN = "the issuer has a key identifier and may sign CRLs (RFC 5280 4.2.1.2, 4.2.1.3)"
    ISSUER = "the issuer field is the subject of the issuer certificate (RFC 5280 5.1.2.3)"
    ALGORITHM = "both algorithm fields name the scheme of the issuer key (RFC 5280 5.1.1.2)"
    EXTENSIONS = "exactly the extensions of its kind, critical where they must be (RFC 5280 5.2)"
    DATES = "thisUpdate is not ahead and nextUpdate is not past (RFC 5280 5.1.2.4, 5.1.2.5)"
    ENTRIES = "entries are well formed, each serial once, ascending (RFC 5280 5.1.2.6)"
    SIGNATURE = "the signature verifies under the issuer certificate (RFC 5280 5.1.1.3)"
    AS_ORDERED = "number and dates are those that were ordered (RFC 5280 5.2.3)"
    AS_BEFORE = "what did not change stands as in the CRL before, octet for octet"


class CrlRefused(Refused):
    """The signed CRL breaks a rule and stays unpublished."""

    def __init__(self, rule: CrlRule) -> None:
        super().__init__(rule.name, rule.value)
        self.rule = rule


class OcspRule(Enum):
    """What an OCSP response must meet after its signature was made and before anybody sees it."""

    STRUCTURE = "the response is DER of the basic shape, and successful (RFC 6960 4.2.1)"
    SIGNER = "it holds the responder's certificate and names its key (RFC 6960 4.2.2.2, 4.2.2.3)"
    ALGORITHM = "the algorithm is the one of the responder's key (RFC 6960 4.3)"
    DATES = "dates are not ahead, nextUpdate is there and not past (RFC 6960 4.2.2.1)"
    VALIDITY = "nextUpdate comes ten days after thisUpdate at most (CA/B BR 4.9.10)"
    ANSWERS = "it says what was ordered of each certificate, in the same order (RFC 6960 4.2.1)"
    NONCE = "the nonce is that of the request (RFC 9654 2.1)"
    EXTENSIONS = "extensions are known ones and not critical (RFC 6960 4.4, CA/B BR 7.3.2)"
    SIGNATURE = "the signature verifies under the responder's certificate (RFC 6960 4.2.1)"


class ResponseRefused(Refused):
    """The signed OCSP response breaks a rule and is given to nobody."""

    def __init__(self, rule: OcspRule) -> None:
        super().__init__(rule.name, rule.value)
        self.rule = rule


class EntriesVanished(Refused):
    """Serials left the CRL though they may not leave it yet (RFC 5280 section 3.3)."""

    def __init__(self, issuer: IssuerName, serials: frozenset[SerialNumber]) -> None:
        super().__init__(issuer, len(serials))
        self.issuer = issuer
        self.serials = serials


class RevocationRule(Enum):
    """What a hold, a release and a revocation must meet; the sentences are the server's."""

    NOT_AUTHORISED = "NSIS ISS-REV-L1b REVOCATION_NOT_AUTHORISED"
    RATE_LIMITED = "NSIS ISS-REV-L2b REVOCATION_RATE_LIMITED"
    SECOND_OFFICER = "NSIS ISS-REV-L2b BULK_REVOCATION_NEEDS_SECOND_OFFICER"
    UNDER_INVESTIGATION = "NSIS ISS-REV-L3d SUSPENSION_UNDER_INVESTIGATION"
    RELEASE_NOT_AUTHORISED = "NSIS ISS-REV-L3b REACTIVATION_NOT_AUTHORISED"
    REQUIREMENTS_NOT_MET = "NSIS ISS-REV-L3a REACTIVATION_REQUIREMENTS_NOT_MET"
    NOT_FOR_HOLD = "NSIS ISS-REV-L2a, hold"
    PROFILE_WITHOUT_HOLD = "CA/Browser Forum BR 4.9.13, hold"
    INVALIDITY_OF_COMPROMISE = "RFC 5280 5.3.2, invalidityDate of a compromise"
    INVALIDITY_AHEAD = "RFC 5280 5.3.2, invalidityDate not ahead"
    INVALIDITY_BEFORE = "RFC 5280 5.3.2, invalidityDate in the validity"
    NOTHING_SELECTED = "NSIS ISS-REV-L2b, selection"
    TOO_MANY_SELECTED = "NSIS ISS-REV-L2b, size of the selection"
    TOO_MANY_PLANS = "NSIS ISS-REV-L2b, open plans of one person"
    SELECTION_CHANGED = "NSIS ISS-REV-L2b, digest of the selection"


class RevocationRefused(Refused):
    """A rule forbids the hold, release or revocation; `facts` are what its sentence speaks of."""

    def __init__(self, rule: RevocationRule, *facts: str) -> None:
        super().__init__(rule.name, *facts)
        self.rule = rule
        self.facts = facts


class SelectionFaulty(Refused):
    """Lines of a list name no certificate that can be revoked: their numbers, from 1, and why."""

    def __init__(self, faults: tuple[tuple[int, str], ...]) -> None:
        super().__init__(len(faults))
        self.faults = faults


class CrlNumberTaken(Conflict):
    """The CRL number is not the one after the latest recorded CRL."""

    def __init__(self, issuer: IssuerName, number: int) -> None:
        super().__init__(issuer, number)
        self.issuer = issuer
        self.number = number


class SelectionAltered(Conflict):
    """The rows of a plan are not those that its count and digest were made of."""

    def __init__(self, job: str) -> None:
        super().__init__(job)
        self.job = job


class ResponderNotValid(Unavailable):
    """The responder certificate is not valid at this time; the next one is being made."""


class StatusUnavailable(Unavailable):
    """The status of a certificate cannot be read now; a StatusSource raises it."""


class CrlAbandoned(Unavailable):
    """The process is told to end: the CRL that was being made is made at the next start."""

    def __init__(self, issuer: IssuerName) -> None:
        super().__init__(issuer)
        self.issuer = issuer


class PublicationFailed(Unavailable):
    """The file could not be written durably, or does not read back as written."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path
