"""Certification requests, good ones and such as no honest tool writes."""

import math
from collections.abc import Sequence
from functools import cache

from asn1crypto import algos, core, csr, keys
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca import der
from ca.signatures import SigningKey, algorithm_of


def a_request(
    key: SigningKey,
    names: Sequence[x509.GeneralName] = (),
    subject: x509.Name = x509.Name([]),  # noqa: B008 - a frozen value
) -> bytes:
    """A request in DER, made by cryptography."""
    builder = x509.CertificateSigningRequestBuilder(subject)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def a_spkac(key: SigningKey, challenge: bytes = der.element(0x16, b"hello")) -> bytes:
    """A signed public key and challenge in DER."""
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signed, algorithm = der.sequence(spki, challenge), algorithm_of(key)
    signature = algorithm.sign(key, signed)
    return der.sequence(signed, algorithm.identifier, der.bit_string(signature))


def a_request_with_attributes(key: ec.EllipticCurvePrivateKey, attributes: bytes) -> bytes:
    """A request whose attributes are these octets, whatever they are; signed all the same."""
    whole = csr.CertificationRequest.load(a_request(key))
    old = whole["certification_request_info"].dump()
    version, subject, spki, _ = (each for _, each in _elements(old))
    info = der.sequence(version, subject, spki, der.element(der.context(0), attributes))
    signature = key.sign(info, ec.ECDSA(hashes.SHA256()))
    algorithm = whole["signature_algorithm"].dump()
    return der.sequence(info, algorithm, der.bit_string(signature))


def _elements(sequence: bytes) -> list[tuple[int, bytes]]:
    ((_, content),) = der.elements(sequence)
    return [(tag, der.element(tag, each)) for tag, each in der.elements(content)]


@cache
def an_rsa_modulus(bits: int, factor: int) -> int:
    """A modulus of that many bits whose only factor below 752 is this one."""
    small = math.factorial(751)
    rest = ((1 << bits) - 1) // factor
    while math.gcd(rest, small) != 1:
        rest -= 1
    return rest * factor


def a_request_for_numbers(modulus: int, exponent: int = 65537) -> bytes:
    """A request for an RSA key nobody has; its signature is only of the right length."""
    key = keys.RSAPublicKey({"modulus": modulus, "public_exponent": exponent})
    info = keys.PublicKeyInfo({"algorithm": {"algorithm": "rsa"}, "public_key": key})
    return _assembled(info, "sha256_rsa", b"\1" * (modulus.bit_length() // 8))


def a_request_on_explicit_parameters(key: ec.EllipticCurvePrivateKey) -> bytes:
    """P-256, but written out: the certificate would carry its own curve (CVE-2020-0601)."""
    spki = keys.PublicKeyInfo.load(
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    point = bytes.fromhex(
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
    domain = keys.SpecifiedECDomain(
        {
            "version": 1,
            "field_id": {"field_type": "prime_field", "parameters": core.Integer(prime)},
            "curve": {"a": (prime - 3).to_bytes(32, "big"), "b": b.to_bytes(32, "big")},
            "base": keys.ECPoint(point),
            "order": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
            "cofactor": 1,
        }
    )
    spki["algorithm"]["parameters"] = keys.ECDomainParameters(name="specified", value=domain)
    info = _information(keys.PublicKeyInfo.load(spki.dump(force=True)))
    signature = key.sign(info.dump(), ec.ECDSA(hashes.SHA256()))
    return _request(info, "sha256_ecdsa", signature)


def a_request_of_version(version: int, key: rsa.RSAPrivateKey) -> bytes:
    """A request whose version is another than 0."""
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    info = _information(keys.PublicKeyInfo.load(spki))
    octets = info.dump().replace(b"\x02\x01\x00", bytes((2, 1, version)), 1)
    signature = key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
    whole = _request(info, "sha256_rsa", signature)
    return whole.replace(info.dump(), octets)


def _assembled(spki: keys.PublicKeyInfo, algorithm: str, signature: bytes) -> bytes:
    return _request(_information(spki), algorithm, signature)


def _information(spki: keys.PublicKeyInfo) -> csr.CertificationRequestInfo:
    return csr.CertificationRequestInfo(
        {
            "version": 0,
            "subject": csr.Name.build({}),
            "subject_pk_info": spki,
            "attributes": csr.CRIAttributes([]),
        }
    )


def _request(info: csr.CertificationRequestInfo, algorithm: str, signature: bytes) -> bytes:
    whole = csr.CertificationRequest(
        {
            "certification_request_info": info,
            "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": algorithm}),
            "signature": core.OctetBitString(signature),
        }
    )
    octets: bytes = whole.dump()
    return octets
