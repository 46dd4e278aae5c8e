"""The messages of which a batch has many, in octets (RFC 4511 sections 4.1.1, 4.5 and 4.7).

Written and read here, for ldap3 spends more time on one than a server on an entry.
"""

from collections.abc import Sequence
from typing import Final

from ca import der

Attributes = dict[str, "str | bytes | list[str] | list[bytes]"]
"""Values by attribute type; texts are sent in UTF-8."""
NewEntry = tuple[str, Sequence[str], Attributes]
"""DN, object classes, and the other attributes."""

_ADD_REQUEST: Final = 0x68
_SEARCH_REQUEST: Final = 0x63
SEARCH_ENTRY: Final = 0x64
SEARCH_REFERENCE: Final = 0x73
_OR: Final = 0xA1
_EXTENSIBLE_MATCH: Final = 0xA9
_WHOLE_SUBTREE: Final = b"\x0a\x01\x02"
_NEVER_DEREFERENCED: Final = b"\x0a\x01\x00"
_NO_LIMIT: Final = der.integer(0) * 2
_TYPES_ONLY_NOT: Final = b"\x01\x01\x00"


class Found:
    """One entry as the server sent it; not shown in logs."""

    __slots__ = ("dn", "values")

    def __init__(self, dn: str, values: dict[str, list[bytes]]) -> None:
        """Keep the DN and the raw values."""
        self.dn = dn
        self.values = values


def add_request(entry: NewEntry, number: int) -> bytes:
    """An AddRequest as LDAPMessage (RFC 4511 sections 4.1.1 and 4.7)."""
    dn, classes, attributes = entry
    of: Attributes = {"objectClass": list(classes), **attributes}
    listed = [
        der.sequence(
            _octet_string(attribute),
            der.element(
                der.SET,
                *map(_octet_string, values if isinstance(values, list) else [values]),
            ),
        )
        for attribute, values in of.items()
    ]
    request = der.element(_ADD_REQUEST, _octet_string(dn), der.sequence(*listed))
    return der.sequence(der.integer(number), request)


def search_request(asked: tuple[str, Sequence[bytes], Sequence[str]], number: int) -> bytes:
    """A SearchRequest below a base, for entries that any filter fits, of attributes (4.5.1)."""
    base_dn, filters, attributes = asked
    request = der.element(
        _SEARCH_REQUEST,
        _octet_string(base_dn),
        _WHOLE_SUBTREE,
        _NEVER_DEREFERENCED,
        _NO_LIMIT,
        _TYPES_ONLY_NOT,
        der.element(_OR, *filters),
        der.sequence(*map(_octet_string, attributes)),
    )
    return der.sequence(der.integer(number), request)


def extensible_match(attribute: str, rule: str, assertion: str) -> bytes:
    """A filter of an attribute by a matching rule (section 4.5.1.7.7)."""
    parts = zip((0x81, 0x82, 0x83), (rule, attribute, assertion), strict=True)
    return der.element(_EXTENSIBLE_MATCH, *(der.element(tag, text.encode()) for tag, text in parts))


def answer(message: bytes) -> tuple[int, int, bytes]:
    """Message number, tag and content of an answer; ValueError where it is none."""
    ((_, content),) = der.elements(message)
    (_, number), (kind, answered), *_ = der.elements(content)
    return int.from_bytes(number, "big"), kind, answered


def result_code(answered: bytes) -> int:
    """The result code in the content of an answer; ValueError where there is none."""
    (_, code), *_ = der.elements(answered)
    return int.from_bytes(code, "big")


def search_entry(answered: bytes) -> Found:
    """What the content of a SearchResultEntry says (section 4.5.2); or ValueError."""
    (_, dn), (_, attributes) = der.elements(answered)
    values: dict[str, list[bytes]] = {}
    for _, attribute in der.elements(attributes):
        (_, name), (_, held) = der.elements(attribute)
        values[name.decode()] = [value for _, value in der.elements(held)]
    return Found(dn.decode(), values)


def _octet_string(value: str | bytes) -> bytes:
    return der.octet_string(value.encode() if isinstance(value, str) else value)
