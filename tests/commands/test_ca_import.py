"""`tillid ca import`: an authority that `openssl ca` kept, and one whose key is in a token."""

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ca.identifiers import IssuerName, SerialNumber
from ca.key_quality import spki_sha256
from hsm.key_kinds import KeyKind
from records.errors import RuleBroken
from records.takeovers import Takeovers
from revocation.errors import EntriesVanished
from revocation.foreign_crls import read_crl
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Unknown
from revocation.takeover import Decision, Row
from server.assembly import Assembly
from server.authorities import renew_root_crls
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.public import PublicApp
from server.takeover import KeyPlace, activate_issuer, add_issuer, prepare_issuer
from tests.support.ca_builders import a_key
from tests.support.installation import an_installation
from tests.support.ocsp_client import request_for, said
from tests.support.openssl_ca import OpensslCa, an_openssl_ca
from tests.support.operator import Operator, environment_of
from tests.support.softhsm import SoftHsm
from tests.support.wsgi import ask

OLD = IssuerName("old-ca")
TOKEN = "tillid-issuing"


@dataclass(frozen=True)
class Office:
    """An installation, and somebody at its command line."""

    parts: Assembly
    tillid: Operator

    def statuses(self, *serials: str) -> list[object]:
        numbers = map(SerialNumber.from_hex, serials)
        return [self.parts.certificates.status_of(OLD, number) for number in numbers]


@pytest.fixture
def office(
    softhsm: SoftHsm,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Office]:
    state = tmp_path / "state"
    with an_installation(softhsm, state) as parts:
        yield Office(parts, Operator(environment_of(softhsm, state), capsys, monkeypatch))


@pytest.fixture(scope="session")
def kept_ca(tmp_path_factory: pytest.TempPathFactory) -> OpensslCa:
    return an_openssl_ca(tmp_path_factory.mktemp("openssl") / "ca")


@pytest.fixture
def ca(kept_ca: OpensslCa, tmp_path: Path) -> OpensslCa:
    """A copy of one's own."""
    folder = tmp_path / "ca"
    shutil.copytree(kept_ca.folder, folder)
    config = folder / "ca.cnf"
    config.write_text(config.read_text().replace(str(kept_ca.folder), str(folder)))
    return OpensslCa(folder)


def imported(office: Office, ca: OpensslCa, *more: str) -> dict[str, object]:
    done = office.tillid("ca", "import", "old-ca", *ca.arguments, "--yes", *more)
    assert done.code == 0, done.answer
    return done.result


def test_a_dry_run_tells_each_row_and_changes_nothing(office: Office, ca: OpensslCa) -> None:
    told = office.tillid("ca", "import", "old-ca", *ca.arguments, "--dry-run")
    rows = [(row["serial_number"], row["decision"], row["reason"]) for row in told.result["rows"]]
    assert told.code == 0
    assert rows == [
        ("1001", "will import", None),
        ("1002", "will import", "keyCompromise"),
        ("1003", "will import", "superseded"),
        ("1004", "will import", None),
    ]
    assert OLD not in [record.name for record in office.parts.issuers.all()]
    assert office.statuses("1001") == [Unknown()]


def test_what_was_issued_is_taken_over_with_its_status(office: Office, ca: OpensslCa) -> None:
    result = imported(office, ca)
    good, stolen, replaced, old, other = office.statuses("1001", "1002", "1003", "1004", "1005")
    crl = x509.load_pem_x509_crl((ca.folder / "crl.pem").read_bytes())
    entry = crl.get_revoked_certificate_by_serial_number(0x1002)
    body = office.parts.certificates.body(OLD, SerialNumber(0x1001))

    assert result["counts"] == {"will import": 4}
    assert result["differences"] == []
    assert entry is not None
    assert stolen == Revoked(Reason.KEY_COMPROMISE, entry.revocation_date_utc)
    assert isinstance(replaced, Revoked)
    assert replaced.reason is Reason.SUPERSEDED
    assert (good, old, other) == (Good(), Good(), Unknown())
    assert body == x509.load_pem_x509_certificate(ca.file("1001").read_bytes())


def test_run_again_it_finds_everything_there(office: Office, ca: OpensslCa) -> None:
    imported(office, ca)
    assert imported(office, ca)["counts"] == {"already there": 4}


