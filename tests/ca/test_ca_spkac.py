"""Signed public keys and challenges: those of openssl are read, and others are refused."""

import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from ca import der
from ca.errors import MalformedRequest, Refused
from ca.key_quality import spki
from ca.signatures import SigningKey
from ca.spkac import parse_spkac, read_request
from tests.support.ca_builders import a_key, an_rsa_key
from tests.support.request_builders import a_request, a_spkac


def written(octets: bytes) -> bytes:
    return b"SPKAC=" + b64encode(octets) + b"\n"


def openssl_spkac(folder: Path, key: SigningKey, *options: str) -> bytes:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    made = subprocess.run(
        ["openssl", "spkac", "-key", folder / "key.pem", "-challenge", "hello", *options],
        check=True,
        capture_output=True,
    )
    return made.stdout


@pytest.mark.parametrize("kind", ["EC-P256", "RSA-2048"])
def test_what_openssl_writes_is_read(kind: str, tmp_path: Path) -> None:
    key = a_key(kind)
    octets = openssl_spkac(tmp_path, key, "-digest", "sha256")
    request = read_request(octets)
    assert spki(request.public_key) == spki(key.public_key())
    assert request.proposed_host_names == ()
    assert written(request.der).split() == octets.split()


def test_a_signature_over_md5_proves_nothing(tmp_path: Path) -> None:
    """It is the default of openssl spkac."""
    with pytest.raises(Refused, match="not signed by the key") as refused:
        read_request(openssl_spkac(tmp_path, a_key("RSA-2048")))
    assert "SHA-2" in refused.value.findings[0].way_out


def test_every_kind_of_key_that_is_certified_may_ask() -> None:
    for kind in ("EC-P256", "EC-P384", "EC-P521", "RSA-2048"):
        assert parse_spkac(written(a_spkac(a_key(kind)))).public_key
    with pytest.raises(Refused, match="exponent"):
        parse_spkac(written(a_spkac(an_rsa_key(2048, 3))))
    with pytest.raises(Refused, match="curve"):
        parse_spkac(written(der.sequence(*other_curve())))


def other_curve() -> list[bytes]:
    whole = der.children(a_spkac(a_key()))
    foreign = ec.generate_private_key(ec.SECP256K1()).public_key()
    signed = der.sequence(spki(foreign), der.element(0x16, b""))
    return [signed, *whole[1:]]


def test_another_key_than_the_one_that_signed_is_refused() -> None:
    mine, other = der.children(a_spkac(a_key())), der.children(a_spkac(a_key("EC-P384")))
    swapped = der.sequence(other[0], *mine[1:])
    with pytest.raises(Refused, match="not signed by the key"):
        parse_spkac(written(swapped))


GOOD = a_spkac(a_key())
MALFORMED = {
    "nothing": b"SPKAC=",
    "no base64": b"SPKAC=!!",
    "no DER": written(b"\x30\x05"),
    "a PKCS#10 request": written(a_request(a_key())),
    "a name beside it": b"CN=a\nSPKAC=" + b64encode(GOOD),
    "more after it": written(GOOD + b"\0"),
    "a challenge of another type": written(a_spkac(a_key(), der.element(0x0C, b"hello"))),
    "three things signed": written(a_spkac(a_key(), der.element(0x16, b"") * 2)),
    "unused bits": written(GOOD.replace(b"\x03\x49\x00", b"\x03\x49\x01").replace(
        b"\x03\x48\x00", b"\x03\x48\x01").replace(b"\x03\x47\x00", b"\x03\x47\x01")),
    "too long": b"SPKAC=" + b"A" * 16400,
}  # fmt: skip


@pytest.mark.parametrize("octets", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_such_request_is_malformed(octets: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parse_spkac(octets)


def test_a_request_cut_off_anywhere_is_malformed_and_lines_do_not_matter() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(MalformedRequest):
            parse_spkac(written(GOOD[:length]))
    lines = b"\r\n".join(b64encode(GOOD)[at : at + 64] for at in range(0, len(GOOD) * 2, 64))
    assert parse_spkac(b"SPKAC=" + lines).der == GOOD == b64decode(b64encode(GOOD))
