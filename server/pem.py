"""Armour of CMS signatures, as openssl and people paste them (RFC 7468 section 9)."""

import re
from base64 import b64decode
from binascii import Error as Base64Error

from ca.errors import MalformedRequest

_ARMOUR = re.compile(
    r"\s*-----BEGIN (CMS|PKCS7)-----\s*(?P<base64>[A-Za-z0-9+/=\s]+)-----END \1-----\s*"
)


def cms_from_pem(text: str) -> bytes:
    """The DER inside the armour; MalformedRequest when there is none."""
    match = _ARMOUR.fullmatch(text)
    try:
        if match is not None:
            return b64decode("".join(match["base64"].split()), validate=True)
    except Base64Error:
        pass
    raise MalformedRequest("approval signature", "it is not a CMS signature in PEM")
