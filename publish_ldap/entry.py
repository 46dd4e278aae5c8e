"""Entries of a directory: who holds a certificate, and the template that makes an entry of it.

A template is a line of settings such as `uid={serialNumber},ou=people`; the words in braces are
the attributes of the certificate's subject, and `mail` its first address. A mark of interrogation
leaves an attribute out where the certificate has no such value: `{mail?}`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cryptography import x509

from ca.names import ATTRIBUTES, SubjectName
from publish_ldap.errors import EntryRefused
from publish_ldap.names import (
    ATTRIBUTE_TYPE,
    check_text,
    escaped,
    is_distinguished_name,
    parts_of,
    rdns_of,
)

MAIL: Final = "mail"
WORDS: Final = frozenset({*ATTRIBUTES, MAIL})
"""What can stand in braces."""

_WORD = re.compile(r"\{([A-Za-z]*)(\??)\}")
_TYPE = re.compile(ATTRIBUTE_TYPE)


@dataclass(frozen=True, slots=True, repr=False)
class Holder:
    """Who holds a certificate, as the certificate itself says, and the profile it follows."""

    profile: str
    values: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        """Personal data stays out of logs and error texts."""
        return "Holder(redacted)"

    @classmethod
    def of(cls, profile: str, certificate: x509.Certificate) -> "Holder":
        """Read the subject and the first mail address; ca.errors.Refused for a strange subject."""
        values = SubjectName.from_x509(certificate.subject).attributes
        return cls(profile, (*values, *((MAIL, mail) for mail in _mails(certificate)[:1])))

    def value(self, word: str) -> str | None:
        """The first value of that word, if there is one."""
        return next((value for of, value in self.values if of == word), None)


def _mails(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return names.value.get_values_for_type(x509.RFC822Name)


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """One entry as it is to be: where, and what it holds beside certificates.

    `name` is its RDNs below the base, escaped, and `parts` how many attributes name it. `holder`
    is the attribute whose value tells one holder from another. With `existing` the entry is of
    another's making: it is found by the holder, and never made.
    """

    name: str
    parts: int
    attributes: tuple[tuple[str, str], ...]
    object_classes: tuple[str, ...]
    holder: tuple[str, str]
    existing: bool = False

    def __post_init__(self) -> None:
        """Raises: EntryRefused."""
        for attribute, value in (*self.attributes, self.holder):
            check_text(attribute, value)
            if attribute.lower() == MAIL and not value.isascii():
                raise EntryRefused(MAIL, "not ASCII")

    def __repr__(self) -> str:
        """Personal data stays out of logs and error texts."""
        return "Entry(redacted)"

    def distinguished_name(self, base_dn: str) -> str:
        """The DN of this entry below the base (RFC 4514)."""
        return f"{self.name},{base_dn}"


@dataclass(frozen=True)
class EntryTemplate:
    """How the entries of some profiles are made. ValueError where it cannot make any.

    `dn` is below the base. `holder` is the attribute that tells one holder from another; in
    Active Directory `find` takes the place of all: `userPrincipalName={mail}`.
    """

    dn: str = ""
    object_classes: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    holder: str = ""
    find: str = ""

    def __post_init__(self) -> None:
        if self.find:
            self._check_find()
        else:
            self._check_made()
        unknown = self.words - WORDS
        if unknown:
            raise ValueError(f"{{{min(unknown)}}} is no word; there are {', '.join(sorted(WORDS))}")

    def _check_find(self) -> None:
        if self.dn or self.object_classes or self.attributes or self.holder:
            raise ValueError("an entry that is found (find) is not made (dn, object_classes, ...)")
        attribute, mark, _ = self.find.partition("=")
        if not mark or not _TYPE.fullmatch(attribute) or not _WORD.search(self.find):
            raise ValueError("find is ATTRIBUTE={word}")

    def _check_made(self) -> None:
        if not is_distinguished_name(_WORD.sub("x", self.dn)) or "{" in _WORD.sub("x", self.dn):
            raise ValueError("dn is RDNs below the base, such as uid={serialNumber},ou=people")
        first = (rdns_of(self.dn) or [""])[0]
        if not _WORD.search(first):
            raise ValueError("the first RDN of dn holds a word in braces, or all have one entry")
        if any(optional for _, optional in _WORD.findall(self.dn)):
            raise ValueError("no word of dn is optional")
        if not self.object_classes:
            raise ValueError("an entry that is made has object_classes")
        for name in (*self.object_classes, *(attribute for attribute, _ in self.attributes)):
            if not _TYPE.fullmatch(name):
                raise ValueError(
                    "object classes and attribute types are words such as inetOrgPerson"
                )
        if self.holder not in {attribute for attribute, _ in self.attributes}:
            raise ValueError("holder is one of the attributes")

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word that occurs."""
        return frozenset(word for text in self._texts() for word, _ in _WORD.findall(text))

    def lacking(self, subject: Iterable[str]) -> list[str]:
        """Words that a profile with these subject attributes cannot fill (`?` marks optional)."""
        given = {attribute for attribute in subject if not attribute.endswith("?")} | {MAIL}
        needed = {
            word for text in self._texts() for word, optional in _WORD.findall(text) if not optional
        }
        return sorted(needed - given)

    def entry(self, holder: Holder) -> Entry:
        """The entry of a holder.

        Raises: EntryRefused.
        """
        if self.find:
            attribute, _, text = self.find.partition("=")
            found = (attribute, self._filled(attribute, text, holder))
            return Entry("", 0, (), (), found, existing=True)
        values = {word: holder.value(word) for word in self.words}
        attributes = tuple(
            (attribute, self._filled(attribute, text, holder))
            for attribute, text in self.attributes
            if all(values[word] is not None for word, optional in _WORD.findall(text) if optional)
        )
        own = [value for attribute, value in attributes if attribute == self.holder]
        if not own:
            raise EntryRefused(self.holder, "not in the certificate")
        name = _WORD.sub(lambda found: escaped(_needed(holder, "dn", found[1])), self.dn)
        return Entry(name, self.parts, attributes, self.object_classes, (self.holder, own[0]))

    @property
    def parts(self) -> int:
        """How many attributes the RDNs of `dn` hold."""
        return parts_of(self.dn)

    def _filled(self, attribute: str, text: str, holder: Holder) -> str:
        return _WORD.sub(lambda found: _needed(holder, attribute, found[1]), text)

    def _texts(self) -> tuple[str, ...]:
        return (self.dn, self.find, *(text for _, text in self.attributes))


