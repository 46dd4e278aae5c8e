"""Making the CRLs of one issuer when they are due, and putting them where this host serves them."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ca.issuers import IssuerRecord, IssuerState
from records.errors import RecordsError
from revocation.crl_issue import Workplace, issue_list
from revocation.crl_plan import CrlMade
from revocation.errors import Conflict, RevocationError
from revocation.publication import (
    COMPLETE,
    DELTA,
    NEVER,
    CrlDue,
    CrlRecord,
    CrlScope,
    crl_is_due,
)
from revocation.published_files import alone_in, write_streamed
from server.assembly import Assembly
from server.logs import get_logger


def scopes(parts: Assembly, record: IssuerRecord) -> list[CrlScope]:
    """The lists of an issuer: the complete one, and the shards it has or ever had."""
    policy, urls = record.policy, record.urls
    ever = len(parts.crls.shards(record.name))  # certificates go on naming them
    shards = range(1, max(ever, policy.crl_shards) + 1)
    delta = urls.delta if policy.crl_deltas else None
    return [
        CrlScope(record.name, delta_url=delta),
        *(CrlScope(record.name, shard, urls.crl_of(shard)) for shard in shards),
    ]


def _due(parts: Assembly, record: IssuerRecord, scope: CrlScope, now: datetime) -> CrlDue | None:
    if record.certificate is None or record.state is IssuerState.RETIRED:
        return None
    heading = parts.crls.crl_heading(scope)
    return crl_is_due(heading, now, parts.crl_policy(record), published=True)


def renew_crl(
    parts: Assembly, record: IssuerRecord, now: datetime, *, paced: bool = False
) -> CrlDue | None:
    """Issue and publish those CRLs of an issuer that are due; why the first of them was.

    When `paced`, revocations wait a little if the last CRL took long to make, and everything does
    if it was held back (`Pace`).

    Raises:
        IssuerOffline: its key is not at hand.
        RevocationError: a CRL was held back, or is still due after another process issued one.
    """
    found: list[CrlDue] = []
    failures: list[Exception] = []
    for scope in scopes(parts, record):
        due = _due(parts, record, scope, now)
        if due is None:
            continue
        try:
            if paced and _waits(parts, scope, due):
                continue
            _issue(parts, record, scope, now)
            found.append(due)
        except (RevocationError, RecordsError) as error:
            # One list that is stuck holds up no other. Who was first may have done what was due.
            if not isinstance(error, Conflict) or _due(parts, record, scope, now) is not None:
                failures.append(error)
    if found:
        publish_crl(parts, record)  # the delta, and what another process recorded
    if failures:
        raise failures[0]
    return found[0] if found else None


def _waits(parts: Assembly, scope: CrlScope, due: CrlDue) -> bool:
    """Whether a CRL that is due waits; one that was held back waits by raising why."""
    pace = parts.crl_work.pace
    why = pace.why_held_back(scope)
    if due is not CrlDue.REVOCATIONS_CHANGED and why is None:
        return False
    waits = not pace.may_begin(scope, time.monotonic())
    if waits and why is not None:
        raise why.with_traceback(None)
    return waits


def _issue(parts: Assembly, record: IssuerRecord, scope: CrlScope, now: datetime) -> None:
    issuing = parts.crl_signer(record)
    began = time.monotonic()
    place = _workplace(parts, scope)
    policy, pace = parts.crl_policy(record), parts.crl_work.pace
    try:
        issued = issue_list(parts.crls, (issuing, scope), now, policy, place)
    except Exception as error:
        pace.held_back(scope, began, time.monotonic(), error)
        raise
    pace.made(scope, began, time.monotonic())
    if issued.made in {CrlMade.MENDED, CrlMade.KEPT}:
        number = issued.record.number
        get_logger("crl").error(
            f"crl.{issued.made}", issuer=record.name, shard=scope.shard, number=number
        )
    if issued.record.this_update > now:
        get_logger("crl").warning("crl.clock_behind", issuer=record.name, shard=scope.shard)


def last_crls(parts: Assembly, record: IssuerRecord, now: datetime) -> Iterator[CrlRecord]:
    """Issue the last CRL of each list that has not had it: none follows."""
    for scope in scopes(parts, record):
        latest = parts.crls.latest(scope.issuer, scope.shard)
        is_last = latest is not None and latest.next_update == NEVER
        if is_last or record.certificate is None:
            continue
        issuing = parts.crl_signer(record)
        alone = CrlScope(scope.issuer, scope.shard, scope.url)
        place = _workplace(parts, scope)
        policy = replace(parts.crl_policy(record), is_last=True)
        yield issue_list(parts.crls, (issuing, alone), now, policy, place).record


def _workplace(parts: Assembly, scope: CrlScope) -> Workplace:
    path = parts.crl_file(scope.issuer, scope.shard)
    path.parent.mkdir(parents=True, exist_ok=True)
    return Workplace(path, parts.crl_work.stopping.is_set, lambda: alone_in(path.parent))


def publish_crl(parts: Assembly, record: IssuerRecord) -> tuple[CrlRecord | None, bool]:
    """The latest complete CRL of an issuer, and whether a file had to be written for any list.

    Raises: BackupRefused while a newer one is published than the records know.
    """
    parts.published.check(record, parts.crl_file(record.name), parts.crls)
    written, complete = False, None
    for latest in parts.crls.lists(record.name):
        if latest.shard == COMPLETE:
            complete = latest
        path = parts.crl_file(record.name, latest.shard)
        if latest.shard == DELTA and (complete is None or complete.number != latest.number):
            path.unlink(missing_ok=True)  # the complete CRLs since name none
        elif not parts.crl_work.is_published(path, latest.sha256):
            written |= _publish(parts, latest, path)
    return complete, written


def _publish(parts: Assembly, of: CrlRecord, path: Path) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The latest is read under the lock, so that no other process puts an older one over it.
    with alone_in(path.parent), parts.crls.octets(of.issuer, of.shard) as (latest, chunks):
        if latest is None or parts.crl_work.is_published(path, latest.sha256):
            return False
        write_streamed(path, chunks, latest.sha256)
    return True
