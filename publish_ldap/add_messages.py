"""AddRequest and AddResponse in octets (RFC 4511 sections 4.1.1 and 4.7).

Written and read here, for ldap3 spends more time on one than a server on an entry.
"""

from collections.abc import Sequence
from typing import Final

from ca import der

Attributes = dict[str, "str | bytes | list[str] | list[bytes]"]
"""Values by attribute type; texts are sent in UTF-8."""

_ADD_REQUEST: Final = 0x68


def add_request(number: int, dn: str, classes: Sequence[str], attributes: Attributes) -> bytes:
    """An AddRequest as LDAPMessage (RFC 4511 sections 4.1.1 and 4.7)."""
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


def add_answer(message: bytes) -> tuple[int, int]:
    """Message number and result code of an answer; ValueError where it is none."""
    ((_, content),) = der.elements(message)
    (_, number), (_, answer), *_ = der.elements(content)
    (_, code), *_ = der.elements(answer)
    return int.from_bytes(number, "big"), int.from_bytes(code, "big")


def _octet_string(value: str | bytes) -> bytes:
    return der.octet_string(value.encode() if isinstance(value, str) else value)
