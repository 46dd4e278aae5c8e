"""Directories, looked at by `tillid doctor`: who runs them, whether they answer, what waits.

Nothing is changed: whether we may write is asked by adding a value that is there already.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from publish_ldap.errors import DirectoryError
from records.database import Database
from records.directory_authorities import AuthorityPublications
from records.directory_desk import DirectoryDesk
from server.doctor_vault import Finding
from server.errors import SettingsRefused
from server.processors import without_processor
from server.settings import DirectorySection, Settings

if TYPE_CHECKING:
    from publish_ldap.directory import Directory

_LOOKED_AT = 1000


def examine_directories(settings: Settings, database: Database) -> Iterator[Finding]:
    """Look at each directory of the settings, on each of its servers."""
    from publish_ldap.directory import Directory  # noqa: PLC0415 - slow to load

    if settings.directories:
        yield _register(settings)
    for name, table in settings.directories.items():
        with closing(Directory(table.settings(name))) as directory:
            yield from _servers(directory, table)
        yield _queue(name, database)


def _register(settings: Settings) -> Finding:
    """Whether whoever runs a directory stands in the register (GDPR Art. 28, 30)."""
    check, file = "processors of directories", settings.controller.processors_file
    try:
        run_by = {name: table.processor for name, table in settings.directories.items()}
        absent = without_processor(run_by, file)
    except SettingsRefused:
        way_out = "Correct it: docs/privacy.md shows one."
        return Finding(check, ok=False, sentence=f"{file} cannot be read.", way_out=way_out)
    if absent:
        said = f"{file} does not name who runs {', '.join(absent)} (GDPR Art. 28)."
        way_out = "Add a table [[processor]] for each: docs/privacy.md shows one."
        return Finding(check, ok=False, sentence=said, way_out=way_out)
    return Finding(check, ok=True, sentence="Each is in the register of processors.")


def _servers(directory: "Directory", table: DirectorySection) -> Iterator[Finding]:
    from publish_ldap.write_access import may_write  # noqa: PLC0415 - slow to load

    for number, server in enumerate(directory.servers()):
        of = server.settings
        check = f"directory {of.name}" if not number else f"directory {of.name}, replica {number}"
        # A replica is not written to; in Active Directory only users are, each by itself.
        writes = not number and table.product != "active-directory"
        try:
            is_there = may_write(server) if writes else server.is_reachable()
        except DirectoryError as error:
            way_out = f"See docs/directories.md, and: tillid directory queue {of.name}"
            yield Finding(check, ok=False, sentence=f"It says {error.code}.", way_out=way_out)
            continue
        tls = of.url.startswith("ldaps:") or of.ca_file is not None
        how = "over TLS" if tls else "without TLS, on this machine or without a password"
        said = f"It answers {how}{', and can be written' if writes else ''}."
        away = "It does not answer, or has no base entry."
        way_out = (
            "" if is_there else "See its log, and the address, login and base in the settings."
        )
        yield Finding(check, is_there, said if is_there else away, way_out)


def _queue(name: str, database: Database) -> Finding:
    waiting = DirectoryDesk(database).waiting(name, _LOOKED_AT)
    aside = sum(each.set_aside_at is not None for each in waiting)
    failing = sum(each.attempts > 0 for each in waiting)
    issuers = [
        each.issuer for each in AuthorityPublications(database).all(name) if each.code is not None
    ]
    more = " or more" if len(waiting) == _LOOKED_AT else ""
    said = f"{len(waiting)}{more} wait, {failing} of them failed, {aside} were set aside."
    if issuers:
        said += f" Not taken: the entry of {', '.join(issuers)}."
    ok = not aside and not issuers
    way_out = "" if ok else f"Run: tillid directory queue {name}"
    return Finding(f"queue of directory {name}", ok, said, way_out)
