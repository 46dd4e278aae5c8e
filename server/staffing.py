"""How officers come to their certificates: invited by the operator, enrolled by a one-time link."""

from dataclasses import replace
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ca.issuance import CertificateOrder, issue, prepare
from ca.names import SubjectName
from ca.profiles import load_profile
from ca.requests import parse_request
from records.officers import Officer
from server.assembly import Assembly


def enrol_officer(
    parts: Assembly, token: str, request: bytes, now: datetime
) -> tuple[Officer, x509.Certificate]:
    """Certify the key of an invited officer under the pseudonym; the link is used up.

    Raises:
        MalformedRequest, Refused: the request or its key; the link can still be used.
        LinkUsed: the link cannot be used (any more).
    """
    parsed = parse_request(request)
    profile = load_profile("staff")
    issuing = parts.issuing(profile)
    officer = parts.officers.redeem(token, "enrolment", now)
    organisation = dict(SubjectName.from_x509(issuing.subject).attributes)
    subject = SubjectName.of(
        [
            ("C", organisation["C"]),
            ("O", organisation["O"]),
            ("CN", f"{officer.role.label} {officer.id.removeprefix('officer-')}"),
            ("pseudonym", officer.id),
        ]
    )
    order = CertificateOrder(profile, subject, parsed.public_key, subject_id=officer.subject_id)
    prepared = prepare(order, issuing, now, parts.settings.serial.node)
    certificate = issue(prepared, parts.certificates, officer.id, now)
    parts.officers.enrol(officer.id, issuing.name, certificate, now)
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
    return replace(officer, certificate=fingerprint), certificate
