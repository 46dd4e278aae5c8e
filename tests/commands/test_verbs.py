"""Verbs on a whole installation, with a staff listener: what they answer and how they end."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gdpr_erasure.erasures import NewErasure
from gdpr_erasure.saga import ERASE_ALL, request_erasure
from records.officers import Role
from server.assembly import Assembly
from server.clock import utc_now
from server.metrics import Metrics
from server.service import _staff_server
from tests.support.installation import an_installation
from tests.support.operator import Ended, Operator, environment_of, free_port
from tests.support.revocation_pki import new_key
from tests.support.softhsm import SoftHsm
from tests.support.staff import an_officer, applied, certified, vetted

ROLES_OF_FOUR_EYES = (Role.REGISTRATION_OFFICER, Role.APPROVING_OFFICER)


@dataclasses.dataclass(frozen=True)
class Installed:
    """An installation with its listener, and an identity file for each role."""

    parts: Assembly
    environment: Mapping[str, str]
    root: Path
    folder: Path

    def identity(self, role: Role) -> Path:
        return self.folder / f"{role}.pem"


@pytest.fixture(scope="module")
def installed(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("verbs")
    state, port = folder / "state", str(free_port())
    with an_installation(softhsm, state, TILLID_STAFF__PORT=port) as parts:
        server = _staff_server(parts, Metrics.of_process())
        thread = Thread(target=server.serve)
        thread.start()
        root = folder / "root.pem"
        certificate = parts.issuers.get("root").certificate
        assert certificate is not None
        root.write_bytes(certificate.public_bytes(Encoding.PEM))
        environment = environment_of(softhsm, state) | {"TILLID_STAFF__PORT": port}
        try:
            yield Installed(parts, environment, root, folder)
        finally:
            server.stop()
            thread.join()


@pytest.fixture
def tillid(
    installed: Installed, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    operator = Operator(installed.environment, capsys, monkeypatch)
    for role in Role:
        if not installed.identity(role).exists():
            invited = operator("officer", "invite", "Åse Bøgh", "--role", role).result
            link = invited["link"]
            if role == "registration_officer":
                last = (utc_now() + timedelta(days=365)).date().isoformat()
                operator("officer", "train", invited["officer"], "--until", last)
            done = operator(
                "officer",
                "enrol",
                link,
                "--trust",
                installed.root,
                "--out",
                installed.identity(role),
            )
            assert done.result["role"] == role
    return operator


@pytest.fixture
def csr(tmp_path: Path) -> Path:
    names = x509.SubjectAlternativeName([x509.DNSName("web.example")])
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    made = request.add_extension(names, critical=False).sign(new_key(), hashes.SHA256())
    path = tmp_path / "web.csr"
    path.write_bytes(made.public_bytes(Encoding.PEM))
    return path


def test_a_servers_certificate_is_issued_shown_checked_and_revoked(
    tillid: Operator, csr: Path, tmp_path: Path
) -> None:
    out = tmp_path / "web.pem"
    issued = tillid("cert", "issue", "--profile", "tls-server", "--csr", csr, "--out", out)
    assert (issued.code, issued.result["out"]) == (0, str(out))
    name = f"{issued.result['issuer']}/{issued.result['serial_number']}"
    for place in (out, name):
        assert tillid("cert", "show", place).result["status"] == "issued"
        assert tillid("cert", "status", place) == Ended(
            0, {"ok": True, "result": {"status": "good"}}
        )
    revoke = ("cert", "revoke", out, "--reason", "superseded", "--yes")
    assert tillid(*revoke).result["reason"] == "superseded"
    status = tillid("cert", "status", out)
    assert (status.code, status.result["status"]) == (9, "revoked")
    again = tillid(*revoke)
    assert (again.code, again.problem["status"]) == (7, 409)
    assert tillid("crl", "issue").result["issued"] >= 1
    assert tillid("crl", "issue").result["issued"] == 0
    numbers = {crl["issuer"]: crl["number"] for crl in tillid("crl", "list").result["crls"]}
    assert set(numbers) == {"root", "issuing"}


def test_a_certificate_for_standard_output_is_all_that_is_there(
    tillid: Operator, csr: Path
) -> None:
    arguments = ("cert", "issue", "--profile", "tls-server", "--csr", csr, "--out", "-")
    code, out, err = tillid.told(*arguments)
    assert (code, err) == (0, "")
    assert x509.load_pem_x509_certificate(out.encode())
    result = tillid(*arguments).result
    assert x509.load_pem_x509_certificate(result["certificate"].encode())


def test_nothing_is_issued_that_could_not_be_written(
    tillid: Operator, installed: Installed, csr: Path, tmp_path: Path
) -> None:
    before = len(installed.parts.certificates.find(profile="tls-server"))
    for out in (tmp_path / "none" / "web.pem", tmp_path):
        ended = tillid("cert", "issue", "--profile", "tls-server", "--csr", csr, "--out", out)
        assert (ended.code, ended.problem["type"]) == (2, "/problems/usage")
    assert len(installed.parts.certificates.find(profile="tls-server")) == before
    link = tillid("officer", "invite", "Ny", "--role", "auditor").result["link"]
    lost = tmp_path / "none" / "me.pem"
    enrol = ("officer", "enrol", link, "--trust", installed.root, "--out")
    assert tillid(*enrol, lost).code == 2
    assert tillid(*enrol, tmp_path / "me.pem").code == 0  # the link was not used up
    assert (tmp_path / "me.pem").stat().st_mode & 0o777 == 0o600
    assert tillid(*enrol, tmp_path / "me.pem").code == 7


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("ca", "list"), 0),
        (("ca", "show", "root"), 0),
        (("profile", "list"), 0),
        (("profile", "show", "staff"), 0),
        (("officer", "list"), 0),
        (("job", "list"), 0),
        (("job", "run", "close-intents"), 0),
        (("db", "check"), 0),
        (("db", "migrate"), 0),
        (("config", "show"), 0),
        (("config", "check"), 0),
        (("audit", "tail", "--lines", "3"), 0),
        (("ceremony", "run", "--organisation", "Tillid Test"), 0),
        (("job", "run", "nonsense"), 2),
        (("cert", "show", "nonsense"), 2),
        (("cert", "show", "issuing/xyz"), 2),
        (("cert", "show", "issuing/0"), 2),
        (("cert", "revoke", "issuing/01ab", "--reason", "hold", "--yes"), 2),
        (("cert", "issue", "--profile", "tls-server", "--csr", "/", "--out", "-"), 2),
        (("audit", "tail", "--lines", "0"), 2),
        (("audit", "verify", "--witness", "/nowhere"), 2),
        (("officer", "invite", "A\x07", "--role", "auditor"), 4),
        (("officer", "invite", "A", "--role", "emperor"), 2),
        (("ceremony", "run", "--organisation", "x", "--country", "Denmark"), 4),
        (("ca", "show", "none"), 3),
        (("profile", "show", "none"), 3),
        (("profile", "show", "../root"), 3),
        (("officer", "sign-in", "--identity", "/nowhere"), 3),
        (("cert", "show", "issuing/01ab"), 3),
        (("cert", "status", "issuing/01ab"), 9),
        (("cert", "revoke", "issuing/01ab", "--reason", "superseded", "--yes"), 3),
        (("cert", "issue", "--profile", "tls-server", "--csr", "/nowhere", "--out", "-"), 3),
        (("application", "list", "--identity", "/nowhere"), 3),
        (("duty", "list", "--identity", "/nowhere"), 3),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, tuple) else str(x),
)
def test_a_verb_ends_with_the_code_of_the_contract(
    tillid: Operator, arguments: tuple[str, ...], code: int
) -> None:
    ended = tillid(*arguments)
    assert ended.code == code
    assert ended.result if code in {0, 9} else ended.problem["way_out"]


@pytest.mark.parametrize(
    ("profile", "code"),
    [("natural-person-substantial", 4), ("staff", 4), ("issuing", 4), ("root", 4), ("none", 3)],
)
def test_a_request_file_gets_a_servers_certificate_and_no_other(
    tillid: Operator, csr: Path, profile: str, code: int
) -> None:
    ended = tillid("cert", "issue", "--profile", profile, "--csr", csr, "--out", "-")
    assert ended.code == code
    assert code != 4 or ended.problem["rule"]


@pytest.mark.parametrize(
    ("content", "code"), [(b"", 2), (b"junk", 2), (b"\xff" * 100, 2), (b"0" * 20_000, 2)]
)
def test_a_request_that_is_none_is_malformed(
    tillid: Operator, tmp_path: Path, content: bytes, code: int
) -> None:
    path = tmp_path / "x.csr"
    path.write_bytes(content)
    ended = tillid("cert", "issue", "--profile", "tls-server", "--csr", path, "--out", "-")
    assert ended.code == code
    assert tillid("cert", "show", path).code == 2


_SUBMITTED = "application.submitted"


def test_officers_act_with_the_rights_of_their_role(
    tillid: Operator, installed: Installed, tmp_path: Path
) -> None:
    clerk, approver = map(installed.identity, (Role.REGISTRATION_OFFICER, Role.APPROVING_OFFICER))
    own = x509.load_pem_x509_certificate(clerk.read_bytes())
    officer = installed.parts.officers.by_certificate(own)
    assert officer is not None
    of = vetted(installed.parts, officer).id
    admin, auditor = map(installed.identity, (Role.SECURITY_ADMINISTRATOR, Role.AUDITOR))
    link = tillid("officer", "sign-in", "--identity", clerk).result["link"]
    assert link.startswith(f"{installed.parts.settings.staff.url}/sign-in/")
    listed = tillid("application", "list", "--identity", clerk)
    assert of in {one["id"] for one in listed.result["applications"]}
    for verb in ("show", "conclude", "approve"):
        assert tillid("application", verb, of, "--identity", auditor).code == 5
    assert tillid("application", "conclude", of, "--identity", clerk).code == 7
    assert tillid("application", "approve", of, "--identity", clerk).code == 4
    octets = tmp_path / "package.json"
    fetched = tillid("application", "package", of, "--out", octets, "--identity", approver)
    assert fetched.result["sha256"]
    (tmp_path / "signature").write_bytes(b"\xff")
    given = ("--signature", tmp_path / "signature", "--identity", approver)
    assert tillid("application", "approve", of, *given).code == 2
    told = tillid("audit", "tail", "--lines", 9999).result["events"]
    (event,) = (each["n"] for each in told if (each["e"], each["o"]) == (_SUBMITTED, of))
    opening = ("audit", "open", event, "--purpose", "dispute", "--identity")
    assert tillid(*opening, clerk).code == 5
    assert tillid(*opening, auditor).result["payloads"][0]["content"]["surname"]
    assert tillid("audit", "open", 0, "--purpose", "dispute", "--identity", admin).code == 3
    done = tillid("application", "approve", of, "--identity", approver)
    assert done.result["state"] == "fulfilled"
    assert tillid("application", "approve", of, "--identity", approver).code == 7
    (certificate,) = done.result["certificates"]
    name = f"{certificate['issuer']}/{certificate['serial_number']}"
    revoke = ("cert", "revoke", name, "--reason", "superseded", "--yes", "--identity")
    assert tillid(*revoke, approver).code == 5
    assert tillid(*revoke, admin).code == 0
    assert tillid(*revoke, admin).code == 7


def second_administrator(tillid: Operator, installed: Installed) -> Path:
    out = installed.folder / "second.pem"
    role = Role.SECURITY_ADMINISTRATOR
    link = tillid("officer", "invite", "Bo Dahl", "--role", role).result["link"]
    tillid("officer", "enrol", link, "--trust", installed.root, "--out", out)
    return out


def test_an_erasure_is_approved_by_two_persons(tillid: Operator, installed: Installed) -> None:
    of = applied(installed.parts)
    admin, auditor = map(installed.identity, (Role.SECURITY_ADMINISTRATOR, Role.AUDITOR))
    second = second_administrator(tillid, installed)
    assert tillid("erase", "plan", of.id, "--identity", admin).result["rulings"]
    dry = tillid("erase", "request", of.id, "--dry-run", "--identity", admin)
    assert "id" not in dry.result
    new = NewErasure(of.subject_id)
    case = request_erasure(installed.parts.erasures, ERASE_ALL, new, utc_now()).id
    approve = ("erase", "approve", case, "--yes", "--identity")
    assert tillid(*approve, auditor).code == 5
    once = tillid(*approve, admin)
    assert (once.code, once.result["state"]) == (6, "requested")
    assert tillid(*approve, admin).code == 4
    assert tillid(*approve, second).result["state"] == "approved"
    assert tillid(*approve, admin).code == 7
    shown = tillid("erase", "receipt", "show", case, "--identity", admin)
    assert shown.result["receipt"] is None
    listed = tillid("erase", "list", "--identity", admin).result["erasures"]
    assert case in {one["id"] for one in listed}
    assert tillid("erase", "receipt", "show", "E-0", "--identity", admin).code == 3
    named = tillid("erase", "run", "--dry-run").result["cases"]
    assert {"id": case, "before": "approved", "after": "approved"} in named
    assert tillid("erase", "cancel", case, "--identity", second).result["state"] == "cancelled"
    assert tillid("erase", "cancel", case, "--identity", second).code == 7


def test_a_hold_waits_for_a_second_person(tillid: Operator, installed: Installed) -> None:
    of = applied(installed.parts)
    admin = installed.identity(Role.SECURITY_ADMINISTRATOR)
    asked = tillid("retention", "hold", of.id, "--basis", "B 1/26", "--identity", admin)
    assert asked.code == 6
    approve = ("retention", "approve", asked.result["id"], "--identity")
    assert tillid(*approve, admin).code == 4
    orders = tillid("retention", "orders", "--identity", admin).result["orders"]
    assert asked.result["id"] in {one["id"] for one in orders}
    assert tillid("retention", "plan", "--identity", admin).code == 0
    assert tillid("retention", "run", "--dry-run").result["opened"] == 0
    assert tillid("retention", "release", "K-0", "--basis", "x", "--identity", admin).code == 3


def test_a_receipt_that_was_altered_is_told_offline(tillid: Operator, tmp_path: Path) -> None:
    (tmp_path / "receipt.txt").write_text("{}\nAAAA\n")
    found = tillid("erase", "receipt", "verify", tmp_path / "receipt.txt")
    assert (found.code, found.result["valid"]) == (9, False)


@pytest.mark.parametrize(
    "name",
    [
        "A-ABCDEFGHIJ",
        "A-1",
        "../whoami",
        "x?y=z",
        "[1-9]",
        "{a,b}",
        'x"\noutput = "{folder}/stolen',
        "x\r\nheader: y",
        "%2e%2e",
        "æ",
        "",
    ],
)
def test_a_name_is_a_name_whatever_stands_in_it(
    tillid: Operator, installed: Installed, name: str, tmp_path: Path
) -> None:
    name = name.replace("{folder}", str(tmp_path))
    ended = tillid("application", "show", name, "--identity", installed.identity(Role.AUDITOR))
    assert ended.code in {2, 3, 5}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda _: "", 2),
        (lambda text: text.replace("Staff:", "Stuff:"), 2),
        (lambda text: text.replace("BEGIN CERT", "BEGIN CART"), 2),
        (lambda text: text.partition("-----BEGIN CERT")[0] + "BEGIN CERTIFICATE", 8),
        (lambda text: text.replace("https://", "https://127.0.0.1:1/"), 8),
        (lambda text: "Key: nonsense\nModule: /m\n" + text, 8),
    ],
    ids=range(6),
)
def test_an_identity_that_is_none_is_told(
    tillid: Operator, installed: Installed, tmp_path: Path, change: Any, code: int
) -> None:
    text = installed.identity(Role.APPROVING_OFFICER).read_text()
    trust = f"Trust: {installed.root}"
    path = tmp_path / "me.pem"
    path.write_text(change(text.replace("Trust: root.pem", trust)))
    ended = tillid("application", "list", "--identity", path)
    assert ended.code == code
    assert ended.problem["way_out"]


def test_a_service_that_does_not_answer_is_told(
    tillid: Operator, installed: Installed, tmp_path: Path
) -> None:
    text = installed.identity(Role.AUDITOR).read_text()
    path = tmp_path / "me.pem"
    port = installed.environment["TILLID_STAFF__PORT"]
    path.write_text(text.replace(f":{port}", ":1").replace("root.pem", str(installed.root)))
    ended = tillid("application", "list", "--identity", path)
    assert (ended.code, ended.problem["type"]) == (8, "/problems/staff-unreachable")


def test_without_a_database_every_verb_says_so(
    tillid: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILLID_DATABASE__URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    for verb in (("ca", "list"), ("db", "check"), ("audit", "verify"), ("cert", "show", "a/01")):
        ended = tillid(*verb)
        assert (ended.code, ended.problem["status"]) == (8, 503)


def test_without_a_token_every_verb_says_so(
    tillid: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILLID_HSM__SERVICE_TOKEN", "gone")
    assert tillid("officer", "list").code == 8
    assert tillid("audit", "verify").code == 8
    assert tillid("ca", "list").code == 0


def test_an_empty_state_directory_says_what_to_do_first(
    tillid: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILLID_STATE", str(tmp_path / "new"))
    ended = tillid("ca", "list")
    assert (ended.code, "tillid db migrate" in ended.problem["detail"]) == (8, True)
    assert tillid("db", "migrate").code == 0
    assert tillid("ca", "list").result == {"issuers": []}


def test_a_case_is_taken_to_its_delivery_by_officers(
    tillid: Operator, installed: Installed, tmp_path: Path
) -> None:
    of = applied(installed.parts).id
    of_cases = (Role.CASE_MANAGER, Role.CASE_APPROVER, Role.DATA_PROTECTION_OFFICER)
    manager, approver, dpo = map(installed.identity, of_cases)
    clerk = installed.identity(Role.REGISTRATION_OFFICER)
    opened = tillid("case", "open", "access", "--application", of, "--identity", manager)
    case = opened.result["id"]
    assert opened.result["secret"]
    assert tillid("case", "open", "access", "--identity", dpo).code == 5
    proof = ("case", "identify", case, "--application", of, "--evidence", "passport, desk 4")
    assert tillid(*proof, "--level", "Low", "--identity", clerk).code == 4
    assert tillid(*proof, "--level", "High", "--identity", clerk).code == 0
    letter = tmp_path / "brev.txt"
    letter.write_text("Hej", encoding="utf-8")
    added = tillid("case", "add-file", case, letter, "--for-requester", "--identity", manager)
    assert added.result["octets"] == 3
    prepared = tillid("case", "prepare", case, "--identity", manager)
    assert (prepared.code, prepared.result["state"]) == (6, "awaiting_approval")
    out = tmp_path / "package.zip"
    read = ("case", "read", case, "--what", "package", "--purpose", "approval", "--out", out)
    digest = tillid(*read, "--identity", approver).result["sha256"]
    assert digest == prepared.result["package_sha256"]
    approve = ("case", "approve", case, "--sha256", digest, "--identity")
    assert tillid(*approve, manager).code == 5
    assert tillid(*approve, approver).code == 6
    assert tillid(*approve, approver).code in {4, 7}
    assert tillid("case", "deliver", case, "--dry-run", "--identity", manager).code == 0
    assert tillid("case", "deliver", case, "--identity", manager).code == 7
    listed = tillid("case", "list", "--state", "awaiting_approval", "--identity", dpo)
    assert case in {one["id"] for one in listed.result["cases"]}
    assert tillid("case", "show", case, "--identity", dpo).result["files"][0]["number"] == 1
    assert tillid("case", "resume", case, "--identity", approver).result["state"] == "assessing"
    told = ("--reasons", "r", "--complaint", "c", "--court", " ", "--identity", manager)
    assert tillid("case", "refuse", case, *told).code == 4
    assert tillid("case", "extend", case, "--reason", "r", "--identity", manager).code == 0
    assert tillid("case", "withdraw", case, "--identity", manager).result["state"] == "cancelled"
    assert tillid("case", "show", "K0000000", "--identity", dpo).code == 3


def test_a_holder_renews_and_replaces_a_credential(
    tillid: Operator, installed: Installed, csr: Path, tmp_path: Path
) -> None:
    parts, key = installed.parts, new_key()
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    der = request.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    clerk, approver = (an_officer(parts, role) for role in ROLES_OF_FOUR_EYES)
    of = certified(parts, clerk.officer, approver, request=der)
    (record,) = parts.certificates.find(application_id=of.id)
    body = parts.certificates.body(record.issuer, record.serial_number)
    auditor = installed.identity(Role.AUDITOR)
    (staff,) = re.findall(r"^Staff: (.+)$", auditor.read_text(encoding="utf-8"), re.MULTILINE)
    secret_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    pem = body.public_bytes(Encoding.PEM).decode()
    holder = tmp_path / "holder.pem"
    holder.write_text(f"Staff: {staff}\nTrust: {installed.root}\n{pem}{secret_key}")
    renew = ("application", "renew", "--request", csr, "--identity")
    assert tillid(*renew, "/nowhere").code == 3
    assert tillid(*renew, auditor).code == 5
    made = tillid(*renew, holder)
    assert made.result["renews"]["application"] == of.id
    assert tillid(*renew, holder).code == 7
    secret = tmp_path / "secret"
    secret.write_text(made.result["secret"])
    replace = ("application", "replace", "--request", csr, "--staff", staff)
    replace = (*replace, "--trust", installed.root, "--secret-file", secret)
    assert tillid(*replace, of.id, "--loss", "stolen").code == 2
    assert tillid(*replace, of.id, "--loss", "lost").code == 5
    # It has led to no certificate yet.
    assert tillid(*replace, made.result["id"], "--loss", "lost").code == 3
