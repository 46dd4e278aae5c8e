"""What pkilint says about a certificate: PKIX for all, ETSI and S/MIME where claimed."""

from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pkilint import etsi, loader
from pkilint.cabf import smime
from pkilint.etsi.etsi_constants import CertificateType
from pkilint.pkix import certificate, extension, name
from pkilint.validation import ValidationFindingSeverity, ValidatorContainer

_NATURAL = CertificateType.NCP_NATURAL_PERSON_CERTIFICATE
_LEGAL = CertificateType.NCP_LEGAL_PERSON_CERTIFICATE
CLAIMS = {
    "employee": _NATURAL,
    "legal-person-seal": _LEGAL,
    "natural-person-high": _NATURAL,
    "natural-person-low": _NATURAL,
    "natural-person-substantial": _NATURAL,
    "smime": _NATURAL,
}
"""The profiles of persons, and which kind of certificate under NCP of EN 319 411-1 they are."""

WAIVED = {
    "etsi.en_319_412_2.nat-4.3.2-1.mixed_key_usage_setting": (
        "A should of EN 319 412-2: one card both signs in and signs documents, with one key, as the"
        " holders of natural-person and employee certificates do with theirs."
    ),
    "cabf.smime.no_required_reserved_policy_oid": (
        "The profile smime keeps what the S/MIME BR ask of INDIVIDUAL-STRICT certificates, but its"
        " policy is our own: only an authority audited for them may name theirs."
    ),
}
"""The findings at NOTICE or above that are accepted, each with its reason."""


def pkilint_findings(
    linted: x509.Certificate, least: ValidationFindingSeverity = ValidationFindingSeverity.NOTICE
) -> set[str]:
    """The codes of the findings of the PKIX linter at that severity or above."""
    return _findings(_pkix(), linted, least)


def claimed_findings(linted: x509.Certificate, profile: str) -> set[str]:
    """What every linter of the standards that a profile claims finds, and is not waived."""
    found = pkilint_findings(linted)
    least = ValidationFindingSeverity.NOTICE
    if profile in CLAIMS:
        found |= _findings(_etsi(CLAIMS[profile]), linted, least)
    if profile == "smime":
        found |= _findings(_smime(), linted, least)
    return found


def _findings(
    judge: ValidatorContainer, linted: x509.Certificate, least: ValidationFindingSeverity
) -> set[str]:
    document = loader.load_certificate(linted.public_bytes(Encoding.DER), "certificate")
    return {
        described.finding.code
        for result in judge.validate(document.root)
        for described in result.finding_descriptions
        if described.finding.severity <= least
    }


@cache
def _pkix() -> ValidatorContainer:
    return certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(
            name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS
        ),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )


@cache
def _etsi(kind: CertificateType) -> ValidatorContainer:
    return certificate.create_pkix_certificate_validator_container(
        etsi.create_decoding_validators(kind), etsi.create_validators(kind)
    )


@cache
def _smime() -> ValidatorContainer:
    constants = smime.smime_constants
    return certificate.create_pkix_certificate_validator_container(
        smime.create_decoding_validators(),
        smime.create_subscriber_validators(
            constants.ValidationLevel.INDIVIDUAL, constants.Generation.STRICT
        ),
    )
