"""One LDAP session: the only module that touches ldap3.

Every wait has an end, and every failure becomes a DirectoryError with no name in it.
"""

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from ldap3 import (
    ANONYMOUS,
    EXTERNAL,
    MODIFY_ADD,
    MODIFY_DELETE,
    MODIFY_REPLACE,
    NONE,
    SASL,
    SIMPLE,
    SYNC,
    Connection,
    Server,
    Tls,
)
from ldap3.core import results
from ldap3.core.exceptions import (
    LDAPCertificateError,
    LDAPCommunicationError,
    LDAPException,
    LDAPInvalidDnError,
    LDAPResponseTimeoutError,
    LDAPStartTLSError,
)
from ldap3.utils.dn import parse_dn

from publish_ldap.errors import DirectoryError, DirectoryRefused, DirectoryUnavailable
from publish_ldap.messages import Attributes, Found, NewEntry, add_request, search_request
from publish_ldap.pipeline import Answers, Request, send_together
from publish_ldap.settings import DirectorySettings

_PAGE: Final = 500
_ASKED_TOGETHER: Final = 64
_PAGED: Final = "1.2.840.113556.1.4.319"

# ldap3's methods are untyped, so what is sent with them is too; nothing of it leaves this module.
_Send = Callable[[Any], object]
Scope = Literal["BASE", "SUBTREE"]
Change = Literal["add", "delete", "replace"]

_CHANGES: Final[dict[Change, str]] = {
    "add": MODIFY_ADD,
    "delete": MODIFY_DELETE,
    "replace": MODIFY_REPLACE,
}
_NO_ANSWER: Final = (
    LDAPCommunicationError,
    LDAPResponseTimeoutError,
    LDAPStartTLSError,
    LDAPCertificateError,
)
_NOT_NOW: Final = frozenset({results.RESULT_BUSY, results.RESULT_UNAVAILABLE})

SUCCESS: Final = int(results.RESULT_SUCCESS)
NO_SUCH_OBJECT: Final = int(results.RESULT_NO_SUCH_OBJECT)
NO_SUCH_ATTRIBUTE: Final = int(results.RESULT_NO_SUCH_ATTRIBUTE)
ENTRY_EXISTS: Final = int(results.RESULT_ENTRY_ALREADY_EXISTS)
VALUE_EXISTS: Final = int(results.RESULT_ATTRIBUTE_OR_VALUE_EXISTS)
COMPARE_TRUE: Final = int(results.RESULT_COMPARE_TRUE)
COMPARE_FALSE: Final = int(results.RESULT_COMPARE_FALSE)


class _VerifyingTls(Tls):
    """TLS where OpenSSL itself checks anchors, dates and host name (RFC 4513 section 3.1.3).

    What ldap3 does instead goes away with Python 3.12, and leaves sockets open.
    """

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002 - ldap3's signature
        context = ssl.create_default_context(cafile=self.ca_certs_file)
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file, self.private_key_file)
        wrapped = context.wrap_socket(
            connection.socket,
            server_hostname=connection.server.host,
            do_handshake_on_connect=False,
        )
        try:
            wrapped.do_handshake()
        except OSError:
            wrapped.close()
            raise
        connection.socket = wrapped
        return wrapped


@dataclass(frozen=True, slots=True)
class Added:
    """The outcome of each entry that was to be added, what was seen then, and what ended it."""

    outcomes: list[int | DirectoryError]
    found: list[Found]
    failure: DirectoryError | None


