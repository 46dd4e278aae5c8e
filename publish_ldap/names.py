"""The strings that LDAP wants: distinguished names and filters.

Every octet that is not a plain letter, digit or one of a few marks is written as a hexadecimal
pair. Both grammars allow that everywhere, so no place needs a special case and nothing that a
person is called can end a string early (RFC 4514 section 2.4, RFC 4515 section 3).
"""

import functools
import re
import unicodedata
from typing import Final

from cryptography import x509

from ca.identifiers import SerialNumber
from publish_ldap.errors import EntryRefused

CERTIFICATE: Final = "userCertificate"
EXACT_MATCH: Final = "certificateExactMatch"
ANY_CERTIFICATE: Final = f"({CERTIFICATE}=*)"

_PLAIN: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._@:",
)

# Control (NUL too), format (all bidirectional controls too), surrogate, private use, unassigned,
# and the line and paragraph separators.
_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

ATTRIBUTE_TYPE: Final = r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)"
_OCTET = r'(?:[^"+,;<>\\\x00]|\\[ "#+,;<=>\\]|\\[0-9A-Fa-f]{2})'
_TYPE_AND_VALUE = f" *{ATTRIBUTE_TYPE} *={_OCTET}+"
_RDN = rf"{_TYPE_AND_VALUE}(?:\+{_TYPE_AND_VALUE})*"
_DISTINGUISHED_NAME: Final = re.compile(f"{_RDN}(?:,{_RDN})*")


def is_distinguished_name(text: str) -> bool:
    """Whether the text is a DN of one RDN at least, as a string (RFC 4514 section 3)."""
    return _DISTINGUISHED_NAME.fullmatch(text) is not None


def rdns_of(text: str) -> list[str]:
    """The RDNs of a DN, as they are written."""
    return re.findall(r"(?:\\.|[^,\\])+", text)


def parts_of(text: str) -> int:
    """How many attributes the RDNs of a DN hold together."""
    return len(re.findall(r"(?:\\.|[^,+\\])+", text))


def escaped(value: str) -> str:
    """A value that may stand anywhere in a DN or a filter."""
    return escaped_octets(value.encode("utf-8"))


def escaped_octets(octets: bytes) -> str:
    """As `escaped`, for a value that is no text."""
    return "".join(chr(octet) if octet in _PLAIN else f"\\{octet:02x}" for octet in octets)


def equality_filter(attribute: str, value: str) -> str:
    """A filter for entries with this value (RFC 4515)."""
    return f"({attribute}={escaped(value)})"


def certificate_filter(issuer: x509.Name, serial: SerialNumber) -> str:
    """A filter for entries that may hold this certificate; the caller looks at the values.

    Where the directory cannot be asked for it, the filter is for any certificate at all.
    """
    assertion = exact_assertion(issuer, serial)
    if assertion is None:
        return ANY_CERTIFICATE
    return f"({CERTIFICATE}:{EXACT_MATCH}:={escaped(assertion)})"


def exact_assertion(issuer: x509.Name, serial: SerialNumber) -> str | None:
    """What a directory is asked for to find this certificate, None if it cannot be asked.

    It is certificateExactMatch (RFC 4523 section 2) in GSER (RFC 3641), where a quote inside a
    string is doubled. OpenLDAP 2.5 never matches an issuer name with letters outside ASCII: it
    writes them as hexadecimal pairs in the value but not in the assertion.
    """
    quoted = _quoted(issuer)
    if not quoted.isascii():
        return None
    return f'{{ serialNumber {int(serial)}, issuer rdnSequence:"{quoted}" }}'


@functools.lru_cache(maxsize=64)
def _quoted(issuer: x509.Name) -> str:
    return issuer.rfc4514_string().replace('"', '""')


def check_text(attribute: str, value: str) -> None:
    """Refuse a value that would deceive a reader or break a tool.

    Raises: EntryRefused.
    """
    if not value.strip():
        raise EntryRefused(attribute, "empty")
    for character in value:
        category = unicodedata.category(character)
        if category in _REFUSED_CATEGORIES:
            raise EntryRefused(attribute, f"character of category {category}")
    if not unicodedata.is_normalized("NFC", value):
        raise EntryRefused(attribute, "not in normal form C")


def unescaped(value: str) -> str:
    """The value that was escaped in a DN, as it is."""
    octets = bytearray()
    rest = value.encode()
    while rest:
        if rest[:1] == b"\\" and rest[1:3].isalnum():
            octets += bytes.fromhex(rest[1:3].decode())
            rest = rest[3:]
        else:
            octets += rest[:1]
            rest = rest[1:]
    return octets.decode()


def is_named(certificate_der: bytes, issuer: x509.Name, serial: SerialNumber) -> bool:
    """Whether these octets are the certificate; what cannot be read is not ours."""
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        name = certificate.issuer
    except ValueError:
        return False
    return certificate.serial_number == serial and name == issuer


def equality_octets(attribute: bytes, value: bytes) -> bytes:
    """An equalityMatch filter in BER, short form of length (RFC 4511 section 4.5.1.7.1)."""
    body = b"".join(bytes([0x04, len(part)]) + part for part in (attribute, value))
    return bytes([0xA3, len(body)]) + body
