from base64 import b64decode
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import HeadForged, HeadMalformed, KeyUnsuitable
from audit.heads import Checkpoint, Head, parse_head, sign_head, verify_head
from tests.support.audit_store import ORIGIN, SCHEMA, START

KEY = ec.generate_private_key(ec.SECP256R1())
CHECKPOINT = Checkpoint(ORIGIN, 7, bytes(32), START, SCHEMA)
HEAD = sign_head(KEY, CHECKPOINT)


def test_a_head_is_a_checkpoint_and_one_signature_line() -> None:
    body, _, signature_line = HEAD.text.partition("\n\n")
    assert body.split("\n") == [
        "ca.example/audit",
        "7",
        "A" * 43 + "=",
        "time 2026-03-01T12:00:00.000000Z",
        "schema 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    ]
    mark, name, encoded = signature_line.removesuffix("\n").split(" ")
    assert (mark, name) == ("—", "ca.example/audit")
    signature = b64decode(encoded)[4:]
    KEY.public_key().verify(signature, (body + "\n").encode(), ec.ECDSA(hashes.SHA256()))


@given(
    size=st.integers(0, 2**63 - 1),
    root=st.binary(min_size=32, max_size=32),
    microseconds=st.integers(0, 10**15),
)
def test_a_head_reads_back_from_its_text(size: int, root: bytes, microseconds: int) -> None:
    time = START + timedelta(microseconds=microseconds)
    head = replace(HEAD, size=size, root=root, time=time)
    assert parse_head(head.text) == head


def test_a_head_verifies_under_its_key_and_origin() -> None:
    verify_head(parse_head(HEAD.text), KEY.public_key(), ORIGIN)


@pytest.mark.parametrize(
    "altered",
    [
        replace(HEAD, size=8),
        replace(HEAD, root=b"\x01" * 32),
        replace(HEAD, time=START + timedelta(microseconds=1)),
        replace(HEAD, schema_digest=bytes(32)),
        replace(HEAD, origin="other.example/audit"),
        replace(HEAD, key_hash=bytes(4)),
        replace(HEAD, signature=HEAD.signature[:-1]),
        replace(HEAD, signature=b"junk"),
        sign_head(ec.generate_private_key(ec.SECP256R1()), CHECKPOINT),
        sign_head(KEY, replace(CHECKPOINT, origin="other.example/audit")),
    ],
)
def test_a_head_with_anything_changed_is_forged(altered: Head) -> None:
    with pytest.raises(HeadForged):
        verify_head(altered, KEY.public_key(), ORIGIN)


def test_the_key_hash_alone_does_not_make_a_head_genuine() -> None:
    stranger = sign_head(ec.generate_private_key(ec.SECP256R1()), CHECKPOINT)
    with pytest.raises(HeadForged):
        verify_head(replace(stranger, key_hash=HEAD.key_hash), KEY.public_key(), ORIGIN)


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP256K1()])
def test_heads_are_signed_on_p256_only(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    with pytest.raises(KeyUnsuitable) as refusal:
        sign_head(key, CHECKPOINT)
    assert refusal.value.curve == curve.name
    with pytest.raises(KeyUnsuitable):
        verify_head(HEAD, key.public_key(), ORIGIN)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("origin", ""),
        ("origin", "two words"),
        ("origin", "a+b"),
        ("origin", "a\nb"),
        ("size", -1),
        ("size", 2**63),
        ("root", bytes(31)),
        ("time", datetime(2026, 3, 1)),  # noqa: DTZ001 - naive is what is refused
        ("schema_digest", b""),
    ],
)
def test_a_checkpoint_with_a_field_out_of_bounds_cannot_be_made(part: str, value: object) -> None:
    with pytest.raises(HeadMalformed) as refusal:
        replace(CHECKPOINT, **{part: value})  # type: ignore[arg-type]
    assert part.startswith(refusal.value.part)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n7\n", "\n07\n"),
        ("\n7\n", "\n\u0667\n"),
        ("\n7\n", "\n9999999999999999999\n"),
        ("A=\n", "B=\n"),
        ("time 2026", "time 2026-13"),
        ("-03-01T", "-99-01T"),
        ("000000Z", "000+00Z"),
        ("schema 00", "schema "),
        ("schema 00", "schema 0G"),
        ("schema", "extra line\nschema"),
        ("\n\n", "\n"),
        ("— ca.example", "- ca.example"),
        ("— ca.example", "— other.example"),
        ("ca.example", ".a.example"),
        ("— ", "— ca.example/audit AAAA\n— "),
        ("\n", "\r\n"),
    ],
)
def test_text_that_is_almost_a_head_is_refused(old: str, new: str) -> None:
    assert old in HEAD.text
    with pytest.raises(HeadMalformed):
        parse_head(HEAD.text.replace(old, new))


def test_a_signature_that_is_not_base64_is_refused() -> None:
    with pytest.raises(HeadMalformed):
        parse_head(f"{HEAD.body.decode()}\n— {ORIGIN} AAAAA\n")


@given(text=st.text(max_size=200))
def test_junk_is_no_head(text: str) -> None:
    with pytest.raises(HeadMalformed):
        parse_head(text)


@given(cut=st.integers(0, len(HEAD.text) - 1))
def test_a_truncated_head_is_refused(cut: int) -> None:
    with pytest.raises(HeadMalformed):
        parse_head(HEAD.text[:cut])
