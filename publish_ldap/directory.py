"""One X.500 directory: certificates go in, come out, and are found.

Written for OpenLDAP first: there it relies on certificateExactMatch (RFC 4523), entryUUID (RFC
4530), the assertion control (RFC 4528), and the operational attributes creatorsName and entryCSN.
What another product lacks, `Dialect` says.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from cryptography import x509

from ca.identifiers import SerialNumber
from publish_ldap.connection import (
    ENTRY_EXISTS,
    NO_SUCH_ATTRIBUTE,
    NO_SUCH_OBJECT,
    SUCCESS,
    VALUE_EXISTS,
    Session,
    parsed,
)
from publish_ldap.entry import Entry
from publish_ldap.errors import DirectoryError, DirectoryRefused, DirectoryUnavailable
from publish_ldap.messages import Attributes, Found, NewEntry, extensible_match
from publish_ldap.names import (
    ANY_CERTIFICATE,
    CERTIFICATE,
    EXACT_MATCH,
    certificate_filter,
    equality_filter,
    equality_octets,
    escaped_octets,
    exact_assertion,
    is_named,
    parts_of,
    rdns_of,
    unescaped,
)
from publish_ldap.settings import DirectorySettings

_EVERY: Final = "(objectClass=*)"
_PARENTS: Final = {
    "ou": "organizationalUnit",
    "o": "organization",
    "c": "country",
    "l": "locality",
    "dc": "domain",
}


@dataclass(frozen=True, slots=True, repr=False)
class _Held:
    """What a search said about one entry."""

    dn: str
    identifier: str
    version: bytes
    certificates: tuple[bytes, ...]
    values: dict[str, list[bytes]]

    def values_named(self, issuer: x509.Name, serial: SerialNumber) -> list[bytes]:
        """Its values of this certificate: one at most, where the directory keeps RFC 4523."""
        return [value for value in self.certificates if is_named(value, issuer, serial)]

    def is_of(self, holder: tuple[str, str]) -> bool:
        """Whether the entry has exactly this value; the directory compares loosely, we do not."""
        attribute, value = holder
        of = [octets for name, octets in self.values.items() if name.lower() == attribute.lower()]
        return value.encode() in (octets for values in of for octets in values)


class Directory:
    """One directory, for one thread; it connects when first asked, and again after a failure.

    Every method raises DirectoryUnavailable or DirectoryRefused, with no name of a person in it.
    """

    def __init__(self, settings: DirectorySettings) -> None:
        """Keep the settings; nothing is sent yet."""
        self.settings = settings
        self._dialect = settings.dialect
        self.session = Session(settings)
        self._identity: str | None = None
        self._replicas = tuple(map(Directory, settings.servers()[1:]))

    @property
    def name(self) -> str:
        """Our name for it."""
        return self.settings.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def servers(self) -> "tuple[Directory, ...]":
        """This one, and each replica by itself."""
        return (self, *self._replicas)

    def open(self) -> None:
        """Connect and log in, unless that is done already."""
        self.session.open()

    def close(self) -> None:
        """Let the connections go; the next request makes a new one."""
        for replica in self._replicas:
            replica.close()
        self.session.close()

    def is_reachable(self) -> bool:
        """Whether it answers, lets us in, and has the base entry."""
        try:
            return bool(self._search(_EVERY, self.settings.base_dn))
        except DirectoryError:
            return False

    def add_certificate(self, entry: Entry, certificate_der: bytes) -> str:
        """Make sure that the holder's entry exists and holds the certificate; its identifier.

        An entry that is there already keeps its other attributes and certificates as they are.
        """
        if entry.existing:
            return self._add_value(self._found_holder(entry), certificate_der)
        dn = self._entry_dn(entry)
        attributes = self._attributes(entry, certificate_der)
        outcome = self._add(dn, entry, attributes)
        found = self._holder(dn, entry)
        if outcome == ENTRY_EXISTS:
            self._add_value(found, certificate_der)
        return found.identifier

    def add_certificates(self, wanted: Sequence[tuple[Entry, bytes]]) -> list[str | DirectoryError]:
        """Many at once: the identifier of each entry that was seen to hold it, or why not.

        New entries go together, and one search looks at many. What is there already, was not
        seen, or cannot stand alone, goes by itself.
        """
        outcomes: dict[int, str | DirectoryError] = {}
        sent = []
        for at, (entry, der) in enumerate(wanted):
            try:
                if not entry.existing:
                    dn = self._entry_dn(entry)
                    sent.append((at, (dn, entry.object_classes, self._attributes(entry, der))))
            except DirectoryError as error:
                outcomes[at] = error
        try:
            down = self._add_together(sent, wanted, outcomes)
        except DirectoryError as error:
            down = error
        for at, (entry, der) in enumerate(wanted):
            if at not in outcomes:
                outcome = down or self._by_itself(entry, der)
                outcomes[at] = outcome
                down = outcome if isinstance(outcome, DirectoryUnavailable) else down
        return [outcomes[at] for at in range(len(wanted))]

    def _add_together(
        self,
        sent: Sequence[tuple[int, NewEntry]],
        wanted: Sequence[tuple[Entry, bytes]],
        outcomes: dict[int, str | DirectoryError],
    ) -> DirectoryError | None:
        """What became of those that were new: seen, or refused; not of those there already.

        Gives what ended it, if it did.
        """
        if not sent:
            return None
        filters = self._filters([wanted[at][1] for at, _ in sent])
        look = (self.settings.base_dn, filters, self._asked(()))
        entries = [entry for _, entry in sent]
        made = self.session.add_many(entries, look, ENTRY_EXISTS, NO_SUCH_OBJECT)
        places: dict[bytes, int] = {}
        for (at, _), outcome in zip(sent, made.outcomes, strict=True):
            if isinstance(outcome, DirectoryError):
                outcomes[at] = outcome
            elif outcome == SUCCESS:
                places[wanted[at][1]] = at
        found = [self._held(item) for item in made.found] if filters else self._everything()
        for held in found:
            for der in held.certificates:
                if der in places:
                    outcomes[places[der]] = held.identifier
        return made.failure

    def _everything(self) -> list[_Held]:
        """Every entry with a certificate; none where so many are more than is shown at once."""
        try:
            return self._search_below(ANY_CERTIFICATE)
        except DirectoryRefused:
            return []

    def _filters(self, certificates: Sequence[bytes]) -> list[bytes]:
        """For each certificate one by which it is found, or none at all."""
        filters: list[bytes] = []
        for body in map(x509.load_der_x509_certificate, certificates):
            assertion = exact_assertion(body.issuer, SerialNumber(body.serial_number))
            if assertion is None or not self._dialect.exact:
                return []
            filters.append(extensible_match(CERTIFICATE, EXACT_MATCH, assertion))
        return filters

    def _by_itself(self, entry: Entry, certificate_der: bytes) -> str | DirectoryError:
        try:
            identifier = self.add_certificate(entry, certificate_der)
            body = x509.load_der_x509_certificate(certificate_der)
            serial = SerialNumber(body.serial_number)
            if self.holds(identifier, body.issuer, serial, certificate_der):
                return identifier
        except DirectoryError as error:
            return error
        return DirectoryRefused(self.name, "notPublished")

    def remove_certificate(
        self, entry_uuid: str | None, issuer: x509.Name, serial: SerialNumber
    ) -> None:
        """Make sure that no entry holds the certificate.

        Other values stay. An entry that we created goes with its last certificate; one that
        another created stays. What is gone already is no error.
        """
        wanted = self._filter(issuer, serial)
        if entry_uuid is not None and wanted != ANY_CERTIFICATE:
            wanted = f"(|{wanted}{self._identified(entry_uuid)})"
        for found in self._search_below(wanted):
            ours = found.values_named(issuer, serial)
            left = len(found.certificates) - len(ours)
            if (ours or found.identifier == entry_uuid) and not left and self._is_creator(found):
                self._delete_unchanged(found)
            elif ours:
                self._remove_values(found, ours)

    def find_certificate(self, issuer: x509.Name, serial: SerialNumber) -> tuple[str, ...]:
        """The identifiers of the entries under the base that hold the certificate."""
        found = self._search_below(self._filter(issuer, serial))
        return tuple(entry.identifier for entry in found if entry.values_named(issuer, serial))

    def find_anywhere(self, issuer: x509.Name, serial: SerialNumber) -> tuple[str, ...]:
        """As `find_certificate`, on this server and on each replica by itself."""
        return tuple(
            found for server in self.servers() for found in server.find_certificate(issuer, serial)
        )

    def holds(
        self, entry_uuid: str, issuer: x509.Name, serial: SerialNumber, certificate_der: bytes
    ) -> bool:
        """Whether the entry holds these very octets, and is found in the way of `find_certificate`.

        So what is published is also known to be visible to the search that judges a withdrawal.
        """
        wanted = self._identified(entry_uuid) + self._filter(issuer, serial)
        found = self._search_below(f"(&{wanted})")
        return any(certificate_der in entry.values_named(issuer, serial) for entry in found)

    def certificates(self) -> Iterator[tuple[str, bytes]]:
        """Every certificate below the base, with the identifier of its entry."""
        of = [self._dialect.identifier, self._dialect.certificate]
        for item in self.session.pages(self.settings.base_dn, ANY_CERTIFICATE, of):
            held = self._held(item)
            for der in held.certificates:
                yield held.identifier, der

    def _add(self, dn: str, entry: Entry, attributes: Attributes) -> int:
        outcome = self.session.add(
            dn, entry.object_classes, attributes, ENTRY_EXISTS, NO_SUCH_OBJECT
        )
        if outcome != NO_SUCH_OBJECT:
            return outcome
        if not self.settings.create_parents:
            raise DirectoryRefused(self.name, "noSuchObject")
        self._make_parents(dn)
        return self.session.add(dn, entry.object_classes, attributes, ENTRY_EXISTS)

    def _make_parents(self, dn: str) -> None:
        """Make the entries between the base and this one, from the top."""
        above = rdns_of(dn.removesuffix(f",{self.settings.base_dn}"))[1:]
        for depth in reversed(range(len(above))):
            attribute, _, value = above[depth].partition("=")
            if attribute.lower() not in _PARENTS or parts_of(above[depth]) > 1:
                raise DirectoryRefused(self.name, "parentOfUnknownClass")
            parent = ",".join([*above[depth:], self.settings.base_dn])
            naming: Attributes = {attribute: unescaped(value)}
            self.session.add(parent, [_PARENTS[attribute.lower()]], naming, ENTRY_EXISTS)

    def _attributes(self, entry: Entry, certificate_der: bytes) -> Attributes:
        return {**dict(entry.attributes), self._dialect.certificate: certificate_der}

    def _add_value(self, found: _Held, certificate_der: bytes) -> str:
        changes = {self._dialect.certificate: ("add", [certificate_der])}
        self.session.modify(found.dn, changes, VALUE_EXISTS)  # type: ignore[arg-type]
        return found.identifier

    def _entry_dn(self, entry: Entry) -> str:
        """The entry's DN, parsed again: as many parts as its template, and the base unchanged."""
        dn = entry.distinguished_name(self.settings.base_dn)
        self.check_below(dn, entry.parts)
        return dn

    def check_below(self, dn: str, parts: int) -> None:
        """Refuse a DN that is not so many attributes and then the base, by another's reading."""
        if parsed(dn)[parts:] != parsed(self.settings.base_dn):
            raise DirectoryRefused(self.name, "namingViolation")

    def _holder(self, dn: str, entry: Entry) -> _Held:
        """The entry at this DN, of this very holder."""
        found = self._search(_EVERY, dn, entry.holder[0])
        if len(found) != 1:
            raise DirectoryRefused(self.name, "noSuchObject")
        if not found[0].is_of(entry.holder):
            raise DirectoryRefused(self.name, "anotherHolder")
        return self._identifiable(found[0])

    def _identifiable(self, found: _Held) -> _Held:
        """What has no identifier that we may see could not be found again."""
        if not found.identifier:
            raise DirectoryRefused(self.name, "noIdentifier")
        return found

    def _found_holder(self, entry: Entry) -> _Held:
        """The one entry of another's making that is the holder's."""
        wanted = equality_filter(*entry.holder)
        found = self._search_below(wanted, entry.holder[0])
        if len(found) != 1:
            raise DirectoryRefused(self.name, "severalEntries" if found else "noSuchObject")
        return self._identifiable(found[0])

    def _is_creator(self, found: _Held) -> bool:
        """Whether the directory itself remembers us as the one who created the entry."""
        if self._dialect.octets:  # Active Directory remembers nobody, and we make nothing there
            return False
        if self._identity is None:
            self._identity = self.session.identity()
        return self.session.compare(found.dn, "creatorsName", self._identity)

    def _delete_unchanged(self, found: _Held) -> None:
        """Delete the entry in one step, if nobody has changed it since it was read.

        A changed entry is refused with assertionFailed: the caller tries again, on what it is now.
        """
        version = self._dialect.version
        assertion = None
        if version is not None:
            assertion = equality_octets(version.encode("ascii"), found.version)
        self.session.delete(found.dn, assertion, NO_SUCH_OBJECT)

    def _remove_values(self, found: _Held, values: list[bytes]) -> None:
        changes = {self._dialect.certificate: ("delete", values)}
        self.session.modify(
            found.dn,
            changes,  # type: ignore[arg-type]
            NO_SUCH_OBJECT,
            NO_SUCH_ATTRIBUTE,
        )

    def _filter(self, issuer: x509.Name, serial: SerialNumber) -> str:
        return certificate_filter(issuer, serial) if self._dialect.exact else ANY_CERTIFICATE

    def _identified(self, identifier: str) -> str:
        if not self._dialect.octets:
            return equality_filter(self._dialect.identifier, identifier)
        octets = uuid.UUID(identifier).bytes_le
        return f"({self._dialect.identifier}={escaped_octets(octets)})"

    def _search(self, wanted: str, base_dn: str, *attributes: str) -> list[_Held]:
        found = self.session.search(base_dn, wanted, self._asked(attributes), "BASE")
        return [self._held(item) for item in found]

    def _search_below(self, wanted: str, *attributes: str) -> list[_Held]:
        asked = self._asked(attributes)
        if ANY_CERTIFICATE in wanted:
            found = list(self.session.pages(self.settings.base_dn, wanted, asked))
        else:
            found = self.session.search(self.settings.base_dn, wanted, asked)
        return [self._held(item) for item in found]

    def _asked(self, attributes: Sequence[str]) -> list[str]:
        of = self._dialect
        version = [] if of.version is None else [of.version]
        return [of.identifier, of.certificate, *version, *attributes]

    def _held(self, item: Found) -> _Held:
        of = self._dialect
        found = item.values.get(of.identifier, [])
        identifier = found[0].decode("ascii", "replace") if found and not of.octets else ""
        if found and of.octets:
            identifier = str(uuid.UUID(bytes_le=found[0]))
        version = item.values.get(of.version, []) if of.version else []
        certificates = tuple(item.values.get(of.certificate, []))
        return _Held(item.dn, identifier, version[0] if version else b"", certificates, item.values)
