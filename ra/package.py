"""The canonical application package: the octets that an approving officer signs.

It says who is to be certified, with which key, under which profile and on what grounds. Evidence
and checks appear as outcomes with commitments (HMAC-SHA-256 under the application's own random
salt), so no CPR or document number can be read or guessed from it, and each can still be shown
to be the one that was approved.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from ra.applications import Applicant, Application
from ra.contacts import Contact
from ra.documents import to_document
from ra.errors import Conflict, MalformedField
from ra.identity import PersonName
from ra.verdicts import verdict

PACKAGE_FORMAT = "tillid-application-package/1"
_COMMON_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True)
class ProfileReference:
    """The certificate profile as it stood: name, SHA-256 in hexadecimal, validity in days."""

    name: str
    sha256: str
    validity_days: int


def subject_name(applicant: Applicant) -> tuple[tuple[str, str], ...]:
    """The subject's distinguished name, most general part first.

    An organisation is named before the person, and alone in a seal (ETSI EN 319 412-1 5.1.4).
    """
    if applicant.organisation is None:
        return (("C", "DK"), *_person_name(applicant))
    number = f"NTRDK-{applicant.organisation.number.value}"
    name = _within(applicant.organisation.name)
    organisation = (("C", "DK"), ("O", name), ("organizationIdentifier", number))
    if applicant.organisation.association is None:
        return (*organisation, ("CN", name))
    return (*organisation, *_person_name(applicant))


def _person_name(applicant: Applicant) -> tuple[tuple[str, str], ...]:
    given_name, surname = applicant.claim.given_name, applicant.claim.surname
    return (
        ("GN", given_name.value),
        ("SN", surname.value),
        ("CN", _common_name(given_name, surname)),
        ("serialNumber", applicant.serial_number),
    )


def _common_name(given_name: PersonName, surname: PersonName) -> str:
    """Full name, or a shorter one within 64 octets (RFC 5280 appendix A, ub-common-name)."""
    first = given_name.value.split(" ")[0]
    for name in (f"{given_name.value} {surname.value}", f"{first} {surname.value}"):
        if len(name.encode()) <= _COMMON_NAME_LENGTH:
            return name
    return _within(surname.value)


def _within(name: str) -> str:
    return name.encode()[:_COMMON_NAME_LENGTH].decode(errors="ignore").rstrip()


def build_package(application: Application, profile: ProfileReference) -> bytes:
    """The package of a verified application: JSON, keys sorted, UTF-8, no spaces.

    Raises: Conflict when the identity is not proven; MalformedField for another profile than the
    one applied for.
    """
    if application.proofing is None or application.officer is None:
        raise Conflict(application.state)
    if profile.name != application.profile:
        raise MalformedField("profile", "the profile that was applied for")
    email = application.applicant.claim.email
    return canonical_json(
        {
            **_organisation(application),
            **_renewal(application),
            "format": PACKAGE_FORMAT,
            "application": application.id,
            "subject": subject_name(application.applicant),
            "email": None if email is None else email.value,
            "spki_sha256": application.spki_sha256,
            "profile": {"name": profile.name, "sha256": profile.sha256},
            "validity_days": profile.validity_days,
            "level": application.proofing.level.label,
            "publication_consent": application.requested.publication_consent,
            "proofing": {
                "officer": application.officer.pseudonym,
                "policy": application.proofing.policy_version,
                "policy_sha256": application.proofing.policy_sha256,
                "completed_at": application.proofing.completed_at.isoformat(),
                "valid_until": application.proofing.valid_until.isoformat(),
            },
            "authenticator": _authenticator(application),
            "contact": _committed(application, application.contact),
            "evidence": _evidence(application),
            "checks": _checks(application),
            "further": _further(application),
            "acceptances": [to_document(each) for each in application.acceptances],
        }
    )


def package_hash(package: bytes) -> str:
    """SHA-256 of the package in hexadecimal."""
    return sha256(package).hexdigest()


def profile_of(package: bytes) -> ProfileReference:
    """The profile that a package names; MalformedField when it is no package."""
    try:
        document = json.loads(package)
        profile = document["profile"]
        return ProfileReference(profile["name"], profile["sha256"], document["validity_days"])
    except (ValueError, KeyError, TypeError):
        raise MalformedField("package", PACKAGE_FORMAT) from None


def canonical_json(document: Mapping[str, object]) -> bytes:
    """Deterministic JSON: keys sorted, UTF-8, no spaces."""
    return json.dumps(
        document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def _organisation(application: Application) -> dict[str, object]:
    """Which registration and association it rests on, where it names an organisation."""
    of = application.applicant.organisation
    if of is None:
        return {}
    return {
        "organisation": {
            "record": of.id,
            "number": of.number.value,
            "level": of.level.label,
            "association": of.association,
        }
    }


def _renewal(application: Application) -> dict[str, object]:
    """Which credential gives way to it and what carries that, where one does."""
    of = application.renewal
    if of is None:
        return {}
    named = {
        "application": of.application,
        "certificate": of.credential,
        "basis": of.basis.value,
        "proven_at": of.proven_at.isoformat(),
        "commitment": _commitment(application, to_document(of)),
    }
    return {"renewal": named}


def _authenticator(application: Application) -> dict[str, object] | None:
    """Where the key lives and by which attestation; None for a key made in software."""
    record = application.authenticator
    return None if record is None else to_document(record)


def _committed(application: Application, value: Contact | None) -> str | None:
    """The commitment to a personal value, so that a change of it shows."""
    return None if value is None else _commitment(application, to_document(value))


def _evidence(application: Application) -> list[dict[str, object]]:
    return [
        {
            "id": each.id,
            "kind": each.kind.value,
            "presented_at": each.presented_at.isoformat(),
            "commitment": _commitment(application, to_document(each)),
        }
        for each in application.evidence
    ]


def _checks(application: Application) -> list[dict[str, object]]:
    return [
        {
            "check": each.check.value,
            "evidence": each.evidence_id,
            "finding": None if (against := verdict(each)) is None else against.code,
            "requirement": each.requirement,
            "source": each.source_id,
            "by": each.by,
            "at": each.at.isoformat(),
            "commitment": _commitment(application, to_document(each)),
        }
        for each in application.checks
    ]


def _further(application: Application) -> dict[str, str]:
    """A commitment to each kind of further evidence that is on record."""
    found = {name: each for name, each in to_document(application.further).items() if each}
    return {name: _commitment(application, {name: each}) for name, each in found.items()}


def _commitment(application: Application, document: Mapping[str, object]) -> str:
    key = bytes.fromhex(application.salt)
    return hmac.new(key, canonical_json(document), sha256).hexdigest()
