"""Signatures on requests that only look like one: each known way to forge or misspell is refused.

The cases are those of public collections of test vectors for ECDSA and RSA (PKCS#1 v1.5), applied
to the signature by which a request proves possession of its key.
"""

import hashlib
from collections.abc import Callable
from functools import cache

import pytest
from asn1crypto import csr
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ca.errors import MalformedRequest, Refused
from ca.requests import parse_request
from revocation import der
from tests.support.ca_builders import an_rsa_key
from tests.support.request_builders import a_request

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ECDSA_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"))
RSA_SHA256 = der.sequence(der.oid("1.2.840.113549.1.1.11"), der.NULL)
RSA = an_rsa_key(2048)
BITS = 2048


@cache
def an_ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def information(kind: str) -> bytes:
    """The certificationRequestInfo that is signed."""
    request = a_request(an_ec_key() if kind == "EC" else RSA)
    return x509.load_der_x509_csr(request).tbs_certrequest_bytes


def assembled(kind: str, signature: bytes, algorithm: bytes) -> bytes:
    return der.sequence(information(kind), algorithm, der.bit_string(signature))


def with_ecdsa(signature: bytes, algorithm: bytes = ECDSA_SHA256) -> bytes:
    return assembled("EC", signature, algorithm)


def with_rsa(signature: bytes | int, algorithm: bytes = RSA_SHA256) -> bytes:
    octets = signature.to_bytes(BITS // 8, "big") if isinstance(signature, int) else signature
    return assembled("RSA", octets, algorithm)


@cache
def pair() -> tuple[int, int]:
    return decode_dss_signature(ecdsa())


@cache
def ecdsa() -> bytes:
    return an_ec_key().sign(information("EC"), ec.ECDSA(hashes.SHA256()))


@cache
def rsa_octets() -> bytes:
    return RSA.sign(information("RSA"), padding.PKCS1v15(), hashes.SHA256())


def rs(r: int, s: int) -> bytes:
    return der.sequence(der.integer(r), der.integer(s))


def raw_rsa(block: bytes) -> int:
    """The private operation on a block that is padded as we please."""
    numbers = RSA.private_numbers()
    return pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n)


