"""Who asks: an identity proved at the level of the person's strongest certificate, or not at all.

What a requester knows about the person proves nothing: whoever wants the data may know it, too.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gdpr_erasure.case_errors import CaseRefused
from ra.levels import AssuranceLevel

WITHOUT_APPLICATION = AssuranceLevel.SUBSTANTIAL
"""Asked of a person whom no application proved, such as an officer."""


class ProofMethod(StrEnum):
    """How an identity is proved."""

    CERTIFICATE = "certificate"
    """The person's own certificate, presented with its key, whose status is good at that moment."""
    DESK = "desk"
    """In person before an officer, with a reference to the evidence that was seen."""
    CREDENTIAL = "credential"
    """An electronic identification of another issuer, with a reference to its answer."""


@dataclass(frozen=True, slots=True)
class IdentityProof:
    """One proof; `by` is the person who took it, `place` issuer and serial of a certificate."""

    method: ProofMethod
    level: AssuranceLevel
    at: datetime
    by: str | None = None
    place: tuple[str, str] | None = None


def required_level(levels: frozenset[AssuranceLevel]) -> AssuranceLevel:
    """What is asked of somebody whose certificates and applications are at these levels."""
    return max(levels, default=WITHOUT_APPLICATION)


def check_level(level: AssuranceLevel, required: AssuranceLevel) -> None:
    """CaseRefused unless the proof reaches the level that is asked for."""
    if level < required:
        raise CaseRefused(
            "GDPR 12(6)",
            f"the identity is proved at {level.label}, and the certificates of the person are at"
            f" {required.label}",
            f"Ask for a proof at {required.label}: a certificate, or in person at a desk.",
        )


def check_evidence(method: ProofMethod, reference: str) -> None:
    """CaseRefused for a proof before an officer that names nothing that was seen."""
    if method is not ProofMethod.CERTIFICATE and not reference.strip():
        raise CaseRefused(
            "NSIS REG-IDN-L5",
            "a proof of identity names the evidence that was seen",
            "Give its reference: the document and check, or the answer of the other issuer.",
        )
