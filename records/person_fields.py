"""What is read out of a sealed value about a person: its fields, each with class and source."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gdpr_erasure.person_file import Value
from gdpr_erasure.processing import Source
from gdpr_erasure.record_classes import RecordClass

_NAMES = {
    x509.OID_COMMON_NAME: "common_name",
    x509.OID_SURNAME: "surname",
    x509.OID_GIVEN_NAME: "given_name",
    x509.OID_SERIAL_NUMBER: "serial_number",
    x509.OID_COUNTRY_NAME: "country",
    x509.OID_ORGANIZATION_NAME: "organisation",
    x509.OID_ORGANIZATIONAL_UNIT_NAME: "unit",
    x509.OID_PSEUDONYM: "pseudonym",
    x509.OID_EMAIL_ADDRESS: "email",
}


@dataclass(frozen=True, slots=True, repr=False)
class Field:
    """One field of a sealed value; the name is dotted, as it is stored."""

    name: str
    value: Value
    source: Source
    record_class: RecordClass


# Of an application's members, the first prefix that fits says what the value is and whence it is.
# A test asks that every member fits one. None leaves a member out: it tells nothing of the person.
APPLICATION_MEMBERS: tuple[tuple[str, tuple[RecordClass, Source] | None], ...] = (
    ("salt", None),
    ("officer.person_key", None),
    ("officer.person_id", None),
    ("applicant.claim.email", (RecordClass.CONTACT, Source.DATA_SUBJECT)),
    ("applicant.claim", (RecordClass.PROOFING_EVIDENCE, Source.DATA_SUBJECT)),
    ("applicant", (RecordClass.PROOFING_EVIDENCE, Source.SYSTEM)),
    ("authenticator", (RecordClass.PROOFING_EVIDENCE, Source.OFFICER)),
    ("contact", (RecordClass.CONTACT, Source.DATA_SUBJECT)),
    ("renewal", (RecordClass.PROOFING_EVIDENCE, Source.SYSTEM)),
    ("requested", (RecordClass.AGREEMENT_FILE, Source.DATA_SUBJECT)),
    ("acceptances", (RecordClass.AGREEMENT_FILE, Source.DATA_SUBJECT)),
    ("evidence", (RecordClass.PROOFING_EVIDENCE, Source.OFFICER)),
    ("checks", (RecordClass.PROOFING_EVIDENCE, Source.REGISTER)),
    ("officer", (RecordClass.PROOFING_EVIDENCE, Source.SYSTEM)),
    ("proofing", (RecordClass.PROOFING_EVIDENCE, Source.SYSTEM)),
    ("further", (RecordClass.PROOFING_EVIDENCE, Source.OFFICER)),
    ("findings", (RecordClass.REFUSED_APPLICATION, Source.SYSTEM)),
)


def member_of_application(name: str) -> tuple[RecordClass, Source] | None:
    """What a member of an application is; KeyError for one that the table does not know."""
    if name.startswith("further.") and name.endswith(".person_id"):
        return None  # an officer's, as above
    for prefix, found in APPLICATION_MEMBERS:
        if name == prefix or name.startswith((f"{prefix}.", f"{prefix}[")):
            return found
    raise KeyError(name)


def application_fields(octets: bytes) -> tuple[Field, ...]:
    """The fields of an application's sealed body."""
    found = []
    for name, value in flat(json.loads(octets)):
        member = member_of_application(name)
        if member is not None:
            record_class, source = member
            found.append(Field(name, value, source, record_class))
    return tuple(found)


def json_fields(record_class: RecordClass, source: Source) -> Callable[[bytes], tuple[Field, ...]]:
    """A reader of any JSON value."""
    return lambda octets: tuple(
        Field(name, value, source, record_class) for name, value in flat(json.loads(octets))
    )


def file_fields(octets: bytes) -> tuple[Field, ...]:
    """A file of a case: a line of JSON with its name, then its octets, here in base64."""
    header, _, content = octets.partition(b"\n")
    values = {"file_name": str(json.loads(header)["name"]), "content": b64encode(content).decode()}
    return tuple(
        Field(name, value, Source.DATA_SUBJECT, RecordClass.CASE_FILE)
        for name, value in values.items()
    )


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Value]]:
    """A JSON value as dotted names and plain values; an empty list or object has none."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from flat(inner, f"{name}[{number}]")
    elif isinstance(value, float):
        yield name, str(value)
    else:
        yield name, value


def certificate_fields(octets: bytes) -> tuple[Field, ...]:
    """A certificate field by field (RFC 5280 section 4.1), and in PEM."""
    certificate = x509.load_der_x509_certificate(octets)
    return tuple(
        Field(name, value, source, RecordClass.CERTIFICATE_BODY)
        for name, value, source in _of_certificate(certificate)
    )


def _of_certificate(of: x509.Certificate) -> Iterator[tuple[str, Value, Source]]:
    system = Source.SYSTEM
    yield "version", of.version.name, system
    yield "certificate_serial", f"{of.serial_number:x}", system
    yield "signature_algorithm", of.signature_algorithm_oid.dotted_string, system
    yield "issuer_name", of.issuer.rfc4514_string(), system
    yield "not_before", of.not_valid_before_utc.isoformat(), system
    yield "not_after", of.not_valid_after_utc.isoformat(), system
    for attribute in of.subject:
        name = _NAMES.get(attribute.oid, attribute.oid.dotted_string)
        # What the person said of itself; number and pseudonym were given by us.
        given = name in {"common_name", "surname", "given_name", "email"}
        yield f"subject.{name}", str(attribute.value), Source.DATA_SUBJECT if given else system
    spki = of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    yield "public_key_sha256", hashlib.sha256(spki).hexdigest(), Source.DATA_SUBJECT
    yield "public_key", spki.hex(), Source.DATA_SUBJECT
    for extension in of.extensions:
        yield f"extension.{_extension(extension.oid)}", _said(extension), system
    yield "fingerprint_sha256", of.fingerprint(hashes.SHA256()).hex(), system
    yield "certificate_pem", of.public_bytes(Encoding.PEM).decode(), Source.DATA_SUBJECT


def _extension(oid: x509.ObjectIdentifier) -> str:
    name = getattr(oid, "_name", "")
    return name if name and name != "Unknown OID" else oid.dotted_string


def _said(extension: x509.Extension[x509.ExtensionType]) -> str:
    """An extension in words where they are plain, and otherwise its octets in hexadecimal."""
    value = extension.value
    match value:
        case x509.SubjectAlternativeName():
            return ", ".join(str(name.value) for name in value)
        case x509.ExtendedKeyUsage():
            return ", ".join(_extension(each) for each in value)
        case x509.KeyUsage():
            uses = ("digital_signature", "content_commitment", "key_encipherment", "key_agreement")
            return ", ".join(use for use in uses if getattr(value, use))
        case x509.BasicConstraints():
            return f"ca: {value.ca}".lower()
        case x509.CertificatePolicies():
            return ", ".join(policy.policy_identifier.dotted_string for policy in value)
        case _:
            return value.public_bytes().hex()