def _needed(holder: Holder, attribute: str, word: str) -> str:
    value = holder.value(word)
    if value is None:
        raise EntryRefused(attribute, "not in the certificate")
    check_text(attribute, value)
    return value


_PERSON_VALUES = (
    ("uid", "{serialNumber}"),
    ("cn", "{CN}"),
    ("sn", "{SN}"),
    ("givenName", "{GN?}"),
    ("mail", "{mail?}"),
)
PERSON: Final = EntryTemplate(
    "uid={serialNumber}", ("inetOrgPerson", "pkiUser"), _PERSON_VALUES, "uid"
)
ORGANISATIONAL_PERSON: Final = EntryTemplate(
    "uid={serialNumber}", ("inetOrgPerson", "pkiUser"), (*_PERSON_VALUES, ("o", "{O}")), "uid"
)
ORGANISATION: Final = EntryTemplate(
    "o={O}+description={organizationIdentifier}",
    ("organization", "pkiUser"),
    (("o", "{O}"), ("description", "{organizationIdentifier}")),
    "description",
)
DEVICE: Final = EntryTemplate(
    "cn={CN}+serialNumber={serialNumber}",
    ("device", "pkiUser"),
    (("cn", "{CN}"), ("serialNumber", "{serialNumber}"), ("o", "{O?}")),
    "serialNumber",
)
HOST: Final = EntryTemplate("cn={CN}", ("device", "pkiUser"), (("cn", "{CN}"), ("o", "{O?}")), "cn")


def template_of(holder: Holder, own: Mapping[str, EntryTemplate]) -> EntryTemplate:
    """The template of the holder's profile, or else the one for what the subject is."""
    if holder.profile in own:
        return own[holder.profile]
    has = {word for word, _ in holder.values}
    return default_template(has)


def default_template(subject: Iterable[str]) -> EntryTemplate:
    """By the attributes of a subject: a person, one of an organisation, an organisation, a device.

    A device without a serial number is a host, told from others by its name.

    The classes are those of RFC 4519 and RFC 2798, with pkiUser of RFC 4523.
    """
    has = frozenset(subject)
    if "SN" in has:
        return ORGANISATIONAL_PERSON if "O" in has else PERSON
    if "organizationIdentifier" in has:
        return ORGANISATION
    return DEVICE if "serialNumber" in has else HOST
