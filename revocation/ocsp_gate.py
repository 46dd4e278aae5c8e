"""Our own gate for OCSP responses: each is read again after it was signed, before anybody sees it.

It looks for what linters do not find and clients let pass: a missing or far nextUpdate, a date
ahead, another certificate's answer, a signer that clients would not find (RFC 6960 section 4.2).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from ca.signatures import VerifyingKey
from revocation import der
from revocation.errors import NotDer, OcspRule, ResponseRefused
from revocation.ocsp import ResponseSigner, SingleAnswer
from revocation.ocsp_policy import LONGEST_VALIDITY
from revocation.preproduction import Life
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Status, Unknown

_SUCCESSFUL = b"\x0a\x01\x00"
_BASIC_RESPONSE = der.oid("1.3.6.1.5.5.7.48.1.1")
_NONCE = der.oid("1.3.6.1.5.5.7.48.1.2")
_EXTENDED_REVOKE = der.oid("1.3.6.1.5.5.7.48.1.9")
_ARCHIVE_CUTOFF = der.oid("1.3.6.1.5.5.7.48.1.6")
_CERT_HASH = der.oid("1.3.36.8.3.13")
# A reason stands in RevokedInfo, and not beside it (CA/Browser Forum BR 7.3.2).
_SINGLE_EXTENSIONS = frozenset({_ARCHIVE_CUTOFF, _CERT_HASH})
_RESPONSE_EXTENSIONS = frozenset({_NONCE, _EXTENDED_REVOKE})
_TIME = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z")
_GOOD, _REVOKED, _UNKNOWN = 0x80, der.context(1), 0x82


@dataclass(frozen=True, slots=True)
class Statement:
    """What was said of one certificate and passed this gate once: a SingleResponse in DER.

    It holds as long as the response it stood in; `responder_id` is whose key signed that.
    """

    single: bytes
    life: Life
    responder_id: bytes


Ordered = Sequence[SingleAnswer] | Statement


@dataclass(frozen=True, slots=True)
class ResponseGate:
    """What the responses of one responder are held against."""

    signer: ResponseSigner
    public_key: VerifyingKey
    not_before: datetime
    not_after: datetime

    @classmethod
    def of(cls, signer: ResponseSigner, certificate: x509.Certificate) -> Self:
        """The gate of the signer that has this certificate."""
        key: VerifyingKey = signer.key.public_key()
        return cls(signer, key, certificate.not_valid_before_utc, certificate.not_valid_after_utc)

    def check(
        self, response: bytes, ordered: Ordered, nonce: bytes | None, now: datetime
    ) -> "Unverified":
        """Let a response pass that says what was ordered, to everybody who asks now.

        Its signature is looked at by the one that is returned, for that takes as long as signing.

        Raises:
            ResponseRefused: it breaks one of the rules of `OcspRule`, which the error names.
        """
        try:
            return self._check(response, ordered, nonce, now)
        except (NotDer, ValueError):
            raise ResponseRefused(OcspRule.STRUCTURE) from None

    def _check(
        self, response: bytes, ordered: Ordered, nonce: bytes | None, now: datetime
    ) -> "Unverified":
        basic = _enter_basic(response)
        start = basic.position
        tbs = basic.enter(der.SEQUENCE)
        octets = basic.since(start)
        algorithm, signature = basic.whole(der.SEQUENCE), basic.content(der.BIT_STRING)
        if (tbs.whole(der.context(2)), basic.rest()) != (
            self.signer.responder_id,
            self.signer.certificates,
        ):
            raise ResponseRefused(OcspRule.SIGNER)
        if not self.not_before <= _time(tbs) <= now:
            raise ResponseRefused(OcspRule.DATES)
        listed = tbs.enter(der.SEQUENCE)
        if isinstance(ordered, Statement):
            if listed.rest() != ordered.single or not ordered.life.holds(now):
                raise ResponseRefused(OcspRule.ANSWERS)
        else:
            self._check_singles(listed, ordered, now)
        found = _extensions(tbs, _RESPONSE_EXTENSIONS)
        if found.get(_NONCE) != (None if nonce is None else der.octet_string(nonce)):
            raise ResponseRefused(OcspRule.NONCE)
        if algorithm != self.signer.algorithm.identifier or signature[:1] != b"\x00":
            raise ResponseRefused(OcspRule.ALGORITHM)
        return Unverified(self, signature[1:], octets)

    def statement(self, response: bytes, life: Life) -> "Statement | None":
        """What a response that was made ahead says of its one certificate, to be signed again.

        None where its signature is not by the same key, for what others wrote is not signed here,
        or where the certificate of the signer is not valid all that time.

        Raises:
            ResponseRefused: it cannot be read.
        """
        if not self.not_before <= life.this_update < life.next_update <= self.not_after:
            return None
        try:
            basic = _enter_basic(response)
            start = basic.position
            tbs = basic.enter(der.SEQUENCE)
            octets = basic.since(start)
            basic.skip()
            signature = basic.content(der.BIT_STRING)[1:]
            if tbs.whole(der.context(2)) != self.signer.responder_id:
                return None
            tbs.skip()
            single = tbs.enter(der.SEQUENCE).rest()
            if not tbs.at_end():
                return None
        except (NotDer, ValueError):
            raise ResponseRefused(OcspRule.STRUCTURE) from None
        try:
            Unverified(self, signature, octets).verify()
        except ResponseRefused:
            return None
        return Statement(single, life, self.signer.responder_id)

    def _check_singles(
        self, listed: der.Reader, ordered: Sequence[SingleAnswer], now: datetime
    ) -> None:
        for expected in ordered:
            self._check_single(listed, expected, now)
        if not listed.at_end():
            raise ResponseRefused(OcspRule.ANSWERS)

    def _check_single(self, listed: der.Reader, expected: SingleAnswer, now: datetime) -> None:
        if listed.at_end():
            raise ResponseRefused(OcspRule.ANSWERS)
        single = listed.enter(der.SEQUENCE)
        if single.whole(der.SEQUENCE) != expected.cert_id:
            raise ResponseRefused(OcspRule.ANSWERS)
        if _status(single) != _in_seconds(expected.status):
            raise ResponseRefused(OcspRule.ANSWERS)
        this_update = _time(single)
        if not single.next_is(der.context(0)):
            raise ResponseRefused(OcspRule.DATES)
        explicit = single.enter(der.context(0))
        next_update = _time(explicit)
        explicit.finish()
        if not self.not_before <= this_update <= now <= next_update <= self.not_after:
            raise ResponseRefused(OcspRule.DATES)
        if next_update - this_update > LONGEST_VALIDITY:
            raise ResponseRefused(OcspRule.VALIDITY)
        if (this_update, next_update) != (expected.this_update, expected.next_update):
            raise ResponseRefused(OcspRule.ANSWERS)
        _extensions(single, _SINGLE_EXTENSIONS)


@dataclass(frozen=True, slots=True)
class Unverified:
    """A response that passed but for its signature."""

    gate: ResponseGate
    signature: bytes
    signed: bytes

    def verify(self) -> None:
        """Let it pass if its signature is by the responder's key. Raises: ResponseRefused."""
        try:
            self.gate.signer.algorithm.verify(self.gate.public_key, self.signature, self.signed)
        except InvalidSignature:
            raise ResponseRefused(OcspRule.SIGNATURE) from None


