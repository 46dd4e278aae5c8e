"""The tables, one file for each room; every one of them is known here.

Operational columns stand in clear; a column called `sealed_...` holds personal data.

Sealed columns are written and read through `records.personal_data` only. Serial numbers are
lower-case hexadecimal, times are microseconds since 1970 (UTC).

In SQLite a table without an integer key is made WITHOUT ROWID: a hidden row number is a second way
to name a row, and REPLACE by it would take rows away past every trigger.
"""

from records.tables.audit import audit_event, audit_head, audit_payload, audit_retention
from records.tables.base import metadata
from records.tables.cases import erasure
from records.tables.certificates import (
    bulk_certificate,
    bulk_revocation,
    certificate,
    revocation_residue,
)
from records.tables.directories import publication
from records.tables.issuers import compromised_key, issuer, issuer_certificate
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
from records.tables.registration import application, approval
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
    "alarm",
    "application",
    "approval",
    "audit_event",
    "audit_head",
    "audit_payload",
    "audit_retention",
    "bulk_certificate",
    "bulk_revocation",
    "case_approval",
    "case_delivery",
    "case_file",
    "case_part",
    "certificate",
    "compromised_key",
    "crl",
    "crl_piece",
    "data_key",
    "derivation",
    "derivation_review",
    "doomed_key",
    "erasure",
    "failed_attempt",
    "issuer",
    "issuer_certificate",
    "job_run",
    "lease",
    "metadata",
    "ocsp_response",
    "officer",
    "officer_certificate",
    "officer_session",
    "one_time_link",
    "presentation",
    "proofing_nonce",
    "publication",
    "resolution",
    "revocation_residue",
    "status_change",
    "status_observation",
    "status_visible",
    "subject",
    "subject_case",
    "training",
    "vault_seal",
]
