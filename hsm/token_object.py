"""SoftHSM's token.object: what a whole one looks like, so that a torn one is told from a newer one.

The file is SoftHSM's ObjectFile: a generation, then attributes one after the other, each with its
type, its kind and its value; integers are of 8 octets, the highest first. A login writes the flags
anew, a change of a PIN the blob that the PIN seals, and making the token again the label; the
serial number stays.
"""

_INTEGER_OCTETS = 8
_BOOLEAN, _INTEGER, _OCTETS = 1, 2, 3
_LABEL, _SERIAL, _FLAGS, _SO_PIN, _USER_PIN = range(0x80005349, 0x8000534E)  # CKA_OS_*
_USER_PIN_INITIALIZED, _TOKEN_INITIALIZED = 0x8, 0x400


def is_torn(octets: bytes, copy: bytes) -> bool:
    """Whether a token.object is not whole, seen beside an earlier whole one of the same token.

    Where the copy itself is in a form not known here, only an empty file is known to be torn.
    """
    serial = _serial_of_whole(copy)
    return not octets if serial is None else _serial_of_whole(octets) != serial


def _serial_of_whole(octets: bytes) -> bytes | None:
    """The serial number, if this is the token.object of a token that SoftHSM will find."""
    attributes = _attributes(octets)
    if not {_LABEL, _SERIAL, _FLAGS, _SO_PIN} <= attributes.keys():
        return None
    flags = int.from_bytes(attributes[_FLAGS])
    lacks_pin = flags & _USER_PIN_INITIALIZED and _USER_PIN not in attributes
    return attributes[_SERIAL] if flags & _TOKEN_INITIALIZED and not lacks_pin else None


def _attributes(octets: bytes) -> dict[int, bytes]:
    """The values by attribute type; empty when the octets are no object to the very end."""
    attributes: dict[int, bytes] = {}
    position = _INTEGER_OCTETS
    try:
        while position < len(octets):
            attribute, kind = _integer(octets, position), _integer(octets, position + 8)
            position += 2 * _INTEGER_OCTETS
            if kind == _OCTETS:
                length = _integer(octets, position)
                position += _INTEGER_OCTETS
            else:
                length = {_BOOLEAN: 1, _INTEGER: _INTEGER_OCTETS}[kind]
            attributes[attribute] = octets[position : position + length]
            position += length
    except (KeyError, ValueError):
        return {}
    return attributes if position == len(octets) else {}


def _integer(octets: bytes, position: int) -> int:
    found = octets[position : position + _INTEGER_OCTETS]
    if len(found) != _INTEGER_OCTETS:
        raise ValueError("cut in an integer")
    return int.from_bytes(found)
