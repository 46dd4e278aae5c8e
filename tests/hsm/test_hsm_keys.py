"""A token key does what a software key does, and nothing that would let it out."""

import copy
import datetime as dt
import hashlib
from collections.abc import Callable

import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo, Prehashed
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509 import ocsp

from hsm.errors import KeyUnextractable
from hsm.keys import TokenECPrivateKey, TokenRSAPrivateKey
from tests.support.softhsm import SoftHsm
from tests.support.token_keys import a_token_rsa_key

NOW = dt.datetime(2027, 1, 2, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=7)
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test issuer")])
MESSAGE = b"what is signed"
HASHES = [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()]

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
MAKERS: dict[str, Callable[[SoftHsm], PrivateKey]] = {
    "software P-256": lambda _: ec.generate_private_key(ec.SECP256R1()),
    "software RSA": lambda _: rsa.generate_private_key(65537, 2048),
    "token P-256": lambda s: s.token("keys").generate_ec_key("contract-p256", ec.SECP256R1()),
    "token P-384": lambda s: s.token("keys").generate_ec_key("contract-p384", ec.SECP384R1()),
    "token P-521": lambda s: s.token("keys").generate_ec_key("contract-p521", ec.SECP521R1()),
    "token RSA": lambda s: a_token_rsa_key(s.token("keys"), "contract-rsa"),
}


@pytest.fixture(scope="session", params=MAKERS)
def key(request: pytest.FixtureRequest, softhsm: SoftHsm) -> PrivateKey:
    return MAKERS[request.param](softhsm)


@pytest.fixture(scope="session")
def rsa_key(softhsm: SoftHsm) -> TokenRSAPrivateKey:
    return a_token_rsa_key(softhsm.token("keys"), "rsa")


@pytest.fixture(scope="session")
def ec_key(softhsm: SoftHsm) -> TokenECPrivateKey:
    return softhsm.token("keys").generate_ec_key("ec", ec.SECP256R1())


def certify(key: PrivateKey, signing_hash: hashes.HashAlgorithm = HASHES[0]) -> x509.Certificate:
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), 7, NOW, LATER)
    return builder.sign(key, signing_hash)


@pytest.mark.parametrize("signing_hash", HASHES, ids=lambda h: h.name)
def test_a_certificate_signed_by_the_key_verifies(
    key: PrivateKey, signing_hash: hashes.SHA256 | hashes.SHA384 | hashes.SHA512
) -> None:
    certificate = certify(key, signing_hash)
    certificate.verify_directly_issued_by(certificate)


def test_a_request_signed_by_the_key_verifies(key: PrivateKey) -> None:
    request = x509.CertificateSigningRequestBuilder(NAME).sign(key, hashes.SHA256())
    assert request.is_signature_valid


def test_a_revocation_list_signed_by_the_key_verifies(key: PrivateKey) -> None:
    builder = x509.CertificateRevocationListBuilder(NAME, NOW, LATER)
    assert builder.sign(key, hashes.SHA256()).is_signature_valid(key.public_key())


def test_an_ocsp_response_signed_by_the_key_verifies(key: PrivateKey) -> None:
    certificate = certify(key)
    builder = ocsp.OCSPResponseBuilder().add_response(
        certificate, certificate, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, NOW, LATER, None, None
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, certificate)
    response = builder.sign(key, hashes.SHA256())
    verify(key.public_key(), response.signature, response.tbs_response_bytes)


def test_a_pkcs7_envelope_signed_by_the_key_verifies(key: PrivateKey) -> None:
    builder = pkcs7.PKCS7SignatureBuilder().set_data(MESSAGE)
    builder = builder.add_signer(certify(key), key, hashes.SHA256())
    options = [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoAttributes]
    envelope = builder.sign(serialization.Encoding.DER, options)
    signed_data = cms.ContentInfo.load(envelope)["content"]
    signature = signed_data["signer_infos"][0]["signature"].native
    verify(key.public_key(), signature, MESSAGE)


def verify(public_key: object, signature: bytes, signed: bytes) -> None:
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        public_key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    else:
        assert isinstance(public_key, rsa.RSAPublicKey)
        public_key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize("signing_hash", HASHES, ids=lambda h: h.name)