def test_what_was_revoked_there_since_is_revoked_here_too(office: Office, ca: OpensslCa) -> None:
    imported(office, ca)
    ca.revoke("1001", "cessationOfOperation")
    again = imported(office, ca)
    (status,) = office.statuses("1001")
    assert again["counts"] == {"will revoke": 1, "already there": 3}
    assert isinstance(status, Revoked)
    assert status.reason is Reason.CESSATION_OF_OPERATION


def test_expired_ones_are_left_out_when_told(office: Office, ca: OpensslCa) -> None:
    result = imported(office, ca, "--leave-expired")
    assert result["counts"] == {"will import": 3, "left out": 1}
    assert office.statuses("1004") == [Unknown()]


def test_a_stolen_key_is_not_certified_again(office: Office, ca: OpensslCa) -> None:
    imported(office, ca)
    stolen = x509.load_pem_x509_certificate(ca.file("1002").read_bytes())
    key = stolen.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)

    assert office.parts.certificates.uses_of_key(spki_sha256(key)).compromised


def test_a_revoked_serial_whose_certificate_is_lost_stays_revoked(
    office: Office, ca: OpensslCa
) -> None:
    ca.file("1003").unlink()
    assert imported(office, ca)["differences"] == []
    (status,) = office.statuses("1003")
    assert isinstance(status, Revoked)
    assert status.reason is Reason.SUPERSEDED


def test_a_revocation_that_only_the_crl_tells_counts(office: Office, ca: OpensslCa) -> None:
    lines = ca.index.read_text().splitlines()
    ca.index.write_text("".join(f"{line}\n" for line in lines if "1003" not in line.split("\t")[3]))
    ca.file("1003").unlink()
    imported(office, ca)
    assert isinstance(office.statuses("1003")[0], Revoked)


def test_a_folder_without_index_is_enough(office: Office, ca: OpensslCa) -> None:
    arguments = ca.arguments[:4] + ca.arguments[6:]
    done = office.tillid("ca", "import", "old-ca", *arguments, "--yes")
    assert (done.code, done.result["counts"]) == (0, {"will import": 4})
    assert isinstance(office.statuses("1002")[0], Revoked)


def spoil_with_a_stranger(ca: OpensslCa) -> None:
    other = an_openssl_ca(ca.folder / "other")
    shutil.copy(other.file("1001"), ca.folder / "newcerts" / "stranger.pem")


def spoil_with_junk(ca: OpensslCa) -> None:
    (ca.folder / "newcerts" / "notes.txt").write_text("remember the milk\n")


def spoil_with_a_hold(ca: OpensslCa) -> None:
    ca.revoke("1001", "certificateHold")


def spoil_by_losing_a_good_one(ca: OpensslCa) -> None:
    ca.file("1001").unlink()


def spoil_by_forgetting_one(ca: OpensslCa) -> None:
    ca.index.write_text("".join(ca.index.read_text().splitlines(keepends=True)[1:]))


def spoil_the_index(ca: OpensslCa) -> None:
    ca.index.write_text(ca.index.read_text() + "V\tsoon\t\t2000\tunknown\t/CN=x\n")


def spoil_a_date(ca: OpensslCa) -> None:
    first, *rest = ca.index.read_text().splitlines(keepends=True)
    status, _, *others = first.split("\t")
    ca.index.write_text("\t".join([status, "400101000000Z", *others]) + "".join(rest))


