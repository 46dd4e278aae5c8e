"""What follows erasures: debts of directories, the search for what came back, and retention."""

import secrets
from datetime import datetime, timedelta

from gdpr_erasure.erasures import NewErasure
from gdpr_erasure.receipt import sign_receipt
from gdpr_erasure.retention import Assessment, Context, Trigger, assess
from gdpr_erasure.saga import request_erasure
from hsm.labels import AUDIT_KEY
from publish_ldap.errors import DirectoryError
from publish_ldap.publication import retry_delay
from records.directory_debts import Debt
from records.leases import Leases
from server.assembly import Assembly
from server.erasures import policies
from server.job_items import each

NIGHT = timedelta(hours=20)
"""Within this time a nightly job is done once, on whichever node."""
NIGHTS = timedelta(days=90)
"""How long directories are searched for what was erased."""
_LONGEST = timedelta(hours=1)
_AT_ONCE = 1000


def is_first_tonight(parts: Assembly, job: str, now: datetime) -> bool:
    """Whether nobody has begun this job in the last hours; then it is this caller's."""
    return Leases(parts.database).take(f"night.{job}", secrets.token_hex(8), now, NIGHT)


def forget_tonight(parts: Assembly, job: str, now: datetime) -> None:
    """Let a job that is done once a night be done again."""
    Leases(parts.database).end(f"night.{job}", now)


def pay_debts(parts: Assembly, now: datetime, limit: int) -> int:
    """Withdraw what is owed and due; sign one more receipt for cases that owe nothing any more."""
    paid = sum(_pay(parts, name, now, limit) for name in parts.settings.directories)
    return paid + _settle(parts, now)


def _pay(parts: Assembly, name: str, now: datetime, limit: int) -> int:
    done = 0
    with parts.directory(name) as directory:
        for debt in parts.debts.due(name, limit, now):
            try:
                directory.remove_certificate(debt.entry_uuid, debt.subject, debt.serial)
                found = directory.find_anywhere(debt.subject, debt.serial)
            except DirectoryError as error:
                parts.debts.failed(debt, error.code, _again(debt, now))
                continue
            if found:
                parts.debts.failed(debt, "notWithdrawn", _again(debt, now))
            else:
                parts.debts.paid(debt, now)
                done += 1
    return done


def _again(debt: Debt, now: datetime) -> datetime:
    return now + retry_delay(debt.attempts, _LONGEST, secrets.SystemRandom().random())


def _settle(parts: Assembly, now: datetime) -> int:
    settled = parts.debts.settled()
    for case in settled:
        proof = parts.erasures.proof(case)
        if proof is not None:
            key = parts.tokens.service_key(AUDIT_KEY)
            receipt = sign_receipt(case, proof, key, now, settled=True)
            parts.debts.settle(case, receipt, now)
    return len(settled)


def look_after(parts: Assembly, now: datetime) -> int:
    """Take out of the directories again what somebody put back, and forget what has expired.

    A directory that does not answer holds up none of the others; its failure is raised after them.
    """
    done = parts.debts.purge_residue(_AT_ONCE, now)
    return done + each(parts.settings.directories, lambda name: _search_again(parts, name, now))


def _search_again(parts: Assembly, name: str, now: datetime) -> int:
    done = 0
    with parts.directory(name) as directory:
        for erased in parts.debts.erased_since(name, now - NIGHTS):
            if directory.find_anywhere(erased.subject, erased.serial):
                directory.remove_certificate(None, erased.subject, erased.serial)
                if not directory.find_certificate(erased.subject, erased.serial):
                    parts.debts.republished(erased, now)
                    done += 1
    return done


def overdue(parts: Assembly, now: datetime) -> tuple[str, ...]:
    """Subjects of whom everything has ended and nothing has to be kept any more."""
    return tuple(
        subject
        for subject in parts.orders.ended_subjects(now)
        if not ruled(parts, subject, now).kept(now.date())
    )


def ruled(parts: Assembly, subject_id: str, now: datetime) -> Assessment:
    """What retention says about somebody today."""
    items = parts.erasures.inventory(subject_id)
    return assess(items, policies(parts.settings), Context(now.date(), Trigger.RETENTION))


def open_overdue(parts: Assembly, subject_id: str, now: datetime) -> bool:
    """Open a case; two persons approve it as any other."""
    new = NewErasure(subject_id, Trigger.RETENTION, None, "system:retention")
    return request_erasure(parts.erasures, policies(parts.settings), new, now).requested_at == now
