"""What the database refuses about applications, approvals and officers: four eyes."""

from ra.applications import STEPS
from records.triggers import Guard, changed, same_row

_FINAL = ", ".join(f"'{state}'" for state, further in STEPS.items() if not further)
_STEP = " OR ".join(
    f"(OLD.state = '{state}' AND NEW.state = '{further}')"
    for state, reached in STEPS.items()
    for further in sorted(reached)
)
_HAS_CERTIFICATE = "EXISTS (SELECT 1 FROM officer_certificate c WHERE c.officer_id = NEW.id)"
_OWN_GOOD_CERTIFICATE = (
    "EXISTS (SELECT 1 FROM certificate c JOIN officer o ON o.subject_id = c.subject_id"
    " WHERE c.fingerprint = NEW.fingerprint AND c.issuer = NEW.issuer AND c.serial = NEW.serial"
    " AND c.status = 'issued' AND o.id = NEW.officer_id AND o.state <> 'ended')"
)

_APPROVAL_GUARDS = (
    Guard(
        "RA01",
        "approval",
        "INSERT",
        "EXISTS (SELECT 1 FROM application a WHERE a.id = NEW.application_id"
        " AND (a.proofing_person IS NULL OR a.proofing_person = NEW.person_id))",
        "the officer who approves is another person than the one who vetted",
    ),
    Guard(
        "RA02",
        "approval",
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM application a WHERE a.id = NEW.application_id"
        " AND a.state = 'verified' AND a.package_sha256 = NEW.package_sha256)",
        "an approval is for exactly the package that was vetted",
    ),
    Guard(
        "RA03",
        "approval",
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM officer o WHERE o.id = NEW.officer_id"
        " AND o.person_id = NEW.person_id AND o.role = 'approving_officer'"
        " AND o.state = 'active')",
        "only an active approving officer approves",
    ),
    Guard(
        "RA04",
        "approval",
        "INSERT",
        same_row("approval", "application_id", "package_sha256"),
        "an approval is never written over another",
    ),
    Guard("RA04", "approval", "UPDATE", "1 = 1", "an approval does not change"),
    Guard(
        "RA04",
        "approval",
        "DELETE",
        "EXISTS (SELECT 1 FROM application a JOIN subject s ON s.id = a.subject_id"
        " WHERE a.id = OLD.application_id AND s.state <> 'erasing')",
        "an approval is deleted only in the erasure of its subject",
    ),
)
_APPLICATION_GUARDS = (
    Guard(
        "RA05",
        "application",
        "UPDATE",
        f"OLD.state IN ({_FINAL})"
        f" AND ({changed('state', 'proofing_person', 'package_sha256', 'sealed_body')})",
        "a final state of an application is final",
    ),
    Guard(
        "RA06",
        "application",
        "UPDATE",
        "NEW.state IN ('approved', 'fulfilled') AND NOT EXISTS (SELECT 1 FROM approval v"
        " WHERE v.application_id = NEW.id AND v.package_sha256 = NEW.package_sha256)",
        "an application is approved only by a recorded approval of its package",
    ),
    Guard(
        "RA07",
        "application",
        "INSERT",
        f"{same_row('application', 'id')} OR NEW.state NOT IN ('draft', 'submitted')"
        " OR NEW.proofing_person IS NOT NULL OR NEW.package_sha256 IS NOT NULL",
        "an application begins with the applicant, before anyone has vetted it",
    ),
    Guard(
        "RA08",
        "application",
        "UPDATE",
        changed("id", "profile", "level", "subject_id", "spki_sha256", "secret_sha256")
        + " OR "
        + changed("created_at"),
        "what an application asks for, and who asks, does not change",
    ),
    Guard(
        "RA09",
        "application",
        "UPDATE",
        f"NEW.state <> OLD.state AND NOT ({_STEP})",
        "an application takes no step that leaves one out",
    ),
    Guard(
        "RA10",
        "application",
        "UPDATE",
        "OLD.state IN ('verified', 'approved')"
        f" AND ({changed('proofing_person', 'package_sha256')})",
        "who vetted an application, and what was vetted, does not change afterwards",
    ),
    Guard(
        "RA11",
        "application",
        "DELETE",
        "EXISTS (SELECT 1 FROM subject s WHERE s.id = OLD.subject_id AND s.state <> 'erasing')",
        "an application is deleted only in the erasure of its subject",
    ),
    Guard(
        "RA12",
        "certificate",
        "INSERT",
        "(NEW.application_id IS NOT NULL OR EXISTS (SELECT 1 FROM subject s"
        " WHERE s.id = NEW.subject_id AND s.kind = 'natural_person'))"
        " AND NOT EXISTS (SELECT 1 FROM application a JOIN approval v ON v.application_id = a.id"
        " AND v.package_sha256 = a.package_sha256 WHERE a.id = NEW.application_id"
        " AND a.state = 'approved' AND a.subject_id = NEW.subject_id"
        " AND a.spki_sha256 = NEW.spki_sha256 AND a.profile = NEW.profile)",
        "a certificate for a person comes only from an approved application",
    ),
    Guard(
        "RA13",
        "certificate",
        "INSERT",
        "EXISTS (SELECT 1 FROM certificate c WHERE c.application_id = NEW.application_id"
        " AND (c.status = 'intent' OR c.issued_at IS NOT NULL))",
        "an application leads to one certificate",
    ),
)
_OFFICER_GUARDS = (
    Guard(
        "RA14",
        "officer",
        "INSERT",
        f"{same_row('officer', 'id')} OR NEW.state <> 'invited'",
        "an officer begins with an invitation",
    ),
    Guard(
        "RA14",
        "officer",
        "UPDATE",
        f"{changed('id', 'person_id', 'role', 'subject_id', 'created_at')}"
        " OR (OLD.state = 'ended' AND NEW.state <> 'ended')"
        f" OR (NEW.state = 'active' AND NOT {_HAS_CERTIFICATE})",
        "who an officer is, and in which role, does not change",
    ),
    Guard("RA14", "officer", "DELETE", "1 = 1", "an officer is ended, not deleted"),
    Guard(
        "RA15",
        "officer_certificate",
        "INSERT",
        f"{same_row('officer_certificate', 'fingerprint')} OR NOT {_OWN_GOOD_CERTIFICATE}",
        "an officer is bound to a good certificate of the officer alone",
    ),
    Guard(
        "RA15",
        "officer_certificate",
        "UPDATE",
        "1 = 1",
        "the binding of a certificate to an officer does not change",
    ),
    Guard(
        "RA15",
        "officer_certificate",
        "DELETE",
        "1 = 1",
        "the binding of a certificate to an officer is not deleted",
    ),
)
RA_GUARDS = (*_APPROVAL_GUARDS, *_APPLICATION_GUARDS, *_OFFICER_GUARDS)
