"""The tables, one file for each room; every one of them is known here.

Operational columns stand in clear; a column called `sealed_...` holds personal data.

Sealed columns are written and read through `records.personal_data` only. Serial numbers are
lower-case hexadecimal, times are microseconds since 1970 (UTC).

In SQLite a table without an integer key is made WITHOUT ROWID: a hidden row number is a second way
to name a row, and REPLACE by it would take rows away past every trigger.
"""

from records.tables.audit import audit_event, audit_head, audit_payload, audit_retention
from records.tables.base import metadata
from records.tables.cases import (
    directory_debt,
    erasure,
    erasure_approval,
    erasure_notice,
    erasure_receipt,
    retention_order,
)
from records.tables.certificates import (
    bulk_certificate,
    bulk_revocation,
    certificate,
    revocation_residue,
)
from records.tables.consents import consent, disclosure
from records.tables.delivery import (
    activation_code,
    credential,
    duty,
    print_job,
    revocation_secret,
)
from records.tables.directories import authority_publication, directory_check, publication
from records.tables.duties import revocation_duty
from records.tables.issuers import compromised_key, issuer, issuer_certificate
from records.tables.notices import holder_notice
from records.tables.organisations import (
    association,
    call_back,
    incident,
    mandate,
    mandate_signature,
    organisation,
    organisation_application,
)
from records.tables.people import (
    data_key,
    officer,
    officer_certificate,
    officer_session,
    one_time_link,
    subject,
)
from records.tables.persons import (
    derivation,
    derivation_review,
    failed_attempt,
    presentation,
    proofing_nonce,
    resolution,
    training,
)
from records.tables.registration import application, approval, renewal
from records.tables.status import crl, crl_piece, ocsp_response, status_change, status_observation
from records.tables.subject_cases import (
    case_approval,
    case_delivery,
    case_file,
    case_part,
    subject_case,
)
from records.tables.vault import doomed_key, vault_seal
from records.tables.watch import alarm, job_run, status_visible
from records.tables.work import lease

__all__ = [
    "activation_code",
    "alarm",
    "application",
    "approval",
    "association",
    "audit_event",
    "audit_head",
    "audit_payload",
    "audit_retention",
    "authority_publication",
    "bulk_certificate",
    "bulk_revocation",
    "call_back",
    "case_approval",
    "case_delivery",
    "case_file",
    "case_part",
    "certificate",
    "compromised_key",
    "consent",
    "credential",
    "crl",
    "crl_piece",
    "data_key",
    "derivation",
    "derivation_review",
    "directory_check",
    "directory_debt",
    "disclosure",
    "doomed_key",
    "duty",
    "erasure",
    "erasure_approval",
    "erasure_notice",
    "erasure_receipt",
    "failed_attempt",
    "holder_notice",
    "incident",
    "issuer",
    "issuer_certificate",
    "job_run",
    "lease",
    "mandate",
    "mandate_signature",
    "metadata",
    "ocsp_response",
    "officer",
    "officer_certificate",
    "officer_session",
    "one_time_link",
    "organisation",
    "organisation_application",
    "presentation",
    "print_job",
    "proofing_nonce",
    "publication",
    "renewal",
    "resolution",
    "retention_order",
    "revocation_duty",
    "revocation_residue",
    "revocation_secret",
    "status_change",
    "status_observation",
    "status_visible",
    "subject",
    "subject_case",
    "training",
    "vault_seal",
]