def test_a_digest_made_elsewhere_gets_the_same_kind_of_signature(
    key: PrivateKey, signing_hash: hashes.HashAlgorithm
) -> None:
    digest = hashlib.new(signing_hash.name, MESSAGE).digest()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(digest, ec.ECDSA(Prehashed(signing_hash)))
        key.public_key().verify(signature, MESSAGE, ec.ECDSA(signing_hash))
    else:
        signature = key.sign(digest, padding.PKCS1v15(), Prehashed(signing_hash))
        key.public_key().verify(signature, MESSAGE, padding.PKCS1v15(), signing_hash)


@pytest.mark.parametrize("signing_hash", HASHES, ids=lambda h: h.name)
@pytest.mark.parametrize(
    ("salt", "octets"),
    [
        (padding.PSS.MAX_LENGTH, None),
        (padding.PSS.DIGEST_LENGTH, None),
        (0, 0),
        (20, 20),
    ],
)
def test_a_pss_signature_has_the_salt_that_was_asked_for(
    rsa_key: TokenRSAPrivateKey, signing_hash: hashes.HashAlgorithm, salt: int, octets: int | None
) -> None:
    scheme = padding.PSS(padding.MGF1(signing_hash), salt)
    signature = rsa_key.sign(MESSAGE, scheme, signing_hash)
    expected = scheme if octets is None else padding.PSS(padding.MGF1(signing_hash), octets)
    rsa_key.public_key().verify(signature, MESSAGE, expected, signing_hash)


def test_a_certificate_may_be_signed_with_pss(rsa_key: TokenRSAPrivateKey) -> None:
    builder = x509.CertificateBuilder(NAME, NAME, rsa_key.public_key(), 7, NOW, LATER)
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    certificate = builder.sign(rsa_key, hashes.SHA256(), rsa_padding=scheme)
    certificate.verify_directly_issued_by(certificate)


@pytest.mark.parametrize("salt", [padding.PSS.AUTO, 4096], ids=["unknown", "too long"])
def test_an_impossible_salt_is_refused(rsa_key: TokenRSAPrivateKey, salt: int) -> None:
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
    with pytest.raises(ValueError, match="salt"):
        rsa_key.sign(MESSAGE, scheme, hashes.SHA256())


@pytest.mark.parametrize(
    ("scheme", "algorithm"),
    [
        (padding.PKCS1v15(), hashes.MD5()),  # noqa: S303 - it is refused
        (padding.PKCS1v15(), NoDigestInfo()),
        (padding.PSS(padding.MGF1(hashes.SHA1()), 20), hashes.SHA256()),  # noqa: S303 - refused
        (padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None), hashes.SHA256()),
    ],
    ids=["MD5", "no digest", "mask SHA-1", "OAEP"],
)
def test_an_rsa_key_refuses_what_no_profile_uses(
    rsa_key: TokenRSAPrivateKey, scheme: padding.AsymmetricPadding, algorithm: object
) -> None:
    with pytest.raises(UnsupportedAlgorithm):
        rsa_key.sign(MESSAGE, scheme, algorithm)


def test_a_deterministic_signature_is_refused(ec_key: TokenECPrivateKey) -> None:
    with pytest.raises(UnsupportedAlgorithm):
        ec_key.sign(MESSAGE, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def test_an_elliptic_curve_key_signs_with_ecdsa_alone(ec_key: TokenECPrivateKey) -> None:
    with pytest.raises(UnsupportedAlgorithm):
        ec_key.sign(MESSAGE, object())


def test_a_digest_of_the_wrong_length_is_refused(ec_key: TokenECPrivateKey) -> None:
    with pytest.raises(ValueError, match="length"):
        ec_key.sign(b"short", ec.ECDSA(Prehashed(hashes.SHA256())))


def test_private_keys_never_leave_the_token(
    ec_key: TokenECPrivateKey, rsa_key: TokenRSAPrivateKey
) -> None:
    for key in (ec_key, rsa_key):
        with pytest.raises(KeyUnextractable):
            key.private_numbers()
        with pytest.raises(KeyUnextractable):
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )


def test_signing_keys_do_nothing_else(
    ec_key: TokenECPrivateKey, rsa_key: TokenRSAPrivateKey
) -> None:
    with pytest.raises(UnsupportedAlgorithm):
        ec_key.exchange(ec.ECDH(), ec_key.public_key())
    with pytest.raises(UnsupportedAlgorithm):
        rsa_key.decrypt(bytes(256), padding.PKCS1v15())


def test_a_copy_of_a_token_key_is_the_key_itself(ec_key: TokenECPrivateKey) -> None:
    assert copy.copy(ec_key) is ec_key
    assert copy.deepcopy(ec_key) is ec_key