def spoil_by_a_second_certificate(ca: OpensslCa) -> None:
    kept, index = ca.file("1001").read_bytes(), ca.index.read_text()
    (ca.folder / "serial").write_text("1001\n")
    ca.index.write_text("")
    ca.issue("twin.example.com")
    ca.file("1001").rename(ca.folder / "newcerts" / "twin.pem")
    ca.file("1001").write_bytes(kept)
    ca.index.write_text(index)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (spoil_with_a_stranger, "another authority signed it"),
        (spoil_with_junk, "not an X.509 certificate"),
        (spoil_with_a_hold, "it is on hold"),
        (spoil_by_losing_a_good_one, "no file holds its certificate"),
        (spoil_by_forgetting_one, "the index does not know it"),
        (spoil_the_index, "a time is not of the form"),
        (spoil_a_date, "ends at another time"),
        (spoil_by_a_second_certificate, "holds another of the same serial number"),
    ],
)
def test_what_cannot_be_right_is_refused_and_nothing_imported(
    office: Office, ca: OpensslCa, spoil: object, why: str
) -> None:
    assert callable(spoil)
    spoil(ca)
    planned = office.tillid("ca", "import", "old-ca", *ca.arguments, "--dry-run")
    refused = office.tillid("ca", "import", "old-ca", *ca.arguments, "--yes")
    (error,) = refused.problem["errors"]
    assert (planned.code, refused.code) == (9, 4)
    assert why in error["detail"]
    assert OLD not in [record.name for record in office.parts.issuers.all()]


def test_the_others_are_imported_when_told_and_the_difference_is_told(
    office: Office, ca: OpensslCa
) -> None:
    spoil_by_losing_a_good_one(ca)
    done = office.tillid("ca", "import", "old-ca", *ca.arguments, "--yes", "--skip-refused")
    (difference,) = done.result["differences"]
    assert done.code == 9
    assert "1001: the records do not have it" in difference
    assert isinstance(office.statuses("1002")[0], Revoked)


def test_what_is_on_hold_is_never_skipped(office: Office, ca: OpensslCa) -> None:
    spoil_with_a_hold(ca)
    done = office.tillid("ca", "import", "old-ca", *ca.arguments, "--yes", "--skip-refused")
    assert done.code == 4
    assert office.statuses("1002") == [Unknown()]


def test_a_comparison_tells_what_was_revoked_here_since(office: Office, ca: OpensslCa) -> None:
    imported(office, ca)
    same = office.tillid("ca", "import", "old-ca", *ca.arguments, "--compare")
    office.parts.certificates.revoke(
        OLD, SerialNumber(0x1001), Reason.SUPERSEDED, "system:test", utc_now()
    )
    other = office.tillid("ca", "import", "old-ca", *ca.arguments, "--compare")
    assert (same.code, other.code) == (0, 9)
    assert "not revoked there, revoked " in other.result["differences"][0]


def test_an_import_in_batches_goes_on_where_it_stopped(office: Office, ca: OpensslCa) -> None:
    arguments = ["ca", "import", "old-ca", *ca.arguments, "--yes", "--batch", "1"]
    code, _, told = office.tillid.told(*arguments)
    assert (code, told.splitlines()) == (0, [f"{n} of 4" for n in (1, 2, 3, 4)])
    assert imported(office, ca)["counts"] == {"already there": 4}


@pytest.mark.parametrize("which", ["leaf", "crl"])
def test_what_belongs_to_another_authority_is_refused(
    office: Office, ca: OpensslCa, which: str
) -> None:
    other = an_openssl_ca(ca.folder / "other")
    if which == "leaf":
        shutil.copy(ca.file("1001"), ca.folder / "ca.pem")
    else:
        shutil.copy(other.folder / "crl.pem", ca.folder / "crl.pem")
    done = office.tillid("ca", "import", "old-ca", *ca.arguments, "--yes")
    assert done.code in {2, 4}


def test_a_name_that_another_issuer_has_is_a_conflict(office: Office, ca: OpensslCa) -> None:
    assert office.tillid("ca", "import", "issuing", *ca.arguments, "--yes").code == 7


def test_a_key_that_is_not_the_authoritys_is_refused(office: Office, ca: OpensslCa) -> None:
    key = ["--token", TOKEN, "--key-label", "issuing-ca"]
    done = office.tillid("ca", "import", "old-ca", *ca.arguments, *key, "--yes")
    assert (done.code, done.problem["rule"].split(",")[0]) == (4, "import.key")


def test_without_its_key_its_last_crl_is_served_as_it_is(office: Office, ca: OpensslCa) -> None:
    imported(office, ca)
    for job in ("renew-crls", "publish-crls", "own-certificates"):
        run_job(job, office.parts, Metrics.of_process())
    served = x509.load_der_x509_crl(office.parts.crl_file(OLD).read_bytes())
    assert served == x509.load_pem_x509_crl((ca.folder / "crl.pem").read_bytes())


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
