"""People with personal credentials at each level, and what they do for legal persons, by API."""

from dataclasses import dataclass, field, replace
from secrets import token_hex
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask

from ca.profiles import load_profile
from ra.applications import (
    Applicant,
    Application,
    ApplicationState,
    RequestedCertificate,
    draft,
    start_proofing,
)
from ra.claims import natural_person_schema, read_claim
from ra.declarations import declaration_digests
from ra.evidence import Officer as ProofingOfficer
from ra.evidence import ProofingResult
from ra.levels import AssuranceLevel
from ra.package import build_package, package_hash
from ra.terms import TermsKind
from records.officers import Role
from server.assembly import Assembly
from server.clock import utc_now
from server.registration import application_package, approve_application, profile_reference
from tests.support.api import an_application, armoured, presenting, problem
from tests.support.high_office import HighOffice
from tests.support.ra_builders import a_new_request_der, claimed
from tests.support.staff import EnrolledOfficer, Office, shown

LOW, SUBSTANTIAL, HIGH = AssuranceLevel
NANCY, KIRSTEN, SOEREN, ASTA = "2512489996", "2911829996", "0108589995", "0707614285"
MANDATES, ASSOCIATIONS = "/api/v1/mandates", "/api/v1/associations"
DIGEST = "0" * 64
DOCUMENTS = {
    "charter": "charter 2019",
    "charter_sha256": DIGEST,
    "minutes": "minutes 2025",
    "minutes_sha256": DIGEST,
    "role": "chair",
    "held_on": "2025-04-01",
    "quorum": True,
    "accepted": True,
}
WITNESSES = [
    {"name": "Vera Vidne", "address": "Vej 1", "signed_on": "2026-01-01"},
    {"name": "Villy Vidne", "address": "Vej 2", "signed_on": "2026-01-01"},
]


@dataclass(frozen=True)
class Citizen:
    """Somebody with a personal credential."""

    application: Application
    certificate: x509.Certificate

    @property
    def subject_id(self) -> str:
        return self.application.subject_id


