"""What an approving officer signs of a mandate, and the approval of it (REG-IDL-S6a, four eyes)."""

import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime

from ra.approvals import SignatureVerifier
from ra.documents import to_document
from ra.errors import Conflict, Refused, SignatureInvalid
from ra.evidence import Officer
from ra.mandates import Mandate, MandateState, step
from ra.package import canonical_json, package_hash
from ra.requirements import finding

MANDATE_FORMAT = "tillid-mandate-package/1"


@dataclass(frozen=True, slots=True)
class MandateApproval:
    """A second officer's approval; the signature is a detached CMS SignedData in DER."""

    officer: str
    person_id: str
    package_hash: str
    signature: bytes = field(repr=False)
    at: datetime


def mandate_package(mandate: Mandate, salt: bytes) -> bytes:
    """The package of a verified mandate: JSON, keys sorted, UTF-8, no spaces.

    What may name somebody stands there as a commitment: HMAC-SHA-256 under the mandate's own
    salt. Raises: Conflict when it is not verified.
    """
    if mandate.checked_by is None or mandate.state is not MandateState.VERIFIED:
        raise Conflict(mandate.state)
    evidence = ("declaration", "extract", "documents", "power", "register")
    values = {name: getattr(mandate, name) for name in evidence}
    return canonical_json(
        {
            "format": MANDATE_FORMAT,
            "mandate": mandate.id,
            "company": mandate.company.value,
            "act": mandate.act.value,
            "level": mandate.level.label,
            "holder": mandate.holder,
            "registrant": to_document(mandate.registrant),
            "signatures": [to_document(each) for each in mandate.signatures],
            "route": None if mandate.route is None else mandate.route.value,
            "valid_until": None if mandate.valid_until is None else mandate.valid_until.isoformat(),
            "checked_by": mandate.checked_by.pseudonym,
            "evidence": {
                name: hmac.new(salt, canonical_json(to_document(value)), "sha256").hexdigest()
                for name, value in values.items()
                if value is not None
            },
        }
    )


def grant(
    mandate: Mandate,
    package: bytes,
    approval: MandateApproval,
    verifier: SignatureVerifier,
    now: datetime,
) -> Mandate:
    """Grant a verified mandate by a second officer's signature over its package.

    Raises: Conflict unless it is verified; Refused when the signature is not over this package,
    or the approver is who checked, who asks or who is to hold it.
    """
    granted = step(mandate, MandateState.GRANTED, now)
    first = mandate.checked_by
    if first is None or mandate.package_hash != package_hash(package):
        raise Refused((finding("ISS-DEL-L1", "ISSUANCE_NOT_LINKED", ("package",)),))
    try:
        signer = verifier.verify(approval.signature, package)
    except SignatureInvalid:
        raise Refused((finding("ISS-DEL-L1", "ISSUANCE_NOT_LINKED", ("signature",)),)) from None
    if (signer.officer, signer.person_id) != (approval.officer, approval.person_id):
        raise Refused((finding("ISS-DEL-L1", "ISSUANCE_NOT_LINKED", ("signer",)),))
    second = Officer(signer.officer, signer.person_id, signer.person_key)
    if second.is_same_person(first.person_id, first.person_key):
        raise Refused((finding("ISS-DEL-H4b", "SEPARATION_OF_DUTIES"),))
    concerned = {mandate.holder, mandate.registrant.subject_id}
    if second.person_id in concerned:
        raise Refused((finding("REG-IDN-L7", "OFFICER_IS_SUBJECT"),))
    return replace(granted, findings=())
