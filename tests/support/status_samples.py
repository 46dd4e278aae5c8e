"""Lawful CRLs and OCSP responses of random content, made from a seed."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509 import load_der_x509_crl

from ca.identifiers import SerialNumber
from ca.signatures import SigningKey
from revocation.cert_ids import CertIdHash, IssuerCertIds
from revocation.crl import CrlHeader, build_crl, check_crl, encode_entry
from revocation.ocsp import ResponseSigner, SingleAnswer, build_response
from revocation.ocsp_gate import ResponseGate
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Status, Unknown
from tests.support.ca_builders import a_key
from tests.support.revocation_pki import Pki, issuer_certificate, responder_certificate

KINDS = ("EC-P256", "EC-P384", "EC-P521", "RSA-2048", "RSA-3072", "Ed25519")
REASONS = tuple(reason for reason in Reason if reason is not Reason.REMOVE_FROM_CRL)
# From before UTCTime's end to after it, and a leap day (RFC 5280 section 4.1.2.5).
_MOMENTS = (
    datetime(2026, 11, 22, 8, 30, tzinfo=UTC),
    datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC),
    datetime(2049, 12, 31, 12, tzinfo=UTC),
)
_AFTER_2050 = datetime(2063, 1, 1, tzinfo=UTC)
_BEFORE_2050 = datetime(2049, 12, 1, tzinfo=UTC)  # then the signers of the tests expire
_ODD_SERIALS = (1, 0x7F, 0x80, 0xFF, 0x100, 2**64, 2**63, 2**159 - 1, 2**151)
"""Such as come with an import: short ones, with a zero octet before them, and the longest."""


def crls(count: int, seed: int) -> Iterator[bytes]:
    """So many CRLs, each through our own gate; empty, of one entry, and of many."""
    chance = random.Random(f"crls {seed}")  # noqa: S311 - repeatable on purpose
    issuers = [(issuer_certificate(key), key) for key in map(_key, KINDS)]
    for number in range(count):
        (certificate, key), now = chance.choice(issuers), _moment(chance)
        size = (0, 1, chance.randint(2, 40))[number % 3]
        serials = sorted(_serials(chance, size))
        entries = [
            encode_entry(each, _past(chance, now), chance.choice(REASONS)) for each in serials
        ]
        life = timedelta(seconds=chance.randint(3600, 86400 * 366))
        header = CrlHeader(chance.choice((0, 1, 127, 128, 2**64, 2**159 - 1)), now, now + life)
        made = build_crl(certificate, key, header, entries)
        assert check_crl(made, certificate, now) == header
        assert len(load_der_x509_crl(made)) == size
        yield made


def responses(count: int, seed: int) -> Iterator[bytes]:
    """So many responses, each through our own gate; of one certificate up to ten."""
    chance = random.Random(f"responses {seed}")  # noqa: S311 - repeatable on purpose
    issuing = Pki.new().issuing
    cert_ids = IssuerCertIds.of(issuing.certificate)
    keys = [_key(kind) for kind in KINDS]
    delegated = [(responder_certificate(issuing, key), key) for key in keys]
    for number in range(count):
        (certificate, key), now = chance.choice(delegated), _moment(chance, _BEFORE_2050)
        signer = ResponseSigner.of(certificate, key)
        next_update = now + timedelta(seconds=chance.randint(60, 86400 * 10))
        singles = [
            SingleAnswer(
                cert_ids.encode(chance.choice([*CertIdHash]), serial),
                _status(chance, now),
                now,
                next_update,
            )
            for serial in _serials(chance, 1 if number % 2 else chance.randint(1, 10))
        ]
        nonce = chance.choice((None, chance.randbytes(1), chance.randbytes(32), bytes(128)))
        made = build_response(signer, now, singles, nonce)
        ResponseGate.of(signer, certificate).check(made, singles, nonce, now).verify()
        yield made


def _key(kind: str) -> SigningKey:
    return ed25519.Ed25519PrivateKey.generate() if kind == "Ed25519" else a_key(kind)


def _serials(chance: random.Random, size: int) -> list[SerialNumber]:
    drawn = {
        chance.choice(_ODD_SERIALS) if chance.random() < 0.3 else chance.getrandbits(158) | 1
        for _ in range(size)
    }
    while len(drawn) < size:
        drawn.add(chance.getrandbits(158) | 1)
    return [SerialNumber(each) for each in drawn]


def _moment(chance: random.Random, latest: datetime = _AFTER_2050) -> datetime:
    earliest = _MOMENTS[0]
    drawn = earliest + timedelta(seconds=chance.randrange(int((latest - earliest).total_seconds())))
    return chance.choice([drawn, *(each for each in _MOMENTS if each < latest)])


def _past(chance: random.Random, now: datetime) -> datetime:
    return now - timedelta(seconds=chance.randrange(86400 * 3650))


def _status(chance: random.Random, now: datetime) -> Status:
    revoked = Revoked(chance.choice(REASONS), _past(chance, now))
    return chance.choice((Good(), Unknown(), revoked, revoked))
