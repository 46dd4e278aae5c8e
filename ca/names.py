"""Subject names: ordered attributes with bounds (RFC 5280 section 4.1.2.6, X.520)."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from ca import der
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
ATTRIBUTES = tuple(_OIDS)
"""The attributes that a profile can ask for."""

_OID_OCTETS = {name: der.oid(oid.dotted_string) for name, oid in _OIDS.items()}
_PRINTABLE = frozenset({"C", "serialNumber"})
"""Attributes that are PrintableStrings by their definition (X.520); all others are UTF-8 here."""
_SHORT_NAMES = {oid: name for name, oid in _OIDS.items()}
_UPPER_BOUND = 64
_COUNTRY = re.compile(r"[A-Z]{2}")
_ORGANIZATION = re.compile(
    r"(?:(?:VAT|NTR|PSD|LEI)[A-Z]{2}|[A-Z]{2}:[A-Z]{2})-[A-Za-z0-9][A-Za-z0-9-]*"
)
_LEI = re.compile(r"[A-Z0-9]{18}[0-9]{2}")
_PRINTABLE_STRING = re.compile(r"[A-Za-z0-9 '()+,./:=?-]*")
# Control, format (which holds every bidirectional mark), private use, surrogate, unassigned, and
# the separators of lines and paragraphs.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


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
        """Read back what `to_x509` wrote; Refused for attributes and RDNs that we never write."""
        if any(len(rdn) != 1 for rdn in name.rdns):
            raise Refused(_finding("the name holds several attributes in one RDN"))
        return cls(
            tuple((_SHORT_NAMES.get(a.oid, a.oid.dotted_string), str(a.value)) for a in name)
        )

    def to_x509(self) -> x509.Name:
        """The name as cryptography's value; one attribute an RDN."""
        return x509.Name([x509.NameAttribute(_OIDS[a], value) for a, value in self.attributes])

    def to_der(self) -> bytes:
        """The name as it stands in a certificate; the same octets as the library's."""
        return der.sequence(
            *(
                der.element(der.SET, der.sequence(_OID_OCTETS[a], _string(a, value)))
                for a, value in self.attributes
            )
        )


def _string(attribute: str, value: str) -> bytes:
    kind = der.PRINTABLE_STRING if attribute in _PRINTABLE else der.UTF8_STRING
    return der.element(kind, value.encode())


def _finding(sentence: str) -> Finding:
    return Finding(
        "name.form", "RFC 5280 4.1.2.6", sentence, "correct the name and send the request again"
    )


def _faults(attribute: str, value: str) -> list[Finding]:
    if attribute not in _OIDS:
        return [_finding("the name holds an attribute that no profile knows")]
    # Printable ASCII is in every normal form, and its letters are Latin: most names end here.
    plain = value.isascii() and value.isprintable()
    rules = {
        "is empty or has blanks at its ends": value != "" and value == value.strip(),
        f"is longer than {_UPPER_BOUND} characters": len(value) <= _UPPER_BOUND,
        "is not in Unicode normal form C": plain or unicodedata.is_normalized("NFC", value),
        "holds a control or bidirectional character": plain
        or _FORBIDDEN_CATEGORIES.isdisjoint(map(unicodedata.category, value)),
        "holds a letter of another script than Latin": plain or all(map(_is_latin, value)),
    } | _own_rules(attribute, value)
    return [_finding(f"{attribute} {broken}") for broken, holds in rules.items() if not holds]


def _own_rules(attribute: str, value: str) -> dict[str, bool]:
    """Rules of single attributes (RFC 5280 appendix A.1)."""
    if attribute == "C":
        return {
            "is not an ISO 3166 code of two capital letters": bool(_COUNTRY.fullmatch(value)),
        }
    if attribute == "serialNumber":
        return {
            "holds a character that a PrintableString cannot": bool(
                _PRINTABLE_STRING.fullmatch(value)
            ),
        }
    if attribute == "organizationIdentifier":
        return {
            "is not of the form NTRDK-12345678 (EN 319 412-1 5.1.4)": bool(
                _ORGANIZATION.fullmatch(value)
            ),
            "is no LEI of 20 characters with its check digits (ISO 17442)": (
                not value.startswith("LEI") or _is_lei(value[6:])
            ),
        }
    if attribute == "CN":
        # The standard counts characters; relying parties, and our own library, count octets.
        octets = len(value.encode(errors="surrogatepass"))
        return {f"is longer than {_UPPER_BOUND} octets in UTF-8": octets <= _UPPER_BOUND}
    return {}


def _is_lei(text: str) -> bool:
    """Whether the check digits are right (ISO/IEC 7064, MOD 97-10)."""
    if not _LEI.fullmatch(text):
        return False
    return int("".join(str(int(character, 36)) for character in text)) % 97 == 1


def _is_latin(character: str) -> bool:
    """Whether the character is no letter, or one of Latin script: look-alikes are refused."""
    return not character.isalpha() or unicodedata.name(character, "").startswith("LATIN ")