@dataclass
class Registry:
    """An office, its API, and citizens made when first asked for."""

    office: Office
    app: Flask
    _citizens: dict[tuple[str, AssuranceLevel], Citizen] = field(default_factory=dict)
    _high: list[HighOffice] = field(default_factory=list)

    @property
    def parts(self) -> Assembly:
        return self.office.parts

    def citizen(self, number: str, level: AssuranceLevel = SUBSTANTIAL) -> Citizen:
        key = (number, level)
        if key not in self._citizens:
            self._citizens[key] = self.new_citizen(number, level)
        return self._citizens[key]

    def new_citizen(
        self, number: str, level: AssuranceLevel = SUBSTANTIAL, *, without_number: bool = False
    ) -> Citizen:
        """Somebody proven at a level; below High whatever evidence that takes."""
        if level is HIGH:
            done = self.high_office().activated(number)
            return Citizen(done, self.certificate_of(done.id))
        parts, now = self.parts, utc_now()
        clerk = self.office.staff[Role.REGISTRATION_OFFICER].officer
        approver = self.office.staff[Role.APPROVING_OFFICER]
        name = f"natural-person-{level.label.lower()}"
        claim = read_claim(claimed(number), natural_person_schema(level), now.date())
        claim = replace(claim, cpr_number=None) if without_number else claim
        requested = RequestedCertificate.read(
            name, level, a_new_request_der(), publication_consent=False
        )
        application = draft(Applicant(f"subject-{token_hex(8)}", claim), requested, now)
        before = replace(application, state=ApplicationState.SUBMITTED)
        parts.applications.add(before, "secret", now)
        taken = start_proofing(before, ProofingOfficer(clerk.id, clerk.person_id), now)
        parts.applications.update(before, taken, clerk.id, now)
        result = ProofingResult(level, "test", now, now.replace(year=now.year + 1), DIGEST)
        proven = replace(taken, state=ApplicationState.VERIFIED, proofing=result)
        package = build_package(proven, profile_reference(load_profile(name)))
        proven = replace(proven, package_hash=package_hash(package))
        parts.applications.update(taken, proven, clerk.id, now)
        done = approve_application(
            parts, proven.id, approver.sign(package), approver.officer, utc_now()
        )
        return Citizen(done, self.certificate_of(done.id))

    def high_office(self) -> HighOffice:
        """The officers of every task that High asks for, made when first needed."""
        if not self._high:
            self._high.append(HighOffice(self.parts))
        return self._high[0]

    def certificate_of(self, application_id: str) -> x509.Certificate:
        (found,) = self.parts.certificates.find(application_id=application_id)
        return self.parts.certificates.body(found.issuer, found.serial_number)

    def call(
        self,
        who: Citizen | EnrolledOfficer | Role | None,
        path: str,
        body: object = None,
        status: int = 200,
    ) -> Any:
        """POST as somebody, or GET when there is no body."""
        if isinstance(who, Role):
            who = self.office.staff[who]
        environ = {} if who is None else presenting(who.certificate)
        method = "GET" if body is None else "POST"
        answer = self.app.test_client().open(path, method=method, json=body, environ_base=environ)
        assert answer.status_code == status, answer.text
        if status >= 400:
            return problem(answer)
        return answer.data if path.endswith("/package") else answer.json

    def clerk(self, path: str, body: object = None, status: int = 200) -> Any:
        return self.call(Role.REGISTRATION_OFFICER, path, body, status)

    def ask(self, who: Citizen | None, cvr: str, level: AssuranceLevel, **more: object) -> Any:
        """Ask for a mandate; gives what the API shows of it."""
        more = {"cvr": cvr, "level": level.label, **more}
        return self.call(who, MANDATES, more, 201)

    def approve(self, mandate: str, status: int = 200) -> Any:
        """Sign the package of a mandate as the approving officer, and hand the signature in."""
        package = self.clerk(f"{MANDATES}/{mandate}/package")
        signature = armoured(self.office.staff[Role.APPROVING_OFFICER].sign(package))
        body = {"signature": signature}
        return self.call(Role.APPROVING_OFFICER, f"{MANDATES}/{mandate}/approval", body, status)

    def granted(self, who: Citizen, cvr: str, level: AssuranceLevel, **more: object) -> Any:
        """A mandate by a role in the register, checked and approved; its holder agrees."""
        asked = self.ask(who, cvr, level, by_role=True, **more)
        path = f"{MANDATES}/{asked['id']}"
        assert self.clerk(f"{path}/conclusion", {})["state"] == "verified"
        granted = self.approve(asked["id"])
        if granted["act"] == "register":
            self.agree(who, cvr)
        return granted

    def agree(
        self, who: Citizen | EnrolledOfficer, cvr: str, status: int = 201, **changes: object
    ) -> Any:
        """Answer to the agreement of the subscriber for a legal person."""
        session, digests = shown(self.parts, kinds=(TermsKind.SUBSCRIBER,))
        answer = {"sha256": digests["subscriber"], "read": True, "accepted": True, **changes}
        body = {"session": session, "subscriber": answer}
        return self.call(who, f"/api/v1/organisations/{cvr}/agreement", body, status)

    def named(self, who: Citizen, path: str, status: int = 201, **changes: object) -> Any:
        """Apply for a certificate that names an organisation."""
        body = an_application(self.parts, **changes)
        wanted = ("certificate_request", "session", "terms", "security_notice")
        return self.call(who, path, {name: body[name] for name in wanted}, status)

    def issued(self, application_id: str) -> x509.Certificate:
        """The certificate of an application that two officers see through."""
        path = f"/api/v1/applications/{application_id}"
        assert self.clerk(f"{path}/conclusion", {})["state"] == "verified"
        application = self.parts.applications.get(application_id)
        approver = self.office.staff[Role.APPROVING_OFFICER]
        body = {"signature": armoured(approver.sign(application_package(application)))}
        done = self.call(approver, f"{path}/approval", body)
        assert done["state"] == "fulfilled"
        return self.certificate_of(application_id)


def declaration() -> dict[str, object]:
    return {"declaration": {"sha256": declaration_digests()["en"], "declared": True}}


def power(**changes: object) -> dict[str, object]:
    """A digital power of attorney by the director of 99000007 for Søren."""
    return {
        "cvr": "99000007",
        "reference": "P 1",
        "sha256": DIGEST,
        "grantors": [NANCY],
        "holder": SOEREN,
        "scope": ["register"],
        "valid_from": "2026-01-01",
        "form": "digital",
        "signature_verified": True,
        **changes,
    }


def paper(**changes: object) -> dict[str, object]:
    return power(form="paper", specimen="match", witnesses=WITNESSES, **changes)


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def codes(problem: dict[str, Any]) -> set[str]:
    """The codes of every requirement that a problem names."""
    first = str(problem["rule"]).split()[-1]
    return {first, *(str(each["field"]).split()[-1] for each in problem.get("errors", []))}
