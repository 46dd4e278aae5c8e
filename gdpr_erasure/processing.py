"""What each class of records is processed for, and on which basis (GDPR Art. 5, 6, 30).

The columns of the database name their class; access reports, the privacy notice and the record of
processing read the rest here, so that none of them can say anything else than the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from gdpr_erasure.record_classes import RecordClass


class Basis(StrEnum):
    """The lawfulness of processing, GDPR Art. 6(1)."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    LEGITIMATE_INTERESTS = "legitimate_interests"


class Purpose(StrEnum):
    """Why personal data is processed (GDPR Art. 5(1)(b))."""

    CERTIFY = "certify"
    PROVE_IDENTITY = "prove_identity"
    KEEP_AGREEMENT = "keep_agreement"
    TELL_STATUS = "tell_status"
    DECIDE_REVOCATION = "decide_revocation"
    ACCOUNT_FOR_ACTS = "account_for_acts"
    WATCH_ACCESS = "watch_access"
    EXPLAIN_REFUSAL = "explain_refusal"
    REACH_PERSON = "reach_person"
    PUBLISH = "publish"
    PROVE_CONSENT = "prove_consent"
    ANSWER_RIGHTS = "answer_rights"
    DELIVER_ANSWER = "deliver_answer"
    KNOW_OFFICERS = "know_officers"


class Source(StrEnum):
    """Where data about a person comes from (GDPR Art. 15(1)(g))."""

    DATA_SUBJECT = "data_subject"
    OFFICER = "officer"
    REGISTER = "register"
    SYSTEM = "system"


class Recipient(StrEnum):
    """To whom data is or can be disclosed, by category (GDPR Art. 4(9), 15(1)(c))."""

    OFFICERS = "officers"
    AUDITORS = "auditors"
    REGISTERS = "registers"
    DIRECTORIES = "directories"
    RELYING_PARTIES = "relying_parties"


class Rule(StrEnum):
    """The rules of retention that a class can have; the names are those of the policies."""

    CALENDAR_YEAR_PLUS = "calendar_year_plus"
    YEARS_AFTER_END = "years_after_end"
    KEEP_UNTIL_EXPIRY = "keep_until_expiry"
    DAYS = "days"
    CONSENT_ONLY = "consent_only"
    UNTIL_DECIDED = "until_decided"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long: a rule, and its number of years or days (0 where it has none)."""

    rule: Rule
    number: int = 0


@dataclass(frozen=True, slots=True)
class Processing:
    """One class of records as the record of processing describes it.

    `retention` is how long it is kept where no policy keeps it longer: `gdpr_erasure.periods` joins
    the two.
    """

    purpose: Purpose
    basis: Basis
    sources: tuple[Source, ...]
    recipients: tuple[Recipient, ...]
    retention: Retention

    @property
    def is_portable(self) -> bool:
        """Whether what the person provided of it can be taken along (GDPR Art. 20(1))."""
        return self.basis in {Basis.CONSENT, Basis.CONTRACT}


_WITH_CREDENTIAL = Retention(Rule.KEEP_UNTIL_EXPIRY)
_STAFF = (Recipient.OFFICERS, Recipient.AUDITORS)
_SUBJECT, _OFFICER, _REGISTER, _SYSTEM = (
    Source.DATA_SUBJECT,
    Source.OFFICER,
    Source.REGISTER,
    Source.SYSTEM,
)

PROCESSING: Mapping[RecordClass, Processing] = MappingProxyType(
    {
        RecordClass.CERTIFICATE_BODY: Processing(
            Purpose.CERTIFY,
            Basis.CONTRACT,
            (_SUBJECT, _SYSTEM),
            (*_STAFF, Recipient.RELYING_PARTIES),
            _WITH_CREDENTIAL,
        ),
        RecordClass.PROOFING_EVIDENCE: Processing(
            Purpose.PROVE_IDENTITY,
            Basis.CONTRACT,
            (_SUBJECT, _OFFICER, _REGISTER),
            (*_STAFF, Recipient.REGISTERS),
            _WITH_CREDENTIAL,
        ),
        RecordClass.AGREEMENT_FILE: Processing(
            Purpose.KEEP_AGREEMENT,
            Basis.CONTRACT,
            (_SUBJECT,),
            _STAFF,
            _WITH_CREDENTIAL,
        ),
        RecordClass.CERTIFICATE_LIFECYCLE: Processing(
            Purpose.TELL_STATUS,
            Basis.LEGITIMATE_INTERESTS,
            (_SYSTEM, _OFFICER),
            (*_STAFF, Recipient.RELYING_PARTIES),
            _WITH_CREDENTIAL,
        ),
        RecordClass.REVOCATION_REQUEST: Processing(
            Purpose.DECIDE_REVOCATION,
            Basis.CONTRACT,
            (_SUBJECT, _OFFICER),
            _STAFF,
            _WITH_CREDENTIAL,
        ),
        RecordClass.ADMINISTRATIVE_ACT: Processing(
            Purpose.ACCOUNT_FOR_ACTS,
            Basis.LEGAL_OBLIGATION,
            (_SYSTEM,),
            _STAFF,
            _WITH_CREDENTIAL,
        ),
        RecordClass.ACCESS_LOG: Processing(
            Purpose.WATCH_ACCESS,
            Basis.LEGAL_OBLIGATION,
            (_SYSTEM,),
            (Recipient.AUDITORS,),
            _WITH_CREDENTIAL,
        ),
        RecordClass.REFUSED_APPLICATION: Processing(
            Purpose.EXPLAIN_REFUSAL,
            Basis.LEGITIMATE_INTERESTS,
            (_SUBJECT, _OFFICER, _REGISTER),
            _STAFF,
            _WITH_CREDENTIAL,
        ),
        RecordClass.CONTACT: Processing(
            Purpose.REACH_PERSON,
            Basis.CONTRACT,
            (_SUBJECT,),
            (Recipient.OFFICERS,),
            _WITH_CREDENTIAL,
        ),
        RecordClass.PUBLICATION: Processing(
            Purpose.PUBLISH,
            Basis.CONSENT,
            (_SYSTEM,),
            (Recipient.DIRECTORIES, Recipient.RELYING_PARTIES),
            Retention(Rule.CONSENT_ONLY),
        ),
        RecordClass.CONSENT: Processing(
            Purpose.PROVE_CONSENT,
            Basis.LEGAL_OBLIGATION,
            (_SUBJECT,),
            _STAFF,
            _WITH_CREDENTIAL,
        ),
        RecordClass.CASE_FILE: Processing(
            Purpose.ANSWER_RIGHTS,
            Basis.LEGAL_OBLIGATION,
            (_SUBJECT, _OFFICER),
            _STAFF,
            _WITH_CREDENTIAL,
        ),
        RecordClass.DELIVERY: Processing(
            Purpose.DELIVER_ANSWER,
            Basis.LEGAL_OBLIGATION,
            (_SYSTEM,),
            (),
            Retention(Rule.DAYS, 32),
        ),
        RecordClass.OFFICER_IDENTITY: Processing(
            Purpose.KNOW_OFFICERS,
            Basis.LEGAL_OBLIGATION,
            (_SUBJECT, _SYSTEM),
            _STAFF,
            _WITH_CREDENTIAL,
        ),
    }
)