def _enter_basic(response: bytes) -> der.Reader:
    """The BasicOCSPResponse of a successful OCSPResponse."""
    outside = der.Reader(response)
    whole = outside.enter(der.SEQUENCE)
    outside.finish()
    if whole.whole(der.ENUMERATED) != _SUCCESSFUL:
        raise ResponseRefused(OcspRule.STRUCTURE)
    explicit = whole.enter(der.context(0))
    whole.finish()
    response_bytes = explicit.enter(der.SEQUENCE)
    explicit.finish()
    if response_bytes.oid() != _BASIC_RESPONSE:
        raise ResponseRefused(OcspRule.STRUCTURE)
    string = response_bytes.enter(der.OCTET_STRING)
    response_bytes.finish()
    basic = string.enter(der.SEQUENCE)
    string.finish()
    return basic


def _time(reader: der.Reader) -> datetime:
    """A GeneralizedTime in whole seconds of UTC (RFC 5280 section 4.1.2.5.2)."""
    found = _TIME.fullmatch(reader.content(der.GENERALIZED_TIME))
    if found is None:
        raise ResponseRefused(OcspRule.DATES)
    year, month, day, hour, minute, second = map(int, found.groups())
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def _status(single: der.Reader) -> Status:
    if single.next_is(_REVOKED):
        revoked = single.enter(_REVOKED)
        at, reason = _time(revoked), Reason.UNSPECIFIED
        if revoked.next_is(der.context(0)):
            explicit = revoked.enter(der.context(0))
            reason = Reason(int.from_bytes(explicit.content(der.ENUMERATED), "big"))
            explicit.finish()
            if reason is Reason.UNSPECIFIED:  # it is left out (RFC 5280 section 5.3.1)
                raise ResponseRefused(OcspRule.STRUCTURE)
        revoked.finish()
        return Revoked(reason, at)
    is_good = single.next_is(_GOOD)
    if single.content(_GOOD if is_good else _UNKNOWN):
        raise ResponseRefused(OcspRule.STRUCTURE)
    return Good() if is_good else Unknown()


def _in_seconds(status: Status) -> Status:
    """As it can be told: without parts of a second."""
    return (
        replace(status, at=status.at.replace(microsecond=0))
        if isinstance(status, Revoked)
        else status
    )


def _extensions(reader: der.Reader, known: frozenset[bytes]) -> dict[bytes, bytes]:
    """What is left of a response or of one answer: extensions that are known, none critical."""
    found: dict[bytes, bytes] = {}
    if reader.next_is(der.context(1)):
        explicit = reader.enter(der.context(1))
        listed = explicit.enter(der.SEQUENCE)
        explicit.finish()
        while not listed.at_end():
            extension = listed.enter(der.SEQUENCE)
            identifier = extension.oid()
            if identifier not in known or identifier in found:
                raise ResponseRefused(OcspRule.EXTENSIONS)
            found[identifier] = extension.content(der.OCTET_STRING)
            extension.finish()
        if not found:
            raise ResponseRefused(OcspRule.EXTENSIONS)
    reader.finish()
    return found
