"""Signed public key and challenge: the smallest request, a key with proof of its possession.

What `openssl spkac` writes, and tools for devices that make no PKCS#10 request:

    SignedPublicKeyAndChallenge ::= SEQUENCE {
        publicKeyAndChallenge  SEQUENCE { spki SubjectPublicKeyInfo, challenge IA5String },
        signatureAlgorithm     AlgorithmIdentifier,
        signature              BIT STRING }

It proposes no names. Its challenge is for whoever set one; as a PKCS#10 request, which has none, it
proves possession, and not when.
"""

from base64 import b64decode
from binascii import Error as Base64Error

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ca import der
from ca.errors import MalformedRequest
from ca.key_quality import SubjectPublicKey
from ca.requests import (
    MAX_OCTETS,
    CertificationRequest,
    certifiable_key,
    not_possessed,
    parse_request,
)
from ca.signatures import algorithms_of

_BEGINS = b"SPKAC="
_WHAT = "signed public key and challenge"
_IA5_STRING = 0x16


def read_request(octets: bytes) -> CertificationRequest:
    """Read a request of either form, PKCS#10 or SPKAC. Raises: as `parse_request`."""
    return parse_spkac(octets) if octets.lstrip().startswith(_BEGINS) else parse_request(octets)


def parse_spkac(octets: bytes) -> CertificationRequest:
    """Read `SPKAC=` and base64, at most 16 KiB, and check proof of possession.

    Raises:
        MalformedRequest: the octets are nothing of the kind.
        Refused: the signature does not verify, or the key is too weak to certify.
    """
    if len(octets) > MAX_OCTETS:
        raise MalformedRequest(_WHAT, f"it is longer than {MAX_OCTETS} octets")
    try:
        text = octets.strip().removeprefix(_BEGINS)
        encoded = b64decode(b"".join(text.split()), validate=True)
        signed, algorithm, signature = _parts(encoded)
        spki, challenge = der.children(signed)
        if challenge[0] != _IA5_STRING:
            raise ValueError("no challenge")  # noqa: TRY301 - as whatever else is misshapen
    except (Base64Error, ValueError, IndexError):
        raise MalformedRequest(_WHAT, "the octets are not SPKAC= and base64 of one") from None
    key = certifiable_key(lambda: load_der_public_key(spki), spki)
    if not _is_possessed(key, (algorithm, signature, signed)):
        raise not_possessed("RFC 4211 4.1, ETSI EN 319 411-1 REG-6.3.1")
    return CertificationRequest(key, (), encoded)


def _parts(encoded: bytes) -> tuple[bytes, bytes, bytes]:
    """What is signed, the AlgorithmIdentifier and the signature. Raises: ValueError."""
    ((outer, content),) = der.elements(encoded)
    (tag, inner), algorithm, (string, signature) = der.elements(content)
    signed = der.element(tag, inner)
    kinds = [kind for kind, _ in der.elements(inner)]
    if (outer, tag, string) != (der.SEQUENCE, der.SEQUENCE, der.BIT_STRING) or len(kinds) != 2:  # noqa: PLR2004
        raise ValueError("not these three")
    # What is written otherwise than in DER is not what anybody signed.
    if der.sequence(signed, der.element(*algorithm), der.element(string, signature)) != encoded:
        raise ValueError("not in DER")
    if signature[:1] != b"\x00":
        raise ValueError("a signature is whole octets")
    return signed, der.element(*algorithm), signature[1:]


def _is_possessed(key: SubjectPublicKey, parts: tuple[bytes, bytes, bytes]) -> bool:
    identifier, signature, signed = parts
    accepted = (each for each in algorithms_of(key) if each.identifier == identifier)
    algorithm = next(accepted, None)
    if algorithm is None:  # MD5 is the default of openssl spkac; it takes -digest sha256
        return False
    try:
        algorithm.verify(key, signature, signed)
    except InvalidSignature:
        return False
    return True
