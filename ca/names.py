"""Subject names: ordered attributes with bounds (RFC 5280 section 4.1.2.6, X.520)."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from ca.errors import Finding, Refused

_OIDS = {
    "C": NameOID.COUNTRY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "GN": NameOID.GIVEN_NAME,
    "SN": NameOID.SURNAME,
    "CN": NameOID.COMMON_NAME,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "pseudonym": NameOID.PSEUDONYM,
    "organizationIdentifier": NameOID.ORGANIZATION_IDENTIFIER,
}
_SHORT_NAMES = {oid: name for name, oid in _OIDS.items()}
_UPPER_BOUND = 64
_COUNTRY_LENGTH = 2
# Control, format (which holds every bidirectional mark), private use, surrogate, unassigned.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})


@dataclass(frozen=True, slots=True)
class SubjectName:
    """A distinguished name as (attribute, value) pairs, in the order they are encoded.

    May name a person, so it does not show itself in logs or error messages.
    """

    attributes: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        findings = [f for attribute, value in self.attributes for f in _faults(attribute, value)]
        if not self.attributes:
            findings.append(_finding("the subject name is empty"))
        if findings:
            raise Refused(*findings)

    def __repr__(self) -> str:
        return f"SubjectName(<{len(self.attributes)} attributes>)"

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> "SubjectName":
        """Make a name of pairs such as ("CN", "Karen")."""
        return cls(tuple((attribute, value) for attribute, value in pairs))

    @classmethod
    def from_x509(cls, name: x509.Name) -> "SubjectName":
        """Read back what `to_x509` wrote; Refused for attributes that we never write."""
        return cls(
            tuple((_SHORT_NAMES.get(a.oid, a.oid.dotted_string), str(a.value)) for a in name)
        )

    def to_x509(self) -> x509.Name:
        """The name as cryptography's value; one attribute an RDN."""
        return x509.Name([x509.NameAttribute(_OIDS[a], value) for a, value in self.attributes])


def _finding(sentence: str) -> Finding:
    return Finding(
        "name.form", "RFC 5280 4.1.2.6", sentence, "correct the name and send the request again"
    )


def _faults(attribute: str, value: str) -> list[Finding]:
    if attribute not in _OIDS:
        return [_finding("the name holds an attribute that no profile knows")]
    faults = []
    if not value or value != value.strip():
        faults.append(_finding(f"{attribute} is empty or has blanks at its ends"))
    if len(value) > _UPPER_BOUND:
        faults.append(_finding(f"{attribute} is longer than {_UPPER_BOUND} characters"))
    if not unicodedata.is_normalized("NFC", value):
        faults.append(_finding(f"{attribute} is not in Unicode normal form C"))
    if any(unicodedata.category(c) in _FORBIDDEN_CATEGORIES for c in value):
        faults.append(_finding(f"{attribute} holds a control or bidirectional character"))
    if attribute == "C" and not (
        len(value) == _COUNTRY_LENGTH and value.isascii() and value.isupper()
    ):
        faults.append(_finding("C is not an ISO 3166 code of two capital letters"))
    return faults
