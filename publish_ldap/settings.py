"""What is known of a directory before it is asked: where it is, how we log in, how it speaks.

Loads no LDAP library, so that settings can be checked at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from publish_ldap.entry import Entry, EntryTemplate, Holder, template_of
from publish_ldap.names import is_distinguished_name

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Product(StrEnum):
    """Which server it is: they differ in what they know."""

    OPENLDAP = "openldap"
    DS_389 = "389ds"
    ACTIVE_DIRECTORY = "active-directory"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one product knows.

    `identifier` is the attribute that names an entry for good, 16 octets if `octets`. With `exact`
    it answers certificateExactMatch (RFC 4523). `version` is the attribute that changes with every
    change of an entry, where it knows the assertion control (RFC 4528).
    """

    identifier: str
    certificate: str = "userCertificate;binary"
    octets: bool = False
    exact: bool = False
    version: str | None = None


DIALECTS: Final[Mapping[Product, Dialect]] = {
    Product.OPENLDAP: Dialect("entryUUID", exact=True, version="entryCSN"),
    Product.DS_389: Dialect("nsUniqueId"),
    Product.ACTIVE_DIRECTORY: Dialect("objectGUID", "userCertificate", octets=True),
}


@dataclass(frozen=True, slots=True)
class AuthorityTemplate:
    """Where the entries of certificate authorities stand, and what they are beside pkiCA."""

    dn: str = "cn={CN}"
    object_class: str = "applicationProcess"


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """Where a directory is and how we log in; without any login we read anonymously."""

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
    certificate_file: Path | None = None
    """Our own TLS certificate and, in `key_file`, its key: SASL EXTERNAL (RFC 4422 appendix A)."""
    key_file: Path | None = None
    product: Product = Product.OPENLDAP
    replicas: tuple[str, ...] = ()
    """Addresses of further servers that hold the same entries, each looked at by itself."""
    create_parents: bool = False
    entries: Mapping[str, EntryTemplate] = field(default_factory=dict)
    """Templates by profile; other profiles have that of their kind."""
    authority: AuthorityTemplate = AuthorityTemplate()

    def __post_init__(self) -> None:
        """ValueError where the settings cannot work, or would send the password in the clear."""
        for url in (self.url, *self.replicas):
            self._check_url(url)
        if (self.bind_dn is None) != (self.password_file is None):
            raise ValueError("bind_dn and password_file are given together, or neither")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file are given together, or neither")
        if self.certificate_file is not None and self.bind_dn is not None:
            raise ValueError("the login is by certificate or by password, not by both")
        if self.certificate_file is not None and self.ca_file is None:
            raise ValueError("a login by certificate is over TLS: give a ca_file")
        if self.timeout_seconds < 1:
            raise ValueError("the time-out is at least one second")
        if not is_distinguished_name(self.base_dn):
            raise ValueError("base_dn is not a distinguished name (RFC 4514)")

    def _check_url(self, text: str) -> None:
        url = urlsplit(text)
        rest = url.username or url.path or url.query or url.fragment or url.port == 0
        if url.scheme not in {"ldap", "ldaps"} or not url.hostname or rest:
            raise ValueError("the URL of a directory is ldap://host[:port] or ldaps://host[:port]")
        in_clear = url.scheme == "ldap" and self.ca_file is None and url.hostname not in _LOOPBACK
        if in_clear and self.bind_dn is not None:
            raise ValueError("a password goes over TLS: use ldaps://, or give a ca_file")

    @property
    def dialect(self) -> Dialect:
        """What its product knows."""
        return DIALECTS[self.product]

    def entry(self, holder: Holder) -> Entry:
        """The entry of a holder here.

        Raises: EntryRefused.
        """
        return template_of(holder, self.entries).entry(holder)

    def servers(self) -> tuple["DirectorySettings", ...]:
        """Each of its servers by itself, the one that is written to first."""
        own = replace(self, replicas=())
        return (own, *(replace(own, url=url) for url in self.replicas))
