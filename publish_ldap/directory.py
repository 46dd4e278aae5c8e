"""One X.500 directory spoken with over LDAP: the only module that touches ldap3.

Written for OpenLDAP: it relies on certificateExactMatch (RFC 4523), entryUUID (RFC 4530), the
assertion control (RFC 4528), and the operational attributes creatorsName and entryCSN.
"""

import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from cryptography import x509
from ldap3 import ANONYMOUS, MODIFY_ADD, MODIFY_DELETE, NONE, SIMPLE, SYNC, Connection, Server, Tls
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

from ca.identifiers import SerialNumber
from publish_ldap.entry import PersonEntry, certificate_filter, equality_filter
from publish_ldap.errors import DirectoryError, DirectoryRefused, DirectoryUnavailable

CERTIFICATE_ATTRIBUTE: Final = "userCertificate;binary"

# ldap3's methods are untyped, so what is sent with them is too; nothing of it leaves this module.
_Send = Callable[[Any], object]

_ATTRIBUTES: Final = ["entryUUID", "entryCSN", "uid", CERTIFICATE_ATTRIBUTE]
_ASSERTION_CONTROL: Final = "1.3.6.1.1.12"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_NO_ANSWER: Final = (
    LDAPCommunicationError,
    LDAPResponseTimeoutError,
    LDAPStartTLSError,
    LDAPCertificateError,
)
_NOT_NOW: Final = frozenset({results.RESULT_BUSY, results.RESULT_UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """Where a directory is and how we log in; without `bind_dn` we read anonymously."""

    name: str
    """Our own short name for it, used in records, logs and errors."""
    url: str
    """`ldaps://host[:port]`, or `ldap://host[:port]`, which starts TLS when `ca_file` is given."""
    base_dn: str
    bind_dn: str | None = None
    password_file: Path | None = None
    timeout_seconds: int = 5
    """Bounds the wait for a connection, and for each answer."""
    ca_file: Path | None = None
    """PEM certificates of the CAs that the directory's TLS certificate may come from."""

    def __post_init__(self) -> None:
        """ValueError where the settings cannot work, or would send the password in the clear."""
        url = urlsplit(self.url)
        rest = url.username or url.path or url.query or url.fragment or url.port == 0
        if url.scheme not in {"ldap", "ldaps"} or not url.hostname or rest:
            raise ValueError("the URL of a directory is ldap://host[:port] or ldaps://host[:port]")
        if (self.bind_dn is None) != (self.password_file is None):
            raise ValueError("bind_dn and password_file are given together, or neither")
        in_clear = url.scheme == "ldap" and self.ca_file is None and url.hostname not in _LOOPBACK
        if in_clear and self.bind_dn is not None:
            raise ValueError("a password goes over TLS: use ldaps://, or give a ca_file")
        if self.timeout_seconds < 1:
            raise ValueError("the time-out is at least one second")
        _parsed(self.base_dn)


@dataclass(frozen=True, slots=True, repr=False)
class _Found:
    """What a search said about one entry."""

    dn: str
    entry_uuid: str
    entry_csn: bytes
    pseudonyms: frozenset[str]
    certificates: tuple[bytes, ...]

    def values_named(self, issuer: x509.Name, serial: SerialNumber) -> list[bytes]:
        """Its values of this certificate: one at most, where the directory keeps RFC 4523."""
        return [value for value in self.certificates if _is_named(value, issuer, serial)]


class Directory:
    """One directory, for one thread; it connects when first asked, and again after a failure.

    Every method raises DirectoryUnavailable or DirectoryRefused, with no name of a person in it.
    """

    def __init__(self, settings: DirectorySettings) -> None:
        """Keep the settings; nothing is sent yet."""
        self._settings = settings
        self._connection: Connection | None = None

    @property
    def name(self) -> str:
        """Our name for it."""
        return self._settings.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> None:
        """Connect and log in, unless that is done already."""
        self._open()

    def close(self) -> None:
        """Let the connection go; the next request makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            _discard(connection)

    def is_reachable(self) -> bool:
        """Whether it answers, lets us in, and has the base entry."""
        try:
            return bool(self._search("(objectClass=*)", self._settings.base_dn, "BASE"))
        except DirectoryError:
            return False

    def add_certificate(self, entry: PersonEntry, certificate_der: bytes) -> str:
        """Make sure that the holder's entry exists and holds the certificate; its entryUUID.

        An entry that is there already keeps its other attributes and certificates as they are.
        """
        dn = self._entry_dn(entry)
        attributes: dict[str, str | bytes | list[str]] = {
            **entry.attributes(),
            "objectClass": ["inetOrgPerson", "pkiUser"],
            CERTIFICATE_ATTRIBUTE: certificate_der,
        }
        outcome = self._request(
            lambda connection: connection.add(dn, attributes=attributes),
            results.RESULT_ENTRY_ALREADY_EXISTS,
        )
        found = self._holder(dn, entry)
        if outcome == results.RESULT_ENTRY_ALREADY_EXISTS:
            changes = {CERTIFICATE_ATTRIBUTE: [(MODIFY_ADD, [certificate_der])]}
            self._request(
                lambda connection: connection.modify(dn, changes),
                results.RESULT_ATTRIBUTE_OR_VALUE_EXISTS,
            )
        return found.entry_uuid

    def remove_certificate(
        self, entry_uuid: str | None, issuer: x509.Name, serial: SerialNumber
    ) -> None:
        """Make sure that no entry holds the certificate.

        Other values stay. An entry that we created goes with its last certificate; one that
        another created stays. What is gone already is no error.
        """
        wanted = certificate_filter(issuer, serial)
        if entry_uuid is not None:
            wanted = f"(|{wanted}{equality_filter('entryUUID', entry_uuid)})"
        for found in self._search(wanted):
            ours = found.values_named(issuer, serial)
            left = len(found.certificates) - len(ours)
            if (ours or found.entry_uuid == entry_uuid) and not left and self._is_creator(found):
                self._delete_unchanged(found)
            elif ours:
                self._remove_values(found, ours)

    def find_certificate(self, issuer: x509.Name, serial: SerialNumber) -> tuple[str, ...]:
        """The entryUUIDs of the entries under the base that hold the certificate."""
        found = self._search(certificate_filter(issuer, serial))
        return tuple(entry.entry_uuid for entry in found if entry.values_named(issuer, serial))

    def holds(
        self, entry_uuid: str, issuer: x509.Name, serial: SerialNumber, certificate_der: bytes
    ) -> bool:
        """Whether the entry holds these very octets, and is found in the way of `find_certificate`.

        So what is published is also known to be visible to the search that judges a withdrawal.
        """
        wanted = equality_filter("entryUUID", entry_uuid) + certificate_filter(issuer, serial)
        found = self._search(f"(&{wanted})")
        return any(certificate_der in entry.values_named(issuer, serial) for entry in found)

    def _entry_dn(self, entry: PersonEntry) -> str:
        """The entry's DN, parsed again: one more RDN than the base, and the base unchanged."""
        dn = entry.distinguished_name(self._settings.base_dn)
        if _parsed(dn)[1:] != _parsed(self._settings.base_dn):
            raise DirectoryRefused(self.name, "namingViolation")
        return dn

    def _holder(self, dn: str, entry: PersonEntry) -> _Found:
        """The entry at this DN; the directory compares names loosely, we do not."""
        found = self._search("(objectClass=*)", dn, "BASE")
        if len(found) != 1:
            raise DirectoryRefused(self.name, "noSuchObject")
        if entry.pseudonym not in found[0].pseudonyms:
            raise DirectoryRefused(self.name, "anotherHolder")
        return found[0]

    def _is_creator(self, found: _Found) -> bool:
        """Whether the directory itself remembers us as the one who created the entry."""
        creator = self._settings.bind_dn
        outcome = self._request(
            lambda connection: connection.compare(found.dn, "creatorsName", creator),
            results.RESULT_COMPARE_TRUE,
            results.RESULT_COMPARE_FALSE,
            results.RESULT_NO_SUCH_ATTRIBUTE,
            results.RESULT_NO_SUCH_OBJECT,
        )
        return outcome == results.RESULT_COMPARE_TRUE

    def _delete_unchanged(self, found: _Found) -> None:
        """Delete the entry in one step, if nobody has changed it since it was read.

        A changed entry is refused with assertionFailed: the caller tries again, on what it is now.
        """
        control = (_ASSERTION_CONTROL, True, _equality_octets(b"entryCSN", found.entry_csn))
        self._request(
            lambda connection: connection.delete(found.dn, controls=[control]),
            results.RESULT_NO_SUCH_OBJECT,
        )

    def _remove_values(self, found: _Found, values: list[bytes]) -> None:
        self._request(
            lambda connection: connection.modify(
                found.dn, {CERTIFICATE_ATTRIBUTE: [(MODIFY_DELETE, values)]}
            ),
            results.RESULT_NO_SUCH_OBJECT,
            results.RESULT_NO_SUCH_ATTRIBUTE,
        )

    def _search(
        self,
        wanted: str,
        base_dn: str | None = None,
        scope: Literal["BASE", "SUBTREE"] = "SUBTREE",
    ) -> list[_Found]:
        base_dn = base_dn or self._settings.base_dn
        responses: list[Any] = []

        def send(connection: Connection) -> None:
            connection.search(base_dn, wanted, scope, "NEVER", attributes=_ATTRIBUTES)
            responses.extend(connection.response or [])

        # A missing base below which to search is a fault of the settings, not an empty answer.
        accepted = [results.RESULT_NO_SUCH_OBJECT] if scope == "BASE" else []
        self._request(send, *accepted)
        return [_found(item) for item in responses if item["type"] == "searchResEntry"]

    def _request(self, send: _Send, *accepted: int) -> int:
        """Send one request and wait for its answer; the result code, success or one accepted."""
        return self._exchange(self._open(), send, *accepted)

    def _open(self) -> Connection:
        if self._connection is None:
            connection = self._new_connection()
            self._connection = connection
            try:
                if self._settings.ca_file is not None and not connection.server.ssl:
                    self._exchange(connection, lambda new: new.start_tls(read_server_info=False))
                self._exchange(connection, lambda new: new.bind(read_server_info=False))
            except DirectoryError:
                self.close()
                raise
        return self._connection

    def _new_connection(self) -> Connection:
        settings = self._settings
        if settings.ca_file is not None and not settings.ca_file.is_file():
            raise DirectoryRefused(self.name, "caFile")
        tls = Tls(
            validate=ssl.CERT_REQUIRED,
            ca_certs_file=None if settings.ca_file is None else str(settings.ca_file),
        )
        server = Server(
            settings.url, tls=tls, get_info=NONE, connect_timeout=settings.timeout_seconds
        )
        return Connection(
            server,
            user=settings.bind_dn,
            password=self._password(),
            authentication=ANONYMOUS if settings.bind_dn is None else SIMPLE,
            client_strategy=SYNC,
            receive_timeout=settings.timeout_seconds,
            auto_referrals=False,
            check_names=False,
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
            raise DirectoryRefused(self.name, "passwordFile")
        return password

    def _exchange(self, connection: Connection, send: _Send, *accepted: int) -> int:
        """Send and judge the answer; ldap3's own errors, which quote DNs, end here."""
        failure: DirectoryError | None = None
        connection.result = None  # an answer that stays out must not look like the one before
        try:
            send(connection)
        except _NO_ANSWER as error:
            failure = DirectoryUnavailable(self.name, type(error).__name__)
        except LDAPException as error:
            failure = DirectoryRefused(self.name, type(error).__name__)
        if failure is not None:  # raised here so that it does not carry ldap3's error as context
            self.close()
            raise failure
        answer = connection.result
        if not answer:
            self.close()
            raise DirectoryUnavailable(self.name, "noAnswer")
        code = int(answer["result"])
        if code == results.RESULT_SUCCESS or code in accepted:
            return code
        kind = DirectoryUnavailable if code in _NOT_NOW else DirectoryRefused
        raise kind(self.name, str(answer["description"]))


def _parsed(dn: str) -> list[tuple[str, str]]:
    """The RDNs of a DN; ValueError if it is none."""
    fault = False
    try:
        parts = parse_dn(dn, strip=True)
    except LDAPInvalidDnError:
        fault = True
    if fault:
        raise ValueError("not a distinguished name (RFC 4514)")
    return [(attribute.lower(), value) for attribute, value, _separator in parts]


def _found(item: Any) -> _Found:
    raw = item["raw_attributes"]
    return _Found(
        dn=item["dn"],
        entry_uuid=raw["entryUUID"][0].decode("ascii"),
        entry_csn=raw["entryCSN"][0],
        pseudonyms=frozenset(value.decode("utf-8") for value in raw.get("uid", [])),
        certificates=tuple(raw.get(CERTIFICATE_ATTRIBUTE, [])),
    )


def _is_named(certificate_der: bytes, issuer: x509.Name, serial: SerialNumber) -> bool:
    """Whether these octets are the certificate; what cannot be read is not ours."""
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        name = certificate.issuer
    except ValueError:
        return False
    return certificate.serial_number == serial and name == issuer


def _equality_octets(attribute: bytes, value: bytes) -> bytes:
    """An equalityMatch filter in BER, short form of length (RFC 4511 section 4.5.1.7.1)."""
    body = b"".join(bytes([0x04, len(part)]) + part for part in (attribute, value))
    return bytes([0xA3, len(body)]) + body


def _discard(connection: Connection) -> None:
    """Say goodbye if that is still possible, and close the socket in any case."""
    with contextlib.suppress(LDAPException):
        connection.unbind()
    if connection.socket is not None:
        connection.socket.close()
