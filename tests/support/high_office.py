"""An office that issues at High: one person for each task, a list of them, and holders' devices."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ra.addresses import FakeAddresses
from ra.applications import Application
from ra.authenticators import RiskAssessment
from ra.case import Channel, CodeChannel, Factor
from ra.contacts import Contact, PhoneNumber
from ra.duties import Task, duty_statement
from ra.fake_registers import FakeCpr
from ra.fake_services import FakeAttestation, FakeLogins, FakeNotifier
from ra.identity import CprNumber
from ra.levels import AssuranceLevel
from ra.logins import Login
from records.officers import Role
from server.assembly import Assembly
from server.clock import utc_now
from server.decisions import Decisions
from server.delivery import Claim, Hand, activate, dispatch_code, prepare_credential, record_duty
from server.delivery_ports import DeliveryPorts
from server.registration import (
    NewApplication,
    application_package,
    approve_application,
    conclude_proofing,
    open_application,
    record_document,
)
from server.renewals import Asked
from tests.support.ra_builders import NANCY, a_new_request_der, claimed, passport_of
from tests.support.staff import EnrolledOfficer, an_officer, shown

PROFILE = "natural-person-high"
PHONE = "+4520123456"


@dataclass
class HighOffice:
    """An installation whose officers of every task are listed."""

    parts: Assembly
    proofer: EnrolledOfficer = field(init=False)
    approver: EnrolledOfficer = field(init=False)
    operator: EnrolledOfficer = field(init=False)
    dispatcher: EnrolledOfficer = field(init=False)
    checker: EnrolledOfficer = field(init=False)
    logins: dict[tuple[str, str], Login] = field(default_factory=dict)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)

    def __post_init__(self) -> None:
        now, parts = utc_now(), self.parts
        self.proofer = an_officer(parts, Role.REGISTRATION_OFFICER)
        self.approver = an_officer(parts, Role.APPROVING_OFFICER)
        self.operator = an_officer(parts, Role.PERSONALISATION_OPERATOR)
        self.dispatcher = an_officer(parts, Role.CODE_DISPATCHER)
        self.checker = an_officer(parts, Role.REGISTRATION_OFFICER)
        until = (now + timedelta(days=300)).date()
        ports = DeliveryPorts(
            FakeAddresses(FakeCpr(now)),
            FakeLogins(self.logins, {}),
            self.notifier,
            MappingProxyType(
                {
                    "card": FakeAttestation(until),
                    "soft-token": FakeAttestation(until, is_test_equipment=True),
                }
            ),
        )
        assessment = RiskAssessment(
            PROFILE, "RA-2026-4", "security board", until, (Channel.ONLINE, Channel.POST)
        )
        self.parts = replace(
            parts,
            delivery_ports=ports,
            decisions=Decisions(MappingProxyType(self.listed()), (assessment,)),
        )

    @property
    def staff(self) -> tuple[EnrolledOfficer, ...]:
        return self.proofer, self.approver, self.operator, self.dispatcher, self.checker

    def listed(self) -> dict[str, str]:
        """Whose signatures count: certificate to person."""
        return {
            each.certificate.fingerprint(hashes.SHA256()).hex(): each.officer.person_id
            for each in self.staff
        }

    def applied(
        self, number: str = NANCY, device: str | None = "card", profile: str = PROFILE
    ) -> Application:
        session, digests = shown(self.parts)
        answers: dict[str, dict[str, object]] = {
            kind: {"read": True, "accepted": True, "sha256": each} for kind, each in digests.items()
        }
        request = a_new_request_der()
        new = NewApplication(
            profile=profile,
            attributes=claimed(number),
            request=request,
            acceptances=answers,
            publication_consent=False,
            session=session,
            device=device,
            attestation=FakeAttestation.attest(_spki_sha256(request)),
            contact=Contact(phone=PhoneNumber(PHONE)),
        )
        return open_application(self.parts, new, utc_now())[0]

    def vetted(self, number: str = NANCY) -> Application:
        application = self.applied(number)
        officer = self.proofer.officer
        record_document(self.parts, application.id, passport_of(number), officer, utc_now())
        return conclude_proofing(self.parts, application.id, officer, utc_now())

    def approved(self, number: str = NANCY) -> Application:
        """Proven, with the proofing signed, and approved."""
        return self.signed(self.vetted(number))

    def signed(self, application: Application) -> Application:
        """The proofing signed by who proved, and the package by who approves."""
        hand = self.hand(self.proofer, Task.PROOFING, application)
        record_duty(self.parts, application.id, Task.PROOFING, hand, utc_now())
        signature = self.approver.sign(application_package(application))
        return approve_application(
            self.parts, application.id, signature, self.approver.officer, utc_now()
        )

    def prepared(self, number: str = NANCY) -> Application:
        return self.personalised(self.approved(number))

    def personalised(self, application: Application) -> Application:
        hand = self.hand(self.operator, Task.PERSONALISATION, application)
        prepare_credential(self.parts, application.id, Channel.ONLINE, hand, utc_now())
        return application

    def delivered(self, number: str = NANCY) -> tuple[Application, str]:
        """Prepared, and its code sent to the holder's telephone."""
        return self.sent(self.prepared(number))

    def sent(self, application: Application) -> tuple[Application, str]:
        hand = self.hand(self.dispatcher, Task.CODE_DISPATCH, application)
        sent = dispatch_code(self.parts, application.id, CodeChannel.SMS, hand, utc_now())
        return application, self.code_of(sent.code_id)

    def code_of(self, code_id: str) -> str:
        return self.notifier.sent[code_id].text.value.removeprefix("Tillid ")

    def hand(self, who: EnrolledOfficer, task: Task, application: Application) -> Hand:
        stands = self.parts.applications.get(application.id)
        return Hand(who.officer, who.sign(duty_statement(task, stands)))

    def login(self, application: Application, number: str = NANCY, **changes: object) -> str:
        """A login at High of this person, that answers to the present code."""
        credential = self.parts.credentials.get(application.id)
        assert credential is not None
        assert credential.code_id is not None
        answer = f"answer-{len(self.logins)}"
        found = Login("login", "c", AssuranceLevel.HIGH, utc_now(), True, "00", CprNumber(number))  # noqa: FBT003
        found = replace(found, factors=(Factor.POSSESSION, Factor.KNOWLEDGE))
        self.logins[answer, credential.code_id] = replace(found, **changes)  # type: ignore[arg-type]
        return answer

    def activated(self, number: str = NANCY) -> Application:
        application, code = self.delivered(number)
        claim = Claim(code, self.login(application, number), receipt=True)
        return activate(self.parts, application.id, claim, utc_now())

    def with_printer(self, folder: Path) -> rsa.RSAPrivateKey:
        """Let letters be printed; gives the printer's key."""
        key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "printer")])
        usage = x509.KeyUsage(False, False, True, False, False, False, False, False, False)  # noqa: FBT003
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), 7)
            .not_valid_before(utc_now() - timedelta(days=1))
            .not_valid_after(utc_now() + timedelta(days=9))
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        path = folder / "printer.pem"
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        delivery = self.parts.settings.delivery.model_copy(update={"printer_certificate": path})
        settings = self.parts.settings.model_copy(update={"delivery": delivery})
        self.parts = replace(self.parts, settings=settings)
        return key


def asked_with_card() -> Asked:
    """A request for the key of a new card, which attests it."""
    request = a_new_request_der()
    attestation = FakeAttestation.attest(_spki_sha256(request))
    return Asked(request, device="card", attestation=attestation)


def _spki_sha256(request_der: bytes) -> str:
    from ca.requests import parse_request  # noqa: PLC0415 - used here alone

    return parse_request(request_der).spki_sha256
