"""Entries of certificate authorities in one directory: written, and looked at."""

from typing import Final

from publish_ldap.authority import AuthorityValues
from publish_ldap.connection import ENTRY_EXISTS, VALUE_EXISTS
from publish_ldap.directory import Directory
from publish_ldap.errors import DirectoryRefused
from publish_ldap.messages import Attributes

_EVERY: Final = "(objectClass=*)"


def put_authority(directory: Directory, authority: AuthorityValues) -> None:
    """Make sure that the entry of a certificate authority exists and holds the values.

    CRLs are replaced; certificates of another's making stay beside ours.

    Raises: DirectoryError.
    """
    dn = _dn(directory, authority)
    classes = (authority.object_class, *authority.classes)
    attributes: Attributes = {**dict(authority.naming)}
    for attribute, values in authority.values.items():
        attributes[attribute] = list(values)
    if directory.session.add(dn, classes, attributes, ENTRY_EXISTS) == ENTRY_EXISTS:
        _complete(directory, dn, authority)


def _complete(directory: Directory, dn: str, authority: AuthorityValues) -> None:
    session = directory.session
    held = session.search(dn, _EVERY, ["objectClass", *authority.values], "BASE")
    if len(held) != 1:
        raise DirectoryRefused(directory.name, "noSuchObject")
    has = {value.decode("ascii", "replace").lower() for value in held[0].values["objectClass"]}
    classes = [each for each in authority.classes if each.lower() not in has]
    if classes:
        session.modify(dn, {"objectClass": ("add", classes)}, VALUE_EXISTS)
    for attribute, values in authority.values.items():
        there = held[0].values.get(attribute, [])
        if attribute in authority.replaced:
            if sorted(there) != sorted(values):
                session.modify(dn, {attribute: ("replace", values)})
        elif missing := [value for value in values if value not in there]:
            session.modify(dn, {attribute: ("add", missing)}, VALUE_EXISTS)


def shows_authority(directory: Directory, authority: AuthorityValues) -> bool:
    """Whether a search finds every value, octet for octet, and no CRL but ours.

    Raises: DirectoryError.
    """
    dn = _dn(directory, authority)
    held = directory.session.search(dn, _EVERY, list(authority.values), "BASE")
    if len(held) != 1:
        return False
    for attribute, values in authority.values.items():
        there = held[0].values.get(attribute, [])
        if attribute in authority.replaced and len(there) != len(values):
            return False
        if not set(values) <= set(there):
            return False
    return True


def _dn(directory: Directory, authority: AuthorityValues) -> str:
    dn = f"{authority.name},{directory.settings.base_dn}"
    directory.check_below(dn, authority.parts)
    return dn
