"""Which tables hold something about a person, how the person's rows are found, and how they open.

A test asks for every table with personal data whether it is a room here or is left out by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sqlalchemy import ColumnElement, Select, Table, exists, select

from gdpr_erasure.processing import Source
from gdpr_erasure.record_classes import RecordClass
from records.person_fields import (
    Field,
    application_fields,
    certificate_fields,
    file_fields,
    json_fields,
)
from records.tables import (
    application,
    approval,
    association,
    case_approval,
    case_file,
    certificate,
    consent,
    credential,
    derivation,
    derivation_review,
    disclosure,
    duty,
    erasure,
    erasure_approval,
    erasure_notice,
    failed_attempt,
    holder_notice,
    officer,
    officer_certificate,
    one_time_link,
    publication,
    renewal,
    resolution,
    retention_order,
    revocation_duty,
    status_change,
    status_observation,
    subject,
    subject_case,
    training,
)

Opener = Callable[[bytes], tuple[Field, ...]]


@dataclass(frozen=True, slots=True)
class Sealed:
    """How a sealed column opens: under which purpose, and what its octets are."""

    purpose: str
    read: Opener


@dataclass(frozen=True, slots=True)
class Room:
    """One table: its rows of a person, the columns that name a row, and its sealed columns."""

    table: Table
    of_person: Callable[[str], ColumnElement[bool]]
    reference: tuple[str, ...]
    sealed: Mapping[str, Sealed] = field(default_factory=dict)
    record_class: RecordClass = RecordClass.CERTIFICATE_LIFECYCLE
    """Of what stands in clear in a row of it."""
    source: Source = Source.SYSTEM

    @property
    def kind(self) -> str:
        """The name of its records."""
        return str(self.table.name)


def _own(table: Table, column: str = "subject_id") -> Callable[[str], ColumnElement[bool]]:
    return lambda subject_id: table.c[column] == subject_id


def _of_own_certificate(table: Table) -> Callable[[str], ColumnElement[bool]]:
    return lambda subject_id: exists().where(
        certificate.c.issuer == table.c.issuer,
        certificate.c.serial == table.c.serial,
        certificate.c.subject_id == subject_id,
    )


def _of_own_account(table: Table) -> Callable[[str], ColumnElement[bool]]:
    return lambda subject_id: table.c.officer_id.in_(_accounts(subject_id))


def _of_own_application(table: Table) -> Callable[[str], ColumnElement[bool]]:
    return lambda subject_id: table.c.application_id.in_(
        select(application.c.id).where(application.c.subject_id == subject_id)
    )


def _of_own_person(table: Table) -> Callable[[str], ColumnElement[bool]]:
    return lambda subject_id: table.c.person_id.in_(
        select(officer.c.person_id).where(officer.c.subject_id == subject_id)
    )


def _of_own_case(table: Table) -> Callable[[str], ColumnElement[bool]]:
    return lambda subject_id: table.c.case_id.in_(
        select(subject_case.c.id).where(subject_case.c.subject_id == subject_id)
    )


def _of_own_erasure(table: Table) -> Callable[[str], ColumnElement[bool]]:
    return lambda subject_id: table.c.case_id.in_(
        select(erasure.c.id).where(erasure.c.subject_id == subject_id)
    )


def _accounts(subject_id: str) -> Select[tuple[str]]:
    return select(officer.c.id).where(officer.c.subject_id == subject_id)


def _text(name: str, record_class: RecordClass, source: Source) -> Opener:
    return lambda octets: (Field(name, octets.decode(), source, record_class),)


_CASE = json_fields(RecordClass.CASE_FILE, Source.DATA_SUBJECT)
_EVIDENCE, _OFFICERS = RecordClass.PROOFING_EVIDENCE, RecordClass.OFFICER_IDENTITY
ROOMS: tuple[Room, ...] = (
    Room(subject, _own(subject, "id"), ("id",)),
    Room(
        officer,
        _own(officer),
        ("id",),
        {"sealed_name": Sealed("officer", _text("name", _OFFICERS, Source.DATA_SUBJECT))},
        _OFFICERS,
    ),
    Room(
        officer_certificate,
        _of_own_account(officer_certificate),
        ("issuer", "serial"),
        record_class=_OFFICERS,
    ),
    Room(
        one_time_link,
        _of_own_account(one_time_link),
        ("officer_id", "expires_at"),
        record_class=_OFFICERS,
    ),
    Room(
        application,
        _own(application),
        ("id",),
        {"sealed_body": Sealed("evidence", application_fields)},
        _EVIDENCE,
    ),
    Room(
        credential,
        _of_own_application(credential),
        ("application_id",),
        # The digest of a code, which tells nothing.
        {"sealed_activation": Sealed("evidence", lambda _: ())},
        _EVIDENCE,
    ),
    Room(duty, _of_own_application(duty), ("application_id", "task"), record_class=_EVIDENCE),
    Room(association, _own(association), ("id",), record_class=_EVIDENCE),
    Room(
        approval,
        lambda subject_id: approval.c.application_id.in_(
            select(application.c.id).where(application.c.subject_id == subject_id)
        ),
        ("application_id",),
        {"sealed_package": Sealed("evidence", json_fields(_EVIDENCE, Source.SYSTEM))},
        _EVIDENCE,
        Source.OFFICER,
    ),
    *(
        Room(table, _of_own_application(table), ("application_id",), record_class=_EVIDENCE)
        for table in (failed_attempt, resolution, derivation, derivation_review, renewal)
    ),
    Room(
        holder_notice,
        _of_own_application(holder_notice),
        ("application_id", "occasion", "at"),
        record_class=RecordClass.REVOCATION_REQUEST,
    ),
    Room(training, _of_own_person(training), ("id",), record_class=_OFFICERS),
    Room(
        certificate,
        _own(certificate),
        ("issuer", "serial"),
        {
            "sealed_der": Sealed("core", certificate_fields),
            # What was to be signed is told of only where nothing was signed: it is the same.
            "sealed_tbs": Sealed("core", lambda _: ()),
        },
    ),
    Room(
        status_change,
        _of_own_certificate(status_change),
        ("issuer", "serial", "version"),
    ),
    Room(
        status_observation,
        _of_own_certificate(status_observation),
        ("issuer", "serial", "channel", "id"),
    ),
    Room(
        publication,
        _own(publication),
        ("directory", "issuer", "serial"),
        record_class=RecordClass.PUBLICATION,
    ),
    Room(
        consent,
        _own(consent),
        ("kind", "number"),
        {
            "sealed_details": Sealed(
                "contact", json_fields(RecordClass.CONSENT, Source.DATA_SUBJECT)
            )
        },
        RecordClass.CONSENT,
        Source.DATA_SUBJECT,
    ),
    Room(
        disclosure,
        _own(disclosure),
        ("recipient", "issuer", "serial", "at"),
        record_class=RecordClass.PUBLICATION,
    ),
    Room(
        subject_case,
        _own(subject_case),
        ("id",),
        {
            "sealed_text": Sealed("case", _CASE),
            "sealed_refusal": Sealed("case", _CASE),
            "sealed_extension": Sealed(
                "case", _text("extension", RecordClass.CASE_FILE, Source.OFFICER)
            ),
            # The answer itself is told of by what it was made of.
            "sealed_package": Sealed("delivery", lambda _: ()),
        },
        RecordClass.CASE_FILE,
    ),
    Room(
        case_file,
        _of_own_case(case_file),
        ("case_id", "number"),
        {"sealed_file": Sealed("case", file_fields)},
        RecordClass.CASE_FILE,
    ),
    Room(case_approval, _of_own_case(case_approval), ("case_id",), {}, RecordClass.CASE_FILE),
    Room(
        revocation_duty,
        _own(revocation_duty),
        ("id",),
        record_class=RecordClass.REVOCATION_REQUEST,
    ),
    Room(erasure, _own(erasure), ("id",), record_class=RecordClass.CASE_FILE),
    Room(
        erasure_approval,
        _of_own_erasure(erasure_approval),
        ("case_id",),
        record_class=RecordClass.CASE_FILE,
    ),
    Room(
        erasure_notice,
        _of_own_erasure(erasure_notice),
        ("case_id", "recipient"),
        record_class=RecordClass.CASE_FILE,
    ),
    Room(retention_order, _own(retention_order), ("id",), record_class=RecordClass.CASE_FILE),
)

LEFT_OUT: Mapping[str, str] = MappingProxyType(
    {
        "proofing_nonce": "digests of our own random numbers, gone a day after they expired",
        "data_key": "the wrapped keys themselves, which open what stands in the other rooms",
        "officer_session": "the digest of a secret that lies in the officer's own browser",
        "case_part": "copies of what the other rooms hold, made for the answer itself",
        "case_delivery": "the answer itself, encrypted to the person who asked",
        "audit_payload": "collected from the log itself, which tells that they were opened",
        "activation_code": "the digest of a code that the person was sent",
        "revocation_secret": "the digest of a secret that the person has",
        "print_job": "a letter that the printer alone opens, gone once it is printed",
        "mandate": "sealed under the organisation; a person's own role is in the association",
        "mandate_signature": "who signed for an organisation, told with its mandate",
        "call_back": "the telephone call about a mandate, which names its officer alone",
        "incident": "what went wrong with a mandate, which names its officer alone",
        "organisation_application": "the place of an application in an organisation",
        "erasure_receipt": "names nobody, and is made when the person is gone",
        "directory_debt": "what is owed of certificates after the person is gone",
        "audit_event": "headers name nobody",
        "bulk_revocation": "plans about many, told of in the row of each certificate",
        "bulk_certificate": "the same places as in the certificates' own rows",
        "revocation_residue": "what is left of erased certificates, linked to nobody",
        "ocsp_response": "signed copies of what stands in the certificates' own rows",
        "crl_piece": "published lists, made of the certificates' own rows",
    }
)
"""Tables with personal data that are no rooms, and why a person misses nothing by it."""
