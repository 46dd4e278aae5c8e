"""Attacks on applications, approvals and officers, by the code that refuses."""

from tests.support.attacks_pki import intent_for
from tests.support.story_sql import copied, over


def approval(application: str = "verified", officer: str = "approver", **changes: str) -> str:
    values = {
        "application_id": f":{application}_application",
        "officer_id": f":{officer}",
        "person_id": f":{officer}_person",
        "package_sha256": f":{application}_package",
        "sealed_package": "sealed_package",
        "signature": "signature",
        "at": "at",
        **changes,
    }
    return copied("approval", "application_id = :approved_application", **values)


REGISTRATION_ATTACKS = {
    "RA01": (approval(officer="double"),),
    "RA02": (
        approval(package_sha256="'00'"),
        approval(application="rejected", package_sha256="'00'"),
        approval(application_id="'A-AAAAAAAAAA'"),
    ),
    "RA03": (
        approval(officer="other_officer"),
        approval(officer="ended"),
        approval(officer="invited"),
        approval(person_id="'somebody'"),
    ),
    "RA04": (
        *over(
            "approval",
            "application_id = :half_approved_application",
            "application_id, package_sha256",
            "at = 9",
            signature="sealed_package",
        ),
        "UPDATE approval SET signature = sealed_package",
        "DELETE FROM approval WHERE application_id = :approved_application",
    ),
    "RA05": (
        (
            "UPDATE application SET sealed_body = sealed_body || sealed_body"
            " WHERE id = :rejected_application"
        ),
        "UPDATE application SET package_sha256 = '00' WHERE id = :rejected_application",
    ),
    "RA06": ("UPDATE application SET state = 'approved' WHERE id = :verified_application",),
    "RA07": (
        copied(
            "application",
            "id = :submitted_application",
            id="'A-AAAAAAAAAA'",
            state="'verified'",
            proofing_person="'x'",
        ),
        copied(
            "application",
            "id = :approved_application",
            id="'A-AAAAAAAAAA'",
        ),
        copied(
            "application",
            "id = :submitted_application",
            id="'A-AAAAAAAAAA'",
            package_sha256="'00'",
        ),
        *over("application", "id = :submitted_application", "id", "level = 'high'"),
    ),
    "RA08": tuple(
        f"UPDATE application SET {change} WHERE id = :submitted_application"  # noqa: S608
        for change in (
            "id = 'A-AAAAAAAAAA'",
            "subject_id = :verified_subject",
            "spki_sha256 = '00'",
            "secret_sha256 = '00'",
            "profile = 'staff'",
            "level = 'high'",
        )
    ),
    "RA09": (
        "UPDATE application SET state = 'verified' WHERE id = :submitted_application",
        "UPDATE application SET state = 'submitted' WHERE id = :verified_application",
        "UPDATE application SET state = 'unheard-of' WHERE id = :submitted_application",
    ),
    "RA10": (
        "UPDATE application SET proofing_person = 'x' WHERE id = :verified_application",
        "UPDATE application SET package_sha256 = '00' WHERE id = :verified_application",
        "UPDATE application SET proofing_person = NULL WHERE id = :approved_application",
    ),
    "RA11": ("DELETE FROM application WHERE id = :rejected_application",),
    "RA12": (
        intent_for("verified"),
        intent_for("half_approved"),
        intent_for("approved", application_id="NULL"),
        intent_for("approved", spki_sha256="'00'"),
        intent_for("approved", profile="'staff'"),
        intent_for("approved", subject_id=":officer_subject"),
    ),
    "RA13": (intent_for("live", spki_sha256="spki_sha256"),),
    "RA14": (
        copied("officer", "id = :approver", id="'officer-00000000'"),
        *over("officer", "id = :invited", "id", "role = 'auditor'"),
        "UPDATE officer SET role = 'approving_officer' WHERE id = :proofer",
        "UPDATE officer SET person_id = 'somebody' WHERE id = :double",
        "UPDATE officer SET state = 'active' WHERE id = :ended",
        "UPDATE officer SET state = 'active' WHERE id = :invited",
        "DELETE FROM officer WHERE id = :ended",
    ),
    "RA15": (
        copied(
            "officer_certificate",
            "officer_id = :approver",
            fingerprint=":stray_fingerprint",
            serial=":stray_serial",
        ),
        copied(
            "officer_certificate",
            "officer_id = :other_officer",
            fingerprint=":revoked_staff_fingerprint",
            serial=":revoked_staff_serial",
        ),
        copied(
            "officer_certificate",
            "officer_id = :ended",
            fingerprint=":stray_fingerprint",
            serial=":stray_serial",
        ),
        *over("officer_certificate", "officer_id = :approver", "fingerprint", "serial = '01'"),
        "UPDATE officer_certificate SET officer_id = :proofer WHERE officer_id = :approver",
        "DELETE FROM officer_certificate WHERE officer_id = :ended",
    ),
}
