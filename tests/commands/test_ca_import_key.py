"""`tillid ca import`: an authority whose key is in a token."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ca.identifiers import SerialNumber
from hsm.key_kinds import KeyKind
from records.errors import RuleBroken
from records.takeovers import Takeovers
from revocation.errors import EntriesVanished
from revocation.foreign_crls import read_crl
from revocation.reasons import Reason
from revocation.takeover import Decision, Row
from server.authorities import renew_root_crls
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.public import PublicApp
from server.takeover import KeyPlace, activate_issuer, add_issuer, prepare_issuer
from tests.support.ca_builders import a_key
from tests.support.import_office import OLD, Office
from tests.support.ocsp_client import request_for, said
from tests.support.wsgi import ask

TOKEN = "tillid-issuing"
_ROOT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Old root")])


def _a_software_root(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    now = utc_now().replace(microsecond=0) - timedelta(hours=2)
    made = (
        x509.CertificateBuilder(_ROOT, _ROOT, key.public_key(), 1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=2000))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(Encoding.PEM))
    return key


@dataclass(frozen=True)
class TokenCa:
    """An authority whose key lies in our token, and whose files are as another software wrote."""

    folder: Path
    label: str
    key: ec.EllipticCurvePrivateKey
    revoked: tuple[tuple[int, datetime], ...]

    @property
    def arguments(self) -> list[str]:
        return [
            *("--certificate", str(self.folder / "ca.pem")),
            *("--certificates", str(self.folder / "issued")),
            *("--crl", str(self.folder / "crl.pem")),
            *("--token", TOKEN, "--key-label", self.label, "--yes"),
        ]


def a_token_ca(office: Office, folder: Path, *, under: Path | None = None) -> TokenCa:
    """Two certificates, of which 5 is revoked, as is 900, which is lost; the CRL has number 41.

    A root, or `under` a root in software whose certificate is written there.
    """
    (folder / "issued").mkdir(parents=True)
    label = f"old-{secrets.token_hex(4)}"
    key = office.parts.tokens.generate(TOKEN, label, KeyKind.EC_P256)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    now = utc_now().replace(microsecond=0) - timedelta(hours=1)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.LOCALITY_NAME, "Ribe"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Old CA in a token"),
        ]
    )
    usage = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
         "key_agreement", "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    authority = (
        x509.CertificateBuilder(None, name, key.public_key(), 1)
        .issuer_name(name if under is None else _ROOT)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1000))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key if under is None else _a_software_root(under), hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(authority.public_bytes(Encoding.PEM))
    crl = x509.CertificateRevocationListBuilder(name, now, now + timedelta(days=7))
    crl = crl.add_extension(x509.CRLNumber(41), critical=False)
    revoked = ((900, now - timedelta(days=3)), (5, now - timedelta(days=2)))
    for serial, at in revoked:  # not in the order of the numbers, as openssl writes them
        crl = crl.add_revoked_certificate(
            x509.RevokedCertificateBuilder(serial, at)
            .add_extension(x509.InvalidityDate(at), critical=False)
            .build()
        )
    (folder / "crl.pem").write_bytes(crl.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    for serial in (5, 6):
        leaf = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"host-{serial}.example.com")])
        made = (
            x509.CertificateBuilder(name, leaf, a_key().public_key(), serial)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=90))
            .sign(key, hashes.SHA256())
        )
        (folder / "issued" / f"{serial}.der").write_bytes(made.public_bytes(Encoding.DER))
    return TokenCa(folder, label, key, revoked)


@pytest.fixture
def token_ca(office: Office, tmp_path: Path) -> TokenCa:
    return a_token_ca(office, tmp_path / "token-ca")


def test_with_its_key_its_crl_goes_on_from_its_own_number(
    office: Office, token_ca: TokenCa
) -> None:
    done = office.tillid("ca", "import", "old-ca", *token_ca.arguments)
    assert (done.code, done.result["counts"]) == (0, {"will import": 3})
    office.tillid("crl", "issue", "--online")
    crl = x509.load_der_x509_crl(office.parts.crl_file(OLD).read_bytes())
    listed = {entry.serial_number: entry.revocation_date_utc for entry in crl}

    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 42
    assert listed == dict(token_ca.revoked)
    assert crl.is_signature_valid(token_ca.key.public_key())


def test_an_imported_root_goes_on_to_be_revoked_under(office: Office, token_ca: TokenCa) -> None:
    office.tillid("ca", "import", "old-ca", *token_ca.arguments)
    office.tillid("crl", "issue", "--online")
    revoked = office.tillid("cert", "revoke", "old-ca/06", "--reason", "superseded", "--yes")
    office.tillid("crl", "issue", "--online")
    crl = x509.load_der_x509_crl(office.parts.crl_file(OLD).read_bytes())
    assert revoked.code == 0
    assert {entry.serial_number for entry in crl} == {5, 6, 900}
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 43


def test_a_serial_number_that_was_taken_over_is_never_used_again(
    office: Office, token_ca: TokenCa
) -> None:

    office.tillid("ca", "import", "old-ca", *token_ca.arguments)
    file = token_ca.folder / "issued" / "5.der"
    certificate = x509.load_der_x509_certificate(file.read_bytes())
    row = Row("x", Decision.WILL_IMPORT, "", SerialNumber(5), certificate)
    lost = replace(row, serial_number=SerialNumber(900), certificate=None,
                   not_after=utc_now(), revoked=(Reason.UNSPECIFIED, utc_now()))  # fmt: skip
    for again in (row, lost):
        with pytest.raises(RuleBroken):
            Takeovers(office.parts.database).add(OLD, [again], "system:test", utc_now())


def test_under_an_imported_root_ocsp_answers_for_what_was_imported(
    office: Office, tmp_path: Path
) -> None:
    sub = a_token_ca(office, tmp_path / "sub", under=tmp_path / "root.pem")
    (tmp_path / "none").mkdir()
    root = ["--certificate", tmp_path / "root.pem", "--certificates", tmp_path / "none", "--yes"]
    orphaned = office.tillid("ca", "import", "old-ca", *sub.arguments)
    first = office.tillid("ca", "import", "old-root", *root)
    second = office.tillid("ca", "import", "old-ca", *sub.arguments)
    run_job("own-certificates", office.parts, Metrics.of_process())
    app = PublicApp(office.parts, Metrics.of_process())
    answers = {}
    for serial in (5, 6, 7, 900):
        asked = request_for(office.parts, serial, issuer="old-ca")
        kind = "application/ocsp-request"
        answer = ask(app, "/ocsp/old-ca", "POST", asked, CONTENT_TYPE=kind)
        answers[serial] = said(answer).certificate_status.name

    assert (orphaned.code, orphaned.problem["rule"].split(",")[0]) == (4, "import.parent")
    assert (first.code, second.code) == (0, 0)
    assert answers == {5: "REVOKED", 6: "GOOD", 7: "UNKNOWN", 900: "REVOKED"}


def test_until_all_is_imported_no_crl_takes_the_place_of_the_last(
    office: Office, token_ca: TokenCa
) -> None:
    """The import ended after the issuer was set up."""
    certificate = x509.load_pem_x509_certificate((token_ca.folder / "ca.pem").read_bytes())
    key = KeyPlace(TOKEN, token_ca.label)
    url = office.parts.settings.public.url
    record = prepare_issuer(office.parts, OLD, certificate, key, url)
    last = read_crl((token_ca.folder / "crl.pem").read_bytes(), certificate)
    add_issuer(office.parts, record, utc_now())
    Takeovers(office.parts.database).keep_crl(OLD, last, "system:test", utc_now())
    activate_issuer(office.parts, record, utc_now())
    with pytest.raises(EntriesVanished):
        renew_crls(office)
    done = office.tillid("ca", "import", "old-ca", *token_ca.arguments)
    renew_crls(office)
    latest = office.parts.crls.latest(OLD)

    assert done.result["counts"] == {"will import": 3}
    assert latest is not None
    assert latest.number == 42


def renew_crls(office: Office) -> None:
    """Of the roots, too, as their operator does."""
    with office.parts.tokens.online(TOKEN):
        list(renew_root_crls(office.parts, utc_now()))


def test_the_key_of_another_role_or_authority_is_not_taken_over(
    office: Office, token_ca: TokenCa
) -> None:
    other = [*token_ca.arguments]
    other[other.index(token_ca.label)] = f"pkcs11:object={token_ca.label}"
    named = office.tillid("ca", "import", "old-ca", *other)
    first = office.tillid("ca", "import", "old-ca", *token_ca.arguments)
    second = office.tillid("ca", "import", "older-ca", *token_ca.arguments)

    assert (named.code, first.code, second.code) == (4, 0, 4)
    assert "is a PKCS#11 URI" in named.problem["detail"]
    assert "is that of issuer old-ca" in second.problem["detail"]
    assert "older-ca" not in [record.name for record in office.parts.issuers.all()]
