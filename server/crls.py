"""Making the CRL of one issuer when it is due, and putting it where this host serves it from."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from ca.issuers import IssuerRecord, IssuerState
from revocation.publication import (
    CrlDue,
    CrlRecord,
    IssuingKey,
    crl_is_due,
    is_published,
    issue_crl,
    write_published,
)
from server.assembly import Assembly


def crl_due(parts: Assembly, record: IssuerRecord, now: datetime) -> CrlDue | None:
    """Why a new CRL of the issuer is due; one that is retired has had its last."""
    if record.certificate is None or record.state is IssuerState.RETIRED:
        return None
    heading = parts.crls.crl_heading(record.name)
    return crl_is_due(heading, now, parts.crl_policy(record), published=True)


def renew_crl(parts: Assembly, record: IssuerRecord, now: datetime) -> CrlDue | None:
    """Issue and publish the next CRL of an issuer if it is due; why it was.

    Raises:
        ClockBehind: the clock lies before what was signed already.
        IssuerOffline: its key is not at hand.
        RevocationError: the CRL was held back, or another process issued one meanwhile.
    """
    due = crl_due(parts, record, now)
    if due is None or record.certificate is None:
        return None
    parts.clock.check(now)
    key = parts.issuer(record.name).key
    issuing = IssuingKey(record.name, record.certificate, key)
    issue_crl(parts.crls, issuing, now, parts.crl_policy(record))
    publish_crl(parts, record)
    return due


def publish_crl(parts: Assembly, record: IssuerRecord) -> tuple[CrlRecord | None, bool]:
    """The latest CRL of an issuer, and whether the file had to be written."""
    path = parts.crl_file(record.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The latest is read under the lock, so that no other process puts an older one over it.
    with _alone_in(path.parent):
        latest = parts.crls.latest(record.name)
        if latest is None or is_published(path, latest):
            return latest, False
        write_published(path, latest.der)
    return latest, True


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder against every other process of this host."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
