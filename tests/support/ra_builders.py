"""Builders for the registration authority: applications at every step, officers, passports."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from types import MappingProxyType

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ra.applications import (
    Applicant,
    Application,
    RequestedCertificate,
    draft,
    record_acceptance,
    record_evidence,
    start_proofing,
)
from ra.approvals import Approval, SignerIdentity
from ra.assessment import ProofingPolicy, conclude, submit
from ra.claims import natural_person_schema, read_claim
from ra.errors import SignatureInvalid
from ra.evidence import EvidenceKind, Officer, Presence
from ra.fake_registers import (
    FakeCpr,
    FakeDocumentStatus,
    fake_catalogue,
    persona_name,
    specimen_passport,
)
from ra.identity import CprNumber
from ra.levels import AssuranceLevel
from ra.package import ProfileReference, build_package, package_hash
from ra.policies import shipped_policy
from ra.proofing import PresentedDocument, Registers, examine_document
from ra.registers import DocumentStatus
from ra.terms import FOR_APPLICANTS, accept, read_terms_library

NOW = datetime(2026, 1, 15, 9, tzinfo=UTC)
NANCY = "2512489996"
CATALOGUE = fake_catalogue(date(2025, 1, 1))
PROOFER = Officer("officer-7", "P-7", "key-7", date(2027, 1, 1))
PROFILE = ProfileReference("natural-person", "ab" * 32, 365)
FEATURES = ("kinegram", "laser_perforation", "uv_print")


@cache
def request_der() -> bytes:
    """The same request each time; a key is certified for one subject only."""
    return a_new_request_der()


def a_new_request_der() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return request.sign(key, SHA256()).public_bytes(Encoding.DER)


def policy() -> ProofingPolicy:
    tested = replace(shipped_policy("substantial-1"), name="test-1")
    return ProofingPolicy(read_terms_library(), tested)


def claimed(number: str | None = NANCY, **changes: str) -> dict[str, str]:
    given_name, surname = persona_name(CprNumber(number or NANCY))
    attributes = {"given_name": given_name, "surname": surname}
    if number is not None:
        attributes["cpr_number"] = number
    return attributes | changes


def drafted(
    attributes: dict[str, str] | None = None,
    level: AssuranceLevel = AssuranceLevel.SUBSTANTIAL,
    *,
    read: bool = True,
) -> Application:
    schema = natural_person_schema(AssuranceLevel.LOW)
    claim = read_claim(attributes or claimed(), schema, NOW.date())
    requested = RequestedCertificate.read(
        PROFILE.name, level, request_der(), publication_consent=True
    )
    application = draft(Applicant("S-1", claim, "key-1"), requested, NOW)
    for text in policy().terms.versions:
        if text.language == "en" and text.kind in FOR_APPLICANTS:
            statement = {"read": read, "accepted": read, "sha256": text.sha256}
            accepted = accept(statement, text, NOW, shown_at=NOW)
            application = record_acceptance(application, accepted, NOW)
    return application


def in_proofing(
    attributes: dict[str, str] | None = None, level: AssuranceLevel = AssuranceLevel.SUBSTANTIAL
) -> Application:
    submitted = submit(drafted(attributes, level), policy(), NOW)
    return start_proofing(submitted, PROOFER, NOW)


def passport_of(
    number: str = NANCY, document: str = "UT1234567", expiry: date = date(2034, 4, 15)
) -> PresentedDocument:
    born = CprNumber(number).birth_date
    return PresentedDocument(
        kind=EvidenceKind.PASSPORT,
        mrz_lines=specimen_passport(persona_name(CprNumber(number)), born, document, expiry),
        features_seen=FEATURES,
        presence=Presence.IN_PERSON,
        face_matches=True,
    )


def registers(statuses: dict[str, DocumentStatus] | None = None) -> Registers:
    documents = FakeDocumentStatus(MappingProxyType(statuses or {}))
    return Registers(persons=FakeCpr(opened=NOW), documents=documents)


def examined(
    application: Application | None = None,
    presented: PresentedDocument | None = None,
    asked: Registers | None = None,
) -> Application:
    application = application or in_proofing()
    examination = examine_document(
        application, presented or passport_of(), asked or registers(), policy(), NOW
    )
    return record_evidence(application, examination.evidence, examination.checks, NOW)


def at_level(application: Application, level: AssuranceLevel) -> Application:
    return replace(application, requested=replace(application.requested, level=level))


def verified(attributes: dict[str, str] | None = None) -> Application:
    return conclude(examined(in_proofing(attributes)), CATALOGUE, policy(), NOW)


@dataclass(frozen=True)
class SigningOfficer:
    """An officer with a key; the signature is a bare ECDSA one, since CMS is not parsed here."""

    officer: Officer
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def approval_of(self, application: Application, package: bytes | None = None) -> Approval:
        package = package or build_package(application, PROFILE)
        return Approval(
            application_id=application.id,
            officer=self.officer.pseudonym,
            person_id=self.officer.person_id,
            package_hash=package_hash(package),
            signature=self.key.sign(package, ec.ECDSA(SHA256())),
            at=NOW + timedelta(hours=1),
        )

    def verify(self, cms_der: bytes, content: bytes) -> SignerIdentity:
        """SignatureVerifier that trusts this officer alone."""
        try:
            self.key.public_key().verify(cms_der, content, ec.ECDSA(SHA256()))
        except InvalidSignature:
            raise SignatureInvalid from None
        who = self.officer
        return SignerIdentity("officers", "01", who.pseudonym, who.person_id, who.person_key)