class Session:
    """A session with one server, for one thread; it connects when first asked, and again later.

    Every method raises DirectoryUnavailable or DirectoryRefused.
    """

    def __init__(self, settings: DirectorySettings) -> None:
        """Keep the settings; nothing is sent yet."""
        self._settings = settings
        self._connection: Connection | None = None

    def open(self) -> None:
        """Connect and log in, unless that is done already."""
        self._open()

    def close(self) -> None:
        """Let the connection go; the next request makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            _discard(connection)

    def identity(self) -> str:
        """The DN that the server takes us for (RFC 4532)."""
        if self._settings.bind_dn is not None:
            return self._settings.bind_dn
        said: list[Any] = []
        self._request(lambda new: said.append(new.extend.standard.who_am_i()))
        return str(said[0] or "").removeprefix("dn:")

    def add(self, dn: str, classes: Sequence[str], attributes: Attributes, *accepted: int) -> int:
        """Add an entry; the result code, success or one accepted."""
        values = {**attributes, "objectClass": list(classes)}
        return self._request(lambda new: new.add(dn, attributes=values), *accepted)

    def modify(
        self, dn: str, changes: dict[str, tuple[Change, Sequence[str | bytes]]], *accepted: int
    ) -> int:
        """Change an entry, all of it or nothing."""
        sent = {of: [(_CHANGES[what], list(values))] for of, (what, values) in changes.items()}
        return self._request(lambda new: new.modify(dn, sent), *accepted)

    def delete(self, dn: str, assertion: bytes | None, *accepted: int) -> int:
        """Delete an entry, if the assertion (RFC 4528) holds of it."""
        controls = None if assertion is None else [("1.3.6.1.1.12", True, assertion)]
        return self._request(lambda new: new.delete(dn, controls=controls), *accepted)

    def compare(self, dn: str, attribute: str, value: str) -> bool:
        """Whether an entry has that value; an entry that is gone has none."""
        outcome = self._request(
            lambda new: new.compare(dn, attribute, value),
            COMPARE_TRUE,
            COMPARE_FALSE,
            NO_SUCH_ATTRIBUTE,
            NO_SUCH_OBJECT,
        )
        return outcome == COMPARE_TRUE

    def search(
        self, base_dn: str, wanted: str, attributes: Sequence[str], scope: Scope = "SUBTREE"
    ) -> list[Found]:
        """The entries found. A base below which to search must be there; else it is no answer."""
        responses: list[Any] = []

        def send(connection: Connection) -> None:
            connection.search(base_dn, wanted, scope, "NEVER", attributes=list(attributes))
            responses.extend(connection.response or [])

        self._request(send, *([NO_SUCH_OBJECT] if scope == "BASE" else []))
        return _entries(responses)

    def pages(self, base_dn: str, wanted: str, attributes: Sequence[str]) -> Iterator[Found]:
        """As `search`, however many there are (RFC 2696)."""
        cookie: Any = None
        while True:
            responses: list[Any] = []

            def send(connection: Connection, cookie: Any = cookie, into: Any = responses) -> None:
                connection.search(
                    base_dn,
                    wanted,
                    "SUBTREE",
                    "NEVER",
                    attributes=list(attributes),
                    paged_size=_PAGE,
                    paged_cookie=cookie,
                )
                into.extend(connection.response or [])

            self._request(send)
            yield from _entries(responses)
            cookie = self._cookie()
            if not cookie:
                return

    def add_many(
        self,
        entries: Sequence[NewEntry],
        look: tuple[str, Sequence[bytes], Sequence[str]],
        *accepted: int,
    ) -> "Added":
        """Add entries, and search below a base by a filter for each of them, or by none.

        A group of entries is looked for when it was added, while the next ones are.
        """
        base_dn, filters, attributes = look
        requests: list[Request] = []
        places: list[range] = []
        for group in [*_groups(entries), ()]:
            begun = len(requests)
            requests += [Request(partial(add_request, each)) for each in group]
            places.append(range(begun, len(requests)))
            if filters and len(places) > 1:
                first = sum(map(len, places[:-2]))
                asked = filters[first : first + len(places[-2])]
                search = partial(search_request, (base_dn, asked, attributes))
                requests.append(Request(search, after=frozenset(places[-2])))
        answers = self._together(requests)
        codes = [answers.codes.get(place) for group in places for place in group]
        outcomes = [self._outcome(code, answers.failure, accepted) for code in codes]
        return Added(outcomes, answers.found, answers.failure)

    def _together(self, requests: Sequence[Request]) -> Answers:
        answers, connection = Answers(), self._open()
        try:
            send_together(connection, requests, answers)
        except (LDAPException, OSError, ValueError) as error:
            answers.failure = self._failure(error)
            self.close()
        return answers

    def _outcome(
        self, code: int | None, failure: DirectoryError | None, accepted: tuple[int, ...]
    ) -> int | DirectoryError:
        if code is None:
            return failure or DirectoryUnavailable(self._settings.name, "noAnswer")
        description = results.RESULT_CODES.get(code, str(code))
        try:
            return self._judged({"result": code, "description": description}, accepted)
        except DirectoryError as error:
            return error

    def _cookie(self) -> Any:
        answer = self._connection.result if self._connection is not None else None
        control = ((answer or {}).get("controls") or {}).get(_PAGED)
        return control["value"]["cookie"] if control else None

    def _request(self, send: _Send, *accepted: int) -> int:
        """Send one request and wait for its answer; the result code, success or one accepted."""
        return self._exchange(self._open(), send, *accepted)

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._entered()
        return self._connection

    def _entered(self) -> Connection:
        connection = self._new_connection()
        try:
            self._exchange(connection, self._connect)
            if self._settings.ca_file is not None and not connection.server.ssl:
                self._exchange(connection, lambda new: new.start_tls(read_server_info=False))
            self._exchange(connection, lambda new: new.bind(read_server_info=False))
        except DirectoryError:
            _discard(connection)
            raise
        return connection

    def _connect(self, connection: Connection) -> None:
        """Open; sending waits no longer than receiving, be the message larger than all buffers."""
        connection.open(read_server_info=False)
        bound = struct.pack("LL", self._settings.timeout_seconds, 0)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, bound)
        connection.result = {"result": SUCCESS, "description": "success"}

    def _new_connection(self) -> Connection:
        of = self._settings
        files = (of.ca_file, of.certificate_file, of.key_file)
        for file, code in zip(files, ("caFile", "certificateFile", "keyFile"), strict=True):
            if file is not None and not file.is_file():
                raise DirectoryRefused(of.name, code)
        ca_file, certificate_file, key_file = (None if f is None else str(f) for f in files)
        tls = _VerifyingTls(
            local_private_key_file=key_file,
            local_certificate_file=certificate_file,
            validate=ssl.CERT_REQUIRED,
            ca_certs_file=ca_file,
        )
        server = Server(of.url, tls=tls, get_info=NONE, connect_timeout=of.timeout_seconds)
        login: dict[str, Any] = {"authentication": ANONYMOUS if of.bind_dn is None else SIMPLE}
        if certificate_file is not None:
            login = {"authentication": SASL, "sasl_mechanism": EXTERNAL, "sasl_credentials": ""}
        return Connection(
            server,
            user=of.bind_dn,
            password=self._password(),
            client_strategy=SYNC,
            receive_timeout=of.timeout_seconds,
            auto_referrals=False,
            check_names=False,
            **login,
        )

    def _password(self) -> str | None:
        """The password; an empty one is refused, it would log in as nobody (RFC 4513 5.1.2)."""
        if self._settings.password_file is None:
            return None
        try:
            password = self._settings.password_file.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError):
            password = ""
        if not password:
            raise DirectoryRefused(self._settings.name, "passwordFile")
        return password

    def _exchange(self, connection: Connection, send: _Send, *accepted: int) -> int:
        """Send and judge the answer; ldap3's own errors, which quote DNs, end here."""
        failure: DirectoryError | None = None
        connection.result = None  # an answer that stays out must not look like the one before
        try:
            send(connection)
        except (LDAPException, OSError) as error:
            failure = self._failure(error)
        if failure is not None:  # raised here so that it does not carry ldap3's error as context
            self.close()
            raise failure
        return self._judged(connection.result, accepted)

    def _failure(self, error: Exception) -> DirectoryError:
        kind = (
            DirectoryUnavailable
            if isinstance(error, (*_NO_ANSWER, OSError, ValueError))
            else DirectoryRefused
        )
        return kind(self._settings.name, type(error).__name__)

    def _judged(self, answer: Any, accepted: tuple[int, ...]) -> int:
        if not answer:
            self.close()
            raise DirectoryUnavailable(self._settings.name, "noAnswer")
        code = int(answer["result"])
        if code == SUCCESS or code in accepted:
            return code
        kind = DirectoryUnavailable if code in _NOT_NOW else DirectoryRefused
        raise kind(self._settings.name, str(answer["description"]))


def parsed(dn: str) -> list[tuple[str, str]]:
    """The attributes that a DN is made of, by ldap3's reading; ValueError if it is none."""
    fault = False
    try:
        parts = parse_dn(dn, strip=True)
    except LDAPInvalidDnError:
        fault = True
    if fault:
        raise ValueError("not a distinguished name (RFC 4514)")
    return [(attribute.lower(), value) for attribute, value, _separator in parts]


def _groups(entries: Sequence[NewEntry]) -> list[Sequence[NewEntry]]:
    starts = range(0, len(entries), _ASKED_TOGETHER)
    return [entries[first : first + _ASKED_TOGETHER] for first in starts]


def _entries(responses: list[Any]) -> list[Found]:
    return [
        Found(item["dn"], dict(item["raw_attributes"]))
        for item in responses
        if item["type"] == "searchResEntry"
    ]


def _discard(connection: Connection) -> None:
    """Say goodbye if that is still possible, and close the socket in any case."""
    with contextlib.suppress(LDAPException, OSError):
        connection.unbind()
    if connection.socket is not None:
        connection.socket.close()
