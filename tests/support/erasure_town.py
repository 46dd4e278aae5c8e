"""Erasures on an installation with real directories and a real public listener, seen from outside.

A crash is an exception that nothing catches, raised at a failpoint: what was committed stays, and
what was not is lost, as when the process dies.
"""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from audit.log import verify_log
from ca.identifiers import IssuerName, SerialNumber
from demo.slapd import PrivateSlapd
from gdpr_erasure.erasures import Approval, Erasure, ErasureState, NewErasure
from gdpr_erasure.receipt import verify_receipt
from gdpr_erasure.saga import request_erasure
from hsm.labels import AUDIT_KEY
from records.audit_log import audit_log
from records.officers import Role
from server.assembly import AUDIT_ORIGIN, Assembly
from server.clock import utc_now
from server.erasures import approve, policies, saga
from server.jobs import run_job
from server.probe import fetch
from tests.support.directory_town import Town, a_town
from tests.support.ocsp_client import request_for
from tests.support.public_address import genuine, listening
from tests.support.service import quiet_port
from tests.support.slapd import ldapsearch
from tests.support.softhsm import SoftHsm
from tests.support.staff import EnrolledOfficer, an_officer

ISSUING = IssuerName("issuing")
_JOBS = ("renew-crls", "publish-crls", "seal-audit-log")
_CERTIFICATES = "userCertificate;binary"


class Crash(BaseException):
    """The process ends here."""


@dataclass
class Asked:
    """One person whose erasure two administrators approved."""

    application: str
    serial: SerialNumber
    der: bytes = field(repr=False)
    case: str


@dataclass
class ErasureTown:
    """A town, its public listener and its administrators."""

    town: Town
    administrators: tuple[EnrolledOfficer, EnrolledOfficer]
    crashes: list[str] = field(default_factory=list)

    @property
    def parts(self) -> Assembly:
        return self.town.parts

    @property
    def directories(self) -> tuple[PrivateSlapd, ...]:
        return (self.town.north, self.town.replica, self.town.south)

    def asked(self) -> Asked:
        """Somebody with a certificate that stands in every directory asks, and two approve."""
        record = self.town.person()
        der = self.town.der(record)
        self.town.until(lambda: [shown(each, der) for each in self.directories] == [1, 1, 1])
        new = NewErasure(str(record.subject_id))
        case = request_erasure(self.parts.erasures, policies(self.parts.settings), new, utc_now())
        for each in self.administrators:
            by = Approval(each.officer.id, case.assessment.sha256)
            approve(self.parts, case.id, by, utc_now())
        application = str(record.application_id)
        return Asked(application, record.serial_number, der, case.id)

    def case(self, of: Asked) -> Erasure:
        return self.parts.erasures.erasure(of.case)

    def reach(self, point: str, scope: str = "") -> None:
        """What a failpoint does: the next crash that was asked for, if it is here."""
        del scope
        if self.crashes and self.crashes[0] == point:
            self.crashes.pop(0)
            raise Crash(point)

    def carry_on(self, of: Asked) -> ErasureState:
        """One round of all that a service does for a case, with nothing waited for."""
        metrics = self.town.metrics
        for name in _JOBS:
            run_job(name, self.parts, metrics)
        for name in self.parts.settings.directories:
            self.parts.directory_desk.retry(name, None, "system:operator", utc_now())
        run_job("publish-entries", self.parts, metrics)
        after = saga(self.parts).carry_on(self.case(of), utc_now)
        if after.state is ErasureState.RECHECKED:
            self.parts.vault.seal(utc_now())
        return after.state

    def until_done(self, of: Asked, rounds: int = 60) -> list[str]:
        """Carry on through every crash, with a look from outside at each; gives where it died."""
        died = []
        for _ in range(rounds):
            try:
                state = self.carry_on(of)
            except Crash as crash:
                died.append(str(crash))
                self.look(of)
                continue
            if state is ErasureState.DONE:
                break
        self.look(of)
        return died

    def look(self, of: Asked) -> None:
        """What must hold at any moment, for whoever looks from outside."""
        status = self.ocsp_status(of)
        assert status is not ocsp.OCSPCertStatus.UNKNOWN
        if not self.parts.certificates.find(application_id=of.application):  # it is deleted
            assert status is ocsp.OCSPCertStatus.REVOKED
            assert self.crl_lists(of)
            assert [shown(each, of.der) for each in self.directories] == [0, 0, 0]
        self.verify_log()
        assert len(self.case(of).receipts) <= 1

    def ocsp_status(self, of: Asked) -> ocsp.OCSPCertStatus:
        request = request_for(self.parts, of.serial, nonce=bytes(16))
        url = self.parts.issuers.get(ISSUING).urls.ocsp
        answer = fetch(f"{url}/{b64encode(request).decode()}")
        assert answer is not None
        return ocsp.load_der_ocsp_response(answer).certificate_status

    def crl_lists(self, of: Asked) -> bool:
        octets = fetch(self.parts.issuers.get(ISSUING).urls.crl)
        assert octets is not None
        crl = x509.load_der_x509_crl(octets)
        return crl.get_revoked_certificate_by_serial_number(of.serial) is not None

    def verify_log(self) -> None:
        key = self.parts.tokens.service_key(AUDIT_KEY).public_key()
        with audit_log(self.parts.database) as log:
            verify_log(log, key, AUDIT_ORIGIN)

    def check_receipt(self, of: Asked) -> None:
        """Exactly one, which the audit key signed."""
        (text,) = self.case(of).receipts
        key = self.parts.tokens.service_key(AUDIT_KEY).public_key()
        told = verify_receipt(text, key, AUDIT_ORIGIN)
        assert (told["receipt"], told["number"]) == (of.case, 1)
        assert told["done"]["destroyed"]["certificates"] == 1


def shown(slapd: PrivateSlapd, der: bytes) -> int:
    """How many entries hold these octets, as OpenLDAP's own client says."""
    entries = ldapsearch(slapd, "(userCertificate=*)", scope="sub")
    return sum(der in entry[_CERTIFICATES] for entry in entries)


@contextmanager
def an_erasure_town(softhsm: SoftHsm, folder: Path, **environment: str) -> Iterator[ErasureTown]:
    """The town while its public listener answers; failpoints of erasure and seal are its own."""
    port = {"TILLID_PUBLIC__PORT": str(quiet_port())}
    with pytest.MonkeyPatch.context() as patch:
        for town in a_town(softhsm, folder, **port, **environment):
            parts = town.parts
            for name in ("own-certificates", *_JOBS):
                run_job(name, parts, town.metrics)
            role = Role.SECURITY_ADMINISTRATOR
            made = ErasureTown(town, (an_officer(parts, role), an_officer(parts, role)))
            for module in ("gdpr_erasure.saga", "records.sealing"):
                patch.setattr(f"{module}.reach", made.reach)
            with listening(parts, genuine(parts)):
                yield made
