"""Making the next CRL of a scope: from the one before and what changed since, or from all rows.

A CRL is written beside its place while it is made, octet for octet what is signed, read back,
checked, recorded under a number that no other process took, and only then put in its place.
"""

import hashlib
import mmap
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature

from ca.failpoints import reach
from revocation import der
from revocation.crl import (
    CrlHeader,
    build_crl,
    check_crl,
    check_frame,
    encode_extensions,
    encode_head,
    read_parts,
)
from revocation.crl_entries import Piece, encode_removal, serial_of
from revocation.crl_plan import HEAD, TAIL, CrlMade, Making, Plan, from_rows, planned
from revocation.errors import CrlRefused, CrlRule, PublicationFailed
from revocation.publication import (
    DELTA,
    NEVER,
    NOTHING_LEFT,
    CrlPolicy,
    CrlRecord,
    CrlScope,
    CrlStore,
    IssuingKey,
    NewPieces,
)
from revocation.published_files import beside, put, sync
from revocation.signatures import ToBeSigned, algorithm_for, declared_algorithm

_ONE_SECOND = timedelta(seconds=1)
_CHUNK = 1 << 20
_SIGNATURE_ROOM = 100


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a CRL is put once it is recorded, if anywhere, and whether to give up making it.

    It is put there by one process at a time, for as long as that holds `alone`.
    """

    path: Path | None = None
    is_stopping: Callable[[], bool] = lambda: False
    alone: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True, slots=True)
class IssuedCrl:
    """A CRL that was recorded, the delta CRL that goes with it, and how it was made."""

    record: CrlRecord
    made: CrlMade
    delta: CrlRecord | None = None


def issue_crl(
    store: CrlStore,
    issuing: IssuingKey,
    now: datetime,
    policy: CrlPolicy,
    workplace: Workplace | None = None,
) -> CrlRecord:
    """Make the next complete CRL of an issuer. See `issue_list`."""
    scope = CrlScope(issuing.name)
    return issue_list(store, (issuing, scope), now, policy, workplace or Workplace()).record


def issue_list(
    store: CrlStore,
    of: tuple[IssuingKey, CrlScope],
    now: datetime,
    policy: CrlPolicy,
    workplace: Workplace,
) -> IssuedCrl:
    """Build, sign, check and record the next CRL of a scope.

    nextUpdate is inclusive, so it lies one second before thisUpdate + validity.
    thisUpdate never goes back: while the clock lies behind, it is that of the CRL before.

    Raises:
        CrlRefused: the signed CRL breaks a rule.
        EntriesVanished: it lacks serials that may not leave yet.
        CrlNumberTaken: another process recorded a CRL meanwhile.
        CrlAbandoned: the process is to end.
    """
    issuing, scope = of
    with store.next_crl(scope) as source, _spool(workplace.path) as (file, temporary):
        left_until = _left_until(source.heading.latest, now, policy)
        making = Making(source, issuing, scope, now, left_until, workplace.is_stopping)
        header = _header(making, policy)
        reach("crl.numbered", scope.issuer)
        plan = planned(making)
        reach("crl.read", scope.issuer)
        try:
            record, frame = _write(file, making, plan, header)
        except CrlRefused as refused:
            # Only a walk over the latest CRL tells that its pieces are not those recorded.
            if refused.rule is not CrlRule.AS_BEFORE or plan.pieces.removed is None:
                raise
            plan = from_rows(making, CrlMade.MENDED)
            record, frame = _write(file, making, plan, header)
        delta = _delta(making, record, header)
        if delta is not None and delta[0].base is not None:
            record = replace(record, oldest_base=delta[0].base)
        pieces = NewPieces([*plan.pieces.added, *frame], _with_frame(plan.pieces.removed))
        store.record_crl((record, pieces), *(() if delta is None else (delta,)))
        reach("crl.recorded", scope.issuer)
        if temporary is not None and workplace.path is not None:
            with workplace.alone():
                if store.crl_heading(scope).latest == record:  # or a later one is there
                    put(temporary, workplace.path)
            reach("crl.renamed", scope.issuer)
    return IssuedCrl(record, plan.made, None if delta is None else delta[0])


def _with_frame(removed: frozenset[bytes] | None) -> frozenset[bytes] | None:
    return None if removed is None else removed | {HEAD, TAIL}


@contextmanager
def _spool(path: Path | None) -> Iterator[tuple[BinaryIO, Path | None]]:
    """A file to write into: beside its place, or without a name."""
    try:
        if path is None:
            with tempfile.TemporaryFile() as unnamed:
                yield unnamed, None
        else:
            with beside(path) as (file, temporary):
                yield file, temporary
    except OSError as error:
        raise PublicationFailed(path or Path(tempfile.gettempdir())) from error


def _left_until(latest: CrlRecord | None, now: datetime, policy: CrlPolicy) -> datetime:
    """What expired by then has left: a CRL issued after its expiry showed it (RFC 5280 3.3).

    Always before `now`: what left while a clock was ahead has not expired, and comes back.
    """
    if latest is None:
        return NOTHING_LEFT
    expired = now.replace(microsecond=0) - _ONE_SECOND
    shown = min(latest.this_update, expired)
    return max(min(latest.left_until, expired), shown - policy.keep_expired)


def _header(making: Making, policy: CrlPolicy) -> CrlHeader:
    latest, this_update = making.latest, making.now.replace(microsecond=0)
    if latest is not None:
        this_update = max(this_update, latest.this_update)
    expired_since = None
    if policy.keep_expired:
        begins = making.issuing.certificate.not_valid_before_utc
        expired_since = max(making.left_until, begins).replace(microsecond=0)
    return CrlHeader(
        number=latest.number + 1 if latest else 1,
        this_update=this_update,
        next_update=NEVER if policy.is_last else this_update + policy.validity - _ONE_SECOND,
        distribution_point=making.scope.url,
        freshest=making.scope.delta_url,
        expired_since=expired_since,
    )


def _base(making: Making, record: CrlRecord) -> CrlRecord | None:
    """The CRL that a delta CRL goes on from: the oldest that a relying party may still use.

    None for the first of those from which a delta can go on: it has more than changes tell.
    """
    if making.scope.delta_url is None or record.oldest_base == record.number:
        return None
    return making.source.base(record.oldest_base, record.this_update)


def _write(
    file: BinaryIO, making: Making, plan: Plan, header: CrlHeader
) -> tuple[CrlRecord, tuple[Piece, Piece]]:
    """Write, sign, sync and read back the CRL; its record, and what stands around its entries."""
    issuing, scope = making.issuing, making.scope
    algorithm = algorithm_for(issuing.key)
    begins = encode_head(issuing.certificate, issuing.key, header)
    begins += der.header(der.SEQUENCE, plan.octets) if plan.octets else b""
    ends = encode_extensions(issuing.certificate, header)
    begins = der.header(der.SEQUENCE, len(begins) + plan.octets + len(ends)) + begins
    signing = ToBeSigned(algorithm)
    signing.update(begins)
    file.truncate(0)
    room = der.header(der.SEQUENCE, len(begins) + plan.octets + len(ends) + _SIGNATURE_ROOM)
    file.seek(len(room))
    file.write(begins)
    for octets in making.entries(plan.pieces):
        signing.update(octets)
        file.write(octets)
    signing.update(ends)
    tail = ends + algorithm.identifier + der.bit_string(signing.sign(issuing.key))
    reach("crl.signed", scope.issuer)
    file.write(tail)
    outside = der.header(der.SEQUENCE, len(begins) + plan.octets + len(tail))
    _put_first(file, room, outside)
    sync(file)
    reach("crl.written", scope.issuer)
    sha256 = _read_back(file, making, header, signing.digest)
    reach("crl.verified", scope.issuer)
    latest = making.latest
    is_broken = not making.follows or plan.made in {CrlMade.MENDED, CrlMade.KEPT}
    record = CrlRecord(
        issuer=scope.issuer,
        shard=scope.shard,
        number=header.number,
        version=making.version,
        this_update=header.this_update,
        next_update=header.next_update,
        sha256=sha256,
        tbs_digest=signing.digest,
        entries=plan.count,
        left_until=making.left_until,
        rebuilt_at=plan.rebuilt_at,
        oldest_base=header.number if is_broken or latest is None else latest.oldest_base,
    )
    return record, (Piece(HEAD, outside + begins), Piece(TAIL, tail))


def _put_first(file: BinaryIO, room: bytes, outside: bytes) -> None:
    """Put the outermost tag and length before all; how long a signature is, is known only then."""
    if len(room) != len(outside):
        file.seek(len(room))
        written = file.read()
        file.truncate(0)
        file.seek(len(outside))
        file.write(written)
    file.seek(0)
    file.write(outside)


def _read_back(file: BinaryIO, making: Making, header: CrlHeader, signed: bytes) -> bytes:
    """Check what lies on the disk; its SHA-256.

    Raises:
        CrlRefused: it is not as ordered, or its signature does not verify.
    """
    certificate = making.issuing.certificate
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        parts, found = check_frame(octets, certificate)
    if found != header:
        raise CrlRefused(CrlRule.AS_ORDERED)
    if found.next_update < making.now:
        raise CrlRefused(CrlRule.DATES)
    public_key = certificate.public_key()
    algorithm = declared_algorithm(public_key, parts.algorithms[1])
    if algorithm is None:
        raise CrlRefused(CrlRule.ALGORITHM)
    whole, tbs = hashlib.sha256(), ToBeSigned(algorithm)
    start, end = parts.tbs
    file.seek(0)
    whole.update(file.read(start))
    while chunk := file.read(min(_CHUNK, end - file.tell())):
        whole.update(chunk)
        tbs.update(chunk)
    whole.update(file.read())
    try:
        tbs.verify(public_key, parts.signature)
    except InvalidSignature:
        raise CrlRefused(CrlRule.SIGNATURE) from None
    if tbs.digest != signed:
        raise CrlRefused(CrlRule.SIGNATURE)
    return whole.digest()


def _delta(
    making: Making, record: CrlRecord, header: CrlHeader
) -> tuple[CrlRecord, NewPieces] | None:
    """The delta CRL of the same number (RFC 5280 5.2.4), if there is a base to go on from."""
    base = _base(making, record)
    if base is None or header.freshest is None:
        return None
    issuing = making.issuing
    listed = [
        encode_removal(serial_of(order), header.this_update) if change.entry is None
        else change.entry
        for order, change in sorted(making.source.changes(base.version).items())
    ]  # fmt: skip
    of_delta = CrlHeader(header.number, header.this_update, header.next_update, base.number)
    crl = build_crl(issuing.certificate, issuing.key, of_delta, listed)
    if check_crl(crl, issuing.certificate, max(making.now, header.this_update)) != of_delta:
        raise CrlRefused(CrlRule.AS_ORDERED)
    start, end = read_parts(crl).tbs
    signing = ToBeSigned(algorithm_for(issuing.key))
    signing.update(crl[start:end])
    made = replace(
        record,
        shard=DELTA,
        sha256=hashlib.sha256(crl).digest(),
        tbs_digest=signing.digest,
        entries=len(listed),
        base=base.number,
    )
    return made, NewPieces([Piece(HEAD, crl)])
