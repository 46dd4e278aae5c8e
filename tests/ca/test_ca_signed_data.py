"""Detached CMS signatures: ours and openssl's are read, and everything else is refused alike."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from asn1crypto import cms, core
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given
from hypothesis import strategies as st

from ca.errors import MalformedRequest
from ca.signed_data import MAX_OCTETS, sign_detached, verify_detached
from tests.support.ca_builders import a_key, self_signed
from tests.support.openssl_cms import Signer, openssl_accepts, openssl_sign

CONTENT = '{"subject":"Kirsten Ødegaard"}\r\n'.encode()
KINDS = ("EC-P256", "EC-P384", "EC-P521", "RSA-2048")


def a_signer(kind: str = "EC-P256", common_name: str = "officer-7") -> Signer:
    return _signer(kind, common_name)


@cache
def _signer(kind: str, common_name: str) -> Signer:
    key = a_key(kind)
    return key, self_signed(key, common_name)


def signed(kind: str = "EC-P256") -> bytes:
    key, certificate = a_signer(kind)
    return sign_detached(CONTENT, certificate, key)


def why(signature: bytes, content: bytes = CONTENT) -> str:
    with pytest.raises(MalformedRequest) as malformed:
        verify_detached(signature, content)
    assert malformed.value.what == "approval signature"
    return malformed.value.why


def changed(change: Callable[[cms.SignedData], object], *, sign_again: bool = False) -> bytes:
    """A signature altered in its structure, and signed again if it is the attributes."""
    info = cms.ContentInfo.load(signed())
    change(info["content"])
    if sign_again:
        key = a_signer()[0]
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        signer = info["content"]["signer_infos"][0]
        octets = b"\x31" + signer["signed_attrs"].dump(force=True)[1:]
        signer["signature"] = key.sign(octets, ec.ECDSA(SHA256()))
    return bytes(info.dump(force=True))


def attributes(*kept: str, **values: object) -> Callable[[cms.SignedData], None]:
    """Keep these signed attributes, and replace the values of those."""

    def change(data: cms.SignedData) -> None:
        signer = data["signer_infos"][0]
        wanted = {a["type"].native: a["values"].native for a in signer["signed_attrs"]}
        wanted = {name: wanted[name] for name in kept} | values
        signer["signed_attrs"] = cms.CMSAttributes(
            [cms.CMSAttribute({"type": name, "values": value}) for name, value in wanted.items()]
        )

    return change


@pytest.mark.parametrize("kind", KINDS)
def test_our_own_signature_gives_the_signers_certificate(kind: str) -> None:
    assert verify_detached(signed(kind), CONTENT) == a_signer(kind)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_accepts_our_own_signature(kind: str, tmp_path: Path) -> None:
    assert openssl_accepts(tmp_path, CONTENT, signed(kind))
    assert not openssl_accepts(tmp_path, CONTENT + b"\n", signed(kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [(), ("-nosmimecap",), ("-md", "sha384"), ("-md", "sha512")])
def test_a_signature_by_openssl_gives_the_signers_certificate(
    kind: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    signature = openssl_sign(tmp_path, CONTENT, [a_signer(kind)], *options)
    assert verify_detached(signature, CONTENT) == a_signer(kind)[1]


@pytest.mark.parametrize("maker", ["ours", "openssl"])
def test_what_was_signed_is_the_attributes_as_a_set_in_der(maker: str, tmp_path: Path) -> None:
    key, certificate = a_signer("RSA-2048")
    octets = (
        signed("RSA-2048")
        if maker == "ours"
        else openssl_sign(tmp_path, CONTENT, [(key, certificate)])
    )
    signer = cms.ContentInfo.load(octets)["content"]["signer_infos"][0]
    kept, again = signer["signed_attrs"], signer["signed_attrs"].copy()
    assert kept.dump()[0] == 0xA0
    der_set = cms.CMSAttributes(list(again)).dump(force=True)
    assert der_set == b"\x31" + kept.dump()[1:]
    a_signer("RSA-2048")[0].public_key().verify(
        signer["signature"].native, der_set, padding.PKCS1v15(), SHA256()
    )


@pytest.mark.parametrize(
    "content", [b"", CONTENT[:-2], CONTENT + b"\0", CONTENT.replace(b"\r\n", b"\n")]
)
def test_other_content_is_not_what_was_signed(content: bytes) -> None:
    assert why(signed(), content) == "it was made over other octets than these"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("-nodetach",), "it holds the content itself; sign detached"),
        (("-stream",), "it holds the content itself; sign detached"),
        (("-noattr",), "its signed attribute content_type is missing or doubled"),
        (("-nocerts",), "it must hold exactly one signer and that signer's certificate"),
        (("-keyid",), "the signer must be named by issuer and serial number of a certificate"),
        (("-econtent_type", "1.2.3.4"), "its content type is not data"),
        (("-md", "sha1"), "its digest is none of SHA-256, SHA-384 and SHA-512"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_another_form_made_by_openssl_is_refused_with_a_sentence(
    options: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    assert why(openssl_sign(tmp_path, CONTENT, [a_signer()], *options)) == reason


def test_a_signature_with_pss_padding_is_refused(tmp_path: Path) -> None:
    options = ("-keyopt", "rsa_padding_mode:pss")
    signature = openssl_sign(tmp_path, CONTENT, [a_signer("RSA-2048")], *options)
    assert why(signature) == "the signature algorithm is not accepted"


def test_two_signers_are_one_too_many(tmp_path: Path) -> None:
    signature = openssl_sign(tmp_path, CONTENT, [a_signer(), a_signer("EC-P384", "officer-8")])
    assert why(signature) == "it must hold exactly one signer and that signer's certificate"


def test_a_certificate_beside_the_signers_is_one_too_many(tmp_path: Path) -> None:
    extra = tmp_path / "extra.pem"
    extra.write_bytes(a_signer("EC-P384", "officer-8")[1].public_bytes(Encoding.PEM))
    signature = openssl_sign(tmp_path, CONTENT, [a_signer()], "-certfile", extra)
    assert why(signature) == "it must hold exactly one signer and that signer's certificate"


def test_another_certificate_in_place_of_the_signers_is_refused() -> None:
    other = a_signer("EC-P256", "officer-8")[1].public_bytes(Encoding.DER)

    def swap(data: cms.SignedData) -> None:
        data["certificates"] = [
            cms.CertificateChoices("certificate", asn1_x509.Certificate.load(other))
        ]

    assert why(changed(swap)) == "the certificate inside is not the signer's"


def test_a_certificate_of_the_same_name_and_number_for_another_key_does_not_verify() -> None:
    twin = self_signed(a_key(), serial=a_signer()[1].serial_number)

    def swap(data: cms.SignedData) -> None:
        load = asn1_x509.Certificate.load(twin.public_bytes(Encoding.DER))
        data["certificates"] = [cms.CertificateChoices("certificate", load)]

    assert why(changed(swap)) == "the signature does not verify"


@pytest.mark.parametrize("kind", KINDS)
def test_an_altered_signature_does_not_verify(kind: str) -> None:
    info = cms.ContentInfo.load(signed(kind))
    signer = info["content"]["signer_infos"][0]
    octets = bytearray(signer["signature"].native)
    octets[-1] ^= 1
    signer["signature"] = bytes(octets)
    assert why(info.dump(force=True)) == "the signature does not verify"


@pytest.mark.parametrize("missing", ["content_type", "message_digest"])
def test_a_signed_attribute_that_is_missing_is_named(missing: str) -> None:
    (kept,) = {"content_type", "message_digest"} - {missing}
    signature = changed(attributes(kept), sign_again=True)
    assert why(signature) == f"its signed attribute {missing} is missing or doubled"


@pytest.mark.parametrize("count", [0, 2])
def test_a_signed_attribute_of_no_or_two_values_is_refused(count: int) -> None:
    signature = changed(
        attributes("content_type", message_digest=[b"\0" * 32] * count), sign_again=True
    )
    assert why(signature) == "its signed attribute message_digest is missing or doubled"


def test_two_attributes_are_enough_when_they_are_signed() -> None:
    signature = changed(attributes("content_type", "message_digest"), sign_again=True)
    assert verify_detached(signature, CONTENT) == a_signer()[1]


def test_a_signed_attribute_that_names_another_content_type_is_refused() -> None:
    signature = changed(attributes("message_digest", content_type=["signed_data"]), sign_again=True)
    assert why(signature) == "its content type is not data"


def test_a_content_type_beside_the_signed_one_is_refused() -> None:
    def change(data: cms.SignedData) -> None:
        data["encap_content_info"] = {"content_type": "digested_data"}

    assert why(changed(change)) == "its content type is not data"


def test_attributes_changed_after_the_signature_do_not_verify() -> None:
    signature = changed(attributes("content_type", "message_digest"))
    assert why(signature) == "the signature does not verify"


def test_cms_of_another_kind_is_refused() -> None:
    data = cms.ContentInfo({"content_type": "data", "content": core.OctetString(CONTENT)})
    assert why(data.dump()) == "it is CMS, but not SignedData"


def test_a_signature_in_pem_is_not_read() -> None:
    key, certificate = a_signer()
    builder = pkcs7.PKCS7SignatureBuilder().set_data(CONTENT)
    pem = builder.add_signer(certificate, key, SHA256()).sign(Encoding.PEM, [])
    assert why(pem) == "the octets are not a CMS signature in DER"


@pytest.mark.parametrize(
    "octets",
    [b"", b"junk", b"\x30\x80\x00\x00", b"\x30" * 1000, b"\xa0\x80" * 5000, signed() + b"\0",
     signed()[:-1]],
    ids=["empty", "junk", "indefinite", "nested", "nested-indefinite", "one-more", "one-less"],
)  # fmt: skip
def test_what_is_no_cms_is_refused(octets: bytes) -> None:
    assert why(octets) == "the octets are not a CMS signature in DER"


def test_a_signature_of_more_than_64_kib_is_not_looked_at() -> None:
    assert why(signed() + b"\0" * MAX_OCTETS) == f"it is longer than {MAX_OCTETS} octets"


@given(st.binary(max_size=10_000))
def test_any_octets_are_refused_with_the_one_type(octets: bytes) -> None:
    assert why(octets)


@cache
def whole_signatures() -> list[bytes]:
    return [signed(), signed("RSA-2048")]


@given(st.data())
def test_any_change_is_refused_or_leaves_the_same_key_as_signer(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from(whole_signatures()))
    octets = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(octets) - 1))
        octets[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
        octets = octets or bytearray(b"\0")
    try:
        key = verify_detached(bytes(octets), CONTENT).public_key()
    except MalformedRequest:
        return
    # Octets of the certificate that the signature does not cover: the database knows it no more.
    assert key == verify_detached(good, CONTENT).public_key()
