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
UPPER_BOUND = 64
"""Characters of a value, and octets of a common name (X.520 ub-common-name)."""

_OID_OCTETS = {name: der.oid(oid.dotted_string) for name, oid in _OIDS.items()}
_PRINTABLE = frozenset({"C", "serialNumber"})
"""Attributes that are PrintableStrings by their definition (X.520); all others are UTF-8 here."""
_SHORT_NAMES = {oid: name for name, oid in _OIDS.items()}
_COUNTRY = re.compile(r"[A-Z]{2}")
_ORGANIZATION = re.compile(
    r"(?:(?:VAT|NTR|PSD|LEI)[A-Z]{2}|[A-Z]{2}:[A-Z]{2})-[A-Za-z0-9][A-Za-z0-9-]*"
)
_LEI = re.compile(r"[A-Z0-9]{18}[0-9]{2}")
_PRINTABLE_STRING = re.compile(r"[A-Za-z0-9 '()+,./:=?-]*")
# Latin letters that languages write names with, those of Skolt Sami among them: no phonetic ones,
# small capitals or ligatures, which look like others.
_LETTERS = (
    "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0130\u0134-\u013e\u0141-\u0148\u014a-\u017e"
    "\u018f\u0259\u01a0\u01a1\u01af\u01b0\u01cd-\u01dc\u01de-\u01f0\u01f4\u01f5\u01f8-\u021b"
    "\u021e\u021f\u0226-\u0233\u01b7\u0292\u1e00-\u1e99\u1e9e\u1ea0-\u1ef9"
)
# Of what some languages put on a letter, form C leaves these where no letter holds them already; on
# the dotless i they would make another letter.
_ACCENTS = "\u0300-\u0304\u0308\u030c\u0323\u0327\u0328"
_SIGNS = " -@[-`{-~\u0131\u00b7\u2013\u2019\u201c\u201d\u201e\u00ab\u00bb\u00a7\u00b0\u00a3\u20ac"
"""Digits, signs and blank of ASCII, the dotless i, and · – ’ “ ” „ « » § ° £ €."""  # noqa: RUF001
_WRITTEN = re.compile(f"(?:[{_LETTERS}][{_ACCENTS}]?|[{_SIGNS}])*")
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
    # Printable ASCII is in every normal form, and names are written with it: most end here.
    plain = value.isascii() and value.isprintable()
    strange = None if plain else _strange_character(value)
    rules = {
        "is empty or has blanks at its ends": value != "" and value == value.strip(),
        f"is longer than {UPPER_BOUND} characters": len(value) <= UPPER_BOUND,
        "is not in Unicode normal form C": plain or unicodedata.is_normalized("NFC", value),
        f"holds {strange}": strange is None,
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
        return {f"is longer than {UPPER_BOUND} octets in UTF-8": octets <= UPPER_BOUND}
    return {}


def _is_lei(text: str) -> bool:
    """Whether the check digits are right (ISO/IEC 7064, MOD 97-10)."""
    if not _LEI.fullmatch(text):
        return False
    return int("".join(str(int(character, 36)) for character in text)) % 97 == 1


def _strange_character(value: str) -> str | None:
    """The first character that names are not written with, by kind and place: it may be unseen."""
    written = _WRITTEN.match(value)
    place = written.end() if written else 0
    if place == len(value):
        return None
    character = value[place]
    if unicodedata.category(character) in _FORBIDDEN_CATEGORIES:
        kind = "a control or bidirectional character"
    elif character.isalpha() and not unicodedata.name(character, "").startswith("LATIN "):
        kind = "a letter of another script than Latin"
    else:
        kind = "a letter, sign or accent that names are not written with"
    return f"{kind}, in place {place + 1}"
