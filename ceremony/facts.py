"""What each step leaves behind, in words and digests: the journal and the transcript are of these.

Names of people stand here, because a transcript is what they vouch for; PINs and shares never do.
"""

import base64
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from pydantic import ConfigDict, Field, with_config

from ca.signatures import SigningKey, VerifyingKey, algorithm_of, algorithms_of

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_CLOSED = ConfigDict(extra="forbid")


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class Present:
    """Who was there, by role."""

    do: Literal["attendance"]
    people: dict[str, tuple[str, ...]]


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class SplitDone:
    """How a PIN is kept."""

    do: Literal["split"]
    token: str
    outcome: str
    threshold: int = 0
    shares: int = 0
    identifier: int = 0
    custodians: tuple[str, ...] = ()


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class TokenThere:
    """A token that was opened."""

    do: Literal["token"]
    token: str
    label: str
    device: str
    """Maker, model and serial number, as the device says them."""
    pin: str
    made: bool


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class KeyTested:
    """A key that has signed its own test."""

    do: Literal["key"]
    token: str
    label: str
    type: str
    attributes: tuple[str, ...]
    """What the token says of it (CKA_)."""
    public_key: str
    """SubjectPublicKeyInfo in PEM."""
    sha256: Sha256
    """Digest of the SubjectPublicKeyInfo in DER."""
    signature: str
    """By the key, over `test_statement`, in base64."""
    made: bool

    def public(self) -> VerifyingKey:
        """The public key. Raises: ValueError, TypeError."""
        key = load_pem_public_key(self.public_key.encode())
        if not isinstance(key, VerifyingKey):
            raise TypeError("no key of a kind that signs here")
        return key


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class Certified:
    """An issuer with its certificate."""

    do: Literal["root", "issuing"]
    issuer: str
    parent: str
    key: str
    certificate: str
    """In PEM."""
    sha256: Sha256
    made: bool

    def body(self) -> x509.Certificate:
        """The certificate. Raises: ValueError."""
        return x509.load_pem_x509_certificate(self.certificate.encode())


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class ParentThere:
    """An authority that was there before, whose key has signed a test."""

    do: Literal["parent"]
    issuer: str
    token: str
    device: str
    key: str
    certificate: str
    """In PEM."""
    sha256: Sha256
    signature: str
    """By the key, over `test_statement`, in base64."""

    def body(self) -> x509.Certificate:
        """The certificate. Raises: ValueError."""
        return x509.load_pem_x509_certificate(self.certificate.encode())


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class Requested:
    """A request to a foreign authority."""

    do: Literal["request"]
    issuer: str
    key: str
    request: str
    """PKCS#10 in PEM."""
    sha256: Sha256

    def body(self) -> x509.CertificateSigningRequest:
        """The request. Raises: ValueError."""
        return x509.load_pem_x509_csr(self.request.encode())


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class Installed:
    """The certificate that a foreign authority made, and those above it."""

    do: Literal["install"]
    issuer: str
    key: str
    certificate: str
    chain: str
    """Certificates in PEM, the next above first."""
    sha256: Sha256
    made: bool

    def body(self) -> x509.Certificate:
        """The certificate. Raises: ValueError."""
        return x509.load_pem_x509_certificate(self.certificate.encode())

    def above(self) -> list[x509.Certificate]:
        """The chain. Raises: ValueError."""
        return x509.load_pem_x509_certificates(self.chain.encode())


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class CrlSigned:
    """A CRL."""

    do: Literal["crl"]
    issuer: str
    number: int
    next_update: str
    crl: str
    """In PEM."""
    sha256: Sha256
    made: bool

    def body(self) -> x509.CertificateRevocationList:
        """The CRL. Raises: ValueError."""
        return x509.load_pem_x509_crl(self.crl.encode())


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class Closed:
    """The end."""

    do: Literal["closing"]


Facts = Annotated[
    Present
    | SplitDone
    | TokenThere
    | KeyTested
    | Certified
    | ParentThere
    | Requested
    | Installed
    | CrlSigned
    | Closed,
    Field(discriminator="do"),
]


def test_statement(ceremony: str, label: str, sha256: str) -> bytes:
    """What a key signs to show that it is there; no certificate, CRL or OCSP answer begins so."""
    return f"tillid ceremony key test\n{ceremony}\n{label}\n{sha256}\n".encode()


def public_facts(key: VerifyingKey) -> tuple[str, str]:
    """A public key in PEM, and the SHA-256 of its DER in hexadecimal."""
    kind = PublicFormat.SubjectPublicKeyInfo
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(Encoding.DER, kind))
    return key.public_bytes(Encoding.PEM, kind).decode(), digest.finalize().hex()


def sign_text(key: SigningKey, text: bytes) -> str:
    """A signature in base64, with the hash that the key's size asks for."""
    return base64.b64encode(algorithm_of(key).sign(key, text)).decode()


def verify_text(key: VerifyingKey, signature: str, text: bytes) -> None:
    """Raises: ValueError, or cryptography's InvalidSignature, unless the key signed the text."""
    octets = base64.b64decode(signature, validate=True)
    *others, last = algorithms_of(key)  # an RSA key has two, and only its private half says which
    for algorithm in others:
        with suppress(InvalidSignature):
            return algorithm.verify(key, octets, text)
    return last.verify(key, octets, text)
