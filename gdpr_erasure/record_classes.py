"""The classes of records that hold personal data, each with its own reason to be kept and its end.

They are those of the retention table of the NSIS catalogue, and what data-subject cases add.
"""

from enum import StrEnum


class RecordClass(StrEnum):
    """What a record is, for retention, access reports and the record of processing."""

    CERTIFICATE_BODY = "certificate_body"
    PROOFING_EVIDENCE = "proofing_evidence"
    AGREEMENT_FILE = "agreement_file"
    CERTIFICATE_LIFECYCLE = "certificate_lifecycle"
    REVOCATION_REQUEST = "revocation_request"
    ADMINISTRATIVE_ACT = "administrative_act"
    ACCESS_LOG = "access_log"
    REFUSED_APPLICATION = "refused_application"
    CONTACT = "contact"
    PUBLICATION = "publication"
    CONSENT = "consent"
    CASE_FILE = "case_file"
    DELIVERY = "delivery"
    OFFICER_IDENTITY = "officer_identity"
