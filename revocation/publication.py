"""Issuing a CRL and putting it where relying parties fetch it.

Work is derived from what can be seen: a CRL is due because of what is recorded and served, not
because a timer fired once. A CRL is recorded only after our own gate let it pass, under a number
that no other process took, and it is written to disk only from its record.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from cryptography import x509

from ca.identifiers import IssuerName, SerialNumber
from ca.signatures import SigningKey
from revocation.crl import CrlHeader, build_crl, check_crl, vanished
from revocation.errors import CrlRefused, CrlRule, EntriesVanished, PublicationFailed

NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The nextUpdate of a last CRL, 99991231235959Z (RFC 5280 section 4.1.2.5, ETSI EN 319 411-1)."""
_LONGEST_VALIDITY = timedelta(days=366)
_ONE_SECOND = timedelta(seconds=1)
_WORLD_READABLE = 0o644


@dataclass(frozen=True, slots=True)
class IssuingKey:
    """An issuer that can sign: its name, its certificate and the key of that certificate."""

    name: IssuerName
    certificate: x509.Certificate
    key: SigningKey


@dataclass(frozen=True, slots=True)
class CrlRecord:
    """A CRL that passed the gate.

    `version` is the state of revocations it was made from; `sha256` is the digest (32 octets)
    of `der`.
    """

    issuer: IssuerName
    number: int
    version: int
    this_update: datetime
    next_update: datetime
    sha256: bytes
    der: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CrlSnapshot:
    """What one issuer's next CRL is made from, all read in one transaction.

    `version` rises with every change to the revocations of the issuer. `entries` are ready
    elements from `encode_entry`, ascending by serial, read at most once.
    """

    version: int
    entries: Iterable[bytes] = field(repr=False)
    latest: CrlRecord | None


class CrlStore(Protocol):
    """Where revocations and CRLs are recorded."""

    def crl_snapshot(self, issuer: IssuerName) -> CrlSnapshot:
        """What the next CRL of this issuer is made from."""
        ...

    def may_leave(
        self, issuer: IssuerName, serials: frozenset[SerialNumber]
    ) -> frozenset[SerialNumber]:
        """Those of the serials whose entry may leave the CRL.

        They are the expired ones that were on a CRL issued after they expired (RFC 5280
        section 3.3), and those whose hold was lifted.
        """
        ...

    def record_crl(self, record: CrlRecord) -> None:
        """Record a CRL durably.

        Raises:
            CrlNumberTaken: its number is not the one after the latest recorded.
        """
        ...


@dataclass(frozen=True, slots=True)
class CrlPolicy:
    """How long a CRL is valid, and how long before nextUpdate the next one is issued."""

    validity: timedelta
    renew_margin: timedelta

    def __post_init__(self) -> None:
        """ValueError unless 0 < renew_margin < validity <= 366 days, in whole seconds."""
        if not timedelta(0) < self.renew_margin < self.validity <= _LONGEST_VALIDITY:
            raise ValueError("a CRL policy needs 0 < renew_margin < validity <= 366 days")
        if self.validity % _ONE_SECOND:
            raise ValueError("the validity of a CRL is whole seconds")


class CrlDue(StrEnum):
    """Why something is to be done about a CRL."""

    NO_CRL = "no CRL yet"
    REVOCATIONS_CHANGED = "revocations changed"
    NEXT_UPDATE_NEAR = "nextUpdate is near"
    NOT_PUBLISHED = "not published as recorded"


def crl_is_due(
    snapshot: CrlSnapshot, now: datetime, policy: CrlPolicy, *, published: bool
) -> CrlDue | None:
    """Why a CRL is due now; None when all is well.

    `published` says whether the latest record is what relying parties fetch (`is_published`).
    For NOT_PUBLISHED it is enough to write the latest record again; any other asks for a new CRL.
    """
    latest = snapshot.latest
    if latest is None:
        return CrlDue.NO_CRL
    if snapshot.version != latest.version:
        return CrlDue.REVOCATIONS_CHANGED
    if latest.next_update - now < policy.renew_margin:
        return CrlDue.NEXT_UPDATE_NEAR
    return None if published else CrlDue.NOT_PUBLISHED


def issue_crl(
    store: CrlStore, issuing: IssuingKey, now: datetime, policy: CrlPolicy | None
) -> CrlRecord:
    """Build, sign, check and record the next CRL of an issuer; without a policy its last one.

    nextUpdate is inclusive, so it lies one second before thisUpdate + validity. That of the last
    one never comes: it is for an issuer of whose certificates each was revoked or has expired.

    Raises:
        CrlRefused: the signed CRL breaks a rule, or the clock lies behind the latest CRL.
        EntriesVanished: it lacks serials that may not leave yet.
        CrlNumberTaken: another process recorded a CRL meanwhile.
    """
    snapshot = store.crl_snapshot(issuing.name)
    latest = snapshot.latest
    this_update = now.replace(microsecond=0)
    if latest is not None and this_update < latest.this_update:
        raise CrlRefused(CrlRule.CLOCK)
    header = CrlHeader(
        number=latest.number + 1 if latest else 1,
        this_update=this_update,
        next_update=NEVER if policy is None else this_update + policy.validity - _ONE_SECOND,
    )
    crl = build_crl(issuing.certificate, issuing.key, header, snapshot.entries)
    if check_crl(crl, issuing.certificate, now) != header:
        raise CrlRefused(CrlRule.AS_ORDERED)
    if latest is not None:
        _check_nothing_vanished(store, issuing.name, latest.der, crl)
    record = CrlRecord(
        issuer=issuing.name,
        number=header.number,
        version=snapshot.version,
        this_update=header.this_update,
        next_update=header.next_update,
        sha256=hashlib.sha256(crl).digest(),
        der=crl,
    )
    store.record_crl(record)
    return record


def _check_nothing_vanished(
    store: CrlStore, issuer: IssuerName, previous: bytes, new: bytes
) -> None:
    gone = vanished(previous, new)
    forgotten = gone - store.may_leave(issuer, gone) if gone else gone
    if forgotten:
        raise EntriesVanished(issuer, forgotten)


def is_published(path: Path, record: CrlRecord) -> bool:
    """Whether the file holds exactly the recorded CRL."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest() == record.sha256
    except OSError:
        return False


def write_published(path: Path, content: bytes) -> None:
    """Put the content at the path so that a reader, or a power cut, sees old or new, never half.

    Written beside the path, synced, renamed over it, the directory synced, then read back.

    Raises:
        PublicationFailed: one of these steps failed; no temporary file is left behind.
    """
    try:
        _replace(path, content)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        written = path.read_bytes()
    except OSError as error:
        raise PublicationFailed(path) from error
    if written != content:
        raise PublicationFailed(path)


def _replace(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, _WORLD_READABLE)
            os.fsync(descriptor)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
