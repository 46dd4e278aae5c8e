"""Directories kept as they should be: what is due is published, withdrawn, and looked at.

One process at a time works in a directory, by lease; what runs past its lease does no harm, for
every step can be repeated and is looked at from outside.
"""

import secrets
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ca.issuers import IssuerRecord
from publish_ldap.authority import AuthorityCrls, authority_values, digest_of
from publish_ldap.errors import DirectoryRefused, PublicationError
from publish_ldap.publication import code_of, drain, retry_delay
from records.leases import Leases
from revocation.publication import COMPLETE, DELTA
from server.assembly import Assembly
from server.clock import utc_now

if TYPE_CHECKING:
    from publish_ldap.directory import Directory

BATCH = 256
_LEASE_LIFE = timedelta(seconds=30)
_TURN_SECONDS = 10.0
_LONGEST_DELAY = timedelta(seconds=30)


def serve_directory(parts: Assembly, name: str) -> int:
    """Do what is due in one directory, while this process has its lease; how much it was."""
    done, end = 0, time.monotonic() + _TURN_SECONDS
    leases, holder = Leases(parts.database), parts.directory_work.holder
    lease = f"directory:{name}"[:40]
    while leases.take(lease, holder, utc_now(), _LEASE_LIFE):
        try:
            with parts.directory(name) as directory:
                result = drain(parts.publications, directory, utc_now(), BATCH)
                done += result.done
                more = result.done + result.failed == BATCH and time.monotonic() < end
                if not more:
                    done += publish_authorities(parts, directory)
        finally:
            leases.give_back(lease, holder, utc_now())
        if not more:
            break
    return done


def publish_authorities(parts: Assembly, directory: "Directory") -> int:
    """Put certificates and CRLs of every issuer that the directory does not show yet."""
    from publish_ldap.authority_entries import put_authority, shows_authority  # noqa: PLC0415

    done = 0
    for record, digest, attempts in _due_authorities(parts, directory):
        now = utc_now()
        try:
            crls = AuthorityCrls(
                parts.crls.whole(record.name, COMPLETE), parts.crls.whole(record.name, DELTA)
            )
            values = authority_values(record, crls, directory.settings.authority)
            put_authority(directory, values)
            if not shows_authority(directory, values):
                raise DirectoryRefused(directory.name, "notPublished")
        except PublicationError as error:
            delay = retry_delay(attempts, _LONGEST_DELAY, secrets.SystemRandom().random())
            of = (directory.name, record.name)
            parts.directory_authorities.failed(*of, code_of(error), now + delay)
            continue
        parts.directory_authorities.note(directory.name, record.name, digest, now)
        done += 1
    return done


def wanted_digest(parts: Assembly, directory: "Directory", record: IssuerRecord) -> str:
    """What the directory should show of an issuer, as one digest."""
    lists = (parts.crls.latest(record.name, shard) for shard in (COMPLETE, DELTA))
    of = directory.settings
    digests = [crl.sha256 if crl is not None else b"" for crl in lists]
    return digest_of(record, digests, of.authority, of.base_dn)


def _due_authorities(
    parts: Assembly, directory: "Directory"
) -> Iterator[tuple[IssuerRecord, str, int]]:
    """Issuers of which the directory was not seen to show what it should, where a try is due."""
    if not parts.settings.directories[directory.name].authorities:
        return
    shown = {each.issuer: each for each in parts.directory_authorities.all(directory.name)}
    now = utc_now()
    for record in parts.issuers.all():
        if record.certificate is None:
            continue
        digest, last = wanted_digest(parts, directory, record), shown.get(record.name)
        if last is None:
            yield record, digest, 0
        elif last.digest != digest and not now < last.retry_at <= now + _LONGEST_DELAY:
            yield record, digest, last.attempts


def is_time_to_check(last: datetime | None, now: datetime) -> bool:
    """Whether a directory is due for its nightly comparison; a clock that was set back counts."""
    return last is None or not timedelta(0) <= now - last < timedelta(days=1)
