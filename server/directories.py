"""Directories kept as they should be: what is due is published, withdrawn, and looked at.

One process at a time works in a directory, by lease; what runs past its lease does no harm, for
every step can be repeated and is looked at from outside.
"""

import secrets
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes

from ca.errors import CaError
from ca.issuers import IssuerRecord
from publish_ldap.authority import (
    AuthorityCrls,
    AuthorityValues,
    authority_entry,
    authority_values,
    crossed_by,
    digest_of,
    merged,
    shard_values,
)
from publish_ldap.errors import DirectoryRefused, EntryRefused, PublicationError
from publish_ldap.publication import code_of, drain, retry_delay
from records.leases import Leases
from revocation.publication import COMPLETE, DELTA
from server.assembly import Assembly
from server.clock import utc_now
from server.heartbeat import LEASE_LIFE

if TYPE_CHECKING:
    from publish_ldap.directory import Directory

BATCH = 256
_TURN_SECONDS = 10.0
_LONGEST_DELAY = timedelta(seconds=30)

Group = tuple[IssuerRecord, ...]
"""Issuers that stand in one place of a directory."""


def serve_directory(parts: Assembly, name: str) -> int:
    """Do what is due in one directory, while this process has its lease; how much it was."""
    done, end = 0, time.monotonic() + _TURN_SECONDS
    leases, holder = Leases(parts.database), parts.directory_work.holder
    lease = f"directory:{name}"[:40]
    while leases.take(lease, holder, utc_now(), LEASE_LIFE):
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
    """Put certificates and CRLs of every authority that the directory does not show yet."""
    from publish_ldap.authority_entries import put_authority, shows_authority  # noqa: PLC0415

    done = 0
    for group, digest, attempts in _due_authorities(parts, directory):
        now, name = utc_now(), group[0].name
        try:
            for values in wanted_authorities(parts, directory, group):
                if shows_authority(directory, values):
                    continue
                put_authority(directory, values)
                if not shows_authority(directory, values):
                    raise DirectoryRefused(directory.name, "notPublished")
        except PublicationError as error:
            delay = retry_delay(attempts, _LONGEST_DELAY, secrets.SystemRandom().random())
            code = code_of(error)
            parts.directory_authorities.failed(directory.name, name, code, now + delay)
            continue
        parts.directory_authorities.note(directory.name, name, digest, now)
        done += 1
    return done


def authority_groups(parts: Assembly, directory: "Directory") -> list[Group]:
    """The issuers that have a certificate, those that stand in one place together.

    An issuer whose name cannot stand in a directory stands in none.
    """
    groups: dict[str, list[IssuerRecord]] = {}
    for record in parts.issuers.all():
        if record.certificate is None:
            continue
        try:
            place = authority_entry(record, directory.settings.authority).name
        except (EntryRefused, CaError):
            continue
        groups.setdefault(place, []).append(record)
    return [tuple(group) for group in groups.values()]


def wanted_authorities(
    parts: Assembly, directory: "Directory", group: Group
) -> Iterator[AuthorityValues]:
    """The entry of issuers that stand in one place, then one for each shard of their CRLs.

    One at a time, for the CRLs of all shards together may be large.
    """
    template, every, crls = directory.settings.authority, parts.issuers.all(), parts.crls
    yield merged(
        [
            authority_values(
                record,
                AuthorityCrls(crls.whole(record.name, COMPLETE), crls.whole(record.name, DELTA)),
                template,
                crossed_by(record, every),
            )
            for record in group
        ]
    )
    for record in group:
        for shard in crls.shards(record.name):
            if octets := crls.whole(record.name, shard):
                yield shard_values(record, shard, octets, template)


def wanted_digest(parts: Assembly, directory: "Directory", group: Group) -> str:
    """What the directory should show of issuers in one place, as one digest."""
    of, digests, every = directory.settings, list[str](), parts.issuers.all()
    for record in group:
        held = [
            crl.shard.to_bytes(4, signed=True) + crl.sha256 for crl in parts.crls.lists(record.name)
        ]
        held += [each.fingerprint(hashes.SHA256()) for each in crossed_by(record, every)]
        digests.append(digest_of(record, held, of.authority, of.base_dn))
    return digests[0] if len(digests) == 1 else sha256("".join(digests).encode()).hexdigest()


def _due_authorities(parts: Assembly, directory: "Directory") -> Iterator[tuple[Group, str, int]]:
    """Those of which the directory was not seen to show what it should, where a try is due."""
    if not parts.settings.directories[directory.name].authorities:
        return
    shown = {each.issuer: each for each in parts.directory_authorities.all(directory.name)}
    now = utc_now()
    for group in authority_groups(parts, directory):
        digest, last = wanted_digest(parts, directory, group), shown.get(group[0].name)
        if last is None:
            yield group, digest, 0
        elif last.digest != digest and not now < last.retry_at <= now + _LONGEST_DELAY:
            yield group, digest, last.attempts


def is_time_to_check(last: datetime | None, now: datetime) -> bool:
    """Whether a directory is due for its nightly comparison; a clock that was set back counts."""
    return last is None or not timedelta(0) <= now - last < timedelta(days=1)
