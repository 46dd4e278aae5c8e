"""Whether we may write in a directory, asked without a change."""

from publish_ldap.connection import VALUE_EXISTS
from publish_ldap.directory import Directory


def may_write(directory: Directory) -> bool:
    """Add a class to the base entry that it has already; False where there is no base entry.

    Raises: DirectoryError, where it does not answer or cannot be written.
    """
    base = directory.settings.base_dn
    found = directory.session.search(base, "(objectClass=*)", ["objectClass"], "BASE")
    classes = [value for each in found for value in each.values.get("objectClass", [])]
    if not classes:
        return False
    directory.session.modify(base, {"objectClass": ("add", classes[:1])}, VALUE_EXISTS)
    return True
