"""The authenticator (NSIS Akkreditiv, 3.2.1) of a live application, as recorded facts.

Where the key lives is what an attestation says that chains to an approved root. What is not on
record is taken for the least that it can be: a key that its holder made in software.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256

from ra.attestations import AttestationVerifier, KeyOrigin, NotAttested, device_part
from ra.case import AuthenticatorPart, Channel
from ra.case_authenticator import SOFTWARE_KEY
from ra.errors import Refused
from ra.requirements import finding
from ra.sources import SourceCatalogue


@dataclass(frozen=True, slots=True)
class RiskAssessment:
    """A dated risk assessment of a profile's authenticator, approved (ISS-STR-S2b).

    `delivery` are the ways of delivery that it covers (ISS-DEL-S2a).
    """

    profile: str
    reference: str
    approved_by: str
    valid_until: date
    """Its last day (UTC)."""
    delivery: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthenticatorRecord:
    """What is on record of the authenticator: where its key lives, and who assessed its kind."""

    origin: KeyOrigin
    source_id: str
    """The verifier, as the catalogue of authoritative sources knows it."""
    attestation_sha256: str
    verified_at: datetime
    assessment: RiskAssessment | None = None


def examine_authenticator(
    attestation: bytes,
    spki_sha256: str,
    verifier: AttestationVerifier,
    assessment: RiskAssessment | None,
    now: datetime,
) -> AuthenticatorRecord:
    """The record of a key whose attestation holds.

    Raises: Refused (ISS-STR-H5) when it attests nothing about this key.
    """
    origin = verifier.verify(attestation, spki_sha256, now)
    if isinstance(origin, NotAttested) or origin.spki_sha256 != spki_sha256:
        raise Refused((finding("ISS-STR-H5", "KEY_ATTESTATION_MISSING"),))
    digest = sha256(attestation).hexdigest()
    return AuthenticatorRecord(origin, verifier.source_id, digest, now, assessment)


def authenticator_part(
    record: AuthenticatorRecord | None, catalogue: SourceCatalogue | None, now: datetime
) -> AuthenticatorPart:
    """The recorded authenticator as facts at this moment; a device certificate may have ended.

    An attestation by a verifier that the catalogue does not approve shows nothing. What the
    catalogue says of the device itself stands in place of a certificate: an assessment that it is
    equal (ISS-STR-H3c), or the evidence on a telephone (H3d). Without a catalogue, as before an
    application reaches the registers, all of that is judged later.
    """
    if record is None:
        return SOFTWARE_KEY
    if catalogue is not None and not catalogue.approves(record.source_id, now):
        return SOFTWARE_KEY
    assessed = record.assessment is not None and now.date() <= record.assessment.valid_until
    part = replace(device_part(record.origin, now), risk_assessment=assessed)
    if part.test_token:
        return part
    if catalogue is None:
        return replace(part, equivalence_analysis=True)
    device = f"{record.origin.product}/{record.origin.version}"
    return replace(
        part,
        equivalence_analysis=catalogue.assessed_equal(device, now),
        mobile_criteria=catalogue.telephone_criteria(device, now),
    )


def assessment_of(
    profile: str, assessments: Iterable[RiskAssessment], now: datetime
) -> RiskAssessment | None:
    """The assessment of a profile that is valid longest; None when none is valid today."""
    valid = [each for each in assessments if each.profile == profile]
    valid = [each for each in valid if now.date() <= each.valid_until]
    return max(valid, key=lambda each: each.valid_until, default=None)
