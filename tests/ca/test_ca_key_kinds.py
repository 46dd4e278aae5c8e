"""One contract for every kind of issuer key: certificates, CRLs and OCSP answers that verify."""

import subprocess
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ca.certificates import Issuer, sign_octets
from ca.identifiers import SerialNumber
from ca.issuance import issue, prepare
from ca.key_quality import key_type
from ca.profiles import load_profile
from ca.signatures import SigningKey, algorithm_of, algorithms_of
from hsm.key_kinds import KeyKind
from hsm.labels import SEALING_KEY
from hsm.software import SoftwareKeys
from revocation.crl import CrlHeader, build_crl, check_crl, encode_entry
from revocation.ocsp import ResponseSigner, SingleAnswer, build_response, parse_request
from revocation.reasons import Reason
from revocation.status import Good
from server.clock import utc_now
from tests.support.ca_builders import ACTOR, MemoryIssuance, a_subject, an_issuer, an_order
from tests.support.relying_parties import gnutls_verify, openssl_verify
from tests.support.softhsm import SoftHsm

KINDS = {
    **{kind: kind for kind in KeyKind},
    "software EC-P256": "EC-P256",
    "software RSA-2048": "RSA-2048",
}


@dataclass(frozen=True)
class Authority:
    """A root with a key of one kind, and what it made."""

    issuer: Issuer
    root: x509.Certificate
    leaf: x509.Certificate
    crl: bytes
    ocsp: bytes

    @property
    def key(self) -> SigningKey:
        return self.issuer.key


def make_key(softhsm: SoftHsm, wanted: str, folder: Path) -> SigningKey:
    if wanted.startswith("software"):
        return an_issuer(KINDS[wanted]).key
    kind, token = KeyKind(wanted), softhsm.token("kinds")
    label = f"root-{kind.lower()}"
    if not kind.is_ml_dsa:
        return token.generate_key(label, kind)
    if not token.has_key(SEALING_KEY):
        token.generate_wrapping_key(SEALING_KEY)
    return SoftwareKeys(folder, lambda: token.wrapping_key(SEALING_KEY)).generate_key(label, kind)


@pytest.fixture(scope="module", params=KINDS)
def authority(
    request: pytest.FixtureRequest, softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory
) -> Authority:
    now = utc_now().replace(microsecond=0)
    key = make_key(softhsm, request.param, tmp_path_factory.mktemp("software"))
    profile = load_profile("root")
    profile = replace(profile, key_types=(key_type(key.public_key()),))
    bare = replace(an_issuer(), key=key, certificate=None)
    subject = a_subject(load_profile("issuing"), "Tillid Issuing CA")
    order = replace(an_order(profile), public_key=key.public_key(), subject=subject)
    root = issue(prepare(order, bare, now), MemoryIssuance(), ACTOR, now)
    issuer = replace(bare, certificate=root)
    leaf = issue(prepare(an_order("tls-server"), issuer, now), MemoryIssuance(), ACTOR, now)
    entry = encode_entry(SerialNumber(7 << 100), now, Reason.SUPERSEDED)
    crl = build_crl(root, key, CrlHeader(1, now, now + timedelta(days=1)), [entry])
    single = SingleAnswer(cert_id_of(leaf, root), Good(), now, now + timedelta(hours=1))
    answer = build_response(ResponseSigner.of(root, key), now, [single], None)
    return Authority(issuer, root, leaf, crl, answer)


def cert_id_of(leaf: x509.Certificate, root: x509.Certificate) -> bytes:
    sha1 = hashes.SHA1()  # noqa: S303 - what clients send
    asked = ocsp.OCSPRequestBuilder().add_certificate(leaf, root, sha1).build()
    (cert_id,) = parse_request(asked.public_bytes(Encoding.DER)).cert_ids
    return cert_id.encoded


def openssl(folder: Path, *arguments: str, **files: bytes) -> str:
    for name, octets in files.items():
        (folder / name).write_bytes(octets)
    done = subprocess.run(
        ["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=20
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def is_known_to_openssl(authority: Authority) -> bool:
    """OpenSSL 3.0 does not read ML-DSA; cryptography brings a later one."""
    return not key_type(authority.key.public_key()).startswith("ML-DSA")


def test_the_chain_verifies(authority: Authority, tmp_path: Path) -> None:
    algorithm = algorithm_of(authority.key)
    for certificate in (authority.root, authority.leaf):
        octets = certificate.tbs_certificate_bytes
        algorithm.verify(authority.root.public_key(), certificate.signature, octets)
        assert algorithm.identifier in certificate.public_bytes(Encoding.DER)
    authority.leaf.verify_directly_issued_by(authority.root)
    if is_known_to_openssl(authority):
        now = utc_now()
        assert openssl_verify(tmp_path, [authority.leaf, authority.root], now) == ""
        assert gnutls_verify(tmp_path, [authority.leaf, authority.root]) == ""


def test_the_revocation_list_verifies(authority: Authority, tmp_path: Path) -> None:
    assert check_crl(authority.crl, authority.root, utc_now()).number == 1
    assert algorithm_of(authority.key).identifier in authority.crl
    if is_known_to_openssl(authority):
        root = authority.root.public_bytes(Encoding.PEM)
        arguments = ("crl", "-inform", "DER", "-in", "crl", "-CAfile", "root", "-noout")
        assert "verify OK" in openssl(tmp_path, *arguments, crl=authority.crl, root=root)


def test_the_ocsp_answer_verifies(authority: Authority, tmp_path: Path) -> None:
    read = ocsp.load_der_ocsp_response(authority.ocsp)
    algorithm_of(authority.key).verify(
        authority.root.public_key(), read.signature, read.tbs_response_bytes
    )
    if is_known_to_openssl(authority):
        pem = {
            "root": authority.root.public_bytes(Encoding.PEM),
            "leaf": authority.leaf.public_bytes(Encoding.PEM),
        }
        arguments = [
            "ocsp",
            "-respin",
            "answer",
            "-issuer",
            "root",
            "-cert",
            "leaf",
            "-CAfile",
            "root",
            "-no_nonce",
        ]
        said = openssl(tmp_path, *arguments, answer=authority.ocsp, **pem)
        assert "Response verify OK" in said
        assert "leaf: good" in said


def test_a_signature_over_other_octets_does_not_verify(authority: Authority) -> None:
    signature = sign_octets(authority.key, b"these")
    for algorithm in algorithms_of(authority.key.public_key()):
        with pytest.raises(InvalidSignature):
            algorithm.verify(authority.root.public_key(), signature, b"those")


def test_the_private_key_cannot_be_had(authority: Authority) -> None:
    if type(authority.key).__module__.startswith("hsm."):
        with pytest.raises(Exception, match="never leaves the token"):
            authority.key.private_bytes(None, None, None)  # type: ignore[arg-type]