def padded(info: bytes, tail: bytes = b"") -> bytes:
    return b"\0\1" + b"\xff" * (BITS // 8 - 3 - len(info) - len(tail)) + b"\0" + info + tail


def digest_info(parameters: bytes = der.NULL) -> bytes:
    algorithm = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"), parameters)
    digest = hashlib.sha256(information("RSA")).digest()
    return der.sequence(algorithm, der.octet_string(digest))


ECDSA_SIGNATURES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "r and s are zero": lambda: rs(0, 0),
    "r is zero": lambda: rs(0, pair()[1]),
    "s is zero": lambda: rs(pair()[0], 0),
    "both are one": lambda: rs(1, 1),
    "r is the order": lambda: rs(ORDER, pair()[1]),
    "s is the order": lambda: rs(pair()[0], ORDER),
    "r + n": lambda: rs(pair()[0] + ORDER, pair()[1]),
    "s + n": lambda: rs(pair()[0], pair()[1] + ORDER),
    "r - n": lambda: rs(pair()[0] - ORDER, pair()[1]),
    "-s": lambda: rs(pair()[0], -pair()[1]),
    "r is huge": lambda: rs(pair()[0] + (1 << 4096), pair()[1]),
    "r and s swapped": lambda: rs(*reversed(pair())),
    "r alone": lambda: der.sequence(der.integer(pair()[0])),
    "a third integer": lambda: der.sequence(*map(der.integer, (*pair(), 0))),
    "r is an OCTET STRING": lambda: der.sequence(
        der.octet_string(pair()[0].to_bytes(32, "big")), der.integer(pair()[1])
    ),
    "r is empty": lambda: der.sequence(b"\2\0", der.integer(pair()[1])),
    "a SET": lambda: b"\x31" + ecdsa()[1:],
    "r || s without DER": lambda: b"".join(each.to_bytes(32, "big") for each in pair()),
    "octets after it": lambda: ecdsa() + b"\0",
    "octets inside it": lambda: der.sequence(*map(der.integer, pair()), der.NULL),
    "cut short": lambda: ecdsa()[:-1],
    "a long length (BER)": lambda: b"\x30\x81" + ecdsa()[1:],
    "an indefinite length (BER)": lambda: b"\x30\x80" + ecdsa()[2:] + b"\0\0",
    "r with a needless zero (BER)": lambda: der.sequence(
        der.element(der.INTEGER, b"\0\0" + pair()[0].to_bytes(32, "big")), der.integer(pair()[1])
    ),
}
RSA_SIGNATURES: dict[str, Callable[[], bytes | int]] = {
    "nothing": lambda: b"",
    "zero": lambda: 0,
    "one": lambda: 1,
    "n - 1": lambda: RSA.public_key().public_numbers().n - 1,
    "s + n": lambda: (
        int.from_bytes(rsa_octets(), "big") + RSA.public_key().public_numbers().n
    ).to_bytes(BITS // 8 + 1, "big"),
    "a zero before it": lambda: b"\0" + rsa_octets(),
    "a zero after it": lambda: rsa_octets() + b"\0",
    "cut short": lambda: rsa_octets()[:-1],
    "PSS padding": lambda: RSA.sign(
        information("RSA"), padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()
    ),
    "no padding": lambda: raw_rsa(digest_info().rjust(BITS // 8, b"\0")),
    "short padding, the rest behind": lambda: raw_rsa(
        b"\0\1" + b"\xff" * 8 + b"\0" + digest_info() + b"\0" * (BITS // 8 - 11 - 51)
    ),
    "block type 2": lambda: raw_rsa(padded(digest_info()).replace(b"\0\1", b"\0\2", 1)),
    "padding not of ones": lambda: raw_rsa(padded(digest_info()).replace(b"\xff", b"\xfe", 1)),
    "octets behind the DigestInfo": lambda: raw_rsa(padded(digest_info(), b"\5\0")),
    "parameters of the digest that are junk": lambda: raw_rsa(
        padded(digest_info(der.octet_string(b"junk")))
    ),
    "a long length in the DigestInfo (BER)": lambda: raw_rsa(
        padded(b"\x30\x81" + digest_info()[1:])
    ),
    "the bare digest": lambda: raw_rsa(padded(hashlib.sha256(information("RSA")).digest())),
    "another digest": lambda: RSA.sign(information("RSA"), padding.PKCS1v15(), hashes.SHA384()),
}
ALGORITHMS: dict[str, Callable[[], bytes]] = {
    "ECDSA said, RSA key": lambda: with_rsa(rsa_octets(), ECDSA_SHA256),
    "RSA said, EC key": lambda: with_ecdsa(ecdsa(), RSA_SHA256),
    "another hash said for ECDSA": lambda: with_ecdsa(
        ecdsa(), der.sequence(der.oid("1.2.840.10045.4.3.3"))
    ),
    "another hash said for RSA": lambda: with_rsa(
        rsa_octets(), der.sequence(der.oid("1.2.840.113549.1.1.12"), der.NULL)
    ),
    "MD5 with RSA": lambda: with_rsa(
        rsa_octets(), der.sequence(der.oid("1.2.840.113549.1.1.4"), der.NULL)
    ),
    "PSS said, PKCS#1 made": lambda: with_rsa(
        rsa_octets(), der.sequence(der.oid("1.2.840.113549.1.1.10"))
    ),
    "Ed25519 said": lambda: with_ecdsa(ecdsa(), der.sequence(der.oid("1.3.101.112"))),
    "an algorithm of nobody": lambda: with_ecdsa(ecdsa(), der.sequence(der.oid("1.2.3.4"))),
    "an empty algorithm": lambda: with_ecdsa(ecdsa(), der.sequence()),
    "the key's own OID": lambda: with_ecdsa(
        ecdsa(), der.sequence(der.oid("1.2.840.10045.2.1"), der.oid("1.2.840.10045.3.1.7"))
    ),
    "parameters of ECDSA that are junk": lambda: with_ecdsa(
        ecdsa(), der.sequence(der.oid("1.2.840.10045.4.3.2"), der.octet_string(b"junk"))
    ),
    "parameters of RSA that are junk": lambda: with_rsa(
        rsa_octets(), der.sequence(der.oid("1.2.840.113549.1.1.11"), der.octet_string(b"junk"))
    ),
}


def is_refused(octets: bytes) -> bool:
    with pytest.raises((Refused, MalformedRequest)) as caught:
        parse_request(octets)
    if isinstance(caught.value, Refused):
        assert [each.rule for each in caught.value.findings] == ["request.possession"]
    return True


def test_the_signatures_that_the_cases_spoil_are_good() -> None:
    for octets in (with_ecdsa(ecdsa()), with_ecdsa(rs(*pair())), with_rsa(rsa_octets()),
                   with_rsa(raw_rsa(padded(digest_info())))):  # fmt: skip
        assert parse_request(octets).public_key


@pytest.mark.parametrize("case", ECDSA_SIGNATURES)
def test_what_only_looks_like_an_ecdsa_signature_is_refused(case: str) -> None:
    assert is_refused(with_ecdsa(ECDSA_SIGNATURES[case]()))


@pytest.mark.parametrize("case", RSA_SIGNATURES)
def test_what_only_looks_like_an_rsa_signature_is_refused(case: str) -> None:
    assert is_refused(with_rsa(RSA_SIGNATURES[case]()))


@pytest.mark.parametrize("case", ALGORITHMS)
def test_an_algorithm_that_is_not_the_signatures_own_is_refused(case: str) -> None:
    assert is_refused(ALGORITHMS[case]())


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_a_signature_with_unused_bits_is_refused(kind: str) -> None:
    signature = ecdsa() if kind == "EC" else rsa_octets()
    algorithm = ECDSA_SHA256 if kind == "EC" else RSA_SHA256
    bits = der.element(der.BIT_STRING, b"\7" + signature[:-1] + b"\x80")
    assert is_refused(der.sequence(information(kind), algorithm, bits))


def test_a_signature_that_is_good_but_for_unused_bits_is_refused() -> None:
    made, algorithm = information("EC"), ec.ECDSA(hashes.SHA256())
    signatures = (an_ec_key().sign(made, algorithm) for _ in range(20_000))
    signature = next(each for each in signatures if each[-1] == 0x80)
    bits = der.element(der.BIT_STRING, b"\7" + signature)
    assert is_refused(der.sequence(information("EC"), ECDSA_SHA256, bits))


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_what_was_signed_must_be_the_whole_request(kind: str) -> None:
    """A signature over another request of the same key proves nothing about this one."""
    key = an_ec_key() if kind == "EC" else RSA
    names = [x509.DNSName("other.example")]
    other = csr.CertificationRequest.load(a_request(key, names))
    algorithm = ECDSA_SHA256 if kind == "EC" else RSA_SHA256
    assert is_refused(assembled(kind, other["signature"].native, algorithm))
