"""What an applicant claims to be, read under the attribute schema of a profile (REG-APP-L3)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from ra.errors import MalformedField, Refused
from ra.identity import CprNumber, EmailAddress, PersonName
from ra.levels import AssuranceLevel
from ra.requirements import Finding, finding


@dataclass(frozen=True, slots=True)
class ClaimedIdentity:
    """The attributes that the applicant states; every value redacts itself."""

    given_name: PersonName
    surname: PersonName
    cpr_number: CprNumber | None = None
    email: EmailAddress | None = None


@dataclass(frozen=True, slots=True)
class AttributeSchema:
    """Which attributes a profile collects at a level."""

    required: frozenset[str]
    optional: frozenset[str]


def natural_person_schema(level: AssuranceLevel) -> AttributeSchema:
    """Names always; the CPR number is what registers are asked about from Substantial up."""
    names = frozenset({"given_name", "surname"})
    if level is AssuranceLevel.LOW:
        return AttributeSchema(required=names, optional=frozenset({"cpr_number", "email"}))
    return AttributeSchema(required=names | {"cpr_number"}, optional=frozenset({"email"}))


def read_claim(
    attributes: Mapping[str, str], schema: AttributeSchema, today: date
) -> ClaimedIdentity:
    """Turn what was typed into values; an empty attribute counts as absent.

    Raises: Refused naming the attributes that are missing or not allowed, or the one that would
    put the CPR number into a certificate; MalformedField for a value of the wrong form.
    """
    given = {name: text for name, text in attributes.items() if text.strip()}
    found = schema_findings(frozenset(given), schema)
    if found:
        raise Refused(found)
    claim = ClaimedIdentity(
        given_name=PersonName.parse(given["given_name"], "given_name"),
        surname=PersonName.parse(given["surname"], "surname"),
        cpr_number=CprNumber.parse(given["cpr_number"]) if "cpr_number" in given else None,
        email=EmailAddress.parse(given["email"]) if "email" in given else None,
    )
    if claim.cpr_number is not None and claim.cpr_number.birth_date > today:
        raise MalformedField("cpr_number", "a birth date that has come")
    if _email_shows_number(claim):
        raise Refused((finding("ISS-STR-L6", "PERSONAL_NUMBER_IN_CERTIFICATE", ("email",)),))
    return claim


def schema_findings(names: frozenset[str], schema: AttributeSchema) -> tuple[Finding, ...]:
    """Every attribute that is missing or too many, by name."""
    missing = schema.required - names
    surplus = names - schema.required - schema.optional
    found: list[Finding] = []
    if missing:
        found.append(finding("REG-APP-L3", "ATTRIBUTE_MISSING", tuple(sorted(missing))))
    if surplus:
        found.append(finding("REG-APP-L3", "ATTRIBUTE_NOT_ALLOWED", tuple(sorted(surplus))))
    return tuple(found)


def _email_shows_number(claim: ClaimedIdentity) -> bool:
    if claim.cpr_number is None or claim.email is None:
        return False
    return claim.cpr_number.value in re.sub(r"[^0-9]", "", claim.email.value)
