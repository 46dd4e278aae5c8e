"""A person's entry in a directory, and the strings that LDAP wants: DNs and filters.

Every octet that is not a plain letter, digit or one of a few marks is written as a hexadecimal
pair. Both grammars allow that everywhere, so no place needs a special case and nothing that a
person is called can end a string early (RFC 4514 section 2.4, RFC 4515 section 3).
"""

import unicodedata
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from ca.identifiers import SerialNumber
from publish_ldap.errors import EntryRefused

_PLAIN: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._@:",
)

# Control (NUL too), format (all bidirectional controls too), surrogate, private use, unassigned,
# and the line and paragraph separators.
_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True, repr=False)
class PersonEntry:
    """What a directory says about one holder (inetOrgPerson, RFC 2798)."""

    pseudonym: str
    """The subject's pseudonym: names the entry (uid), is unique and never used again."""
    common_name: str
    surname: str
    given_name: str | None = None
    mail: str | None = None

    def __post_init__(self) -> None:
        """Raises: EntryRefused."""
        for attribute, value in self.attributes().items():
            _check_text(attribute, value)
        if self.mail is not None and not self.mail.isascii():
            raise EntryRefused("mail", "not ASCII")

    def __repr__(self) -> str:
        """Personal data stays out of logs and error texts."""
        return "PersonEntry(redacted)"

    def attributes(self) -> dict[str, str]:
        """The attributes by LDAP type; those without a value are left out."""
        values = {
            "uid": self.pseudonym,
            "cn": self.common_name,
            "sn": self.surname,
            "givenName": self.given_name,
            "mail": self.mail,
        }
        return {attribute: value for attribute, value in values.items() if value is not None}

    def distinguished_name(self, base_dn: str) -> str:
        """The DN of this entry directly under the base (RFC 4514)."""
        return f"uid={_hexadecimal_pairs(self.pseudonym)},{base_dn}"


def equality_filter(attribute: str, value: str) -> str:
    """A filter for entries with this value (RFC 4515)."""
    return f"({attribute}={_hexadecimal_pairs(value)})"


def certificate_filter(issuer: x509.Name, serial: SerialNumber) -> str:
    """A filter for entries that may hold this certificate; the caller looks at the values.

    It is certificateExactMatch (RFC 4523 section 2) in GSER (RFC 3641), where a quote inside a
    string is doubled. OpenLDAP 2.5 never matches an issuer name with letters outside ASCII: it
    writes them as hexadecimal pairs in the value but not in the assertion. For such an issuer
    the filter is for any certificate at all.
    """
    issuer_dn = issuer.rfc4514_string()
    if not issuer_dn.isascii():
        return "(userCertificate=*)"
    quoted = issuer_dn.replace('"', '""')
    assertion = f'{{ serialNumber {int(serial)}, issuer rdnSequence:"{quoted}" }}'
    return f"(userCertificate:certificateExactMatch:={_hexadecimal_pairs(assertion)})"


def _hexadecimal_pairs(value: str) -> str:
    octets = value.encode("utf-8")
    return "".join(chr(octet) if octet in _PLAIN else f"\\{octet:02x}" for octet in octets)


def _check_text(attribute: str, value: str) -> None:
    if not value.strip():
        raise EntryRefused(attribute, "empty")
    for character in value:
        category = unicodedata.category(character)
        if category in _REFUSED_CATEGORIES:
            raise EntryRefused(attribute, f"character of category {category}")
    if not unicodedata.is_normalized("NFC", value):
        raise EntryRefused(attribute, "not in normal form C")
