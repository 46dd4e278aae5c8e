"""Answers encrypted to the requester, opened by OpenSSL."""

import os
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gdpr_erasure.envelopes import (
    can_decrypt,
    passphrase_of,
    seal_to_certificate,
    seal_to_passphrase,
)
from server.clock import utc_now

CONTENT = b"PK everything about Nancy" * 1000
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
BITS = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def a_certificate(key: Key | ed25519.Ed25519PrivateKey, *usage: str) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Nancy Ann")])
    now = utc_now()
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), 1 << 120)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    if usage:
        bits = x509.KeyUsage(**{bit: bit in usage for bit in BITS})
        builder = builder.add_extension(bits, critical=True)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest)


def opened(folder: Path, envelope: bytes, *how: str) -> bytes | None:
    (folder / "sealed.p7m").write_bytes(envelope)
    arguments = ["-in", str(folder / "sealed.p7m"), "-inform", "DER", "-binary"]
    done = subprocess.run(
        ["openssl", "cms", "-decrypt", *arguments, "-out", str(folder / "out"), *how],
        capture_output=True,
        check=False,
    )
    return (folder / "out").read_bytes() if done.returncode == 0 else None


@pytest.mark.parametrize(
    ("key", "usage"),
    [
        (rsa.generate_private_key(65537, 2048), "key_encipherment"),
        (ec.generate_private_key(ec.SECP256R1()), "key_agreement"),
        (ec.generate_private_key(ec.SECP384R1()), "key_agreement"),
    ],
    ids=["RSA", "P-256", "P-384"],
)
def test_the_holder_opens_what_was_sealed_to_the_certificate(
    tmp_path: Path, key: Key, usage: str
) -> None:
    certificate = a_certificate(key, usage)
    envelope = seal_to_certificate(CONTENT, certificate)
    assert b"Nancy" not in envelope.replace(certificate.issuer.public_bytes(), b"")
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    how = ("-recip", str(tmp_path / "cert.pem"), "-inkey", str(tmp_path / "key.pem"))
    assert opened(tmp_path, envelope, *how) == CONTENT


def test_who_has_the_passphrase_opens_it_and_nobody_else(tmp_path: Path) -> None:
    passphrase = passphrase_of(os.urandom(32))
    envelope = seal_to_passphrase(CONTENT, passphrase)
    assert opened(tmp_path, envelope, "-pwri_password", passphrase) == CONTENT
    assert opened(tmp_path, envelope, "-pwri_password", passphrase_of(os.urandom(32))) is None


def test_a_passphrase_follows_from_its_seed_and_is_easy_to_read_out() -> None:
    first = passphrase_of(bytes(range(32)))
    assert first == passphrase_of(bytes(range(32))) != passphrase_of(bytes(range(1, 33)))
    assert re.fullmatch(r"([2-9a-hjkmnp-z]{5}-){5}[2-9a-hjkmnp-z]{5}", first)


def test_what_was_changed_on_the_way_does_not_open(tmp_path: Path) -> None:
    passphrase = passphrase_of(os.urandom(32))
    envelope = bytearray(seal_to_passphrase(CONTENT, passphrase))
    envelope[-1] ^= 1
    assert opened(tmp_path, bytes(envelope), "-pwri_password", passphrase) is None


@pytest.mark.parametrize(
    ("key", "usage"),
    [
        (rsa.generate_private_key(65537, 2048), "digital_signature"),
        (ec.generate_private_key(ec.SECP256R1()), "digital_signature"),
        (ec.generate_private_key(ec.SECP256R1()), ""),
        (ed25519.Ed25519PrivateKey.generate(), "key_agreement"),
    ],
    ids=["RSA", "P-256", "no usage", "Ed25519"],
)
def test_nothing_is_sealed_to_a_key_that_may_only_sign(key: Key, usage: str) -> None:
    certificate = a_certificate(key, *filter(None, [usage]))
    assert not can_decrypt(certificate)
    with pytest.raises(ValueError, match="may not decrypt"):
        seal_to_certificate(CONTENT, certificate)
