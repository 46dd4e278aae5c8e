"""A case of each kind, by command line, from the request to its end, on a running service."""

import io
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from cryptography import x509
from cryptography.x509.ocsp import OCSPCertStatus

from ca.identifiers import SerialNumber
from publish_ldap.directory import Directory
from tests.support.people import SECOND, Applied, Office
from tests.support.service import until
from tests.support.status import ocsp_status
from tests.support.workshop import Workshop


@dataclass(frozen=True)
class Desk:
    """Those who handle cases, and whom the cases are about."""

    office: Office
    of: Applied
    folder: Path

    def case(self, *arguments: str, by: str, code: int = 0) -> Any:
        """One verb, by an officer, with this exit code; its result, or its problem."""
        who = self.office.identity(by)
        done = self.office.service.tillid("case", *arguments, "--identity", str(who), "--json")
        assert done.returncode == code, done.stdout + done.stderr
        said = json.loads(done.stdout)
        return said.get("result") or said["problem"]

    def approved(self, kind: str) -> tuple[str, str]:
        """A request, proved, prepared, and approved by two; the case and its secret."""
        of = ("--application", self.of.id)
        opened = self.case("open", kind, *of, by="case_manager")
        case = str(opened["id"])
        proof = ("--level", "Substantial", "--evidence", "passport, desk 4")
        self.case("identify", case, *of, *proof, by="registration_officer")
        self.case("prepare", case, by="case_manager", code=6)
        read = ("--what", "package", "--purpose", "approval")
        out = ("--out", str(self.folder / f"{kind}.zip"))
        digest = self.case("read", case, *read, *out, by="case_approver")["sha256"]
        self.case("approve", case, "--sha256", digest, by="case_approver", code=6)
        done = self.case("approve", case, "--sha256", digest, by="second_approver")
        assert done["state"] == "approved"
        return case, str(opened["secret"])

    def answered(self, kind: str) -> set[str]:
        """A request that is answered with a package; the names of the files in it."""
        case, secret = self.approved(kind)
        passphrase = self.case("deliver", case, by="case_manager")["passphrase"]
        fetched = self.office.service.staff(f"/api/v1/cases/{case}/download", {}, secret=secret)
        assert fetched.status == 200
        how = ["-inform", "DER", "-binary", "-pwri_password", passphrase]
        opened = subprocess.run(
            ["openssl", "cms", "-decrypt", *how],
            input=fetched.body,
            capture_output=True,
            check=True,
            timeout=20,
        )
        with ZipFile(io.BytesIO(opened.stdout)) as archive:
            archive.extractall(self.folder / f"{kind}-package")
            names = set(archive.namelist())
        self.office.service.verb("subject", "check", str(self.folder / f"{kind}-package"))
        self.office.service.api(f"cases/{case}/receipt", {}, secret=secret)
        assert self.case("show", case, by="case_manager")["state"] == "closed"
        return names


def test_a_case_of_each_kind_ends_by_command_line(workshop: Workshop, tmp_path: Path) -> None:
    with workshop.verified() as story:
        office = story.office
        service = office.service.start()
        office.approve(story.applied)
        until("the issue", lambda: office.state(story.applied) == "fulfilled")
        first = body_in(office.fetch(story.applied))
        for role in ("case_manager", "case_approver"):
            office.enrol(role)
        office.enrol("case_approver", out=office.identity("second_approver"))
        desk = Desk(office, story.applied, tmp_path)
        until("publication", lambda: is_published(workshop, first))

        names = desk.answered("access")
        assert {name.rpartition(".")[2] for name in names} >= {"html", "pdf", "json"}
        names = desk.answered("portability")
        assert {name.rpartition(".")[2] for name in names} >= {"json", "pem", "vcf"}
        case, _ = desk.approved("objection")
        desk.case("carry-out", case, by="case_manager")
        until("the directory", lambda: not is_published(workshop, first))
        second = rectified(desk, first.serial_number)
        restricted(desk, second)
        erased(desk)
        assert ocsp_status(service, second) is OCSPCertStatus.REVOKED
        assert service.verb("audit", "verify")["guards_unchanged"]


def rectified(desk: Desk, first: int) -> int:
    """The corrected certificate is good before the wrong one is revoked; gives its serial."""
    office, service = desk.office, desk.office.service
    case, secret = desk.approved("rectification")
    corrected = office.apply(path=f"cases/{case}/application", secret=secret)
    carry_out = ("carry-out", case, "--application", corrected.id)
    desk.case(*carry_out, by="case_manager", code=10)
    office.vet(corrected)
    office.approve(corrected)
    until("the issue", lambda: office.state(corrected) == "fulfilled")
    second = body_in(office.fetch(corrected)).serial_number
    assert ocsp_status(service, first) is ocsp_status(service, second) is OCSPCertStatus.GOOD
    desk.case(*carry_out, by="case_manager")
    until("OCSP", lambda: ocsp_status(service, first) is OCSPCertStatus.REVOKED)
    assert ocsp_status(service, second) is OCSPCertStatus.GOOD
    return second


def restricted(desk: Desk, serial: int) -> None:
    """It is on hold, and is not let go before three days have passed since the person was told."""
    case, _ = desk.approved("restriction")
    desk.case("carry-out", case, by="case_manager")
    until("OCSP", lambda: ocsp_status(desk.office.service, serial) is OCSPCertStatus.REVOKED)
    desk.case("lift", case, by="case_manager", code=4)
    desk.case("lift", case, "--tell", by="case_manager")
    desk.case("lift", case, by="case_manager", code=4)


def erased(desk: Desk) -> None:
    """A second administrator approves the rulings; the receipt is of a person who is gone."""
    service = desk.office.service
    case, _ = desk.approved("erasure")
    desk.case("carry-out", case, "--erase", by="case_manager", code=5)
    number = desk.case("carry-out", case, "--erase", by="security_administrator")["erasure"]
    second = ("--identity", str(desk.office.identity(SECOND)))
    service.verb("erase", "approve", number, "--yes", *second)
    until("the erasure", lambda: desk.office.erasure(number)["state"] == "done")
    receipt = desk.folder / "receipt"
    receipt.write_text(service.verb("erase", "receipt", "show", number, *second)["receipt"])
    service.verb("erase", "receipt", "verify", str(receipt))


def body_in(certificate: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate.read_bytes())


def is_published(workshop: Workshop, body: x509.Certificate) -> bool:
    """Whether the directory, which other installations use as well, holds the certificate."""
    with Directory(workshop.slapd.settings()) as directory:
        return directory.find_certificate(body.issuer, SerialNumber(body.serial_number)) != ()
