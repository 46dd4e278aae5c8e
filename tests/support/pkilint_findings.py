"""What pkilint says about a certificate, in process, with the validators of lint_pkix_cert."""

from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pkilint import loader
from pkilint.pkix import certificate, extension, name
from pkilint.validation import ValidationFindingSeverity, ValidatorContainer


def pkilint_findings(
    linted: x509.Certificate, least: ValidationFindingSeverity = ValidationFindingSeverity.NOTICE
) -> set[str]:
    """The codes of the findings at that severity or above."""
    document = loader.load_certificate(linted.public_bytes(Encoding.DER), "certificate")
    return {
        described.finding.code
        for result in _validator().validate(document.root)
        for described in result.finding_descriptions
        if described.finding.severity <= least
    }


@cache
def _validator() -> ValidatorContainer:
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
