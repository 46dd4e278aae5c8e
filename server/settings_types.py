"""The kinds of value that a setting can have: text, paths, hosts, addresses."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from hsm.uri import SCHEME, check_token_name

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.(?!-)[A-Za-z0-9-]{1,63})*")
_SQLITE = "sqlite:///"
_POSTGRESQL = "postgresql+psycopg://"


def refused(problem: str, way_out: str) -> PydanticCustomError:
    """The error of a validator here: the end of a sentence that begins with the key, and a hint."""
    return PydanticCustomError("refused", "{problem}", {"problem": problem, "way_out": way_out})


def _plain(text: str) -> str:
    if not text.isprintable():
        raise refused("holds characters that cannot be printed", "Write it as plain text.")
    return text


def _not_empty(text: str) -> str:
    if not text:
        raise refused("is empty", "Give it a value, or leave it out to have the default.")
    return text


def _state(info: ValidationInfo) -> Path:
    if info.context is None:
        raise TypeError("settings are read by server.settings_sources, which knows the directory")
    state: Path = info.context["state"]
    return state


def _below_state(path: Path | None, info: ValidationInfo) -> Path | None:
    if path is None:
        return None
    _plain(str(path))
    if path.parts[:1] and path.parts[0].startswith("~"):
        raise refused("starts with ~, which is not expanded here", "Write the whole path.")
    return _state(info) / path


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


Text = Annotated[str, AfterValidator(_plain)]
"""Printable text, possibly empty."""


def _token_name(name: str) -> str:
    hint = "No label is: PKCS#11 has no room for more."
    if name.startswith(SCHEME):
        hint = "Write it as pkcs11:token=LABEL, with ;serial= where labels are not enough."
    try:
        check_token_name(name)
    except ValueError as error:
        raise refused(str(error), hint) from None
    return name


TokenName = Annotated[Text, AfterValidator(_not_empty), AfterValidator(_token_name)]
"""A token by its label (CK_TOKEN_INFO: at most 32 octets) or by a PKCS#11 URI."""

OptionalTokenName = Annotated[Text, AfterValidator(_token_name)]
"""As `TokenName`; the empty text means that there is none."""

StatePath = Annotated[Path, Field(strict=False), AfterValidator(_below_state)]
"""A path; a relative one is relative to the state directory."""

OptionalPath = Annotated[
    Path | None,
    Field(strict=False),
    BeforeValidator(_empty_is_none),
    AfterValidator(_below_state),
]
"""As `StatePath`; the empty text means that there is none."""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on the host."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _host(host: str) -> str:
    if _address(host) is None and not _HOST_NAME.fullmatch(host):
        raise refused("is neither an IP address nor a host name", "Write it as 127.0.0.1.")
    return host


Host = Annotated[Text, AfterValidator(_host)]
"""An IP address or a host name, without brackets or port."""


def _time_server(place: str) -> str:
    host, colon, port = place.rpartition(":") if place.count(":") == 1 else (place, "", "")
    if colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise refused("has no port after its colon", "Write HOST, or HOST:PORT.")
    return f"{_host(host)}{colon}{port}" if place else place


TimeServer = Annotated[Text, AfterValidator(_time_server)]
"""A host, and a port unless it is the usual one; or empty."""


def local_url(scheme: str, host: str, port: int) -> str:
    """The address of a listener, as it stands when nothing is in front of it."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def check_url(url: str, schemes: tuple[str, ...]) -> str:
    """The address without slashes at its end; refused unless it can stand in a certificate.

    RFC 5280 section 4.2.1.6: an absolute URI in ASCII.
    """
    hint = f"Write it as {schemes[0]}://HOST:PORT."
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise refused("is not a URL", hint) from error
    if not url.isascii() or " " in url or not parts.hostname:
        raise refused("is not a URL in ASCII with a host", hint)
    if parts.scheme not in schemes:
        raise refused(f"does not start with {' or '.join(schemes)}", hint)
    if parts.query or parts.fragment or parts.username is not None:
        raise refused("has a user, a query or a fragment", hint)
    return url.rstrip("/")


@dataclass(frozen=True, slots=True, repr=False)
class DatabaseUrl:
    """The address of a database; prints without its password."""

    _text: str

    def reveal(self) -> str:
        """The whole address, for the database library only."""
        return self._text

    @property
    def is_postgresql(self) -> bool:
        """Whether it is one of PostgreSQL, which knows roles."""
        return self._text.startswith(_POSTGRESQL)

    @property
    def database(self) -> str:
        """The name of the database in its server, or the file."""
        return unquote(urlsplit(self._text).path.removeprefix("/"))

    @property
    def user(self) -> str:
        """The role that it signs in as; empty when the address names none."""
        return unquote(urlsplit(self._text).username or "")

    def __str__(self) -> str:
        user_hidden = re.sub(r"//([^:/@]*):.*@", r"//\1:***@", self._text)
        return re.sub(r"([?&][^=&]*pass[^=&]*=)[^&]*", r"\1***", user_hidden, flags=re.IGNORECASE)

    def __repr__(self) -> str:
        return f"DatabaseUrl({str(self)!r})"


def _database_url(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    text = _plain(value)
    if text.startswith(_POSTGRESQL):
        return DatabaseUrl(text)
    hint = f"Write {_SQLITE}FILE or {_POSTGRESQL}USER@HOST/NAME."
    if not text.startswith(_SQLITE):
        raise refused("is neither SQLite nor PostgreSQL by psycopg", hint)
    path, mark, query = text.removeprefix(_SQLITE).partition("?")
    if path in ("", ":memory:"):
        raise refused("names no file, and a database in memory cannot be shared", hint)
    return DatabaseUrl(f"{_SQLITE}{_state(info) / path}{mark}{query}")


DatabaseAddress = Annotated[
    DatabaseUrl, BeforeValidator(_database_url), WithJsonSchema({"type": "string"})
]
"""SQLite (a relative file is relative to the state directory) or PostgreSQL."""

OptionalDatabaseAddress = Annotated[
    DatabaseUrl | None,
    BeforeValidator(_database_url),
    BeforeValidator(_empty_is_none),
    WithJsonSchema({"type": "string"}),
]
"""As `DatabaseAddress`; the empty text means that there is none."""
