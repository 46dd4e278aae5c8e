"""PKCS#11 URIs: what they mean, what is refused, and which token and key they find."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hsm.errors import KeyNotFound, TokenAmbiguous, TokenNotFound
from hsm.module import load_module
from hsm.token import Token
from hsm.uri import Pkcs11Uri, key_uri, parse_uri, token_uri
from tests.support.softhsm import SoftHsm


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("pkcs11:token=tillid-issuing", Pkcs11Uri(token="tillid-issuing")),
        (
            "pkcs11:token=My%20token;serial=0%2F1;manufacturer=Maker;model=M",
            Pkcs11Uri(token="My token", serial="0/1", manufacturer="Maker", model="M"),
        ),
        (
            "pkcs11:object=key;id=%01%ff;type=private",
            Pkcs11Uri(object="key", id=b"\1\xff", type="private"),
        ),
        (
            "pkcs11:token=t?module-path=/lib/m.so&pin-source=file:/run/pin",
            Pkcs11Uri(token="t", module_path=Path("/lib/m.so"), pin_source=Path("/run/pin")),
        ),
        (
            "pkcs11:token=t?pin-source=file:///run/pin",
            Pkcs11Uri(token="t", pin_source=Path("/run/pin")),
        ),
        ("pkcs11:token=t?pin-source=fd:3", Pkcs11Uri(token="t", pin_source=Path("fd:3"))),
        ("pkcs11:", Pkcs11Uri()),
    ],
)
def test_a_uri_means_what_the_standard_says(text: str, meaning: Pkcs11Uri) -> None:
    assert parse_uri(text) == meaning


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tillid-issuing", "starts with pkcs11:"),
        ("pkcs11:tokn=a", "not used here"),
        ("pkcs11:token=a;slot-id=1", "not used here"),
        ("pkcs11:token=a?pin-value=1234", "pin-source"),
        ("pkcs11:token=a;token=b", "twice"),
        ("pkcs11:token", "no value"),
        ("pkcs11:token=", "empty"),
        ("pkcs11:token=a b", "%XX"),
        ("pkcs11:token=%0a", "cannot be printed"),
        ("pkcs11:token=%ff", "UTF-8"),
        ("pkcs11:object=a;type=cert", "type"),
        ("pkcs11:token=a?module-path=m.so", "no absolute path"),
        ("pkcs11:token=a?pin-source=file:pin", "no absolute path"),
        ("pkcs11:token=a?pin-source=%7Ccat%20pin", "programs"),
    ],
)
def test_what_is_no_uri_of_ours_is_refused_with_the_reason(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_uri(text)


@pytest.mark.parametrize("text", ["pkcs11:", "pkcs11:object=a", "pkcs11:token=a;object=b"])
def test_a_token_is_not_named_by_a_key(text: str) -> None:
    with pytest.raises(ValueError):
        token_uri(text)


@pytest.mark.parametrize("text", ["pkcs11:", "pkcs11:token=a", "pkcs11:token=a;object=b"])
def test_a_key_is_not_named_by_a_token(text: str) -> None:
    with pytest.raises(ValueError):
        key_uri(text)


def test_of_two_tokens_with_one_label_the_serial_number_names_one(softhsm: SoftHsm) -> None:
    location = softhsm.store.create_token("twin")
    first = Token.open(location)
    first.generate_ec_key("only-in-the-first", ec.SECP256R1())
    pins = ("the-so-pin", location.pin_file.read_text())
    module = load_module(location.module)
    (serial,) = [token.serial for token in module.library.get_tokens(token_label="twin")]
    other = module.initialise_token("twin", *pins, again=True)
    with pytest.raises(TokenAmbiguous):
        Token.open(replace(location, model="SoftHSM v2"))
    second = Token.open(replace(location, serial=other))
    assert second.key_labels() == []
    named = Token.open(replace(location, serial=serial.decode(), manufacturer="SoftHSM project"))
    assert named.key_labels() == ["only-in-the-first"]
    with pytest.raises(TokenNotFound):
        Token.open(replace(location, serial=other, manufacturer="Another maker"))


def test_a_key_is_found_by_its_uri(softhsm: SoftHsm) -> None:
    token = softhsm.token("by-uri")
    made = token.generate_ec_key("a key", ec.SECP256R1())
    identifier = token.use_private_key("a key", lambda key: bytes(key.id))
    encoded = "".join(f"%{octet:02x}" for octet in identifier)
    for uri in (
        "pkcs11:object=a%20key",
        f"pkcs11:id={encoded}",
        f"pkcs11:object=a%20key;id={encoded}",
    ):
        key = token.private_key(uri)
        assert key.public_key() == made.public_key()
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        key.sign(b"m", ec.ECDSA(hashes.SHA256()))
    with pytest.raises(KeyNotFound):
        token.private_key("pkcs11:object=a%20key;id=%00")
