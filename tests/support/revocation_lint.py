"""The findings of pkilint at NOTICE or above, as `severity code` lines."""

from pkilint import loader, pkix
from pkilint.document import Document
from pkilint.pkix import crl, extension, name, ocsp
from pkilint.validation import ValidationFindingSeverity, Validator, ValidatorContainer


def findings_in_crl(octets: bytes) -> list[str]:
    judge = crl.create_pkix_crl_validator_container(
        _decoders(),
        [
            crl.create_issuer_validator_container([]),
            crl.create_validity_validator_container([]),
            crl.create_extensions_validator_container([]),
        ],
    )
    document = loader.RFC5280CertificateListDocumentLoader().load_der_document(octets)
    return _findings(judge, document)


def findings_in_ocsp_response(octets: bytes) -> list[str]:
    judge = ocsp.create_pkix_ocsp_response_validator_container(
        [ocsp.create_response_decoder(), *_decoders()], []
    )
    document = loader.RFC6960OCSPResponseDocumentLoader().load_der_document(octets)
    return _findings(judge, document)


def _decoders() -> list[Validator]:
    return [
        pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
        pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
    ]


def _findings(judge: ValidatorContainer, document: Document) -> list[str]:
    return [
        f"{finding.finding.severity.name} {finding.finding.code}"
        for result in judge.validate(document.root)
        for finding in result.finding_descriptions
        if finding.finding.severity <= ValidationFindingSeverity.NOTICE
    ]
