"""Seals at the command line, and the duties that officers list there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from records.officers import Role
from revocation.causes import Cause
from server.metrics import Metrics
from server.service import _staff_server
from server.staff import staff_app
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of, free_port
from tests.support.organisations import NANCY, SUBSTANTIAL, Citizen, Registry
from tests.support.softhsm import SoftHsm
from tests.support.staff import Office, an_app, an_officer, certified

COMPANY = "99000007"


@dataclass(frozen=True)
class Desk:
    """An installation with its listener, whose people have identity files."""

    registry: Registry
    operator: Operator
    folder: Path
    url: str

    def identity(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Path:
        path = self.folder / f"{certificate.serial_number}.identity.pem"
        pem = certificate.public_bytes(Encoding.PEM).decode()
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        path.write_text(f"Staff: {self.url}\nTrust: {self.folder / 'root.pem'}\n{pem}{secret}")
        return path

    def request(self, key: ec.EllipticCurvePrivateKey) -> Path:
        path = self.folder / f"{key.private_numbers().private_value}.csr"
        path.write_bytes(a_request(key).public_bytes(Encoding.PEM))
        return path


def a_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def a_request(key: ec.EllipticCurvePrivateKey) -> x509.CertificateSigningRequest:
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return made.sign(key, hashes.SHA256())


@pytest.fixture
def desk(
    softhsm: SoftHsm,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    state, port = tmp_path / "state", str(free_port())
    with an_installation(softhsm, state, TILLID_STAFF__PORT=port) as parts:
        root = parts.issuers.get("root").certificate
        assert root is not None
        (tmp_path / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
        server = _staff_server(parts, Metrics.of_process())
        thread = Thread(target=server.serve)
        thread.start()
        environment = environment_of(softhsm, state) | {"TILLID_STAFF__PORT": port}
        office = Office(parts, an_app(parts), {role: an_officer(parts, role) for role in Role})
        registry = Registry(office, staff_app(parts, Metrics.of_process()))
        operator = Operator(environment, capsys, monkeypatch)
        try:
            yield Desk(registry, operator, tmp_path, parts.settings.staff.url)
        finally:
            server.stop()
            thread.join()


def test_a_seal_is_applied_for_renewed_and_replaced(desk: Desk) -> None:
    registry, parts, key = desk.registry, desk.registry.parts, a_key()
    clerk = registry.office.staff[Role.REGISTRATION_OFFICER].officer
    approver, der = registry.office.approving, a_request(key).public_bytes(Encoding.DER)
    of = certified(parts, clerk, approver, NANCY, request=der)
    director = Citizen(of, registry.certificate_of(of.id))
    registry.granted(director, COMPANY, SUBSTANTIAL)
    who = desk.identity(director.certificate, key)
    seal = ("organisation", "seal", COMPANY)
    first = registry.named(director, f"/api/v1/organisations/{COMPANY}/applications")["id"]
    old, found = desk.folder / "seal.pem", registry.issued(first)
    old.write_bytes(found.public_bytes(Encoding.PEM))

    following = (*seal, desk.request(a_key()), "--identity", who)
    assert desk.operator(*following, "--loss", "lost").code == 2
    assert desk.operator(*following, "--renews", desk.request(a_key())).code == 2
    assert desk.operator(*following, "--renews", who).code == 3
    made = desk.operator(*following, "--renews", old)
    assert made.result["renews"]["application"] == first
    assert desk.operator(*following, "--renews", old).code == 7

    new = desk.folder / "new.pem"
    new.write_bytes(registry.issued(made.result["id"]).public_bytes(Encoding.PEM))
    lost = (*seal, desk.request(a_key()), "--renews", new, "--loss", "lost", "--identity", who)
    code, _, shown = desk.operator.told(*lost, "--accept")
    assert (code, "key" in shown) == (0, True)
    (ended,) = parts.certificates.find(application_id=made.result["id"])
    assert (ended.status, ended.cause) == ("revoked", Cause.KEY_LOST)


def test_an_administrator_lists_duties(desk: Desk) -> None:
    officer = desk.registry.office.staff[Role.SECURITY_ADMINISTRATOR]
    who = desk.identity(officer.certificate, officer.key)
    for state in ("open", "revoked", "dismissed"):
        listed = desk.operator("duty", "list", "--state", state, "--identity", who)
        assert listed.result == {"duties": []}
