"""PKCS#11 URIs: which token, or which key in it, in one line of text (RFC 7512).

Understood are token, serial, manufacturer, model, object, id and type, and of the query
module-path and pin-source. What is not understood is refused: to pass over an attribute could
mean another token than was meant.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

SCHEME = "pkcs11:"

_PATH = frozenset({"token", "serial", "manufacturer", "model", "object", "id", "type"})
_QUERY = frozenset({"module-path", "pin-source"})
_LABEL_OCTETS = 32
"""CK_TOKEN_INFO has room for no longer label."""
# Unreserved characters, those that either part allows as they are, and percent-encoding (2.3).
_VALUE = re.compile(r"(?:[A-Za-z0-9._~:\[\]@!$'()*+,=/&?|-]|%[0-9A-Fa-f]{2})*")
_SECRET_TYPES = frozenset({"", "private", "secret-key"})


@dataclass(frozen=True, slots=True)
class Pkcs11Uri:
    """A parsed URI; an attribute that it does not have is empty."""

    token: str = ""
    serial: str = ""
    manufacturer: str = ""
    model: str = ""
    object: str = ""
    id: bytes = b""
    type: str = ""
    module_path: Path | None = None
    pin_source: Path | None = None
    """A file, `fd:N` or `credential:NAME`, see `hsm.pins`."""

    @property
    def names_token(self) -> bool:
        """Whether it says anything about a token."""
        return any((self.token, self.serial, self.manufacturer, self.model))

    @property
    def names_key(self) -> bool:
        """Whether it says anything about a key."""
        return any((self.object, self.id, self.type))


def parse_uri(text: str) -> Pkcs11Uri:
    """Read a URI. ValueError, with a sentence for people, for anything else."""
    if not text.startswith(SCHEME):
        raise ValueError("a PKCS#11 URI starts with pkcs11: (RFC 7512)")
    path, _, query = text.removeprefix(SCHEME).partition("?")
    attributes = _attributes(path, ";", _PATH) | _attributes(query, "&", _QUERY)
    if attributes.get("type", b"").decode("ascii", "replace") not in _SECRET_TYPES:
        raise ValueError("its type is neither private nor secret-key: only such keys are used")
    words = {name: _text(name, octets) for name, octets in attributes.items() if name != "id"}
    module, pin = words.pop("module-path", ""), words.pop("pin-source", "")
    return Pkcs11Uri(
        **words,
        id=attributes.get("id", b""),
        module_path=_absolute(module) if module else None,
        pin_source=_pin_source(pin) if pin else None,
    )


def token_uri(text: str) -> Pkcs11Uri:
    """As `parse_uri`; ValueError unless it names a token, and nothing in it."""
    uri = parse_uri(text)
    if not uri.names_token:
        raise ValueError("it names no token: give token=LABEL, serial=, manufacturer= or model=")
    if uri.names_key:
        raise ValueError("it names a key, where a token is meant: leave object, id and type out")
    return uri


def token_label(name: str) -> str:
    """What a token is called in logs, metrics and file names: its label, or what else names it."""
    if not name.startswith(SCHEME):
        return name
    uri = token_uri(name)
    return uri.token or uri.serial or uri.model or uri.manufacturer


def check_token_name(name: str) -> None:
    """ValueError, with the end of a sentence, unless it is a token's label or a URI of one."""
    if name.startswith(SCHEME):
        try:
            token_uri(name)
        except ValueError as error:
            raise ValueError(f"is no PKCS#11 URI of a token: {error}") from None
    elif len(name.encode()) > _LABEL_OCTETS:
        raise ValueError(f"is longer than {_LABEL_OCTETS} octets")


def key_uri(text: str) -> Pkcs11Uri:
    """As `parse_uri`; ValueError unless it names a key, and nothing else."""
    uri = parse_uri(text)
    if not (uri.object or uri.id):
        raise ValueError("it names no key: give object=LABEL or id=")
    if uri.names_token or uri.module_path or uri.pin_source:
        raise ValueError("it names a token, where a key in it is meant")
    return uri


def _attributes(part: str, separator: str, known: frozenset[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for pair in part.split(separator) if part else ():
        name, equals, value = pair.partition("=")
        if name == "pin-value":
            raise ValueError("pin-value would put the PIN where it can be read: use pin-source")
        if name not in known:
            raise ValueError(f"it has the attribute {name!r}, which is not used here")
        if not equals or name in found:
            raise ValueError(f"the attribute {name} has no value, or stands there twice")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"the value of {name} holds a character that must be written as %XX")
        found[name] = unquote_to_bytes(value)
    return found


def _text(name: str, octets: bytes) -> str:
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        raise ValueError(f"the value of {name} is not UTF-8") from None
    if not text or not text.isprintable():
        raise ValueError(f"the value of {name} is empty or cannot be printed")
    return text


def _pin_source(text: str) -> Path:
    if text.startswith(("fd:", "credential:")):
        return Path(text)
    if text.startswith("|"):
        raise ValueError("a PIN is read from a file; programs are not started for it")
    scheme = "file://" if text.startswith("file:///") else "file:"
    return _absolute(text.removeprefix(scheme))


def _absolute(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise ValueError(f"{text!r} is no absolute path")
    return path
