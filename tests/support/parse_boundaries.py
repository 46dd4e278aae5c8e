"""Where octets of strangers are read: what each boundary takes, and what it may raise."""

import base64
import hashlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

import revocation.errors
from ca import key_quality
from ca.errors import MalformedRequest, Refused
from ca.foreign_certificates import read_certificates
from ca.profiles import profile_names
from ca.requests import parse_request
from ca.signed_data import sign_detached, verify_detached
from ca.spkac import parse_spkac
from revocation.foreign_crls import read_crl
from revocation.ocsp import parse_request as parse_ocsp_request
from tests.support.ca_builders import NOW, a_key, an_issuer, an_rsa_key, self_signed
from tests.support.certificate_samples import samples
from tests.support.der_mutations import mutated, signed_again
from tests.support.request_builders import a_request, a_request_for_numbers, a_spkac, an_rsa_modulus
from tests.support.weak_keys import a_prime

CONTENT = b'{"subject":"somebody"}'
SLOWEST = 0.05
"""Seconds of one thread's own time that one reading may take."""
_READINGS = 3
"""So often is a slow one read before it counts: beside busy neighbours a core itself is slower."""


@dataclass(frozen=True)
class Boundary:
    """One reader of hostile octets; `key` signs what was changed, so that it is looked at."""

    name: str
    read: Callable[[bytes], object]
    lawful: tuple[type[Exception], ...]
    samples: list[bytes] = field(repr=False)
    key: ec.EllipticCurvePrivateKey | None = None
    pem: str = ""

    def hostile(self, chance: random.Random) -> bytes:
        """Something like one of the samples, that perhaps nobody honest would send."""
        octets = mutated(chance.choice(self.samples), self.samples, chance)
        if self.key is not None and chance.random() < 0.5:
            octets = signed_again(octets, self.key)
        if self.pem and chance.random() < 0.05:
            armour = f"-----{{}} {self.pem}-----\n"
            text = base64.encodebytes(octets).decode()
            octets = (armour.format("BEGIN") + text + armour.format("END")).encode()
        return octets


@dataclass(frozen=True)
class Fault:
    """What no reader may do: raise anything else, or take long."""

    boundary: str
    said: str
    octets: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"{self.boundary}: {self.said}: {self.octets[:2000].hex()}"


def faults(
    boundary: Boundary, count: int, seed: int, took: list[float] | None = None
) -> Iterator[Fault]:
    """Read so many hostile octets; gives what went wrong, and in `took` the seconds of each."""
    took = [] if took is None else took
    chance = random.Random(f"{boundary.name} {seed}")  # noqa: S311 - repeatable on purpose
    for _ in range(count):
        octets = boundary.hostile(chance)
        said = _said(boundary, octets, took)
        if said:
            yield Fault(boundary.name, said, octets)


def boundaries() -> list[Boundary]:
    """All of them, with new keys."""
    key, issuer = ec.generate_private_key(ec.SECP256R1()), an_issuer()
    assert issuer.certificate is not None
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    authority = issuer.certificate
    certificates = [
        each.public_bytes(Encoding.DER) for name in profile_names() for each in samples(name, 2, 1)
    ]
    return [
        Boundary("request", _parse_request_anew, (MalformedRequest, Refused), _requests(key), key,
                 "CERTIFICATE REQUEST"),
        Boundary("SPKAC", lambda octets: parse_spkac(b"SPKAC=" + base64.b64encode(octets)),
                 (MalformedRequest, Refused),
                 [a_spkac(key), a_spkac(ec.generate_private_key(ec.SECP521R1())),
                  a_spkac(an_rsa_key(2048))], key),
        Boundary("approval", lambda octets: verify_detached(octets, CONTENT), (MalformedRequest,),
                 [_approval(kind) for kind in ("EC-P256", "EC-P521", "RSA-2048")]),
        Boundary("OCSP request", parse_ocsp_request, (revocation.errors.MalformedRequest,),
                 _ocsp_requests(authority)),
        Boundary("certificate", read_certificates, (MalformedRequest,), certificates,
                 issuer.key, "CERTIFICATE"),
        Boundary("CRL", lambda octets: read_crl(octets, authority), (MalformedRequest,),
                 [_crl(authority, issuer.key, count) for count in (0, 1, 9)],
                 issuer.key, "X509 CRL"),
    ]  # fmt: skip


def _parse_request_anew(octets: bytes) -> object:
    """No answer about a modulus is kept from one reading to the next: strangers send new ones."""
    key_quality._is_prime.cache_clear()
    return parse_request(octets)


def _said(boundary: Boundary, octets: bytes, took: list[float]) -> str:
    seconds = float("inf")
    for _ in range(_READINGS):
        if seconds <= SLOWEST:
            break
        began = time.thread_time()
        try:
            boundary.read(octets)
        except boundary.lawful:
            pass
        except Exception as error:  # noqa: BLE001 - any other is what is looked for
            return f"{type(error).__name__}: {error}"
        seconds = min(seconds, time.thread_time() - began)
    took.append(seconds)
    return f"took {seconds * 1000:.0f} ms" if seconds > SLOWEST else ""


def _requests(key: ec.EllipticCurvePrivateKey) -> list[bytes]:
    names = [x509.DNSName("a.example"), x509.RFC822Name("a@b.example"),
             x509.UniformResourceIdentifier("http://a.example")]  # fmt: skip
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Åse")])
    return [
        a_request(key, names, subject),
        a_request(key),
        a_request(ec.generate_private_key(ec.SECP521R1()), names),
        a_request(an_rsa_key(2048), names),
        a_request_for_numbers(an_rsa_modulus(2048, 3)),
        *(a_request_for_numbers(modulus(bits)) for bits in (2048, 3072, 4096)
          for modulus in (a_prime, lambda bits: an_rsa_modulus(bits, 1))),
    ]  # fmt: skip


def _approval(kind: str) -> bytes:
    key = a_key(kind)
    return sign_detached(CONTENT, self_signed(key), key)


def _ocsp_requests(issuer: x509.Certificate) -> list[bytes]:
    digest = hashlib.sha256(b"key").digest()
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        digest, digest, 2**150 + 7, hashes.SHA256()
    )
    nonce = builder.add_extension(x509.OCSPNonce(b"0" * 32), critical=False)
    by_certificate = ocsp.OCSPRequestBuilder().add_certificate(issuer, issuer, hashes.SHA1())  # noqa: S303
    return [each.build().public_bytes(Encoding.DER) for each in (builder, nonce, by_certificate)]


def _crl(issuer: x509.Certificate, key: ec.EllipticCurvePrivateKey, count: int) -> bytes:
    builder = x509.CertificateRevocationListBuilder(issuer.subject, NOW, NOW + timedelta(days=7))
    builder = builder.add_extension(x509.CRLNumber(count), critical=False)
    for serial in range(1, count + 1):
        entry = x509.RevokedCertificateBuilder(serial, NOW)
        reason = x509.CRLReason(x509.ReasonFlags.key_compromise)
        builder = builder.add_revoked_certificate(entry.add_extension(reason, False).build())  # noqa: FBT003
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
